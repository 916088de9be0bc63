"""Comparing: networks, classical methods and quoted figures on the same photographs, row by row, in pairs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from lpienas.errors import Error
from lpienas.fields import a_file, option, switch
from lpienas.included import at
from lpienas.networks import Network, enhancing, holding, load
from lpienas.shared import ALL_THREADS, WHOLE

if TYPE_CHECKING:
    from torch import Tensor

    from nas.task.evaluation import Pair
    from nas.task.judging import Method
    from nas.unseen import Unseen
    from results.compared import Row
    from results.paired import Paired
    from results.progress import Watcher
    from results.quoted import Quoted

REFERENCE = "reference"
AGAINST = ("input", "nlm", "bm3d", "wiener", "richardson-lucy", REFERENCE)
SSIMS = ("gaussian", "volume", "uniform", "luma")


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions:
    """On which photographs, beside what, and by which measures."""

    data: str | Path | None = option(
        None,
        "pairs, or clean photographs to be degraded; of the folder that the run was searched on only its test "
        "photographs count",
        "DIR",
        parse=a_file,
        default="default: the test photographs of the run, or of the samples",
    )
    against: tuple[str, ...] = option(
        (),
        "judge these too: the photographs as they are (input), classical methods, of which bm3d is told the noise's "
        "deviation, wiener and richardson-lucy the kernel; the first run's LPIENet (reference)",
        "METHOD",
        choices=AGAINST,
        several=True,
        default="",
    )
    kernel: str | Path | None = option(
        None,
        "the kernel, or point spread function, that blurred the photographs, for wiener and richardson-lucy",
        "FILE",
        parse=a_file,
        default="that of the first run, of --task udc",
    )
    ssim: str = option(
        "gaussian",
        "definition of SSIM: Gaussian window (gaussian, the default), MATLAB's of a colour picture (volume), "
        "scikit-image's default (uniform), of the luma alone (luma)",
        choices=SSIMS,
        default="",
    )
    versus: str | None = option(
        None, "row of the table that every other one is compared with", "ROW", default="the first model"
    )
    quoted: str | None = option(
        None,
        "also show what others wrote of their networks on this public set ('SIDD validation'), where --data is that "
        "set, whole",
        "SET",
        default="",
    )
    hold: float | None = option(
        None,
        "judge each network once more, held to so many times the noise of each photograph, as enhance --hold does",
        "TIMES",
        parse=float,
        default="",
    )
    told: bool = switch("judge each network once more, held and told the noise of each photograph, as bm3d is")
    whole: bool = WHOLE
    threads: int = ALL_THREADS


@dataclass(frozen=True, slots=True)
class Entrant:
    """One method, opened."""

    name: str
    kind: str
    method: "Method"
    runtime: str = ""
    told: str = ""
    macs: int | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """Rows of figures on the same photographs, and what tells them apart."""

    entrants: tuple[Entrant, ...]  # the networks in the order in which they were named, then the others
    rows: "tuple[Row, ...]"  # what each came to
    given: "Row"  # the photographs as they are
    verdicts: "tuple[Paired, ...]"  # of every two rows
    versus: str  # the row that the table compares the others with
    quoted: "tuple[Quoted, ...]"
    judged_on: "Unseen"
    ssim_definition: str
    said: str  # what could not be measured

    def against_versus(self) -> "list[Paired]":
        """The verdicts on `versus` against every other row, allowing for so many of them."""
        chosen = next(row for row in self.rows if row.name == self.versus)
        others = [row for row in self.rows if row.name != self.versus]
        return [_paired(chosen, other, len(others)) for other in others]


def compare(models: Sequence[Path], options: CompareOptions, watcher: "Watcher") -> Compared:
    """Judge `models` and what they are compared with; raises ValueError for what cannot be, before it judges."""
    import torch

    from nas.task.judging import Measures, judge_each
    from nas.task.perceptual import distances
    from nas.task.similarity import DEFINITIONS
    from nas.unseen import unseen
    from results.compared import INPUT, Row
    from results.quoted import quoted_for

    torch.set_num_threads(options.threads)
    data = None if options.data is None else Path(options.data)
    judged_on = unseen([at(model) for model in models], data, options.whole)
    found, said = distances()
    measures = Measures(options.ssim, found)
    quoted = () if options.quoted is None else quoted_for(options.quoted, _sizes(judged_on.pairs))
    entrants = opened(models, options)
    names = [one.name for one in entrants]
    versus = names[0] if options.versus is None else options.versus
    if versus not in names:
        raise Error(f"--versus {versus}: no row of the table is called so; there are {', '.join(names)}")
    rows = []
    for one in entrants:
        watcher.begin(one.name, len(judged_on.pairs))
        photos = judge_each(one.method, _counted(judged_on.pairs, watcher), measures)
        rows.append(Row(one.name, one.kind, photos, one.runtime, one.told, one.macs))
    given = Row("input", INPUT, judge_each(_as_it_is, judged_on.pairs, measures))
    several = list(combinations(rows, 2))
    return Compared(
        entrants=tuple(entrants),
        rows=tuple(rows),
        given=given,
        verdicts=tuple(_paired(one, other, len(several)) for one, other in several),
        versus=versus,
        quoted=quoted,
        judged_on=judged_on,
        ssim_definition=DEFINITIONS[options.ssim].says,
        said=said,
    )


def opened(models: Sequence[Path], options: CompareOptions) -> list[Entrant]:
    """The networks `models`, then what they are compared with; raises ValueError for what cannot be used."""
    from nas.task.baselines import BASELINES
    from results.compared import BLIND, INPUT, NETWORK, TOLD

    kernel = _kernel(models, options)
    others: list[Entrant] = []
    for name in dict.fromkeys(options.against):
        if name == REFERENCE:
            others.append(_of_reference(models, options.threads))
            continue
        told, needs = BASELINES[name].told, BASELINES[name].needs_kernel
        if needs and kernel is None:
            raise Error(f"--against {name} needs the kernel that blurred the photographs: name its file with --kernel")
        kind = INPUT if name == "input" else TOLD if told else BLIND
        others.append(Entrant(name, kind, partial(_by_baseline, name, kernel), told=told))
    loaded = {str(path): load(path, options.threads) for path in dict.fromkeys(models)}
    if options.hold is not None:
        how = "held" if options.hold else "not held"
        loaded |= {
            f"{name}, {how}": replace(network, hold=options.hold)
            for name, network in loaded.items()
            if network.hold != options.hold
        }
    entrants = [_entrant(name, network, NETWORK) for name, network in loaded.items()]
    if options.told:
        for path in dict.fromkeys(models):
            network = loaded[str(path)]
            entrant = _entrant(f"{path}, told", network, TOLD)
            entrants.append(replace(entrant, method=partial(_by_told, network), told=BASELINES["bm3d"].told))
    return [*entrants, *others]


def _entrant(name: str, network: Network, kind: str) -> Entrant:
    from search_spaces.cost import DEFAULT_SIZE
    from search_spaces.count import macs_of

    blueprint = network.runtime.blueprint
    macs = None if blueprint is None else macs_of(blueprint, DEFAULT_SIZE)
    return Entrant(name, kind, partial(_by_network, network), network.runtime.name, macs=macs)


def _of_reference(models: Sequence[Path], threads: int) -> Entrant:
    """LPIENet as the first run among `models` trained it."""
    from nas.confirm import folder_of
    from nas.unseen import run_of
    from results.compared import NETWORK
    from results.files import has_network
    from results.study import full_trainings, open_study, reference_of

    run = next((run for model in models if (run := run_of(model)) is not None), None)
    if run is None or not run.study.exists():
        raise Error("--against reference is the LPIENet of a run, and no model is of one: name a run folder")
    study = open_study(run.study)
    number = reference_of(study.trials).number
    for training in full_trainings(study):
        saved = folder_of(run, training) / "network"
        if training.number == number and has_network(saved):
            return _entrant(REFERENCE, load(saved.with_suffix(".json"), threads), NETWORK)
    raise Error(f"--against reference: {run.folder} has not trained its LPIENet fully; search on with --confirm 1")


def _kernel(models: Sequence[Path], options: CompareOptions) -> "Tensor | None":
    """The kernel that is named, or that of the display which the first run's photographs are taken through."""
    from nas.task.degrade.diffract import Diffraction
    from nas.task.degrade.kernels import KernelFile
    from nas.task.task import TaskSettings
    from nas.unseen import run_of

    if options.kernel is not None:
        kernels = KernelFile.of(options.kernel).read()
        if len(kernels) != 1:
            raise Error(f"--kernel {options.kernel}: holds {len(kernels)} kernels, and photographs were blurred by one")
        return kernels[0].expand(3, -1, -1)
    for run in (run for model in models if (run := run_of(model)) is not None):
        for part in getattr(TaskSettings.of_run(run.settings()).degradation, "parts", ()):
            if isinstance(part, Diffraction):
                return part.point_spread().expand(3, -1, -1)
    return None


