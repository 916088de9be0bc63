"""Fuzzed values: what is changed in a genotype, blueprint, setting, summary or study is read so, or named."""

import json
import random
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from results.candidate import Scores
from results.front import ReferencePoint
from results.record import RunSettings
from results.run import Run
from results.study import candidates, fix_reference_point, open_study
from results.trials import attributes_of, tell_scores, write_running
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of, parameters_of
from search_spaces.genotype import Genotype
from search_spaces.space import REFERENCE, default_space

FEW = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
LEAVES = some.none() | some.booleans() | some.integers() | some.floats(allow_subnormal=False) | some.text(max_size=9)
VALUES = some.recursive(
    LEAVES,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
Change = tuple[tuple[Any, ...], Any]  # the way to a place in JSON, and what is there instead
GONE = object()


def ways(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """To every place in a JSON value, but the value itself."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way for key, part in inner for way in ((*at, key), *ways(part, (*at, key)))]


def changed(value: Any, way: tuple[Any, ...], to: Any) -> Any:
    """A copy of a JSON value with another part at one place, or without it."""
    copy = json.loads(json.dumps(value))
    *above, last = way
    place = copy
    for key in above:
        place = place[key]
    if to is GONE:
        del place[last]
    else:
        place[last] = to
    return copy


def named(way: tuple[Any, ...], said: str) -> bool:
    """Whether one of the fields on the way to what was changed stands in an error."""
    return any(str(key) in said for key in way if isinstance(key, str))


def a_change(value: Any) -> some.SearchStrategy[Change]:
    return some.tuples(some.sampled_from(ways(value)), VALUES | some.just(GONE))


GENOTYPES = [one.to_json() for one in (REFERENCE, *(default_space().sample(random.Random(n)) for n in range(3)))]
MADE = [Blueprint.from_genotype(Genotype.from_json(one)).to_json() for one in GENOTYPES]
BLUEPRINTS = json.loads(json.dumps(MADE))  # with lists, as a file has them
STATED = RunSettings(steps=9, splits=("training", "validation", "test"), loss=("ssim=0.1",)).to_json()


@FEW
@given(some.sampled_from(GENOTYPES).flatmap(lambda one: some.tuples(some.just(one), a_change(one))))
def test_a_changed_genotype_is_read_as_it_is_or_the_gene_is_named(drawn: tuple[Any, Change]):
    whole, (way, to) = drawn
    value = changed(whole, way, to)
    try:
        found = Genotype.from_json(value)
    except ValueError as error:
        assert named(way, str(error)), error
    else:
        assert Genotype.from_json(json.loads(json.dumps(found.to_json()))) == found


@FEW
@given(some.sampled_from(BLUEPRINTS).flatmap(lambda one: some.tuples(some.just(one), a_change(one))))
def test_a_changed_blueprint_is_read_as_it_is_or_the_field_is_named(drawn: tuple[Any, Change]):
    whole, (way, to) = drawn
    value = changed(whole, way, to)
    try:
        found = Blueprint.from_json(value)
    except ValueError as error:
        assert named(way, str(error)), error
    else:
        assert Blueprint.from_json(json.loads(json.dumps(found.to_json()))) == found


@FEW
@given(VALUES)
def test_what_is_no_genotype_and_no_blueprint_is_an_error(value: Any):
    for reads in (Genotype.from_json, Blueprint.from_json):
        with pytest.raises(ValueError, match=r"."):
            reads(value)


@FEW
@given(a_change(STATED) | some.tuples(some.text(max_size=9).map(lambda name: (name,)), VALUES))
def test_a_changed_setting_is_read_as_it_is_or_named_with_its_file(change: Change):
    way, to = change
    if to is GONE and way[0] not in STATED:
        return
    value, path = changed(STATED, way, to), Path("there/run.json")
    try:
        found = RunSettings.from_json(value, path)
    except ValueError as error:
        assert named(way, str(error)), error
        assert str(path) in str(error)
    else:
        assert RunSettings.from_json(found.to_json(), path) == found


@FEW
@given(value=some.dictionaries(some.text(max_size=9), VALUES, max_size=4))
def test_a_summary_is_given_back_as_it_was_written_or_not_written(value: dict[str, Any], tmp_path_factory):
    run = Run(tmp_path_factory.mktemp("run"))
    try:
        run.summarize(**{f"a{name}": part for name, part in value.items()})
    except ValueError as error:
        assert "JSON" in str(error)  # NaN and infinity
        assert run.read_summary() == {}
    else:
        assert run.read_summary() == json.loads(json.dumps({f"a{name}": part for name, part in value.items()}))


@FEW
@given(content=some.binary(max_size=40) | some.text(max_size=40).map(str.encode))
def test_a_summary_of_any_bytes_is_an_object_or_named(content: bytes, tmp_path_factory):
    run = Run(tmp_path_factory.mktemp("run"))
    run.summary.write_bytes(content)
    try:
        assert isinstance(run.read_summary(), dict)
    except ValueError as error:
        assert str(run.summary) in str(error)


def a_study(path: Path) -> list[Any]:
    """The lines of a study of three scored candidates."""
    study, drawn = open_study(path, create=True), random.Random(0)
    fix_reference_point(study, ReferencePoint(0.5, 4e9))
    for number, genotype in enumerate([REFERENCE, *(default_space().sample(drawn) for _ in range(2))]):
        blueprint = Blueprint.from_genotype(genotype)
        macs, parameters = macs_of(blueprint, (256, 256)), parameters_of(blueprint)
        asked = optuna.create_study(directions=["maximize", "minimize"]).ask()
        for name, value in attributes_of(genotype, macs, parameters, float(macs)).items():
            asked.set_user_attr(name, value)
        write_running(study, asked.study.trials[0])
        tell_scores(study, number, Scores(0.7 + number / 100, 30.0 + number, macs, parameters))
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.fixture(scope="module")
def lines(tmp_path_factory) -> list[Any]:
    return a_study(tmp_path_factory.mktemp("study") / "study.journal")


@settings(parent=FEW, max_examples=150)
@given(data=some.data())
def test_a_changed_study_is_read_as_it_is_or_its_file_is_named(data, lines, tmp_path_factory):
    way, to = data.draw(a_change(lines).filter(lambda change: len(change[0]) > 1))
    path = tmp_path_factory.mktemp("study") / "study.journal"
    path.write_text("".join(json.dumps(line) + "\n" for line in changed(lines, way, to)))
    try:
        for candidate in candidates(open_study(path).get_trials(deepcopy=False)):
            assert Genotype.from_json(candidate.genotype.to_json()) == candidate.genotype
    except ValueError as error:
        assert str(path) in str(error), error
