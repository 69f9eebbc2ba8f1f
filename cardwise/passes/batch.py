"""What a step is asked to do, and in which arithmetic its products run."""

from __future__ import annotations

from dataclasses import dataclass

from cardwise.engine import WeightFormat
from cardwise.hardware import Accelerator
from cardwise.laws.roofline import Amount


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's batch over a whole replica; fields are floats or arrays.

    `decodes` sequences make one token each over `context` cached tokens in all; `prefill` prompt tokens are processed, looking at
    `pairs` query-key pairs; `outputs` rows go through the head (decodes and prompts that end in this step).
    """

    decodes: Amount = 0.0
    context: Amount = 0.0
    prefill: Amount = 0.0
    pairs: Amount = 0.0
    outputs: Amount = 0.0


def arithmetic(weights: WeightFormat, accelerator: Accelerator) -> tuple[str, str]:
    """The peak that a product of these weights runs at on this card, and the kernel family (the key of fitted efficiencies).

    A format that the card cannot multiply is unpacked: fp8 on a card without fp8 is `w8a16`, fp4 without fp4 is `w4a16` at the 16-bit rate.
    Raises MissingFact when the card states none of the rates.
    """
    for key in weights.arithmetic:
        if accelerator.peaks.get(key):
            native = key.startswith(("fp8", "fp4", "int8")) or not weights.kernel.startswith(("fp8", "fp4", "int8"))
            return key, weights.kernel if native else {"fp8": "w8a16", "int8": "w8a16", "fp4": "w4a16"}[weights.kernel]
    accelerator.peak(*weights.arithmetic)
    raise AssertionError("unreachable")
