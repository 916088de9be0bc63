"""Supernet: one elastic network whose slices are the candidates; trained once, then asked for each one's SSIM.

Trained by the sandwich rule (Yu and Huang, "Universally slimmable networks", 2019): every step sums the gradients of
a large slice, of the smallest one, and of random ones in between.
"""

import random
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call

from nas.suggest import derive_seed
from nas.task.checkpoint import remove
from nas.task.evaluation import Pair, Quality, evaluate, in_batches
from nas.task.metrics import psnr
from nas.task.parallel import adding, averaging, part, place
from nas.task.task import Task
from nas.task.training import Course, Recipe, descend
from results.files import digest_of_tensors, fingerprint, read_tensors, write_tensors
from results.progress import Watcher
from search_spaces import reach
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of
from search_spaces.elastic import STRUCTURE, cut_to, cuts, structure_of, taken
from search_spaces.lpienet import LPIENet, build
from search_spaces.space import Space

COUNTED_AT = (256, 256)  # height, width at which the ceiling is meant
_METHOD = 2  # of training; another number, and weights that were trained before are not taken for these
_MEND = "put a copy of it back, or delete it to have it trained again"
_CROPS = 12  # of all validation photographs together
_CROP_SIDE = 96  # pixels, at most
_LARGE_OF = 4  # random slices, the most expensive of which is a step's large one under a ceiling


@dataclass(frozen=True, slots=True)
class SupernetSettings:
    """How a supernet is trained."""

    recipe: Recipe
    random_slices: int = 2  # a step, beside the large and the smallest one
    ceiling: int | None = None  # MACs at 256x256; slices above it are not trained, since no candidate is

    def __post_init__(self) -> None:
        if self.random_slices < 0:
            raise ValueError(f"random_slices = {self.random_slices}: must not be negative")

    @classmethod
    def under(cls, recipe: Recipe, budget: int | None, size: tuple[int, int]) -> "SupernetSettings":
        """Settings for a search with a budget of multiply-adds at `size`, or without one."""
        if budget is None:
            return cls(recipe)
        return cls(recipe, ceiling=round(budget * COUNTED_AT[0] * COUNTED_AT[1] / (size[0] * size[1])))


@dataclass(frozen=True, slots=True)
class SupernetTraining:
    """All that decides the weights of a supernet."""

    space: Space
    task: Task
    settings: SupernetSettings
    seed: int

    def at(self, folder: Path) -> Path:
        """The file in `folder` where the finished supernet is kept."""
        inputs = {
            "space": dict(self.space.choices),
            **self.task.made_from,
            "settings": asdict(self.settings),
            "seed": self.seed,
            "method": _METHOD,
        }
        return folder / f"supernet-{fingerprint(inputs)}.safetensors"


class Supernet(nn.Module):
    """Weights that every genotype of a space has a slice of.

    What decides which layers there are (elastic.STRUCTURE) decides what a layer means, so each of its combinations has
    a trunk of its own, but for the head, and for the number of levels in the encoders; depth, width, expansion,
    attention, activation, opening and upsampling share one. Each number of inputs, with each activation and opening,
    has a gain and bias of its own for every channel, as slimmable networks have a batch normalisation for each width;
    a slice's weights contain them.
    """

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__()
        self.largest: dict[tuple[str, ...], Blueprint] = {}
        self.kinds = list(product(space.choices["activation"], space.choices["opening"]))
        weights: dict[str, nn.Parameter] = {}
        for shared in space.structures():
            blueprint = Blueprint.from_genotype(space.extreme(True, shared))
            if structure_of(blueprint) in self.largest:
                continue
            self.largest[structure_of(blueprint)] = blueprint
            state = build(blueprint, seed).state_dict()
            for name, tensor in state.items():
                if name.endswith(".weight") and (key := self._key(blueprint, name)) not in weights:
                    weights[key] = nn.Parameter(tensor.detach().clone(memory_format=torch.channels_last))
                    first = state[f"{name.removesuffix('.weight')}.bias"]
                    gain, bias = _affine(tensor, first, len(self.kinds))
                    weights[f"{key}/gain"], weights[f"{key}/bias"] = nn.Parameter(gain), nn.Parameter(bias)
        self.weights = nn.ParameterDict(weights)

    def slice(self, blueprint: Blueprint) -> dict[str, Tensor]:
        """The state of a network of `blueprint`, differentiable in this supernet's weights."""
        largest = self.largest[structure_of(blueprint)]
        kind = self.kinds.index((blueprint.activation, blueprint.opening))
        state: dict[str, Tensor] = {}
        for cut in cuts(blueprint, largest):
            key = self._key(largest, f"{cut[0]}.weight")
            weight = taken(self.weights[key], cut)
            inputs, kept = weight.shape[1], cut[1]
            gain = cut_to(self.weights[f"{key}/gain"][kind, inputs], kept)
            state[f"{cut[0]}.weight"] = weight * gain[:, None, None, None]
            state[f"{cut[0]}.bias"] = cut_to(self.weights[f"{key}/bias"][kind, inputs], kept)
        return state

    def network(self, blueprint: Blueprint) -> LPIENet:
        """A network of its own with a copy of its slice."""
        network = build(blueprint, seed=0)
        network.load_state_dict({name: tensor.detach() for name, tensor in self.slice(blueprint).items()})
        return network

    def forward(self, blueprint: Blueprint, image: Tensor) -> Tensor:
        output: Tensor = functional_call(_wiring(blueprint), self.slice(blueprint), (image,))
        return output

    @staticmethod
    def _key(blueprint: Blueprint, name: str) -> str:
        words = dict(zip(STRUCTURE, structure_of(blueprint), strict=True))
        del words["head"]
        if name.startswith("encoder"):
            del words["levels"]
        return f"{'|'.join(words.values())}|{name}".replace(".", "/")  # a ParameterDict takes no dots


