"""Which layouts are worth a look: engine, weights, count and split of a card."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cardwise.catalogue.engines import EngineInfo, engine_info, engine_names, engine_rules
from cardwise.catalogue.formats import cache_format, weight_format
from cardwise.catalogue.links import node
from cardwise.engine import EngineRules
from cardwise.errors import CannotRun
from cardwise.hardware import Accelerator
from cardwise.layout import Layout
from cardwise.model import Architecture
from cardwise.passes.batch import arithmetic
from cardwise.planning.question import Question

COUNTS = (1, 2, 3, 4, 6, 8, 16, 32)
GGUF_ENGINE = "llama.cpp"
COMMON = ("bf16", "fp16", "fp8", "int8", "nvfp4", "awq-int4", "q8_0", "q4_k_m", "mlx-4bit", "exl3-4.0bpw")
"""Weight formats that are offered instead of one that an engine lacks."""


def engine_for(question: Question, card: Accelerator) -> str:
    """The engine asked for, else the usual one: vLLM where it runs, another server where it does not, llama.cpp on Apple, on APUs, on cards
    that no server runs on, and for formats that it alone has."""
    if question.engine != "auto":
        return question.engine
    if any(weight_format(name).kernel.startswith("gguf") for name in question.weights):
        return GGUF_ENGINE
    info = engine_info("vllm")
    if not _has_cache(info, question.kv) and _has_cache(engine_info(GGUF_ENGINE), question.kv):
        return GGUF_ENGINE
    if card.unified_memory:
        return GGUF_ENGINE
    if card.vendor not in info.vendors:
        return next((name for name in engine_names() if engine_info(name).runs("f16", card.vendor, card.generation)), GGUF_ENGINE)
    return "vllm" if info.runs("f16", card.vendor, card.generation) else GGUF_ENGINE


def weights_for(question: Question, card: Accelerator, engine: str) -> list[str]:
    """Weight formats to try on a card: those asked for, else the checkpoint's own, then 8 bit, then 4 bit as the engine runs them."""
    own = question.architecture.weight_format
    if question.weights:
        return list(question.weights)
    if weight_format(own).bits_of("experts" if question.architecture.has_experts else "dense") < 12:
        return [own] if engine != GGUF_ENGINE or own == "mxfp4" else ["q8_0", "q4_k_m"]
    if engine == GGUF_ENGINE:
        return ["f16", "q8_0", "q4_k_m"]
    info = engine_info(engine)
    native_fp8 = "fp8" in card.peaks and info.runs("fp8", card.vendor, card.generation)
    eight, four = "fp8", "awq-int4"
    found = [own]
    if native_fp8:
        found.append(eight)
    if info.runs("w4a16", card.vendor, card.generation):
        found.append(four)
    return found


@dataclass(frozen=True, slots=True)
class Candidate:
    """A layout of one replica with the rules that it runs under."""

    layout: Layout
    card: Accelerator
    rules: EngineRules
    info: EngineInfo


def rules_for(question: Question, card: Accelerator, engine: str, tensor_parallel: int = 1) -> EngineRules:
    entry = "offline" if question.workload.load in ("batch", "offline") else "server"
    return engine_rules(
        engine,
        question.engine_version,
        memory_bytes=card.memory_bytes,
        card=card.name,
        vendor=card.vendor,
        entry=entry,  # type: ignore[arg-type]
        tensor_parallel=tensor_parallel,
        max_model_len=question.max_model_len,
    )


def counts_for(question: Question, asked: int | None) -> tuple[int, ...]:
    """The count asked for, else those to try in order: of the usual ones and the one that fixed degrees need, what these divide."""
    if asked is not None:
        return (asked,)
    degrees = (question.tensor_parallel or 1) * (question.pipeline_parallel or 1)
    return tuple(sorted({degrees, *(count for count in COUNTS if count % degrees == 0)})) if degrees > 1 else COUNTS


def splits(count: int, info: EngineInfo, architecture: Architecture, question: Question, exact: bool) -> Iterator[tuple[int, int, int]]:
    """(tensor, pipeline, replicas) with tensor x pipeline x replicas = count. Whether the model divides so is asked later.

    With a free count only one replica is tried: more replicas are found from the load.
    """
    for tensor in range(1, count + 1):
        if count % tensor or (tensor > 1 and not info.tensor_parallel):
            continue
        if question.tensor_parallel is not None and tensor != question.tensor_parallel:
            continue
        for pipeline in range(1, count // tensor + 1):
            if (count // tensor) % pipeline or (pipeline > 1 and not info.pipeline_parallel):
                continue
            if question.pipeline_parallel is not None and pipeline != question.pipeline_parallel:
                continue
            replicas = count // tensor // pipeline
            if replicas > 1 and not exact:
                continue
            if pipeline <= architecture.layer_count:
                yield tensor, pipeline, replicas


def expert_spreads(layout: Layout, info: EngineInfo, architecture: Architecture) -> list[Layout]:
    """The ways in which experts lie on the ranks of a tensor-parallel layout: cut by all, whole on each (EP), and whole with attention
    replicated so that every rank keeps the cache of its own sequences (DP attention), as far as the engine has them.
    """
    ranks = layout.tensor_parallel
    spreads = [layout]
    if architecture.has_experts and ranks > 1 and info.expert_parallel:
        spreads.append(replace(layout, expert_parallel=ranks))
        if info.data_parallel_attention:
            spreads.append(replace(layout, expert_parallel=ranks, data_parallel=ranks))
    return spreads


def check_runs(card: Accelerator, layout: Layout, info: EngineInfo) -> None:
    """Raises CannotRun when the engine does not run on the card, or not with these weights, this cache or this split."""
    if card.vendor not in info.vendors:
        others = [name for name in engine_names() if card.vendor in engine_info(name).vendors]
        if not others:
            raise CannotRun(f"no engine of the catalogue runs on {card.vendor} cards")
        raise CannotRun(f"{info.name} does not run on {card.vendor} cards", f"on {card.vendor} cards run {', '.join(others)}")
    if not _has_kernel(info, layout.weights, card):
        raise CannotRun(
            f"{info.name} has no {layout.weights} kernel for {card.name} ({card.generation})",
            f"take one of {', '.join(name for name in COMMON if _has_kernel(info, name, card)) or 'another engine'}",
        )
    if not _has_cache(info, layout.kv):
        raise CannotRun(f"{info.name} has no KV cache in {layout.kv}", f"take one of {', '.join(info.caches)}")
    held = node(card).cards
    if info.one_machine and layout.tensor_parallel > held:
        reason = f"tensor parallel {layout.tensor_parallel}: {info.name} splits rows inside one machine, which has {held} {card.name}"
        raise CannotRun(reason, "split by layers, with --pp")


def _has_kernel(info: EngineInfo, weights: str, card: Accelerator) -> bool:
    """Whether the engine runs the format on the card, in its own arithmetic or unpacked."""
    found = weight_format(weights, info.name)
    _, kernel = arithmetic(found, card)
    return any(info.runs(name, card.vendor, card.generation) for name in (found.kernel, kernel))


def _has_cache(info: EngineInfo, kv: str) -> bool:
    return not info.caches or cache_format(kv).name in info.caches
