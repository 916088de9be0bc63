"""Families: searches of networks that a user wrote: what a run keeps of them, and what they cannot be asked."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lpienas.errors import Error
from lpienas.settings import ExportOptions
from results.record import OF_SUPERNET

if TYPE_CHECKING:
    from results.progress import Watcher
    from results.record import RunSettings
    from results.run import Run as Folder
    from search_spaces.family import OwnFamily


def opened_family(named: str | None) -> "OwnFamily | None":
    """The family whose file is `named`, FILE.py:NAME; the file is run. Raises FamilyError."""
    if named is None:
        return None
    from search_spaces.family import OwnFamily

    return OwnFamily.named(named)


def require_lpienets(run: "Folder", does: str) -> None:
    """Raises Error where the run is of an own family, of whose parts `does` knows nothing."""
    begun = (run.folder / "run.json").exists()
    family = run.settings().family if begun else None
    if family is not None:
        name = family.get("name")
        raise Error(
            f"{run.folder} is a search of the family {name}, and {does} knows the stages of LPIENets alone. Its "
            f"networks are exported as they were trained: lpienas export {run.folder} --family FILE.py:{name}"
        )


def family_of(
    run: "Folder", family: "OwnFamily | None", known: "RunSettings | None", asked: "RunSettings"
) -> dict[str, Any]:
    """What run.json keeps of an own family, of the settings that are `asked` for; nothing of a run of LPIENets.

    `known` are the settings of a run that is there. Raises Error for a run of another family or of another source of
    it, and for what networks of own families cannot be asked.
    """
    before = None if known is None else known.family
    if family is None:
        if before is not None:
            raise Error(
                f"{run.folder} is a search of the family {before.get('name')}, whose code runs only where its file is "
                f"named: add --family FILE.py:{before.get('name')}"
            )
        return {}
    if known is not None and before is None:
        raise Error(f"{run.folder} is a search of LPIENets: leave out --family, or give another --out")
    name = family.name
    if before is not None:
        _require_same(run, family, before)
    if asked.score in OF_SUPERNET:
        raise Error(f"--score {asked.score} shares weights between LPIENets; of an own family: short or halving")
    if asked.cost == "memory" or (asked.cost == "latency" and asked.latency_in.endswith("int8")):
        raise Error(
            "--cost of an own family is macs, or latency in float (--latency-in onnx-float): memory and int8 are known "
            "of LPIENets alone"
        )
    from search_spaces.own_space import OwnSpace

    return {"family": name.to_json(), "space": OwnSpace.of(family).fixed(asked.fix).to_json()}


def export_own(run: "Folder", options: ExportOptions, watcher: "Watcher") -> dict[str, Any]:
    """Write float files of a network of an own family as it was trained fully; path -> figures.

    Raises Error for a network that was not trained fully, and for what own networks cannot be.
    """
    from compress.export.ship import Bare, network_files, ship_network
    from compress.export.wanted import Wanted
    from lpienas.photographs import refuse_existing
    from lpienas.runs import Run
    from nas.confirm import folder_of
    from nas.unseen import unseen
    from results.pick import pick
    from results.study import full_trainings, open_study

    kept = run.settings().family
    assert kept is not None  # or this is not called
    name = kept.get("name")
    family = opened_family(options.family)
    if family is None:
        raise Error(
            f"{run.folder} is a search of the family {name}, whose code runs only where its file is named: add "
            f"--family FILE.py:{name}"
        )
    _require_same(run, family, kept)
    if options.hub is not None:
        raise Error("--hub writes a folder with a model card, which is made of compressed LPIENets alone: leave it out")
    chosen = pick(Run(run.folder).report(), options.pick)
    trained = [one for one in full_trainings(open_study(run.study)) if one.number == chosen.number]
    if not trained:
        raise Error(f"candidate {chosen.number} was not trained fully: take one of the front, or search --confirm more")
    network, out = folder_of(run, trained[0]) / "network", options.out or run.exported / f"candidate-{chosen.number}"
    wanted = Wanted(options.to, options.size, options.workers, options.licence, options.opset)
    refuse_existing(network_files(network, out, wanted, False), options.force)
    bare = Bare(network, out, unseen([network], options.data), (), (family,))
    return {str(out / name): figures for name, figures in ship_network(bare, wanted, watcher).items()}


def _require_same(run: "Folder", family: "OwnFamily", before: Mapping[str, Any]) -> None:
    """Raises Error where the family that the run keeps is another one than that which is named."""
    name = family.name
    if before == name.to_json():
        return
    was = "another source" if before.get("name") == name.name else f"the family {before.get('name')}"
    raise Error(
        f"{run.folder} was searched with {was} and {name.path} holds {name.name} as it is now, so that scores of both "
        "cannot be compared: put the file back as it was, or start another run with --out"
    )
