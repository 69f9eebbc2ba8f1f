"""From work to seconds: the smooth roofline.

All functions take floats or numpy arrays that broadcast. Rates are what the kernel can reach, i.e. specified rate x efficiency.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Amount = float | NDArray[Any]
"""A number, or one per batch of a table."""

SHARPNESS = 4.0
"""Power of the smooth maximum. A kernel at the ridge pays part of both limits: with 4 it is 19 % above the roof.
It fitted published end-to-end timings a little better than the hard maximum and better than the sum (docs/how-it-works.md)."""


def smooth_maximum(a: Amount, b: Amount, sharpness: float = SHARPNESS) -> Amount:
    """(a^p + b^p)^(1/p): the larger of two non-negative times, rounded off where they are alike."""
    high, low = np.maximum(a, b), np.minimum(a, b)
    ratio = low / np.maximum(high, 1e-30)
    rounded: Amount = high * (1.0 + ratio**sharpness) ** (1.0 / sharpness)
    return rounded


def compute_seconds(flops: Amount, flops_per_s: float) -> Amount:
    """Time of arithmetic alone, s."""
    return flops / flops_per_s


def memory_seconds(moved_bytes: Amount, bytes_per_s: float) -> Amount:
    """Time of memory traffic alone, s."""
    return moved_bytes / bytes_per_s
