"""What a run takes on a card, stage by stage, the smallest card that holds it, and what to change where it does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cardwise.calibration.runs.predict import memory_rules
from cardwise.catalogue.accelerators import accelerator, accelerators
from cardwise.catalogue.diffusion_engines import pipeline_engine
from cardwise.execution import Execution
from cardwise.hardware import Accelerator
from cardwise.laws.pipeline_memory import StageMemory, peak, stage_memory
from cardwise.planning.runs.question import LISTED, RunQuestion
from cardwise.planning.runs.ways import WAYS, allowed, execution
from cardwise.quantities import GIB
from cardwise.run_answer import MemoryNeed, RunRefusal, StagePeak

REFERENCE_CARD = "H100 SXM"
"""A card with every number type: what a run takes does not depend on the card but through the types that it lacks."""


def memory(question: RunQuestion, made: Execution, batch: int) -> tuple[StageMemory, ...]:
    """Bytes by stage on one card, with those of the process."""
    return stage_memory(question.pipeline, replace(question.job, batch=batch), made, memory_rules(question.pipeline, made, "card"))


def peak_of(stage: StageMemory) -> StagePeak:
    return StagePeak(stage.name, stage.weights_bytes, stage.activation_bytes, stage.other_bytes)


def needs(question: RunQuestion) -> Iterator[MemoryNeed]:
    """What one picture takes at every precision and way of keeping weights, with the smallest card that holds it."""
    for weights in question.weights or LISTED:
        base = execution(pipeline_engine("diffusers"), weights, accelerator(REFERENCE_CARD), question.pipeline)
        for offload, decoder in WAYS:
            if decoder == ("sliced" if question.pipeline.autoencoder.tiles else "tiled"):
                continue
            made = replace(base, offload=offload, decoder=decoder)
            name, size = smallest(question, made)
            yield MemoryNeed(
                weights, offload, decoder, tuple(peak_of(stage) for stage in memory(question, made, question.batch or 1)), name, size
            )


def smallest(question: RunQuestion, made: Execution) -> tuple[str, float | None]:
    """The card of the catalogue with the least memory that holds a run, unified memory aside; of several the newest."""
    needed = peak(memory(question, made, question.batch or 1)).total_bytes
    holding = [card for card in accelerators().values() if card.usable_bytes >= needed and not card.unified_memory]
    if not holding:
        return "", None
    least = min(card.memory_bytes for card in holding)
    newest = max((card for card in holding if card.memory_bytes == least), key=lambda card: (card.launch, card.name))
    return newest.name, newest.usable_bytes


def refusal(question: RunQuestion, card: Accelerator, base: Execution, replicas: int, lacking: float, stage: StageMemory) -> RunRefusal:
    """What is missing where it is least, and the nearest change that runs."""
    reason = (
        f"{stage.name} needs {stage.total_bytes / GIB:.1f} GiB ({stage.weights_bytes / GIB:.1f} of weights), the card has "
        f"{card.usable_bytes / GIB:.1f}"
    )
    return RunRefusal(
        card.name,
        replicas * base.split.cards,
        base.weights,
        question.offload or "any",
        reason,
        fix_of(question, card, base),
        lacking,
        base.engine,
    )


def fix_of(question: RunQuestion, card: Accelerator, base: Execution) -> str:
    """The first change that fits: another way of keeping weights, fewer bits, a smaller batch, else the smallest card."""
    for weights in dict.fromkeys((base.weights, "fp8", "nf4", "q4_k_m")):
        for engine in dict.fromkeys((base.engine, "diffusers")):
            candidate = execution(pipeline_engine(engine), weights, card, question.pipeline)
            if pipeline_engine(engine).why_not(card.vendor, card.generation, weights):
                continue
            for offload, decoder in WAYS:
                if not allowed(replace(question, offload="", tiling=None), candidate, card, (offload, decoder)):
                    continue
                made = replace(candidate, offload=offload, decoder=decoder)
                if peak(memory(question, made, 1)).total_bytes <= card.usable_bytes:
                    said = [f"--weights {weights}", f"--offload {offload}", *(["--tiling"] if decoder != "whole" else [])]
                    said += [f"--engine {engine}"] if question.engine is not None and engine != question.engine.name else []
                    return f"runs with {' '.join(said)}" + (" --batch 1" if (question.batch or 1) > 1 else "")
    need = smallest(question, replace(base, offload="none", decoder="tiled" if question.pipeline.autoencoder.tiles else "sliced"))
    return f"the smallest card that holds it is {need[0]}" if need[0] else "make the picture smaller"
