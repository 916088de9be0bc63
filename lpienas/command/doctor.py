"""Doctor: what this installation has, what it lacks, and how to get it."""

from dataclasses import asdict, dataclass

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, line


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorOptions:
    """Nothing can be chosen."""


def doctor(asked: DoctorOptions, json_only: bool) -> None:
    """Print versions, the device, runtimes and extras; what is missing comes with the command that installs it."""
    from lpienas.installation import look

    found = look()
    if json_only:
        as_json(asdict(found))
        return
    line(f"lpienas {found.versions['lpienas']}, Python {found.python}, {found.platform}")
    line(f"device: {found.device}; {found.processors} processors, {found.threads} threads of torch")
    for runtime, there in found.runtimes.items():
        line(f"runtime {runtime}: {there}")
    for extra, lacks in found.extras.items():
        line(f"extra [{extra}]: " + (f"lacks {', '.join(lacks)}: pip install 'lpienas[{extra}]'" if lacks else "there"))
    for package, version in found.versions.items():
        line(f"  {package} {version}")
    for said in found.findings:
        line(said)


VERB = Verb(
    "doctor",
    "say what this installation has, what it lacks, and how to get it",
    "lpienas doctor",
    DoctorOptions,
    doctor,
)
