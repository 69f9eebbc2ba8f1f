"""The least time that the laws allow: every efficiency at the bound that is fastest. What was measured below it measured something else.

A prompt whose cache was there already, a batch that did not all run at once: such rows say nothing of a card, and the fit leaves them out.
They are still predicted and counted in every error.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cardwise.calibration.design import Floats
from cardwise.calibration.effects import slots
from cardwise.efficiency import Efficiency

FASTER_WHEN_SMALLER = frozenset(
    {
        "expert_rows", "half_rows", "unpack", "attention_rows", "layer_seconds", "prompt_launch", "expert_layer", "step_seconds",
        "sequence_seconds", "reduce_seconds", "first_token_seconds", "waiting_steps", "mixing", "power_exponent", "routing_skew",
    }
)  # fmt: skip
TIMES = frozenset({"ttft_ms", "tpot_ms", "e2e_s"})
MARGIN = math.log(1.1)
"""A simulated queue is not exact: rows this little below the least time are kept."""


def ideal() -> Efficiency:
    """Every slot at its fastest bound."""
    return Efficiency(**{slot.name: slot.low if slot.name in FASTER_WHEN_SMALLER else slot.high for slot in slots()})


def possible(metrics: list[str], least: Floats, measured: Floats) -> NDArray[np.bool_]:
    """Rows that are no faster than the laws allow. `least`, `measured`: logarithms; NaN in `least` is possible."""
    sign = np.array([-1.0 if metric in TIMES else 1.0 for metric in metrics])
    faster: NDArray[np.bool_] = sign * (measured - least) > MARGIN
    return ~faster
