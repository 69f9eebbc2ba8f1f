"""What a person would set first when a step does not fit: recompute more, then move states to the host. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cardwise.laws.training_memory import training_memory
from cardwise.model import Architecture
from cardwise.training import OFFLOADS, Kernels, MemoryRules, Offload, Recipe, Recompute, TrainingLayout, TrainingMemory

ORDER: tuple[tuple[Recompute, Offload], ...] = (
    ("none", "none"),
    ("selective", "none"),
    ("selective", "optimizer"),
    ("full", "none"),
    ("full", "optimizer"),
    ("selective", "states"),
    ("full", "states"),
    ("selective", "all"),
    ("full", "all"),
)
"""From the fastest to the leanest: with many micro-batches a step, moving the optimiser's states costs less than a second forward."""


def choices(recompute: Recompute | None, offload: Offload | None, kernels: Kernels = "compiled") -> Iterator[tuple[Recompute, Offload]]:
    """Recomputation and offload from the fastest to the leanest; what is said (not None) stays. Eager frameworks recompute whole layers."""
    if recompute == "none":
        yield from (("none", off) for off in OFFLOADS if offload in (None, off))
        return
    for again, off in ORDER:
        if recompute is None and again == "selective" and kernels == "eager":
            continue
        if recompute in (None, again) and offload in (None, off):
            yield again, off
    if recompute is None and offload not in (None, "none"):
        yield "full", offload


def first_fitting(
    architecture: Architecture,
    recipe: Recipe,
    layout: TrainingLayout,
    usable_bytes: float,
    rules: MemoryRules,
    recompute: Recompute | None = None,
    offload: Offload | None = "none",
) -> tuple[TrainingLayout, TrainingMemory]:
    """The first choice that fits, else the leanest one, whose memory then says what is missing. None: free to choose."""
    tried = layout
    memory: TrainingMemory | None = None
    for again, off in choices(recompute, offload, recipe.kernels):
        tried = replace(layout, recompute=again, offload=off)
        memory = training_memory(architecture, recipe, tried, usable_bytes, rules)
        if memory.fits:
            break
    assert memory is not None
    return tried, memory
