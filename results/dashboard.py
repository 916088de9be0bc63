"""Dashboard: notes and pictures beside the trials of a study, where optuna-dashboard looks for them.

It shows both of finished trials too, whose own attributes Optuna lets nobody change: they are kept with the study, by
the names that the dashboard gives them. `save_note` of its own would need it installed where a search runs.
"""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import optuna

_PIECE = 2045  # letters of a note in one attribute: a database has no room for more
_TYPES = {".webp": "image/webp", ".png": "image/png"}


@dataclass(frozen=True, slots=True)
class Beside:
    """Where things are put beside the trials of one study."""

    study: optuna.Study
    artifacts: Path  # folder, for optuna-dashboard's --artifact-dir

    def note(self, number: int, text: str) -> None:
        """Replace the note of a trial by `text`, which is Markdown."""
        trial = self._trial(number)
        kept = self._kept()
        if self.note_of(number) == text:
            return
        pieces = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]
        before = [key for key in kept if key.startswith(_piece(trial, ""))]
        for place, piece in enumerate(pieces):
            self._keep(_piece(trial, place), piece)
        for key in before[len(pieces) :]:
            self._keep(key, "")
        self._keep(f"dashboard:{trial}:note_ver", int(kept.get(f"dashboard:{trial}:note_ver", 0)) + 1)

    def note_of(self, number: int) -> str:
        """The note of a trial; empty where there is none."""
        begins = _piece(self._trial(number), "")
        pieces = {int(key.rpartition(":")[2]): text for key, text in self._kept().items() if key.startswith(begins)}
        return "".join(pieces[place] for place in sorted(pieces))

    def picture(self, number: int, named: str, content: bytes, suffix: str) -> None:
        """Put a picture beside a trial; one of the same name is replaced. Raises KeyError for an unknown suffix."""
        from optuna.artifacts import FileSystemArtifactStore

        trial, kind = self._trial(number), _TYPES[suffix]
        key = str(uuid5(NAMESPACE_URL, f"{self.study.study_name}/{number}/{named}"))
        self.artifacts.mkdir(parents=True, exist_ok=True)
        FileSystemArtifactStore(str(self.artifacts)).write(key, io.BytesIO(content))
        described = {"artifact_id": key, "filename": f"{named}{suffix}", "mimetype": kind, "encoding": None}
        self._keep(f"dashboard:artifacts:{trial}:{key}", json.dumps(described))

    def _trial(self, number: int) -> int:
        """What the storage calls a trial; raises ValueError where there is none of this number."""
        for trial in self.study.get_trials(deepcopy=False):
            if trial.number == number:
                return trial._trial_id
        raise ValueError(f"the study has no trial {number}")

    def _kept(self) -> dict[str, str]:
        return self.study._storage.get_study_system_attrs(self.study._study_id)

    def _keep(self, key: str, value: str | int) -> None:
        self.study._storage.set_study_system_attr(self.study._study_id, key, value)


def _piece(trial: int, place: int | str) -> str:
    return f"dashboard:{trial}:note_str:{place}"
