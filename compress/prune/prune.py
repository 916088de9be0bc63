"""Prune: whole channels, blocks and branches go, each time those that lose the least for what they cost."""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, field, replace

from compress.prune.cost import MACS, Cost
from compress.prune.groups import Group, blueprint_of, groups_of, shapes_of, shapes_without, with_weights, without
from compress.prune.judge import Judge, Look
from compress.prune.parts import Part, parts_of
from compress.prune.way import Step, Way
from nas.dead import without_dead
from search_spaces.blueprint import Blueprint
from search_spaces.lpienet import LPIENet

FEW = 4  # channels that go at a time, at most
_OF_GROUP = 4  # one in so many of a group may go at a time
NEAR = 0.01  # of the whole cost: so far below its target may pruning end
_KNOWN_FOR = 8  # moves after which what a move loses is measured again
_LARGE = 0.02  # of the whole cost: a part that saves more is raced against channels
RACE = 100  # steps of a short training after which a race is settled

Train = Callable[[LPIENet], None]  # in place, for RACE steps


@dataclass(frozen=True, slots=True)
class Along:
    """What is done along the way."""

    train: Train | None = None  # settles which of two goes on; None: what loses less before any training
    on_step: Callable[[float, Step], None] | None = None  # told how much of the way is done, from 0 to 1


_ALONE = Along()


@dataclass(frozen=True, slots=True)
class Target:
    """How far pruning goes: until a cost is met, or while no more SSIM is lost; whichever stops it first."""

    cost: float = 0.0  # of what is left, at most
    lost: float = math.inf  # SSIM on training patches, before fine-tuning

    def __post_init__(self) -> None:
        if not self.cost >= 0:
            raise ValueError(f"target cost = {self.cost}: must not be negative")
        if not self.lost >= 0:
            raise ValueError(f"target lost = {self.lost}: must be an SSIM of 0 or more")
        if not self.cost and math.isinf(self.lost):
            raise ValueError("a target needs a cost to reach, or an SSIM that may be lost")


@dataclass(frozen=True, slots=True)
class Pruned:
    """A smaller network with the weights that survived."""

    network: LPIENet
    cost: float
    kept: float  # share of the cost before
    way: Way


class OutOfReach(ValueError):
    """Pruning took what it may, and the network still costs more than was asked."""

    def __init__(self, left: float, asked: float) -> None:
        super().__init__(f"pruning reached {left:.0%} of the cost and no less; ask to remove less than {1 - asked:.0%}")
        self.left = left  # share of the cost before


@dataclass(frozen=True, slots=True)
class Move:
    """Few channels of a group, or a part, that may go."""

    what: str  # the group or the part; what is known of it holds for any number of its channels
    said: str
    blueprint: Blueprint  # that is left
    apply: Callable[[LPIENet], LPIENet]
    is_part: bool


def prune(network: LPIENet, target: Target, judge: Judge, cost: Cost = MACS, along: Along = _ALONE) -> Pruned:
    """`network` less what costs more than it is worth, until `target`; it stays as it was, itself.

    First what computes nothing goes. Then move after move, the one whose loss grows least for each unit of cost:
    a move is few channels of one group of torch-pruning's graph, the least of them by a Taylor expansion, or a whole
    part (parts.py). What a move loses is measured on few of the judge's patches, others for each. What was
    measured before the last moves ranks which are measured again: the first that is the least anew is taken (the lazy
    greedy algorithm of Minoux, 1978). None overshoots the cost by more than NEAR while another does not, and where
    four channels do, two or one go. A large part that is the least before any training need not be so after it: where
    `along` can train, what is left without the part and what is left without as much of the rest are both trained, and
    the better one goes on, as it was before. A cost that scatters or is slow to take is asked for where
    `cost.ranks` reaches the target; what is left never costs more than that. Raises OutOfReach.
    """
    descent = _Descent(_on_processor(network), target, judge, cost, along)
    descent.take_dead()
    while descent.has_more() and descent.move():
        pass
    return descent.result()


@dataclass(slots=True)
class _Known:
    """What is known of a move."""

    loss: float  # by which it makes the loss grow, for each unit of cost
    at: int  # number of moves before it was measured
    sure: bool  # whether all patches of its hand measured it, not the few that sort out


