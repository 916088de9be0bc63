"""Memory: the most that one forward pass of a network holds in activations at once, at a stated input size."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from search_spaces.blueprint import IMAGE_CHANNELS, Blueprint
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.lpienet import build
from search_spaces.sides import STRIDE, padded_side


@lru_cache(maxsize=4096)
def peak_activation_bytes(blueprint: Blueprint, size: tuple[int, int] = DEFAULT_SIZE, bytes_per_value: int = 4) -> int:
    """Bytes of activations alive at once at the worst moment of one forward pass of one image, input included.

    `size` is (height, width) in pixels, counted at the padded size; `bytes_per_value` is 4 for float32, 1 for int8.
    A tensor is alive from the operator that makes it to the last one that reads it, in the order of torch's own
    execution; a view is alive as part of the tensor that it looks into. Weights and an operator's scratch memory are
    not counted. A runtime that fuses an activation into its convolution, or computes in place, needs less: the
    figure ranks networks and is no measurement. Raises ValueError for a size or `bytes_per_value` below 1.
    """
    if min(size) < 1:
        raise ValueError(f"size = {size[0]}x{size[1]}: both sides must be at least 1 pixel")
    if bytes_per_value < 1:
        raise ValueError(f"bytes_per_value = {bytes_per_value}: must be at least 1; 4 for float32, 1 for int8")
    # On the smallest image, as in cost.py: every operator keeps or rescales the sides by a fixed factor, so that every
    # tensor is proportional to the pixels. Meta tensors of the true size give the same, several times slower.
    values = peak_values(build(blueprint, seed=0), torch.zeros(1, IMAGE_CHANNELS, STRIDE, STRIDE))
    height, width = (padded_side(side) for side in size)
    return values * height * width // STRIDE**2 * bytes_per_value


def peak_values(network: nn.Module, image: Tensor) -> int:
    """Values alive at once at the worst moment of `network(image)`, input and output included."""
    lives = _Lives(image)
    with torch.no_grad(), lives:
        network(image)
    return lives.peak()


class _Lives(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes at which operator each activation is made and last read."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._step = 0
        self._values: dict[int, int] = {}  # by storage
        self._made: dict[int, int] = {}
        self._read: dict[int, int] = {}
        self._kept: list[Tensor] = []  # so that no storage's address is used twice
        self._note(image)

    def __torch_dispatch__(
        self,
        operator: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        self._step += 1
        result = operator(*args, **(kwargs or {}))
        inputs = {_storage(tensor) for tensor in tree_leaves((args, kwargs)) if isinstance(tensor, Tensor)}
        for storage in inputs & self._made.keys():
            self._read[storage] = self._step
        for tensor in tree_leaves(result):
            # Integers are the places of max-pooling's maxima, which no runtime for phones keeps.
            if isinstance(tensor, Tensor) and tensor.is_floating_point() and _storage(tensor) not in inputs:
                self._note(tensor)
        return result

    def peak(self) -> int:
        """The largest sum of values alive at one operator, its inputs and outputs among them."""
        changes = [0] * (self._step + 2)
        for storage, values in self._values.items():
            changes[self._made[storage]] += values
            changes[self._read[storage] + 1] -= values
        return max(accumulate(changes))

    def _note(self, tensor: Tensor) -> None:
        storage = _storage(tensor)
        self._kept.append(tensor)
        self._values[storage] = tensor.untyped_storage().nbytes() // tensor.element_size()
        self._made[storage] = self._read[storage] = self._step


def _storage(tensor: Tensor) -> int:
    """What a tensor and its views have in common, on the meta device too."""
    return int(tensor.untyped_storage()._cdata)
