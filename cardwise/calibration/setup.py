"""From a case to everything that a simulation needs. What the row does not say is filled as that engine's benchmark tool would
(docs/validate.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from cardwise.calibration.attributes import context
from cardwise.calibration.cases import Case
from cardwise.calibration.settings import chunk, image_version, says, settings_of, stated_requests, workers
from cardwise.catalogue.accelerators import accelerator
from cardwise.catalogue.engines import Entry, engine_rules
from cardwise.catalogue.formats import cache_format, stored_format
from cardwise.catalogue.links import link
from cardwise.engine import CacheFormat, EngineRules, WeightFormat
from cardwise.errors import BadInput, NotSupported
from cardwise.hardware import Accelerator, Link
from cardwise.layout import Layout
from cardwise.model import Architecture
from cardwise.passes.architectures import architecture
from cardwise.workload import Lengths, LoadKind, Workload

SHORT_PROMPT = 32.0
"""Tokens of the prompt of a single-stream run that states only its output: chat tools send one sentence."""
CHAT_SPREAD = 0.7
"""Standard deviation of the logarithm of lengths in chat traces (ShareGPT) where only the mean is stated."""


OWN_SCRIPTS = frozenset({"PCIe card", "laptop", "Workstation PCIe"})
"""Form factors whose owners measure with scripts of their own, which send one request per client, all at once."""


@dataclass(frozen=True, slots=True)
class Disaggregation:
    """Prefill and decode on workers of their own: layouts and counts of workers."""

    prefill: Layout
    prefill_workers: int
    decode: Layout
    decode_workers: int


@dataclass(frozen=True, slots=True)
class Setup:
    """A case, resolved. `workload` is what one replica sees, and `shares` of them make the whole load.
    `context` are the attributes that fitted effects are keyed by."""

    architecture: Architecture
    layout: Layout
    accelerator: Accelerator
    link: Link
    weights: WeightFormat
    cache: CacheFormat
    rules: EngineRules
    workload: Workload
    context: tuple[tuple[str, str], ...]
    power_limit_w: float | None
    max_model_len: int | None
    memory_share: float | None
    disaggregation: Disaggregation | None = None
    shares: float = 1.0


def setup(case: Case, configs: Path | None = None) -> Setup:
    """Resolves `case`. Raises CardwiseError with a reason when something is unknown or unsaid and needed."""
    card = accelerator(case.accelerator, lenient=True)
    model = architecture(case.model, configs=configs)
    weights = stored_format(case.weights or model.weight_format, case.engine, model.weight_format, model.quantization)
    rules = _rules(case, card)
    layout, disaggregation = _layout(case, card, model, weights.name, rules)
    cards = layout.cards_per_replica if disaggregation is None else disaggregation.decode.cards_per_replica
    wire = link(card, max(cards, 1), said=_said_link(case))
    seen = workload(case, layout.replicas, waves=1 if card.form_factor in OWN_SCRIPTS else None)
    return Setup(
        architecture=model,
        layout=layout,
        accelerator=card,
        link=wire,
        weights=weights,
        cache=cache_format(_kv(case)),
        rules=rules,
        workload=seen,
        context=context(card, weights, rules, wire, seen.load, settings_of(case.notes), case.measured),
        power_limit_w=case.power_limit_w,
        max_model_len=int(case.max_model_len) if case.max_model_len else None,
        memory_share=case.gpu_memory_utilization,
        disaggregation=disaggregation,
        shares=shares(seen.load, max(case.batch or 1.0, 1.0), seen.users, layout.replicas),
    )


def shares(load: str, users: float, users_of_one: int, replicas: int) -> float:
    """How many of one replica's loads the whole load is: clients do not always divide by the replicas, and some may have none. A single
    stream keeps one replica busy, however many there are."""
    if load == "single":
        return 1.0
    return users / users_of_one if load in ("concurrency", "batch") else float(replicas)


def _kv(case: Case) -> str:
    """Unsaid: TensorRT-LLM takes fp8 for fp8 and fp4 checkpoints (trtllm-bench), SGLang for NVFP4 ones, whose ModelOpt configurations name
    it (kv_cache_quant_algo); everybody else 16 bit.
    """
    if case.kv:
        return case.kv
    quantised = {"tensorrt-llm": ("fp8", "fp4", "nvfp4"), "sglang": ("fp4", "nvfp4")}.get(case.engine.lower(), ())
    return "fp8" if case.weights in quantised and "gpt-oss" not in case.model else "fp16"


def _said_link(case: Case) -> str:
    return "pcie-p2p" if says(settings_of(case.notes), "p2p on") and case.link == "pcie" else case.link


@lru_cache(maxsize=4096)
def _engine_rules(
    engine: str, version: str, memory: float, card: str, vendor: str, measured: str, entry: Entry, tensor_parallel: int, length: int | None
) -> EngineRules:
    return engine_rules(
        engine,
        version,
        memory_bytes=memory,
        card=card,
        vendor=vendor,
        measured=measured,
        entry=entry,
        tensor_parallel=tensor_parallel,
        max_model_len=length,
    )


def _rules(case: Case, card: Accelerator) -> EngineRules:
    """The engine's rules with the settings that the row states put in their place."""
    entry: Entry = "offline" if case.load in ("batch", "offline") else "server"
    version = case.engine_version or image_version(settings_of(case.notes))
    length = int(case.max_model_len) if case.max_model_len else None
    rules = _engine_rules(case.engine, version, card.memory_bytes, card.name, card.vendor, case.measured, entry, int(case.tp or 1), length)
    if says(settings_of(case.notes), "flash attention"):
        rules = replace(rules, fused_attention=True)
    tokens = _stated_chunk(case)
    if case.load == "batch":
        rules = replace(rules, max_num_seqs=max(rules.max_num_seqs, int(case.batch or 1)))
    if case.max_num_seqs:
        rules = replace(rules, max_num_seqs=int(case.max_num_seqs))
    if case.max_num_batched_tokens:
        rules = replace(rules, max_num_batched_tokens=int(case.max_num_batched_tokens))
    elif tokens:
        rules = replace(rules, max_num_batched_tokens=tokens)
    return rules


