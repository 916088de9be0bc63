"""Docs' sentences: the commands of other programs in them, each of which a test runs."""

import re

from tests.docs_blocks import PAGES, blocks_of, commands_in_sentences, commands_of

EXTRA = re.compile(r"pip install 'lpienas\[([a-z]+)\]'")  # in test_docs_with.py, as the next ones
FAULT = "python -m tests.faults --only 'Ctrl-C twice after' --times 3"
HASHES, SITE = "make hashes", "make docs"
IN_CHECKOUT = "pip install -e '.[EXTRA]'"
OTHER_PYTHON = "make PYTHON=python3.12 demo"
PAGE_OF_LICENCES = "python docs/licences.py"
BY_NAME = "pip install lpienas"  # its wheel: in test_docs_with.py, with what it brings: in test_core.py

GETPROP = re.compile(r"adb shell getprop ro\.[a-z.]+")  # in test_docs_sentences.py, as the next ones
HEAD = "ray start --head --num-cpus=0"
DASHBOARD = "optuna-dashboard RUN/study.journal"
TENSORBOARD = "pip install tensorboard"
CURVES = "tensorboard --logdir runs/night/tensorboard"
SCREENSHOTS = "python benchmarks/screenshots.py runs/demo --to docs --photograph flower"

ALL_RUN = {FAULT, HASHES, SITE, IN_CHECKOUT, OTHER_PYTHON, PAGE_OF_LICENCES, BY_NAME}
ALL_RUN |= {HEAD, DASHBOARD, TENSORBOARD, CURVES, SCREENSHOTS}
PARTS = {  # of commands that are run; they are not to be typed so
    "python -m lpienas search",  # lpienas search, in a list of processes
    "pip install --require-hashes --no-deps",  # make install
    "uv pip compile --generate-hashes",  # make hashes
}
_PROGRAM = re.compile(
    "(adb|bash|git|make|nvidia-[a-z-]+|optuna-dashboard|pip|pip-audit|python|ray|tensorboard|uv) [^ ]"
)


def of_others() -> set[str]:
    """The commands of other programs in sentences of the pages, without those that a block of a page has too."""
    lines = (line for page in PAGES for block in blocks_of(page) for line in commands_of(block.text))
    in_blocks = {re.sub(" +#.*", "", line) for line in lines}
    return {one for page in PAGES for one in commands_in_sentences(page) if _PROGRAM.match(one)} - in_blocks
