"""Docs' sentences: commands of other programs in them run; those that need a clone do so in tests/test_docs_with.py."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nas.task.data.manifest import Photographs
from results.run import Run
from tests.browser import MISSING, chromium
from tests.docs_blocks import ROOT, SMALL, run_sh
from tests.docs_sentences import (
    ALL_RUN,
    CURVES,
    DASHBOARD,
    EXTRA,
    GETPROP,
    HEAD,
    PARTS,
    SCREENSHOTS,
    TENSORBOARD,
    of_others,
)
from tests.docs_with import PROGRAMS, living_at, run_bash, served, stand_in_phone, visited
from tests.served import free_port, listens


@pytest.fixture(scope="module")
def night(tmp_path_factory) -> Path:
    """A home folder with a run that kept its curves, as docs/verbs/search.md says."""
    with pytest.MonkeyPatch.context() as patch, living_at(tmp_path_factory.mktemp("night") / "home") as home:
        patch.setitem(SMALL, "search", SMALL["search"].replace("--confirm 0", "--confirm 1"))
        run_sh("lpienas search --out runs/night --data ~/photos --tensorboard")
    return home


def test_every_command_of_another_program_in_a_sentence_is_run_or_part_of_one_that_is():
    left = {one for one in of_others() if not EXTRA.fullmatch(one) and not GETPROP.fullmatch(one)}
    assert left == ALL_RUN | PARTS


@pytest.mark.long
def test_the_dashboard_shows_the_study_of_a_run(night):
    (study,) = visited(DASHBOARD.replace("RUN", "runs/night"), night)
    assert study["study_name"] == "lpienas"


@pytest.mark.long
def test_tensorboard_shows_the_curves_of_a_run(night, tmp_path):
    """In an environment of its own: nothing of lpienas needs it."""
    run_bash(f"{sys.executable} -m venv own\nsource own/bin/activate\n{TENSORBOARD}", tmp_path)
    kept = list((night / "runs/night/tensorboard").glob("**/events.*"))
    assert len(kept) > 1  # of the search and of full trainings
    assert len(served(CURVES, night, "/data/runs", tmp_path / "own" / "bin", len(kept))) == len(kept)


@contextmanager
def head_at(home: Path) -> Iterator[str]:
    """The address of the head that the page begins, in the foreground: `ray stop` would end those of other tests too.

    It asks for a token, since there is one at home, as after any cluster of one machine.
    """
    with living_at(home):
        subprocess.run([PROGRAMS / "ray", "get-auth-token", "--generate"], check=True, stdout=subprocess.DEVNULL)
        port, (program, *words) = free_port(), HEAD.split()
        apart = ["--block", "--port", str(port), "--include-dashboard", "false"]
        head = subprocess.Popen([PROGRAMS / program, *words, *apart], start_new_session=True)
        try:
            listens(port, head)
            yield f"127.0.0.1:{port}"
        finally:
            os.killpg(head.pid, signal.SIGKILL)
            head.wait(60)


@pytest.mark.long
def test_the_head_of_a_cluster_that_only_searches_has_no_processor_for_others(tmp_path):
    """And a search says what it lacks, where the cluster asks for a token."""
    ask = "import ray, sys; ray.init(sys.argv[1], log_to_driver=False); print(ray.cluster_resources())"
    search = ["-m", "lpienas", "search", "--out", "runs/night", "--data", "photos", "--patch", "16", "--ray"]
    with head_at(tmp_path / "home") as address:
        with_token = os.environ | {"RAY_AUTH_MODE": "token"}
        found = subprocess.run([sys.executable, "-c", ask, address], env=with_token, capture_output=True, text=True)
        assert "'memory'" in found.stdout, found.stderr[-2000:]
        assert "'CPU'" not in found.stdout
        refused = subprocess.run([sys.executable, *search, address], capture_output=True, text=True)
        assert refused.returncode == 1
        assert "that cluster asks for a token: set RAY_AUTH_MODE=token" in refused.stderr


@pytest.mark.long
def test_pictures_of_a_page_are_made_by_the_command_that_stands_beside_them(night, tmp_path):
    with chromium() as found:
        if found is None:
            assert not os.environ.get("CI"), MISSING
            pytest.skip(MISSING)
    entries = Photographs.read(Run(night / "runs/night").photographs).entries
    photograph = next(entry.name for entry in entries if entry.split == "test")
    command = SCREENSHOTS.replace("runs/demo", str(night / "runs/night")).replace("--to docs", f"--to {tmp_path}")
    run_sh(command.replace("flower", photograph))
    assert {path.name for path in tmp_path.glob("report-*.webp")} == {
        path.name for path in ROOT.glob("docs/report-*.webp")
    }


@pytest.mark.long
def test_a_phone_says_what_it_is(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    path = f"{stand_in_phone(home, tmp_path / 'phone')}{os.pathsep}{os.environ['PATH']}"
    asked = sorted(one for one in of_others() if GETPROP.fullmatch(one))
    assert len(asked) == 3
    for command in asked:
        assert run_bash(command, home, PATH=path) == "a stand-in\n"
