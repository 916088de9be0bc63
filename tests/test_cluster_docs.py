"""Cluster docs: the files for clusters are what their readers take, and their commands have options that there are."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from lpienas.command import VERBS, whole_parser
from lpienas.command.parser import parsed

FOLDER = Path(__file__).parents[1] / "docs" / "cluster"


def loaded(name: str) -> dict:
    return yaml.safe_load((FOLDER / name).read_text())


def require_a_search(command: str) -> None:
    """Raises SystemExit for options that there are not; a shell's variables stand for a word."""
    words = shlex.split(command)
    parsed(whole_parser(), VERBS, words[words.index("lpienas") + 1 :])


def test_the_slurm_script_is_a_shell_script_and_its_search_has_options_that_there_are():
    script = FOLDER / "slurm.sh"
    subprocess.run([shutil.which("bash") or "bash", "-n", script], check=True)
    (command,) = [line for line in script.read_text().splitlines() if line.startswith("lpienas ")]
    require_a_search(command)


def test_the_launchers_file_has_what_ray_asks_for_and_as_many_machines_as_it_says():
    found = loaded("ray-cluster.yaml")
    assert {"cluster_name", "provider", "auth", "head_start_ray_commands", "worker_start_ray_commands"} <= set(found)
    assert found["max_workers"] == len(found["provider"]["worker_ips"])
    assert all("RAY_USAGE_STATS_ENABLED=0" in found[f"{kind}_start_ray_commands"][1] for kind in ("head", "worker"))


def test_the_manifest_is_a_rayjob_whose_pods_have_one_image_and_see_one_volume():
    found = loaded("kuberay.yaml")
    assert (found["apiVersion"], found["kind"]) == ("ray.io/v1", "RayJob")
    require_a_search(found["spec"]["entrypoint"])
    cluster = found["spec"]["rayClusterSpec"]
    pods = [group["template"]["spec"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]
    assert len({pod["containers"][0]["image"] for pod in pods}) == 1
    for pod in pods:
        assert [one["name"] for one in pod["volumes"]] == [one["name"] for one in pod["containers"][0]["volumeMounts"]]


def test_ray_itself_takes_the_launchers_file():
    pytest.importorskip("ray")
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(loaded("ray-cluster.yaml")))