def train_supernet(
    training: SupernetTraining, folder: Path, on_step: Callable[[int, float], None] | None = None
) -> Supernet:
    """The trained supernet: from `folder` where it was trained before, else trained, resumable, and kept there.

    Of processes that share the training (nas.task.parallel) the first one keeps it. Raises Diverged.
    """
    space, task, settings, seed = training.space, training.task, training.settings, training.seed
    supernet = Supernet(space, derive_seed(seed, 0, "supernet weights"))
    finished = training.at(folder)
    if finished.exists():
        supernet.load_state_dict(_weights(finished, supernet))
        return supernet.to(task.device.torch)
    passes = averaging(supernet.to(task.device.torch))
    batch = task.batches(derive_seed(seed, 0, "supernet patches"))
    draw = Slices(space, settings, derive_seed(seed, 0, "supernet slices"))

    def gradients(step: int) -> float:
        degraded, clean = (part(side) for side in batch(step))
        total = 0.0
        chosen = draw(step)
        for number, blueprint in enumerate(chosen, 1):
            with adding(passes, is_last=number == len(chosen)):
                with task.device.autocast():
                    output = passes(blueprint, degraded)
                loss = task.loss.of(degraded)(output.float(), clean) / len(chosen)
                loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        return total

    checkpoint = finished.with_stem(f"{finished.stem}-checkpoint")
    folder.mkdir(parents=True, exist_ok=True)
    descend(supernet, gradients, Course(settings.recipe, task.device, checkpoint, on_step))
    if place()[0] == 0:
        write_tensors(finished, supernet.state_dict(), {})
        remove(checkpoint)
    return supernet


def have_supernet(training: SupernetTraining, folder: Path, watcher: Watcher) -> Path:
    """The file of a supernet in `folder`, which is trained first if it is not there, by all GPUs that share its batch.

    Raises Failed.
    """
    path = training.at(folder)
    if not path.exists():
        watcher.begin("supernet", training.settings.recipe.steps)
        count = torch.cuda.device_count() if training.task.device.name == "cuda" else 1
        if count > 1 and training.task.settings.batch % count == 0:
            from nas.where.together import train_together  # which knows this file

            train_together(training, folder, count, lambda step, loss: watcher.at(step + 1))
            return path
        train_supernet(training, folder, lambda step, loss: watcher.at(step + 1, f"loss {loss:.3f}"))
    return path


