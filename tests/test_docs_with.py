"""Docs with: commands of the pages that need a clone, a server, a cluster, a visitor or a phone, run with one.

All but the phone are real. tests/test_docs.py runs the others.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from compress.bench.phone_log import imported
from results.storage import Shared
from results.study import open_study
from tests.docs_blocks import PAGES, ROOT, SMALL, commands_in_sentences, commands_of, in_small, named, run_sh
from tests.docs_sentences import EXTRA, FAULT, HASHES, IN_CHECKOUT, OTHER_PYTHON, PAGE_OF_LICENCES, SITE
from tests.docs_with import PROGRAMS, every_shown, living_at, run_bash, shown, stand_in_phone, visited
from tests.postgres import PASSWORD, USER, binaries, running_postgres
from tests.ray_nodes import two_nodes
from tests.served import free_port, listens

ONE = {"export": {"--to": "litert"}, "bench": {"--runtime": "onnx"}}
NAMES = {"DIR": "photos", "RUN": "runs/night", "MODEL": "runs/night", "runs/demo": "runs/night"}
RUN: set[tuple[str, str]] = set()  # pages, with what this file runs their blocks with
INSTALLED = "source .venv/bin/activate\n"


def runs(page: str, what: str) -> pytest.MarkDecorator:
    """Marks the test that runs the blocks of a page that need `what`."""
    RUN.add((page, what))
    return pytest.mark.long


def of_more_trials(patch: pytest.MonkeyPatch, count: int) -> None:
    patch.setitem(SMALL, "search", re.sub(r"--trials \d+", f"--trials {count}", SMALL["search"]))


def in_sentences() -> list[str]:
    """Whole commands of lpienas that stand in sentences, on a run of this machine; without --in-float alone."""
    found = set()
    for command in {one for page in PAGES for one in commands_in_sentences(page)}:
        program, *words = command.split()
        if program != "lpienas" or len(words) < 2 or words == ["compress", "--in-float"]:  # a word for what is not said
            continue
        about = [] if words[0] == "enhance" or not words[1].startswith("--") else ["runs/night"]
        found.add(shlex.join([program, words[0], *about, *(NAMES.get(word, word) for word in words[1:])]))
    return sorted(found)


def test_every_block_that_needs_something_is_run_with_it():
    assert every_shown() == RUN


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """A clone of what is committed here, installed as the tutorial says."""
    home = tmp_path_factory.mktemp("clone")
    (block,) = shown("docs/tutorial.md", "a clone")
    said = run_bash(f"{named(block, {'ADDRESS-OF-THIS-REPOSITORY': str(ROOT)}).text}\ntype -p lpienas", home)
    assert said.splitlines()[-1] == str(home / "lpienas" / ".venv" / "bin" / "lpienas")
    return home / "lpienas"


@runs("docs/tutorial.md", "a clone")
def test_a_clone_that_was_installed_as_the_tutorial_says_misses_nothing_that_it_uses(clone):
    said = run_bash(INSTALLED + "lpienas doctor", clone)
    for package in ("optuna", "onnx", "onnxruntime", "ai-edge-litert", "litert-torch", "executorch", "torchao"):
        assert re.search(rf"^ +{package} \d", said, re.MULTILINE), said


@runs("README.md", "a clone")
def test_two_commands_of_the_readme_make_what_it_says_and_run_tests(clone):
    """`make test` with the tests of one file, since all of them would be these, within themselves."""
    (block,) = shown("README.md", "a clone")
    said = run_bash(block.text, clone, PYTEST_ADDOPTS="tests/test_units.py")
    assert re.search(r"\d+ passed", said), said[-2000:]
    demo = clone / "runs" / "demo"
    for name in ("report.html", "front.png", "before-after.png", "summary.json"):
        assert (demo / name).stat().st_size > 0
    assert len(list((demo / "exported" / "demo").glob("lpienet_*"))) == 7


def test_the_gate_runs_the_tests_by_the_readme_s_command():
    assert {"make check", "make test"} <= set((ROOT / ".ci" / "run").read_text().splitlines())


@runs("docs/installing.md", "a clone")
def test_the_wheel_is_as_large_as_its_page_says_and_what_is_installed_is_counted(clone):
    (block,) = shown("docs/installing.md", "a clone")
    said = run_bash(INSTALLED + block.text, clone)
    (wheel,) = (clone / "wheels").glob("lpienas-*.whl")
    (written,) = re.findall(r"a wheel of ([\d.]+) MB", (ROOT / "docs" / "installing.md").read_text())
    assert wheel.stat().st_size / 1e6 == pytest.approx(float(written), rel=0.1)
    assert re.search(r"^lpienas\[export\] +\d+ packages +[1-9]\.\d+ GB$", said, re.MULTILINE), said
    assert re.search(r"^import lpienas +\d\.\d+ s$", said, re.MULTILINE), said


@runs("docs/reliability.md", "a clone")
def test_faults_are_injected_and_the_pins_audited_in_a_clone(clone):
    """Two of the faults, once each; and where pip-audit reaches no list of faults, all it does but for asking."""
    faults, audit = shown("docs/reliability.md", "a clone")
    said = run_bash(faults.text, clone, FAULTS="--only 'half a line' newer --times 1")
    for fault in ("journal: half a line", "run.json of a newer version"):
        assert re.search(rf"^{re.escape(fault)} +1 +0 +0 ", said, re.MULTILINE), said
    install, ask = commands_of(audit.text)
    own = f"{sys.executable} -m venv audit\nsource audit/bin/activate\n{install}\n"
    said = run_bash(f"{own}{ask} || echo it ended with $?", clone)
    if "it ended with" in said and not re.search(r"Found \d+ known", said):
        assert "Error" in said
        assert re.search(r"would have audited \d\d+ packages", run_bash(f"{own}{ask} --dry-run", clone))


@pytest.mark.long
def test_what_sentences_say_of_make_and_scripts_that_write_pages_is_so_in_a_clone(clone):
    said = run_bash(f"{SITE}\n{HASHES}", clone)
    assert "build/site/index.html" in said
    assert (clone / "build" / "site" / "index.html").exists()
    run_bash(INSTALLED + PAGE_OF_LICENCES, clone)
    for name in ("docs/licences.md", "docs/tutorial.ipynb"):
        assert (clone / name).read_text() == (ROOT / name).read_text()
    assert (clone / "requirements.txt").read_text().count("--hash=sha256:") > 1000


@pytest.mark.long
def test_the_fault_that_a_sentence_injects_again_is_gone_through(clone):
    said = run_bash(INSTALLED + FAULT, clone)
    assert re.search(r"^Ctrl-C twice after.* +3 +0 +0 ", said, re.MULTILINE), said


@pytest.mark.long
def test_every_extra_that_a_sentence_installs_is_found_and_goes_with_what_is_there(clone):
    """From the clone: what is installed by the name of lpienas alone is what was published last."""
    named_extras = sorted({found for page in PAGES for found in EXTRA.findall(" ".join(page.read_text().split()))})
    assert len(named_extras) >= 6
    for extra in named_extras:
        run_bash(f"{INSTALLED}{IN_CHECKOUT.replace('EXTRA', extra)}", clone)
    run_bash(INSTALLED + "pip check\nlpienas doctor", clone)


@pytest.mark.long
def test_the_demo_is_installed_and_run_by_the_python_that_is_named(clone, tmp_path):
    """By another name of this one, since there may be no other; its search goes on from where the README's ended."""
    (tmp_path / "python3.12").symlink_to(Path(sys.executable).resolve())
    (clone / ".venv").rename(tmp_path / "before")
    run_bash(OTHER_PYTHON.replace("python3.12", str(tmp_path / "python3.12")), clone)
    assert f"command = {tmp_path / 'python3.12'} -m venv" in (clone / ".venv" / "pyvenv.cfg").read_text()
    assert (clone / "runs" / "demo" / "report.html").exists()


