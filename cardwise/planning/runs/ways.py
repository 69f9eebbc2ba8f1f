"""Ways of running a pipeline that are worth trying: engine, number types, where weights wait, how one run is spread over cards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cardwise.calibration.runs.setup import EIGHT_BIT, PLAIN, native, precision_of, unpacking_of
from cardwise.catalogue.diffusion_engines import PipelineEngine, pipeline_engine
from cardwise.execution import Execution, Split
from cardwise.hardware import Accelerator
from cardwise.network import Attention, Convolution
from cardwise.pipeline import Pipeline
from cardwise.planning.runs.question import RunQuestion

WAYS = tuple(
    (offload, decoder)
    for offload, decoders in (
        ("none", ("whole", "tiled", "sliced")),
        ("model", ("whole", "tiled", "sliced")),
        ("sequential", ("tiled", "sliced")),
    )
    for decoder in decoders
)
"""Where weights wait and how the decoder works, from the fastest to the least in memory. Decoders that have no tiles work in slices."""
USUAL = ("diffusers", "compiled-diffusers")
SPLITTING = "xdit"
"""Engine that spreads one run over cards where nobody names one."""


def ways(question: RunQuestion, card: Accelerator, cards: int) -> Iterator[tuple[Execution, int]]:
    """Executions to try on `cards` of a card, each with the number of copies that run side by side. Splits of one run are those of the
    engine asked for, or of xDiT.
    """
    engines = (question.engine,) if question.engine is not None else tuple(pipeline_engine(name) for name in USUAL)
    for engine in engines:
        for weights in question.weights or usual_weights(card, engine):
            if question.engine is None and (question.offload not in ("", *engine.offloads) or _refused(engine, card, weights)):
                continue
            yield execution(engine, weights, card, question.pipeline), cards
    if cards > 1:
        engine = question.engine or pipeline_engine(SPLITTING)
        for weights in question.weights or usual_weights(card, engine)[:1]:
            base = execution(engine, weights, card, question.pipeline)
            split = sequence_split(question, engine, cards)
            if split.cards > 1 and not _refused(engine, card, weights):
                yield replace(base, split=split), cards // split.cards


def _refused(engine: PipelineEngine, card: Accelerator, weights: str) -> bool:
    return bool(engine.why_not(card.vendor, card.generation, weights))


def usual_weights(card: Accelerator, engine: PipelineEngine) -> tuple[str, ...]:
    """Formats that are tried when nobody says: 16 bit, and FP8 where the card multiplies it, else NF4 for its size; those that the engine
    takes. Engines built ahead take FP16, whose sums may be in 16 bit.
    """
    plain = "fp16" if engine.mode == "built" or not card.peaks.get("bf16") else "bf16"
    small = "fp8" if card.peaks.get("fp8") else "nf4"
    return tuple(word for word in (plain, small) if not engine.formats or word in engine.formats) or (plain,)


def execution(engine: PipelineEngine, weights: str, card: Accelerator, made: Pipeline) -> Execution:
    """A run with the engine's defaults on a card. Formats of 8 bit are multiplied as stored by compiled runs on cards that can, else
    unpacked.
    """
    unpacked = weights in EIGHT_BIT and (engine.mode == "eager" or not native(weights, card))
    unpacking = unpacking_of(weights, ("weight-only",) if unpacked else ())
    return Execution(
        engine=engine.name,
        mode=engine.mode,
        attention="fused" if engine.fused_since < "9" else "unfused",
        precision=precision_of(weights, card),
        weights=weights,
        encoder_weights=weights if weights not in PLAIN else "",
        unpacking="" if unpacking is None or unpacking.native else unpacking.name,
        decoder_precision=engine.decoder_precision,
        kept=made.checkpoint if engine.keeps_checkpoint else "",
    )


def sequence_split(question: RunQuestion, engine: PipelineEngine, cards: int) -> Split:
    """One picture over all cards as far as the engine can: the two passes of guidance apart, the sequence over the rest where its heads
    divide and nothing but tokens crosses (a convolution over the picture would need its neighbours).
    """
    guidance = 2 if "guidance" in engine.splits and question.job.passes == 2 and cards % 2 == 0 else 1
    rest = cards // guidance
    networks = [d.network for d in question.pipeline.denoisers]
    heads = {op.heads for network in networks for op in network.ops if isinstance(op, Attention)}
    crossed = any(isinstance(op, Convolution) and op.taps > 1 and op.scale <= 1 for network in networks for op in network.ops)
    if rest > 1 and ("ulysses" not in engine.splits or crossed or any(count % rest for count in heads)):
        rest = 1
    return Split(guidance=guidance, ulysses=rest, sharded=engine.sharded and cards > 1)


def allowed(question: RunQuestion, base: Execution, card: Accelerator, way: tuple[str, str]) -> bool:
    """Whether the person, the engine, the autoencoder and the card allow a way of keeping weights and decoding. Memory that host and card
    share is not freed by offloading.
    """
    offload, decoder = way
    if question.offload and offload != question.offload:
        return False
    if question.tiling is not None and (decoder != "whole") != question.tiling:
        return False
    if decoder == ("sliced" if question.pipeline.autoencoder.tiles else "tiled"):
        return False
    if offload == "none":
        return True
    return base.split.cards == 1 and not card.unified_memory and offload in pipeline_engine(base.engine).offloads
