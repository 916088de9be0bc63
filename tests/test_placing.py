"""Placing: what cannot be asked of a cluster is refused before one is asked, and Ray is not imported before that."""

import ast
from pathlib import Path

import pytest

import lpienas
from lpienas import SearchOptions
from nas.where.joined import Placing
from nas.where.placed import require_same
from results.run import versions

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("placing", "says"),
    [
        ({"gpus": 2.0}, "gpus per trial = 2: must be from 0 to 1"),
        ({"gpus": -0.5}, "gpus per trial = -0.5: must be from 0 to 1"),
        ({"address": "ray://head:10001"}, "a search runs on a machine of the cluster"),
    ],
)
def test_what_a_cluster_cannot_give_is_refused(placing, says):
    with pytest.raises(ValueError, match=says):
        Placing(**placing)


@pytest.mark.parametrize("package", ["lpienas", "torch"])
def test_a_machine_with_another_version_is_refused_by_name_and_another_build_is_not(package):
    here = versions()
    require_same("far", here | {"torch": here["torch"].partition("+")[0] + "+cu130", "numpy": "1.0"})
    with pytest.raises(ValueError, match=rf"far has {package} 0\.0\.1, and .* the same version on all machines"):
        require_same("far", here | {package: "0.0.1"})


def test_gpus_are_asked_for_of_a_cluster_alone(tmp_path):
    with pytest.raises(lpienas.Error, match=r"--gpus-per-trial 0\.5: is of a Ray cluster; name it with --ray"):
        lpienas.search(tmp_path / "run", SearchOptions(gpus_per_trial=0.5))


@pytest.mark.parametrize("path", sorted((ROOT / "nas").rglob("*.py")), ids=lambda path: path.stem)
def test_ray_is_imported_only_where_it_is_asked_for(path):
    at_once = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [alias.name for node in at_once for alias in node.names] + [getattr(node, "module", "") for node in at_once]
    assert not [name for name in names if (name or "").partition(".")[0] == "ray"]