@pytest.mark.skipif(binaries() is None, reason="no PostgreSQL: see tests/install-postgres")
@runs("docs/storage.md", "a server")
def test_three_machines_feed_one_study_by_the_database_and_by_the_proxy_and_it_is_watched(tmp_path, monkeypatch):
    """A machine is a home folder here, with the password in its ~/.pgpass, as the page has it."""
    first, second, seen, proxy, by_proxy = shown("docs/storage.md", "a server")
    with running_postgres() as server:
        address, port = server.create("lpienas"), free_port()
        at = {"db.lab": f"127.0.0.1:{server.port}"}
        homes = [tmp_path / name for name in ("one", "two", "three")]
        for home in homes:
            with living_at(home):
                (home / ".pgpass").write_text(f"127.0.0.1:{server.port}:*:{USER}:{PASSWORD}\n")
                (home / ".pgpass").chmod(0o600)
        one, two, three = homes
        with living_at(one):
            run_sh(named(first, at).text)
        for home in (two, three):  # as the page says, before they search
            shutil.copytree(one / "runs/night/supernet", home / "runs/night/supernet")
        with living_at(two):
            of_more_trials(monkeypatch, 5)
            run_sh(named(second, at | {"/mnt/photos": "~/photos"}).text)
            watch, dashboard = commands_of(named(seen, at).text)
            assert {study["study_name"] for study in visited(dashboard, two)} == {"night", "night leases"}
            run_sh(f"{watch} > watched")
            assert "scored 5 of 5" in (two / "watched").read_text()
        (one / "proxy.py").write_text(named(proxy, {"localhost": at["db.lab"], "13000": str(port)}).text)
        serving = subprocess.Popen([sys.executable, "proxy.py"], cwd=one, env=os.environ | {"HOME": str(one)})
        try:
            listens(port, serving)
            with living_at(three):
                of_more_trials(monkeypatch, 7)
                run_sh(named(by_proxy, {"db.lab:13000": f"127.0.0.1:{port}"}).text)
        finally:
            serving.kill()
            serving.wait()
        monkeypatch.setenv("PGPASSWORD", PASSWORD)
        trials = open_study(Shared(address, "night")).trials
        assert [trial.state.name for trial in trials] == ["COMPLETE"] * 7
        assert len({trial.user_attrs["search"] for trial in trials}) == 3


