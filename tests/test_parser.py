"""Parser: the settings of verbs become options, and what is typed in any order becomes these settings."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from lpienas.command import VERBS, whole_parser
from lpienas.command.parser import Verb, parsed, parser_of, settings_of
from lpienas.fields import a_file, a_size, count, named, needed, option, options_of, switch


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    model: Path = named("what is meant", "MODEL", parse=a_file)
    photos: tuple[Path, ...] = named("pictures", "PHOTO", parse=a_file, several=True)
    to: tuple[str, ...] = option(("b",), "formats", "FORMAT", choices=("a", "b", "c"), several=True)
    size: tuple[int, int] = option((8, 16), "sides", "HxW", parse=a_size)
    steps: int = option(7, "of training", "N", parse=count)
    output: Path = needed("where to", "OUT", parse=a_file, short="-o")
    force: bool = switch("overwrite")
    way: str = option("best", "", instead="way", ways=(("quick", "soon"), ("slow", "later")))


VERB = Verb("do", "do it", "lpienas do x", Settings, lambda settings, json: None)


def typed(*words: str) -> Settings:
    return settings_of(Settings, parsed(parser_of([VERB], "-"), [VERB], ["do", *words]))


def asked(verb: str, *words: str) -> object:
    found = parsed(whole_parser(), VERBS, [verb, *words])
    return settings_of(found.verb.settings, found)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_an_option_that_several_verbs_share_has_the_name_of_its_field_in_each(verb):
    assert list(options_of(verb.settings)) == [
        name for name, field in verb.settings.__dataclass_fields__.items() if "option" in field.metadata
    ]


def test_what_is_not_typed_has_the_default_of_its_field():
    found = typed("m", "p", "-o", "out")
    assert found == Settings(model=Path("m"), photos=(Path("p"),), output=Path("out"))


def test_the_help_says_the_default_as_it_would_be_typed(capsys):
    with pytest.raises(SystemExit):
        parser_of([VERB], "-").parse_args(["do", "--help"])
    said = capsys.readouterr().out
    assert "sides (8x16)" in said
    assert "of training (7)" in said
    assert "example:\n  lpienas do x" in said


@pytest.mark.parametrize(
    "words",
    [
        ("m", "p", "q", "--to", "a", "c", "-o", "out"),
        ("--to", "a", "c", "m", "p", "q", "-o", "out"),
        ("m", "--to", "a", "c", "p", "-o", "out", "q"),
        ("--to", "a", "-o", "out", "m", "p", "--to", "c", "q"),
        ("-o", "out", "--to", "a", "c", "--", "m", "p", "q"),
    ],
)
def test_an_option_of_several_values_leaves_what_is_none_of_them_wherever_it_stands(words):
    found = typed(*words)
    assert (found.model, found.photos, found.to) == (Path("m"), (Path("p"), Path("q")), ("a", "c"))


def test_a_name_that_begins_with_a_dash_is_taken_behind_two_dashes():
    assert typed("-o", "out", "m", "--", "-p.png").photos == (Path("-p.png"),)


def test_the_beginning_of_an_option_is_enough_and_takes_its_value():
    assert typed("--ste", "9", "m", "p", "--out=x").steps == 9


@pytest.mark.parametrize(
    ("words", "says"), [(("--to", "z", "m", "p"), "'z'"), (("--steps", "-1", "m", "p"), "at least 1")]
)
def test_a_first_value_that_is_wrong_is_named(words, says, capsys):
    with pytest.raises(SystemExit):
        typed(*words, "-o", "out")
    assert says in capsys.readouterr().err


def test_ways_exclude_each_other(capsys):
    assert typed("m", "p", "-o", "x", "--quick").way == "quick"
    with pytest.raises(SystemExit):
        typed("m", "p", "-o", "x", "--quick", "--slow")
    assert "not allowed with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (("export", "--to", "onnx", "RUN"), "to", ("onnx",)),
        (("export", "--to", "onnx", "litert", "--size", "256x256", "512x512", "RUN"), "size", ((256, 256), (512, 512))),
        (("compress", "--in-float", "encoder1", "auto", "RUN"), "in_float", ("encoder1", "auto")),
    ],
)
def test_the_run_behind_an_option_of_several_values_is_the_run(words, field, value, tmp_path):
    found = asked(*(str(tmp_path) if word == "RUN" else word for word in words))
    assert found.run == tmp_path
    assert getattr(found, field) == value


def test_the_models_behind_the_options_of_a_bench_are_its_models(tmp_path):
    (tmp_path / "phone.log").touch()
    log, file = str(tmp_path / "phone.log"), str(tmp_path / "a.onnx")
    found = asked("bench", "--runtime", "onnx", str(tmp_path), "--import", log, file, "--seconds", "1")
    assert found.models == (tmp_path, Path(file))
    assert found.imported == (Path(log),)


def test_a_home_folder_is_written_as_a_wave_in_any_option(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert asked("front", "~/night", "--plot=~/front.png").plot == tmp_path / "front.png"


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_option_of_a_verb_has_a_line_of_help(verb):
    assert all(told.says or told.ways for told in options_of(verb.settings).values())
