"""The formulas of an essay of 2023, as it uses them, to reproduce its numbers: not what Cardwise predicts with.

Bojie Li, "A100/H100 are too expensive, why not use 4090?" (01.me, 2023-09-10). Everything runs at 100 % of a datasheet's peak,
grouped-query attention is left out, and a transfer has the full rate of the link. Pure: the essay's inputs come as arguments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainingMemory:
    """Bytes of one training state, over all cards."""

    weights: float
    gradients: float
    optimizer: float
    activations: float

    @property
    def total(self) -> float:
        return self.weights + self.gradients + self.optimizer + self.activations


def training_flops(parameters: float, tokens: float) -> float:
    """6 x parameters x tokens: two for the forward pass, four for the backward."""
    return 6 * parameters * tokens


def activation_bytes(tokens: int, batch: int, hidden: int, layers: int, tensor_parallel: int) -> float:
    """tokens x batch x hidden x layers x (10 + 24 / TP): Korthikanti et al., "Reducing Activation Recomputation" (2022), table 2,
    tensor parallelism with the attention scores recomputed; 16 bit."""
    return tokens * batch * hidden * layers * (10 + 24 / tensor_parallel)


def training_memory(
    parameters: float, bytes_per_parameter: float, gradient_bytes: float, optimizer_bytes: float, activations: float
) -> TrainingMemory:
    """Weights, gradients and optimiser state, in bytes a parameter, with the activations in bytes."""
    return TrainingMemory(parameters * bytes_per_parameter, parameters * gradient_bytes, parameters * optimizer_bytes, activations)


def cards_for(total_bytes: float, card_bytes: float) -> int:
    """Cards whose nominal memory holds `total_bytes`, every byte of it usable."""
    return math.ceil(total_bytes / card_bytes)


def largest_tensor_parallel(hidden: int, bytes_per_element: float, flops_per_s: float, one_way_bytes_per_s: float) -> float:
    """Cards n at which computing hides the transfer: 2 x 3 x (hidden / n) / bytes >= compute / one-way bandwidth, solved for n."""
    return 2 * 3 * hidden / bytes_per_element * one_way_bytes_per_s / flops_per_s


def stage_seconds(parameters: float, bytes_per_parameter: float, cards: int, bandwidth_bytes_per_s: float) -> float:
    """Reading a card's share of the weights once: bytes x parameters / cards / bandwidth."""
    return bytes_per_parameter * parameters / cards / bandwidth_bytes_per_s


def pipeline_token_seconds(seconds_per_stage: float, cards: int) -> float:
    """One token through all stages, one after the other."""
    return seconds_per_stage * cards


def balance_batch(flops_per_s: float, bandwidth_bytes_per_s: float) -> float:
    """Batch at which computing takes as long as reading 16-bit weights: two FLOP and two bytes a parameter, so compute / bandwidth."""
    return flops_per_s / bandwidth_bytes_per_s


def transfer_seconds(batch: float, hidden: int, bytes_per_element: float, one_way_bytes_per_s: float) -> float:
    """One exchange of the hidden state of a batch over the link, without start-up time."""
    return batch * hidden * bytes_per_element / one_way_bytes_per_s


def tensor_parallel_tokens_per_s(seconds_reading: float, transfers: int, seconds_per_transfer: float) -> float:
    """Tokens/s of one stream when reading the weights and the transfers follow each other."""
    return 1 / (seconds_reading + transfers * seconds_per_transfer)


def implied_transfer_seconds(tokens_per_s: float, seconds_reading: float, transfers: int) -> float:
    """Seconds that each transfer would have to take for a stated speed: the inverse of `tensor_parallel_tokens_per_s`."""
    return (1 / tokens_per_s - seconds_reading) / transfers


def overlapped_tokens_per_s(batch: float, seconds_reading: float, transfers: int, seconds_per_transfer: float) -> float:
    """Tokens/s of a whole batch when the transfers hide behind the reading, or the reading behind them."""
    return batch / max(seconds_reading, transfers * seconds_per_transfer)