@dataclass(slots=True)
class _Descent:
    """A network on its way down."""

    network: LPIENet
    target: Target
    judge: Judge
    cost: Cost
    along: Along
    whole: float = field(init=False)
    now: float = field(init=False)  # by `cost.ranks`, scaled to what was measured last
    _scale: float = field(init=False)
    _steps: list[Step] = field(init=False)
    _networks: list[LPIENet] = field(init=False)  # after each step
    _known: dict[str, _Known] = field(default_factory=dict)
    _ended: bool = False  # because of what is lost, or because no move is left
    _spares: bool = False  # whether large parts stay

    def __post_init__(self) -> None:
        self.whole = self.now = self.cost.of(self.network.blueprint)
        self._scale = self.whole / self.cost.ranks(self.network.blueprint)
        self._steps, self._networks = [self._step("", self.network)], [self.network]

    def has_more(self) -> bool:
        """Whether the network still costs too much, by the cost itself."""
        if self._ended:
            return False
        if self.now > self.target.cost:
            return True
        blueprint = self.network.blueprint
        self.now = self.cost.of(blueprint)
        self._scale = self.now / self.cost.ranks(blueprint)
        self._steps[-1] = replace(self._steps[-1], cost=self.now)
        return self.now > self.target.cost

    def take_dead(self) -> None:
        """What computes nothing goes."""
        looked = [degraded for degraded, _ in self.judge.ranking]
        left = without_dead(self.network, looked, [degraded for degraded, _ in self.judge.watching])
        if left.removed:
            self._enter(self._step("what computes nothing", left.network), left.network)

    def move(self) -> bool:
        """Take the best move; False, and nothing is taken, where there is none or where it loses too much."""
        hand = self._hand()
        some = self._moves(hand.look(self.network))
        moves = self._fitting([one for one in some if not (self._spares and any(map(self._is_large, one)))])
        while moves:
            best = self._best(moves, hand)
            smaller = best.apply(self.network)
            step = self._step(best.said, smaller)
            if self._steps[0].ssim - step.ssim <= self.target.lost:
                rival = self._rival(best) if self._is_large(best) else None
                if rival is None or self._outlasts(smaller, rival.network):
                    self._enter(step, smaller)
                else:
                    self._go_on(rival)
                return True
            if not best.is_part:
                break
            moves.remove(best)
        self._ended = True
        return False

    def result(self) -> Pruned:
        """The first network on the way that costs little enough."""
        if self.now > self.target.cost and math.isinf(self.target.lost):
            raise OutOfReach(self.now / self.whole, self.target.cost / self.whole)
        number = len(self._networks) - 1
        if self.cost.of is not self.cost.ranks and self.now < self.target.cost - NEAR * self.whole:
            # The model took the network for a dearer one than it is: back to the first that is cheap enough.
            number = bisect_left(self._networks, True, hi=number, key=lambda n: self._is_cheap(n.blueprint))
        network = self._networks[number]
        cost = self.cost.of(network.blueprint)
        steps = (*self._steps[:number], replace(self._steps[number], cost=cost))
        return Pruned(network, cost, cost / self.whole, Way(self.cost.unit, steps))

    def _is_large(self, move: Move) -> bool:
        return move.is_part and self.now - self._cost_of(move.blueprint) > _LARGE * self.whole

    def _rival(self, part: Move) -> "_Descent | None":
        """The way down to what `part` leaves, by other moves; None where they lead nowhere, or nothing settles it."""
        if self.along.train is None:
            return None
        rival = copy(self)
        rival.along = replace(self.along, on_step=None)
        rival._steps, rival._networks, rival._known = [*self._steps], [*self._networks], dict(self._known)
        rival.target = replace(self.target, cost=max(self._cost_of(part.blueprint), self.target.cost))
        rival._spares = True
        while rival.now > rival.target.cost:
            if not rival.move():
                return None
        return rival

    def _outlasts(self, one: LPIENet, other: LPIENet) -> bool:
        """Whether `one` loses no more than `other` once both are trained for a short time."""
        assert self.along.train is not None
        lost = []
        for network in (one, other):
            trained = with_weights(network.blueprint, network.state_dict())
            self.along.train(trained)
            lost.append(self.judge.lost(_on_processor(trained)))
        return lost[0] <= lost[1]

    def _go_on(self, rival: "_Descent") -> None:
        """From where `rival` is."""
        self.network, self.now, self._known = rival.network, rival.now, rival._known
        self._steps, self._networks = rival._steps, rival._networks
        self._tell()

    def _is_cheap(self, blueprint: Blueprint) -> bool:
        return self.cost.of(blueprint) <= self.target.cost

    def _step(self, said: str, network: LPIENet) -> Step:
        return Step(said, self._cost_of(network.blueprint), *self.judge.told(network))

    def _hand(self) -> Judge:
        """Who ranks what comes next."""
        return self.judge.hand(len(self._steps) - 1)

    def _enter(self, step: Step, network: LPIENet) -> None:
        self.network, self.now = network, step.cost
        self._steps.append(step)
        self._networks.append(network)
        self._tell()

    def _tell(self) -> None:
        """By what is nearer to its end: the cost, or what may be lost."""
        if self.along.on_step is None:
            return
        target, lost = self.target, self._steps[0].ssim - self._steps[-1].ssim
        by_cost = (self.whole - self.now) / max(self.whole - target.cost, 1e-9) if target.cost else 0.0
        done = max(by_cost, lost / max(target.lost, 1e-9))
        self.along.on_step(min(max(done, 0.0), 1.0), self._steps[-1])

    def _cost_of(self, blueprint: Blueprint) -> float:
        return self._scale * self.cost.ranks(blueprint)

    def _moves(self, look: Look) -> Iterator[list[Move]]:
        """Of each group and part its moves, the largest first."""
        shapes, blueprint = shapes_of(self.network), self.network.blueprint
        for group in groups_of(self.network):
            most = min(FEW, max(1, group.channels // _OF_GROUP))
            order = look.worth(group).argsort(stable=True).tolist()
            yield [
                Move(
                    group.name,
                    f"{count} of {group.channels} channels: {group.name}",
                    blueprint_of(shapes_without(shapes, group, count), blueprint),
                    _takes(group, order[:count], look),
                    is_part=False,
                )
                for count in dict.fromkeys((most, 2, 1))
                if count <= most and count < group.channels
            ]
        for part in parts_of(blueprint):
            yield [Move(part.name, part.name, part.blueprint(blueprint), _takes_part(part, look), is_part=True)]

    def _fitting(self, moves: list[list[Move]]) -> list[Move]:
        """The largest move of each that does not overshoot; where all do, the one that does so the least."""
        least = self.target.cost - NEAR * self.whole
        every = [[move for move in some if self._cost_of(move.blueprint) < self.now] for some in moves]
        fits = [[move for move in some if self._cost_of(move.blueprint) >= least] for some in every]
        if any(fits):
            return [some[0] for some in fits if some]
        dear = [move for some in every for move in some]
        return sorted(dear, key=lambda move: -self._cost_of(move.blueprint))[:1]

    def _best(self, moves: list[Move], hand: Judge) -> Move:
        """The move whose loss grows least for each unit of cost, measured by `hand` for this network."""
        here, few = len(self._steps), hand.few()
        before = {judge: judge.lost(self.network) for judge in (few, hand)}

        def rank(move: Move) -> tuple[float, float]:
            known = self._known.get(move.what)
            rate = -math.inf if known is None or here - known.at > _KNOWN_FOR else known.loss
            return max(rate, 0.0) if math.isfinite(rate) else rate, self._cost_of(move.blueprint)

        while True:
            best = min(moves, key=rank)
            known = self._known.get(best.what)
            again = known is not None and known.at == here
            if known is not None and again and known.sure:
                return best
            judge = hand if again else few
            grows = judge.lost(best.apply(self.network)) - before[judge]
            self._known[best.what] = _Known(grows / (self.now - self._cost_of(best.blueprint)), here, again)


def _takes(group: Group, channels: list[int], look: Look) -> Callable[[LPIENet], LPIENet]:
    return lambda network: without(network, group, channels, look.reads)


def _takes_part(part: Part, look: Look) -> Callable[[LPIENet], LPIENet]:
    return lambda network: part.without(network, look.reads)


def _on_processor(network: LPIENet) -> LPIENet:
    return with_weights(network.blueprint, {name: tensor.cpu() for name, tensor in network.state_dict().items()})