def run_apart(command: str) -> None:
    """In a process of its own: in one that had a cluster of `--ray local`, Ray 2.60 ends what it begins on others."""
    words = in_small(command.split()[1:])
    subprocess.run(" ".join([sys.executable, "-m", "lpienas", *words]), shell=True, check=True)


@runs("docs/cluster.md", "a cluster")
def test_a_search_and_a_calibration_use_ray_on_this_machine_and_a_cluster_of_two_nodes(tmp_path, monkeypatch):
    """Where no GPU is, the search whose workers are to have half of one each asks for none: it would wait for it."""
    (block,) = shown("docs/cluster.md", "a cluster")
    monkeypatch.setenv("PATH", f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # it finds what the tests have installed, and must find all of it
    with living_at(tmp_path / "home") as home, two_nodes() as cluster:
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)  # where `auto` looks
        gpus = "0.5" if torch.cuda.is_available() else "0"
        names = {"head.cluster:6379": cluster.address, "--gpus-per-trial 0.5": f"--gpus-per-trial {gpus}"}
        install, here, there, calibrate = commands_of(named(block, names).text)
        run_sh(install)
        run_apart(here)
        of_more_trials(monkeypatch, 5)
        run_apart(there)
        run_apart(calibrate)
        found = open_study(home / "runs" / "night" / "study.journal").trials
        assert [trial.state.name for trial in found] == ["COMPLETE"] * 5
        assert (home / "runs" / "night" / "calibration.json").exists()


