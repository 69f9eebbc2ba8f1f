"""Which layouts of a card and count are worth pricing: valid splits, the recomputation and the micro-batch that fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

from cardwise.catalogue.links import host_bytes_per_s, node
from cardwise.catalogue.load import forgets
from cardwise.catalogue.training import memory_rules, training_facts
from cardwise.hardware import Accelerator
from cardwise.laws.memory_layout import heads_reason
from cardwise.laws.training_choice import choices
from cardwise.laws.training_memory import training_memory
from cardwise.planning.training_asking import TrainingQuestion
from cardwise.training import Offload, Recipe, Recompute, TrainingLayout, TrainingMemory

MICRO_BATCHES = (8, 4, 2, 1)
MOST_PIECES = 4
MACHINES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512, 1024, 2048)
ROUNDING = 1 + 1e-9
"""What sums of bytes in another order may differ by."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A layout with its memory."""

    layout: TrainingLayout
    recipe: Recipe
    memory: TrainingMemory


@dataclass(frozen=True, slots=True)
class Way:
    """A split with its micro-batches, whatever the card. `needs`: recomputation and offload from the fastest to the leanest, and the bytes
    that each takes of a card besides the share that is lost to fragments."""

    layout: TrainingLayout
    recipe: Recipe
    needs: tuple[tuple[Recompute, Offload, float], ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A split that no training framework accepts, and the next one that it does."""

    reason: str
    fix: str


def counts(card: Accelerator, question: TrainingQuestion) -> Iterator[int]:
    """Counts to try in order when none is said: powers of two inside a machine, then whole machines; what fixed degrees divide."""
    machine = node(card)
    degrees = (question.tensor_parallel or 1) * (question.pipeline_parallel or 1)
    inside = [count for count in (1, 2, 4, 8, 16, 32, 64) if count < machine.cards]
    beyond = [machine.cards * machines for machines in MACHINES if machine.cards * machines <= 16_384]
    yield from (count for count in (*inside, *beyond) if count % degrees == 0)


def recipe_of(question: TrainingQuestion, global_batch: int) -> Recipe:
    defaults = training_facts()["defaults"]
    return Recipe(
        method=question.method,
        optimizer=question.optimizer,
        sequence=question.sequence,
        global_batch=global_batch,
        precision=question.precision,
        kernels=question.kernels,
        frozen_bytes=defaults["frozen_qlora_bytes"] if question.method == "qlora" else 2.0,
        rank=question.rank,
    )


def splits(question: TrainingQuestion, machine_cards: int, count: int) -> Iterator[tuple[int, int, int]]:
    """(data, tensor, pipeline): tensor parallel inside one machine, heads divisible, no more stages than layers."""
    for tensor in range(1, min(count, machine_cards) + 1):
        if count % tensor or machine_cards % tensor or split_reason(question, machine_cards, tensor, 1) is not None:
            continue
        if question.tensor_parallel not in (None, tensor):
            continue
        for stages in range(1, min(count // tensor, question.architecture.layer_count) + 1):
            if (count // tensor) % stages or question.pipeline_parallel not in (None, stages):
                continue
            if stages > 1 and count < machine_cards and not machine_cards % count and tensor > 1 and question.pipeline_parallel is None:
                continue  # inside a part of one machine a pipeline of tensor groups wins nothing
            yield count // tensor // stages, tensor, stages


def split_reason(question: TrainingQuestion, machine_cards: int, tensor: int, stages: int) -> Refused | None:
    """Why no framework splits the model so."""
    model = question.architecture
    if tensor > machine_cards:
        reason = f"tensor parallel {tensor} spans machines; a machine holds {machine_cards} of these cards"
        return Refused(reason, f"take tensor parallel {machine_cards} or less, and pipeline or data parallel between machines")
    heads = heads_reason(model, tensor)
    if heads:
        good = ", ".join(str(degree) for degree in range(1, machine_cards + 1) if heads_reason(model, degree) is None)
        return Refused(f"tensor parallel {tensor}: {heads}", f"valid degrees are {good}")
    if stages > model.layer_count:
        return Refused(f"pipeline of {stages} stages for {model.layer_count} layers", f"at most {model.layer_count}")
    return None


def zeros(question: TrainingQuestion, data: int, stages: int) -> tuple[int, ...]:
    """ZeRO stages to try: what is said; under a pipeline only the optimiser is shared out, since sharded gradients and weights would move
    for every micro-batch of it (Megatron-LM, DeepSpeed)."""
    if question.zero is not None:
        return (question.zero,)
    if data == 1:
        return (0,)
    return (1,) if stages > 1 else (1, 2, 3)


def settled(question: TrainingQuestion, card: Accelerator, count: int) -> Iterator[Settled]:
    """Every split with every micro-batch, with the least recomputation that fits; those that do not fit come with their leanest memory."""
    for way in ways_of(question, card, count):
        again, off, _ = way.needs[-1]
        yield fitted(question, card, way) or on_card(question, card, way, again, off)


def fitting(question: TrainingQuestion, card: Accelerator, count: int) -> Iterator[Settled]:
    """Those of them that fit."""
    return (found for way in ways_of(question, card, count) if (found := fitted(question, card, way)) is not None)


def fitted(question: TrainingQuestion, card: Accelerator, way: Way) -> Settled | None:
    """With the least recomputation and offload that fits. Only what may fit is summed up part by part."""
    room = card.usable_bytes * (1 - memory_rules().slack_share) * ROUNDING
    made = (on_card(question, card, way, again, off) for again, off, needed in way.needs if needed <= room)
    return next((one for one in made if one.memory.fits), None)


def on_card(question: TrainingQuestion, card: Accelerator, way: Way, recompute: Recompute, offload: Offload) -> Settled:
    layout = replace(way.layout, accelerator=card.name, recompute=recompute, offload=offload)
    return Settled(layout, way.recipe, training_memory(question.architecture, way.recipe, layout, card.usable_bytes, memory_rules()))


def ways_of(question: TrainingQuestion, card: Accelerator, count: int) -> tuple[Way, ...]:
    return ways(question, node(card).cards, question.offload and bool(host_bytes_per_s(card)), count)


@lru_cache(maxsize=512)
def ways(question: TrainingQuestion, machine_cards: int, offloads: bool, count: int) -> tuple[Way, ...]:
    """Every split with every micro-batch on `count` cards of a machine size: one search for all cards that stand so."""
    rules, found = memory_rules(), []
    allowed: tuple[Offload | None, ...] = ("none", None) if offloads else ("none",)
    for data, tensor, stages in splits(question, machine_cards, count):
        for micro in (question.micro_batch,) if question.micro_batch else MICRO_BATCHES:
            share = accumulation(question, data, micro)
            if share is None:
                continue
            recipe = recipe_of(question, share * data * micro)
            for zero, off, pieces in product(zeros(question, data, stages), allowed, interleaves(question, stages, share)):
                layout = TrainingLayout("", data, tensor, stages, zero, micro, share, interleave=pieces)
                tried = (replace(layout, recompute=a, offload=o) for a, o in choices(question.recompute, off, question.kernels))
                memories = ((one, training_memory(question.architecture, recipe, one, 0.0, rules)) for one in tried)
                found.append(Way(layout, recipe, tuple((one.recompute, one.offload, memory.used) for one, memory in memories)))
    return tuple(found)


forgets(ways.cache_clear)


def interleaves(question: TrainingQuestion, stages: int, micro_batches: int) -> tuple[int, ...]:
    """Plain 1F1B, and the most pieces a stage, up to four, that whole layers and whole rounds of micro-batches allow."""
    layers = question.architecture.layer_count
    if stages == 1 or layers % stages or micro_batches % stages:
        return (1,)
    most = max(pieces for pieces in range(1, MOST_PIECES + 1) if layers // stages % pieces == 0)
    return (1, most) if most > 1 else (1,)


def accumulation(question: TrainingQuestion, data: int, micro: int) -> int | None:
    """Micro-batches of a replica in one step. A batch that is said must divide; else the step is near the usual number of tokens, and at
    least one micro-batch of every replica."""
    if question.global_batch is not None:
        return None if question.global_batch % (data * micro) else question.global_batch // (data * micro)
    wanted = question.step_tokens / question.sequence / (data * micro)
    if wanted < 1:
        return 1 if micro == 1 or question.micro_batch else None
    return round(wanted)
