"""Ways of running a pipeline that are worth trying: engine, number types, where weights wait, how one run is spread over cards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cardwise.calibration.runs.setup import PLAIN, unpacking_of
from cardwise.catalogue.diffusion_engines import PipelineEngine, pipeline_engine
from cardwise.execution import Execution, Split
from cardwise.hardware import Accelerator
from cardwise.network import Attention
from cardwise.planning.runs.question import RunQuestion

WAYS = (("none", "whole"), ("none", "tiled"), ("model", "whole"), ("model", "tiled"), ("sequential", "tiled"))
"""Where weights wait and how the decoder works, from the fastest to the least in memory."""
USUAL = ("diffusers", "compiled-diffusers")


def ways(question: RunQuestion, card: Accelerator, cards: int) -> Iterator[tuple[Execution, int]]:
    """Executions to try on `cards` of a card, each with the number of copies that run side by side."""
    engines = (question.engine,) if question.engine is not None else tuple(pipeline_engine(name) for name in USUAL)
    for engine in engines:
        if question.offload and question.offload not in engine.offloads and question.engine is None:
            continue
        for weights in question.weights or usual_weights(card):
            base = execution(engine, weights)
            yield base, cards
            if cards > 1:
                split = sequence_split(question, cards)
                if split is not None and (question.engine is None or engine.splits):
                    yield replace(base, split=split), 1


def usual_weights(card: Accelerator) -> tuple[str, ...]:
    """Formats that are tried when nobody says: 16 bit, and FP8 where the card multiplies it, else NF4 for its size."""
    plain = "bf16" if card.peaks.get("bf16") else "fp16"
    return (plain, "fp8") if card.peaks.get("fp8") else (plain, "nf4")


def execution(engine: PipelineEngine, weights: str) -> Execution:
    """A run with the engine's defaults. Formats that are multiplied as stored need a compiled run; eager ones unpack them."""
    words = ("weight-only",) if weights in ("fp8", "int8") and engine.mode == "eager" else ()
    unpacking = unpacking_of(weights, words)
    return Execution(
        engine=engine.name,
        mode=engine.mode,
        attention="fused" if engine.fused_since < "9" else "unfused",
        precision=weights if weights in PLAIN else "bf16",
        weights=weights,
        encoder_weights=weights if weights not in PLAIN else "",
        unpacking="" if unpacking is None or unpacking.native else unpacking.name,
    )


def sequence_split(question: RunQuestion, cards: int) -> Split | None:
    """One picture over all cards: the two passes of guidance apart, the sequence over the rest where its heads divide."""
    guidance = 2 if question.job.passes == 2 and cards % 2 == 0 else 1
    rest = cards // guidance
    heads = {op.heads for d in question.pipeline.denoisers for op in d.network.ops if isinstance(op, Attention)}
    return Split(guidance=guidance, ulysses=rest) if all(count % rest == 0 for count in heads) else None


def allowed(question: RunQuestion, base: Execution, way: tuple[str, str]) -> bool:
    """Whether the person and the engine allow a way of keeping weights and decoding."""
    offload, decoder = way
    if question.offload and offload != question.offload:
        return False
    if question.tiling is not None and (decoder == "tiled") != question.tiling:
        return False
    return offload == "none" or (base.split.cards == 1 and offload in pipeline_engine(base.engine).offloads)
