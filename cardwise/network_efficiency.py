"""What fitted constants say about networks of images and video on one card under one software: frozen numbers."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class NetworkEfficiency:
    """One value per slot. Shares are of the specified rate; seconds are per occurrence.

    products: share of the arithmetic peak that a large dense product reaches. convolutions: the same of a large convolution.
    attention: the same of fused attention. half_rows: rows at which products and convolutions reach half of that.
    tile_cycles: clock cycles that a tile of 128 x 128 outputs spends outside its products: first loads, last stores, its part of a wave.
    flops_per_joule: dense 16-bit FLOPs that a joule of the power limit sustains; a card whose peak asks for more runs at lower clocks.
    bandwidth: share of the memory bandwidth that norms, activations and copies reach.
    fused_traffic: share of their traffic that is left where a compiler fuses them.
    launch_seconds: host time of one kernel run eagerly. step_seconds: scheduler and loop, per step. run_seconds: everything once a run.
    link_share: share of the link's bytes/s that exchanges of sequences reach.
    offload_share: share of the host link that moved weights reach.
    """

    products: float
    convolutions: float
    attention: float
    half_rows: float
    tile_cycles: float
    flops_per_joule: float
    bandwidth: float
    fused_traffic: float
    launch_seconds: float
    step_seconds: float
    run_seconds: float
    link_share: float
    offload_share: float


SLOTS = tuple(field.name for field in fields(NetworkEfficiency))