class Slices:
    """Which slices a step trains: depends on (seed, step) alone."""

    def __init__(self, space: Space, settings: SupernetSettings, seed: int) -> None:
        self._space, self._settings, self._seed = space, settings, seed

    def __call__(self, step: int) -> list[Blueprint]:
        """A large slice, the smallest, and random ones, none above the ceiling (but for the smallest)."""
        drawn = random.Random(derive_seed(self._seed, step, "slices"))
        words = {gene: drawn.choice(values) for gene, values in self._space.choices.items() if "." not in gene}
        smallest = Blueprint.from_genotype(self._space.extreme(False, words))
        if self._settings.ceiling is None:
            large = Blueprint.from_genotype(self._space.extreme(True, words))
        else:
            large = max(
                (self._draw(drawn) for _ in range(_LARGE_OF)), key=lambda blueprint: macs_of(blueprint, COUNTED_AT)
            )
        return [large, smallest, *(self._draw(drawn) for _ in range(self._settings.random_slices))]

    def _draw(self, drawn: random.Random) -> Blueprint:
        return Blueprint.from_genotype(reach.draw_within(self._space, drawn, self._settings.ceiling, COUNTED_AT))


def crops(task: Task, most: int = _CROPS) -> tuple[Pair, ...]:
    """`most` parts of the validation photographs, few and small enough to score hundreds of candidates a minute on.

    Photographs are taken evenly along how degraded they are, so that no degree counts more than another, and of each
    the centre of one of its four quarters in turns; where there are few, several quarters.
    """
    count = min(most, 4 * len(task.validation))
    by_degradation = sorted(task.validation, key=lambda pair: float(psnr(pair[1], pair[2])))
    found = []
    for number in range(count):
        name, degraded, clean = by_degradation[(2 * number + 1) * len(by_degradation) // (2 * count)]
        row, column = divmod(number % 4, 2)
        height, width = degraded.shape[-2:]
        top = max(0, (1 + 2 * row) * height // 4 - _CROP_SIDE // 2)
        left = max(0, (1 + 2 * column) * width // 4 - _CROP_SIDE // 2)
        part = (..., slice(top, top + _CROP_SIDE), slice(left, left + _CROP_SIDE))
        found.append((f"{name}-{number}", degraded[part], clean[part]))
    return tuple(found)


def score_by_supernet(
    task: Task, on_step: Callable[[int, float], None], path: Path, space: Space, blueprint: Blueprint
) -> Quality:
    """Quality of a candidate with inherited weights, as a piece of work for nas.where; only for comparing candidates.

    `path` is the finished supernet's file. Around a crop are the zeros of convolutions, for all candidates alike: what
    the photograph has there, as far as a network sees, would take several times as long.
    """
    supernet, pairs = open_supernet(path, space).to(task.device.torch), in_batches(crops(task))
    state = {name: tensor.detach() for name, tensor in supernet.slice(blueprint).items()}
    network = _wiring(blueprint)
    return evaluate(lambda image: functional_call(network, state, (image,)), pairs, task.device.torch)


@lru_cache(maxsize=1)
def open_supernet(path: Path, space: Space) -> Supernet:
    """The finished supernet in `path`, which was trained on `space`; read once by each process."""
    supernet = Supernet(space, seed=0)
    supernet.load_state_dict(_weights(path, supernet))
    return supernet


def supernet_digest(path: Path) -> str:
    """Of the weights in a supernet's file; raises ValueError that names it where it is damaged."""
    return digest_of_tensors(_read(path))


def _weights(path: Path, supernet: Supernet) -> dict[str, Tensor]:
    """Those in `path`, which must be of such a supernet."""
    tensors, wanted = _read(path), supernet.state_dict()
    if {name: tensor.shape for name, tensor in tensors.items()} != {name: t.shape for name, t in wanted.items()}:
        raise ValueError(f"{path} holds the weights of another supernet: {_MEND}")
    return tensors


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return read_tensors(path)
    except ValueError as error:
        raise ValueError(f"{error}: {_MEND}") from error


@lru_cache(maxsize=64)
def _wiring(blueprint: Blueprint) -> LPIENet:
    """A network to call with a slice instead of its own weights; on the meta device it takes four times as long."""
    return build(blueprint, seed=0)


def _affine(weight: Tensor, first: Tensor, activations: int) -> tuple[Tensor, Tensor]:
    """Gain and bias (activations, inputs + 1, outputs), by the number of inputs that a slice keeps.

    Every bias begins at `first` (outputs,), and all gains at 1: begun at the size that keeps the variance of every
    slice, the slices start further from the identity and the supernet learns more slowly (loss 0.085 against 0.078
    after 75 steps).
    """
    outputs, inputs = weight.shape[:2]
    gain = torch.ones(activations, inputs + 1, outputs)
    return gain, first.detach().expand_as(gain).clone()
