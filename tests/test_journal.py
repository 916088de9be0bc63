"""Journal: a damaged study is refused with its line, and no candidate ever has the scores of another."""

import json
import random
import subprocess
from pathlib import Path

import optuna
import pytest

from results.candidate import Scores
from results.front import ReferencePoint
from results.journal import require_whole
from results.study import candidates, fix_reference_point, open_study
from results.trials import attributes_of, tell_scores, write_rejected, write_running
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of, parameters_of
from search_spaces.space import REFERENCE, default_space

REJECTED = (2, 5)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> list[bytes]:
    """The lines of a study of six scored candidates and two rejected proposals, as a search writes them."""
    path, drawn = tmp_path_factory.mktemp("study") / "study.journal", random.Random(0)
    study = open_study(path, create=True)
    fix_reference_point(study, ReferencePoint(0.5, 4e9))
    for number, genotype in enumerate([REFERENCE, *(default_space().sample(drawn) for _ in range(7))]):
        blueprint = Blueprint.from_genotype(genotype)
        macs, parameters = macs_of(blueprint, (256, 256)), parameters_of(blueprint)
        asked = optuna.create_study(directions=["maximize", "minimize"]).ask()
        for name, value in attributes_of(genotype, macs, parameters, float(macs)).items():
            asked.set_user_attr(name, value)
        if number in REJECTED:
            write_rejected(study, asked.study.trials[0], "over the budget")
        else:
            write_running(study, asked.study.trials[0])
            tell_scores(study, number, Scores(0.7 + number / 100, 30.0 + number, macs, parameters))
    return path.read_bytes().splitlines(keepends=True)


def found(path: Path, lines: list[bytes]) -> dict:
    path.write_bytes(b"".join(lines))
    return {one.genotype: one.scores for one in candidates(open_study(path).get_trials(deepcopy=False))}


@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize("times", [0, 2])
def test_no_candidate_has_the_scores_of_another_whichever_line_is_lost_or_doubled(times, numbered, whole, tmp_path):
    lines = whole
    if not numbered:  # as versions before wrote them
        entries = [json.loads(line) for line in whole]
        for entry in entries:
            entry.get("user_attrs", {}).pop("number", None)
        lines = [json.dumps(entry).encode() + b"\n" for entry in entries]
    right = found(tmp_path / "whole.journal", lines)
    assert len(right) == 6
    refused = []
    for place in range(len(lines)):
        try:
            left = found(
                tmp_path / "damaged.journal", lines[:place] + lines[place : place + 1] * times + lines[place + 1 :]
            )
        except ValueError as error:
            refused.append(str(error))
        else:
            assert all(right[genotype] == scores for genotype, scores in left.items())
    assert all("damaged.journal" in why for why in refused)
    assert len(refused) >= 8 - 1  # every lost or doubled line that begins a trial, but for the last


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda line: b"\n", "line 5: it is empty"),
        (lambda line: b"\0" * 40 + b"\n", "line 5: it is empty"),
        (lambda line: line[:30] + b"\n", "line 5: it is not one JSON object"),
        (lambda line: line[:-1] + line, "line 5: it is not one JSON object"),
        (lambda line: line[:9] + b"\0\0" + line[11:], "line 5: it is not one JSON object"),
        (lambda line: b"\xff\xfe" + line, "line 5: it is not one JSON object"),
        (lambda line: b"[]\n", r"line 5: it = \[\]: must be a JSON object"),
        (lambda line: b'{"op_code": "x"}\n', "line 5: op_code = 'x': must be a whole number"),
        (lambda line: b'{"op_code": 8, "trial_id": 99, "user_attr": {}}\n', "line 5: it speaks of trial 99"),
        (
            lambda line: b'{"op_code": 8, "trial_id": 0, "user_attr": 7}\n',
            "line 5: user_attr = 7: must be a JSON object",
        ),
        (lambda line: b'{"op_code": 2, "study_id": 3, "user_attr": {}}\n', "line 5: it speaks of study 3"),
    ],
)
def test_a_line_that_is_none_is_named_with_its_number(change, says, whole, tmp_path):
    path = tmp_path / "study.journal"
    path.write_bytes(b"".join([*whole[:4], change(whole[4]), *whole[5:]]))
    with pytest.raises(ValueError, match=rf"study\.journal, {says}.*put a copy of the file from before back"):
        open_study(path)


def test_the_command_that_an_error_gives_keeps_the_candidates_before_the_damaged_line(whole, tmp_path):
    right = found(tmp_path / "whole.journal", whole)
    path = tmp_path / "the study's.journal"
    begins = [at for at, line in enumerate(whole) if b'"op_code":4' in line]
    path.write_bytes(b"".join([*whole[: begins[4]], whole[begins[4]][:50] + b"\n", *whole[begins[4] + 1 :]]))
    with pytest.raises(ValueError, match="or keep the 3 candidates told before that line") as caught:
        open_study(path)
    subprocess.run(str(caught.value).rpartition("search goes on: ")[2], shell=True, check=True)
    left = {one.genotype: one.scores for one in candidates(open_study(path).get_trials(deepcopy=False))}
    assert len(left) == 3
    assert left.items() <= right.items()


def test_two_joined_lines_at_the_end_are_noticed_before_another_is_written_behind_them(whole, tmp_path):
    path = tmp_path / "study.journal"
    path.write_bytes(b"".join([*whole[:-2], whole[-2][:-1] + whole[-1]]))
    with pytest.raises(ValueError, match=f"line {len(whole) - 1}: it is not one JSON object"):
        open_study(path)


def test_a_last_line_that_another_process_is_writing_is_no_damage(whole, tmp_path):
    path = tmp_path / "study.journal"
    path.write_bytes(b"".join(whole) + whole[3][:20])
    require_whole(path)


def test_a_journal_without_a_line_says_that_there_is_no_study_in_it(tmp_path):
    path = tmp_path / "study.journal"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"study\.journal holds no study: delete it"):
        open_study(path)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (b'"psnr":30.0', b'"other":30.0', "trial 0 has scores but no psnr"),
        (b'"genotype":{', b'"genotype":{"colour":1,', "trial 0: gene"),
        (b'"values":[0.7,', b'"values":["high",', r"line 5: values = \['high'"),
    ],
)
def test_a_trial_that_does_not_hold_what_a_candidate_has_is_named_with_the_file(before, after, says, whole, tmp_path):
    content = b"".join(whole)
    assert before in content
    path = tmp_path / "study.journal"
    path.write_bytes(content.replace(before, after, 1))
    with pytest.raises(ValueError, match=rf"study\.journal.*{says}"):
        open_study(path)
