"""Blocks of Stable Cascade's UNet at one level.

Source: diffusers/models/unets/unet_stable_cascade.py, version 0.42.1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cardwise.network import ONE, Attention, Convolution, Extent, Linear, Op, Pointwise
from cardwise.readers.diffusion.convolutional import NORMS, convolution, pointwise, residual, times

RES, TIME, ATTENTION = "SDCascadeResBlock", "SDCascadeTimestepBlock", "SDCascadeAttnBlock"


@dataclass(frozen=True, slots=True)
class CascadeLevel:
    """One level: its positions, channels and heads, the kinds of its blocks, and what they work from.

    `states`: tokens of the conditions, `context` wide; `times`: embeddings of the step and of further conditions, `time_width` wide each;
    `taps`: of its depthwise convolutions.
    """

    at: Extent
    width: int
    heads: int
    kinds: tuple[str, ...]
    states: Extent
    context: int
    self_attention: bool
    times: int
    time_width: int
    taps: int

    def blocks(self, layers: int, repeats: int, skip: int = 0) -> list[Op]:
        """`layers` times its kinds of blocks, all run `repeats` times with 1 x 1 convolutions between; the first takes a skip."""
        layer = [op for kind in self.kinds for op in self._block(kind)]
        first = [op for i, kind in enumerate(self.kinds) for op in self._block(kind, 0 if i else skip)]
        once = [*first, *times(layer, layers - 1)]
        again = [convolution(self.at, self.width, self.width, 1), *(_unstored(op) for op in once)]
        return once + times(again, repeats - 1)

    def _block(self, kind: str, skip: int = 0) -> list[Op]:
        if kind == RES:
            return self._res(skip)
        return self._time() if kind == TIME else self._attention()

    def _res(self, skip: int) -> list[Op]:
        """SDCascadeResBlock: depthwise convolution, norm, a feed-forward part with a global response norm."""
        at, width, name = self.at, self.width, "feed-forward"
        inner = 4 * width
        return [
            Convolution("convolution", at, width, width, self.taps, groups=width),
            pointwise(NORMS, at, width),
            *([pointwise("skip connections", at, width + skip)] if skip else []),
            Linear(name, at, width + skip, inner),
            pointwise(name, at, inner),
            pointwise(NORMS, at, inner, passes=10.0, launches=8, parameters=2 * inner),
            Linear(name, at, inner, width),
            residual(at, width),
        ]

    def _time(self) -> list[Op]:
        """SDCascadeTimestepBlock: scale and shift of the step and of each further condition."""
        name, scales = "modulation", Linear("modulation", ONE, self.time_width, 2 * self.width, count=self.times)
        small = pointwise(name, ONE, self.width, passes=3.0, count=2 * self.times - 1)
        return [scales, small, pointwise(name, self.at, self.width, count=2)]

    def _attention(self) -> list[Op]:
        """SDCascadeAttnBlock: attention to the conditions and, before them, to all positions."""
        at, width, name = self.at, self.width, "joint attention"
        keys = at + self.states if self.self_attention else self.states
        kernel = Attention(name, at, keys, self.heads, width // self.heads)
        return [
            pointwise(NORMS, self.states, self.context),
            Linear(f"{name} projections", self.states, self.context, width),
            pointwise(NORMS, at, width),
            *([pointwise(name, keys, width)] if self.self_attention else []),
            Linear(f"{name} projections", at, width, width),
            Linear(f"{name} projections", keys, width, width, count=2),
            kernel,
            Linear(f"{name} projections", at, width, width),
            pointwise(NORMS, at, width),
            residual(at, width),
        ]


def _unstored(op: Op) -> Op:
    """The operator run once more with the same weights."""
    if isinstance(op, Pointwise):
        return replace(op, parameters_each=0)
    return op if isinstance(op, Attention) else replace(op, stored=False)
