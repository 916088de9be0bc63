"""Public: no folder of the machine is in a command or a sentence, however its path is written."""

import hashlib
from pathlib import Path

import pytest

from compress.export.public import public_command, public_text
from results.files import sha256_of


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("lpienas search --data=/home/somebody/x --out runs/night", "lpienas search --data=x --out night"),
        ("lpienas search --data /home/somebody/x/", "lpienas search --data x"),
        ("lpienas compress runs/night --calibration ../client/phone", "lpienas compress night --calibration phone"),
        ("lpienas compress acme/night --calibration acme/phone", "lpienas compress night --calibration phone"),
        ("lpienas compress ./night", "lpienas compress night"),
        (r"lpienas search '--data=C:\Users\somebody\x'", "lpienas search --data=x"),
        (r"lpienas search --data 'C:x'", "lpienas search --data x"),
        (r"lpienas search --data '\\\\server\share\x'", "lpienas search --data x"),
        ("lpienas search --data C:/Users/somebody/x", "lpienas search --data x"),
        ("lpienas search --data '~/client/x' --budget 600M", "lpienas search --data x --budget 600M"),
        ("lpienas search --data '~somebody/x'", "lpienas search --data x"),
        ("lpienas search --data '$HOME/client/x'", "lpienas search --data x"),
        ("lpienas search --data file:///home/somebody/x", "lpienas search --data x"),
        ("lpienas search --data ~somebody", "lpienas search --data '~'"),
        ("lpienas search --storage sqlite:////home/somebody/s.db", "lpienas search --storage sqlite://..."),
        ("lpienas search --storage=postgresql://somebody@db.acme/s", "lpienas search --storage=postgresql://..."),
        ("/home/somebody/.venv/bin/lpienas export night", "lpienas export night"),
        ("lpienas export night --size 720x1280 --licence 'CC BY 4.0'",) * 2,
        ("lpienas x --licence https://a.org/by/4 --hub /a/x", "lpienas x --licence https://a.org/by/4 --hub x"),
        ("lpienas export night --licence=MIT/X11 --to onnx litert",) * 2,
    ],
)
def test_of_a_path_in_a_command_stays_its_last_name(command: str, shown: str) -> None:
    assert public_command(command) == shown


@pytest.mark.parametrize(
    ("folder", "written"),
    [
        ("/home/somebody/night shots", "/home/somebody/night shots"),
        ("/home/somebody/night shots/", "/home/somebody/night shots"),
        ("clients/acme/night shots", "clients/acme/night shots"),
        ("clients/acme/night shots", str(Path("clients/acme/night shots").absolute())),
        ("~/acme/night shots", str(Path("~/acme/night shots").expanduser())),
        (r"C:\Users\acme\night shots", r"C:\Users\acme\night shots"),
    ],
)
def test_of_the_folder_of_photographs_stays_its_last_name_however_it_is_written(folder: str, written: str) -> None:
    said = public_text(f"Folder {written} with 9 pairs of photos.", folder)
    assert said == "Folder night shots with 9 pairs of photos."


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("noise profile of /home/somebody/acme.json, shot from", "noise profile of acme.json, shot from"),
        ("noise profile (~/acme/phone.json), shot", "noise profile (phone.json), shot"),
        (r"noise profile D:\acme\phone.json.", "noise profile phone.json."),
        ("from ../acme/phone.json", "from phone.json"),
        ("noise profile:/home/somebody/acme.json", "noise profile:acme.json"),
        ("see https://example.org/by/4.0 for that", "see https://example.org/by/4.0 for that"),
        ("1 and/or 2, 3/4 of them, 0.005 / 0.02",) * 2,
    ],
)
def test_other_paths_in_a_sentence_are_shortened_and_what_is_none_stays(text: str, shown: str) -> None:
    assert public_text(text) == shown


def test_a_digest_is_that_of_sha256sum_and_of_a_folder_that_of_its_list(tmp_path: Path) -> None:
    (tmp_path / "p" / "inner").mkdir(parents=True)
    (tmp_path / "p" / "inner" / "b").write_bytes(b"two")
    (tmp_path / "p" / "a").write_bytes(b"one")
    assert sha256_of(tmp_path / "p" / "a") == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    one, two = (hashlib.sha256(content).hexdigest() for content in (b"one", b"two"))
    assert sha256_of(tmp_path / "p") == hashlib.sha256(f"{one}  a\n{two}  inner/b\n".encode()).hexdigest()