@runs("docs/verbs/watch.md", "a visitor")
def test_a_visitor_of_the_dashboard_sees_the_study_of_a_run(night, tmp_path):
    (block,) = shown("docs/verbs/watch.md", "a visitor")
    (command,) = commands_of(block.text)
    (study,) = visited(command, shutil.copytree(night, tmp_path / "home"))
    assert study["study_name"] == "lpienas"


@pytest.fixture(scope="module")
def night(tmp_path_factory) -> Path:
    """A home folder with a run, compressed."""
    with living_at(tmp_path_factory.mktemp("night") / "home") as home:
        run_sh("lpienas search --out runs/night --data ~/photos\nlpienas compress runs/night --name small")
    return home


@pytest.mark.long
@pytest.mark.parametrize("command", in_sentences())
def test_a_command_in_a_sentence_runs(command, night, tmp_path, monkeypatch):
    """In one format and one runtime, where none is named."""
    monkeypatch.setitem(SMALL, "export", "--size 64x64 --workers 1")
    verb = command.split()[1]
    for option, value in ONE.get(verb, {}).items():
        command += "" if option in command else f" {option} {value}"
    with living_at(shutil.copytree(night, tmp_path / "home")) as home:
        shutil.copy("noisy.jpg", "photo.jpg")
        blocks = np.random.default_rng(0).integers(0, 256, (1, 2, 16, 24, 3), dtype=np.uint8)
        savemat("BenchmarkNoisyBlocksSrgb.mat", {"BenchmarkNoisyBlocksSrgb": blocks})
        if verb == "delegates":  # of what was exported
            run_sh("lpienas export runs/night --to litert")
        run_sh(command)
        assert "-o" not in command or (home / command.split()[-1]).stat().st_size > 0


@runs("docs/verbs/bench.md", "a phone")
def test_a_bench_on_a_phone_is_taken_up_from_its_log(night, tmp_path, monkeypatch):
    (block,) = shown("docs/verbs/bench.md", "a phone")
    home = shutil.copytree(night, tmp_path / "home")
    adb = stand_in_phone(home, tmp_path / "phone")
    monkeypatch.setenv("PATH", f"{adb}{os.pathsep}{os.environ['PATH']}")
    with living_at(home):
        (home / "phone.log").unlink()
        run_sh(named(block, {"--import phone.log": "--import phone.log --runtime onnx"}).text)  # here in one runtime
        assert {row.runtime for row in imported(home / "phone.log")} == ON_PHONE


ON_PHONE = {f"LiteRT on the phone ({where})" for where in ("CPU, XNNPACK", "GPU", "NPU")}


@runs("docs/phones.md", "a phone")
def test_files_go_to_a_phone_and_run_there_by_the_verb_and_by_hand(night, tmp_path, monkeypatch):
    by_verb, by_hand, app, program = shown("docs/phones.md", "a phone")
    home, phone = shutil.copytree(night, tmp_path / "home"), tmp_path / "phone"
    adb = stand_in_phone(home, phone)
    monkeypatch.setenv("PATH", f"{adb}{os.pathsep}{os.environ['PATH']}")
    with living_at(home):
        (home / "phone.log").unlink()
        monkeypatch.delitem(SMALL, "export")  # the page's formats and sizes, though fewer of them
        run_sh("lpienas export runs/night --to litert --size 1088x1920")
        run_sh("lpienas export runs/night --to executorch --size 256x256 --compression small")
        run_sh(by_verb.text)
        (home / "phone.log").unlink()
        run_bash(by_hand.text + app.text, home)
        rows = imported(home / "phone.log")
        assert [row.precision for row in rows] == ["float", "int8", "float16", "float16", "float16", "int8"]
        assert {row.runtime for row in rows} == ON_PHONE
        assert {(row.network, row.size) for row in rows} >= {("lpienet_float_1088x1920.tflite", (1088, 1920))}
        assert (phone / "sdcard/Download/model.tflite").read_bytes()[4:8] == b"TFL3"
        assert "OutputX" in run_bash(program.text, home)
