"""Errors: what a user can mend becomes an Error; a fault of ours or of a library keeps its type and its trace."""

import json
from concurrent.futures import ProcessPoolExecutor
from configparser import ConfigParser
from multiprocessing import get_context
from pathlib import Path

import pytest

from lpienas.errors import EXTRAS, Error, told
from lpienas.fields import count
from lpienas.installation import _package
from results.run import Run

ROOT = Path(__file__).parents[1]


def test_an_error_that_our_own_code_raised_becomes_one_with_the_same_words():
    with pytest.raises(Error, match=r"^'x': must be a whole number of at least 1$") as caught, told():
        count("x")
    assert isinstance(caught.value.__cause__, ValueError)


def test_an_error_of_a_library_is_a_fault_and_stays_what_it_is():
    with pytest.raises(json.JSONDecodeError), told():
        json.loads("{")


def test_a_wrong_key_in_our_own_code_is_a_fault_and_stays_what_it_is():
    with pytest.raises(KeyError), told():
        {}["no such key"]


def test_an_error_of_a_worker_process_is_told_by_whose_code_raised_it():
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        with pytest.raises(Error, match="at least 1"), told():
            pool.submit(count, "x").result()
        with pytest.raises(json.JSONDecodeError), told():
            pool.submit(json.loads, "{").result()


def test_what_the_system_refuses_is_told_with_the_file_and_the_reason(tmp_path):
    with pytest.raises(Error, match=rf"^{tmp_path}: Is a directory$"), told():
        tmp_path.read_text()


def test_a_module_of_an_extra_that_is_not_there_is_told_with_the_command_that_installs_it():
    with pytest.raises(Error, match=r"pip install 'lpienas\[search\]'"), told():
        raise ModuleNotFoundError("No module named 'optuna.samplers'", name="optuna.samplers")


def test_a_module_that_no_extra_brings_is_a_fault():
    with pytest.raises(ModuleNotFoundError), told():
        raise ModuleNotFoundError("No module named 'elsewhere'", name="elsewhere")


def test_a_run_json_without_settings_is_told_with_its_name(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(Error, match=r"run\.json states no settings"), told():
        Run(tmp_path).settings()


def test_what_an_extra_brings_is_what_setup_cfg_lists_for_it():
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    for extra, brings in EXTRAS.items():
        listed = setup["options.extras_require"][extra].split("\n")
        packages = {
            line.split(" ")[0].partition("[")[0].lower() for line in listed if line and not line.startswith("lpienas")
        }
        assert packages == {_package(module).lower() for module in brings}