def _by_network(network: Network, degraded: "Tensor", clean: "Tensor") -> "Tensor":
    from search_spaces.sides import on_any_size

    return on_any_size(enhancing(network), degraded)


def _by_told(network: Network, degraded: "Tensor", clean: "Tensor") -> "Tensor":
    from nas.task.baselines import true_noise

    noise = true_noise(degraded, clean)
    return _by_network(holding(network, None, 255 * noise), degraded, clean) if noise else degraded


def _by_baseline(name: str, kernel: "Tensor | None", degraded: "Tensor", clean: "Tensor") -> "Tensor":
    from nas.task.baselines import restore

    return restore(name, degraded, clean, kernel)


def _as_it_is(degraded: "Tensor", clean: "Tensor") -> "Tensor":
    return degraded


def _paired(one: "Row", other: "Row", compared: int) -> "Paired":
    from results.paired import paired

    ssims = [[photo.ssim for photo in row.photos] for row in (one, other)]
    return paired(ssims[0], ssims[1], (one.name, other.name), compared)


def _sizes(pairs: "Sequence[Pair]") -> list[tuple[int, int]]:
    return [(clean.shape[-2], clean.shape[-1]) for _, _, clean in pairs]


def _counted(pairs: "Sequence[Pair]", watcher: "Watcher") -> "Iterator[Pair]":
    for done, pair in enumerate(pairs, 1):
        yield pair
        watcher.at(done)