def _stated_chunk(case: Case) -> int | None:
    """llama.cpp's n_batch or n_ubatch where a row names it: it is the chunk of the prompt, not a number of sequences."""
    return chunk(settings_of(case.notes)) if case.engine in ("llama.cpp", "ik_llama.cpp") else None


def _layout(case: Case, card: Accelerator, model: Architecture, weights: str, rules: EngineRules) -> tuple[Layout, Disaggregation | None]:
    count = int(case.count or 1)
    tp, pp, dp, ep = (int(v or 0) for v in (case.tp, case.pp, case.dp, case.ep))
    replicas = int(case.replicas or 0)
    base: dict[str, Any] = {
        "accelerator": card.name,
        "weights": weights,
        "kv": case.kv or "auto",
        "engine": case.engine,
        "engine_version": case.engine_version,
    }
    settings = settings_of(case.notes)
    stated = workers(settings)
    if {"prefill", "decode"} <= stated.keys():
        parts = {
            kind: (Layout(**base, tensor_parallel=w_tp * w_dp, data_parallel=w_dp, expert_parallel=w_ep), number)
            for kind, (number, w_tp, w_dp, _, w_ep) in stated.items()
        }
        both = Disaggregation(*parts["prefill"], *parts["decode"])
        return both.decode, both
    if says(settings, "disaggregated") and not tp:
        raise NotSupported("disaggregated serving without the layout of its workers")
    if rules.layer_split or (rules.scheduler == "slots" and not tp):
        return Layout(**base, pipeline_parallel=max(pp, tp if rules.layer_split else 1) or count), None
    attention_groups = 1
    if says(settings, "attention DP on"):
        attention_groups = max(dp, 1) if dp > 1 else max(tp, 1)
        tp = max(tp, dp, 1) if dp > 1 else tp
    elif dp > 1 and not replicas:
        if (ep > 1 or says(settings, "expert parallel")) and model.has_experts:
            attention_groups, tp = dp, (tp or 1) * dp
        else:
            replicas = dp
    tp = tp or (1 if pp > 1 else max(1, count // max(replicas, 1)))
    pp = pp or 1
    replicas = replicas or max(1, count // (tp * pp))
    if tp * pp > max(count, 1):
        raise BadInput(f"tp {tp} x pp {pp} needs {tp * pp} cards, the row has {count}")
    return (
        Layout(
            **base,
            tensor_parallel=tp,
            pipeline_parallel=pp,
            expert_parallel=min(ep, tp) if ep > 1 else 1,
            data_parallel=attention_groups,
            replicas=replicas,
        ),
        None,
    )


def workload(case: Case, replicas: int = 1, waves: int | None = None) -> Workload:
    """The load on one replica. Unsaid lengths: the defaults of the engine's own benchmark; unsaid number of requests: `waves` per client
    where that is known, else ten per client, or a thousand.
    """
    load = case.load or ("concurrency" if (case.batch or 1) > 1 else "single")
    if load not in ("single", "batch", "concurrency", "rate", "offline"):
        raise BadInput(f"load is {load!r}; it must be single, batch, concurrency, rate or offline")
    default_input, default_output = (512.0, 128.0) if load == "single" else (1024.0, 128.0)
    settings = settings_of(case.notes)
    if says(settings, "ShareGPT") or (load == "offline" and case.input_tokens is None):
        default_input, default_output = 217.4, 201.6
    given_input, given_output = case.input_tokens, case.output_tokens
    if given_input is None:
        given_input = (
            {"decode_tok_s": 0.0, "output_tok_s": SHORT_PROMPT}.get(case.metric, default_input) if load == "single" else default_input
        )
    if given_output is None:
        given_output = default_output
    chat = load in ("rate", "offline") and (says(settings, "ShareGPT") or given_input != int(given_input))
    lengths = Lengths(given_input, given_output, low=case.length_low or 1.0, spread=CHAT_SPREAD if chat else 0.0)
    batch = int(case.batch or 0)
    requests: int | None = int(case.num_prompts) if case.num_prompts else None
    if load == "offline":
        requests = requests or batch or 1000
    if load == "rate":
        requests = requests or batch or stated_requests(settings) or 1000
    if load == "concurrency" and waves is not None:
        requests = requests or waves * max(batch, 1)
    if requests is not None:
        requests = max(1, requests // replicas)
    users = max(1, -(-max(batch, 1) // replicas)) if load in ("concurrency", "batch") else 1
    rate = None
    if load == "rate":
        if not case.request_rate:
            raise BadInput("a load of kind rate needs request_rate")
        rate = case.request_rate / replicas
    return Workload(cast(LoadKind, load), lengths, users=users, requests_per_s=rate, requests=requests)
