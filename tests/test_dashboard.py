"""Dashboard: a run's study is an ordinary one of Optuna, which its own dashboard shows over HTTP."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from nas.guided import Region
from nas.propose import Proposals
from results.candidate import Scores
from results.dashboard import Beside
from results.study import name_metrics, open_study
from results.trials import attributes_of, tell_scores, write_rejected, write_running
from search_spaces.space import ADDITIVE, default_space
from tests.served import asked, free_port

SPACE = default_space()
NOTE, PICTURE = f"Trained *fully*. {'x' * 3000}", b"a picture"  # longer than one attribute of a database holds


@pytest.fixture(params=["study.journal", "study.db"])
def storage(request, tmp_path):
    """The file of a study with one scored network and one that was over the budget."""
    path = tmp_path / request.param
    study = open_study(path, create=True)
    name_metrics(study, "macs")
    proposals = Proposals(study, Region(SPACE), "random", 0, [ADDITIVE])
    for write, over in ((write_running, -0.5), (partial(write_rejected, reason="over the budget"), 0.2)):
        proposal = proposals.ask()
        attributes = attributes_of(proposal.genotype, 10**8, 1000, 1e8)
        write(study, proposals.frozen(proposal, attributes, over))
    tell_scores(study, 0, Scores(0.875, 31.0, 10**8, 1000))
    beside = Beside(study, tmp_path / "artifacts")
    beside.note(0, "first" * 1000)
    beside.note(0, NOTE)
    for content in (b"first", PICTURE):
        beside.picture(0, "kitchen", content, ".webp")
    return path


def served(path):
    """What the dashboard's own interface says of the only study in `path`."""
    port = free_port()
    where = str(path) if path.suffix == ".journal" else f"sqlite:///{path}"
    command = Path(sys.executable).with_name("optuna-dashboard")
    words = [str(command), "--host", "127.0.0.1", "--port", str(port), where]
    words += ["--artifact-dir", str(path.with_name("artifacts"))]
    dashboard = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        number = json.loads(asked(port, "/api/studies", dashboard))["study_summaries"][0]["study_id"]
        shown = json.loads(asked(port, f"/api/studies/{number}", dashboard))
        for trial in shown["trials"]:
            for one in trial["artifacts"]:
                one["content"] = asked(port, f"/artifacts/{number}/{trial['trial_id']}/{one['artifact_id']}", dashboard)
        return shown
    finally:
        dashboard.kill()
        dashboard.wait()


def test_the_dashboard_shows_names_genes_scores_the_constraint_the_note_and_the_picture(storage):
    shown = served(storage)
    assert shown["objective_names"] == ["SSIM", "log10 of MACs"]
    scored, pruned = shown["trials"]
    assert (scored["state"], pruned["state"]) == ("Complete", "Pruned")
    assert scored["values"] == [0.875, 8.0]
    genes = {one["name"]: one["param_external_value"] for one in scored["params"]}
    assert (genes["encoder1.width"], genes["join"]) == ("8", "add")
    assert scored["constraints"] == [-0.5]
    assert pruned["constraints"] == [0.2]
    assert (scored["note"]["body"], pruned["note"]["body"]) == (NOTE, "")
    (picture,) = scored["artifacts"]
    assert (picture["filename"], picture["mimetype"], picture["content"]) == ("kitchen.webp", "image/webp", PICTURE)
    assert pruned["artifacts"] == []


def test_a_cost_in_milliseconds_is_named_so(tmp_path):
    study = open_study(tmp_path / "study.journal", create=True)
    name_metrics(study, "latency")
    written = (tmp_path / "study.journal").read_bytes()
    name_metrics(study, "latency")
    assert open_study(tmp_path / "study.journal").metric_names == ["SSIM", "log10 of latency in ms"]
    assert (tmp_path / "study.journal").read_bytes() == written
