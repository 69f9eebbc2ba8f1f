"""What the tests of networks of images and video share: one measured run of the library, and the comparison with it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from cardwise.laws.network import launches, network_flops
from cardwise.laws.network_memory import peak_elements
from cardwise.network import Canvas, Network


@dataclass(frozen=True)
class Run:
    """One pass of the library's class on torch's meta device, one sample: FLOPs as FlopCounterMode and the shapes of fused attention give
    them, ATen operations that are no views, elements of activations alive at the peak.
    """

    canvas: Canvas
    flops: int
    kernels: int
    peak: int


def check(network: Network, run: Run, *, flops: float = 0.001, kernels: float = 0.05, peak: float = 0.05) -> None:
    """The network against the run, within relative tolerances."""
    assert network_flops(network, run.canvas) == pytest.approx(run.flops, rel=flops)
    assert sum(launches(op) for op in network.ops) == pytest.approx(run.kernels, rel=kernels)
    assert peak_elements(network, run.canvas) == pytest.approx(run.peak, rel=peak)
