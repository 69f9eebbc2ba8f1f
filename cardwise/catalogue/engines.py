"""Serving engines by version: what each does with memory and batches. The facts are in data/engines/*.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from cardwise.catalogue.engine_versions import Version, date_in, days_between, padded, parse_version
from cardwise.engine import EngineRules
from cardwise.errors import BadInput, UnknownName
from cardwise.quantities import GIB, MIB

DATA = Path(__file__).parent / "data" / "engines"
VERSIONED = ("vllm", "sglang", "tensorrt-llm", "llama.cpp")
NVIDIA_GENERATIONS = ("pascal", "volta", "turing", "ampere", "ada", "hopper", "blackwell")
Entry = Literal["server", "offline"]


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine can run, whatever its version.

    `kernels`: families of weight kernels (`WeightFormat.kernel`) that it has. `minimum`: oldest NVIDIA generation per family; `native`: the
    first generation whose own arithmetic is used, older ones unpack to 16 bit. `arguments`: its word for each setting. `kv_at_start`: the
    cache of the whole context is allocated at start. `embedding_on_host`: the token embedding stays in system memory. `caches`: formats of
    the KV cache that it has; empty where that is not known. `one_machine`: its tensor parallelism does not leave a machine.
    """

    name: str
    vendors: tuple[str, ...]
    kernels: tuple[str, ...]
    minimum: Mapping[str, str]
    native: Mapping[str, str]
    arguments: Mapping[str, str]
    command: str
    tensor_parallel: bool
    pipeline_parallel: bool
    expert_parallel: bool
    data_parallel_attention: bool
    kv_at_start: bool
    embedding_on_host: bool
    one_machine: bool
    caches: tuple[str, ...] = ()

    def runs(self, kernel: str, vendor: str, generation: str) -> bool:
        """Whether weights of this kernel family run on a card; an unknown generation is not refused."""
        if kernel not in self.kernels or vendor not in self.vendors:
            return False
        return vendor != "NVIDIA" or _generation_at_least(generation, self.minimum.get(kernel, ""))

    def computes_natively(self, kernel: str, vendor: str, generation: str) -> bool:
        """Whether the products run in the format's own arithmetic rather than weight-only."""
        return vendor != "NVIDIA" or _generation_at_least(generation, self.native.get(kernel, ""))


def _generation_at_least(generation: str, minimum: str) -> bool:
    order = [index for index, name in enumerate(NVIDIA_GENERATIONS) if name in generation.lower()]
    return not minimum or not order or max(order) >= NVIDIA_GENERATIONS.index(minimum)


def engine_names() -> tuple[str, ...]:
    """Every engine in the catalogue."""
    return (*VERSIONED, *(entry["name"] for entry in _toml("others")["engines"]))


def engine_info(engine: str) -> EngineInfo:
    """What the engine can run, in general. Raises UnknownName."""
    entry, own = _entry(engine)
    merged = {**entry, **own}
    return EngineInfo(
        name=merged["name"],
        vendors=tuple(merged["vendors"]),
        kernels=tuple(merged["formats"]),
        minimum=merged.get("minimum", {}),
        native=merged.get("native", {}),
        arguments=merged.get("arguments", {}),
        command=merged["command"],
        caches=tuple(merged.get("caches", ())),
        **{
            flag: bool(merged.get(flag, False))
            for flag in (
                "tensor_parallel", "pipeline_parallel", "expert_parallel", "data_parallel_attention", "kv_at_start", "embedding_on_host",
                "one_machine",
            )
        },
    )  # fmt: skip


def engine_rules(
    engine: str,
    version: str = "",
    *,
    memory_bytes: float,
    card: str = "",
    vendor: str = "",
    measured: str = "",
    entry: Entry = "server",
    tensor_parallel: int = 1,
    pipeline_parallel: int = 1,
    max_model_len: int | None = None,
    max_num_seqs: int | None = None,
) -> EngineRules:
    """The rules of one engine of one version on a card with `memory_bytes`.

    An empty or unreadable version is the newest that existed at `measured` (YYYY, YYYY-MM or YYYY-MM-DD), else the newest known.
    `entry`: the server or the offline class, whose defaults differ in vLLM. `max_model_len` decides the token budget of vLLM V0, which
    takes whole prompts; `tensor_parallel` the share of SGLang. Raises UnknownName for an unknown engine.
    """
    info, own = _entry(engine)
    settings = _settings(info, "" if own.get("by_date") else version, measured or date_in(version), vendor) if "versions" in info else info
    if own.get("by_date"):
        settings = {**settings, **{key: value for key, value in own.items() if key not in ("name", "like", "by_date")}}
    tier = _tier(settings["tiers"], memory_bytes, card)
    sequences = max_num_seqs or settings.get("max_num_seqs") or tier["sequences"]
    tokens = tier.get("offline_tokens", tier["tokens"]) if entry == "offline" else tier["tokens"]
    scheduler = settings["scheduler"]
    if settings.get("whole_prompts") and max_model_len:
        chunked = 0 < settings.get("chunk_above_len", 0) < max_model_len and vendor in ("", "NVIDIA")
        tokens = settings["chunk_tokens"] if chunked else max(max_model_len, tokens)
        scheduler = "mixed" if chunked else scheduler
    graph_max = _graph_max(settings, tier, sequences, memory_bytes, card, tensor_parallel)
    share, reserve_mib = _share(settings, memory_bytes, tensor_parallel, pipeline_parallel, tokens, graph_max)
    return EngineRules(
        engine=own.get("name") or info["name"],
        version=version or settings.get("version", ""),
        era=settings["era"],
        scheduler=scheduler,
        memory_share=share,
        share_of=settings["share_of"],
        reserve_bytes=reserve_mib * MIB,
        block_size=settings["block_size"],
        max_num_seqs=sequences,
        max_num_batched_tokens=tokens,
        graph_max_batch=graph_max,
        graphs_in_share=settings.get("graphs_in_share", False),
        windows_saved=settings.get("windows_saved", False),
        layer_split=settings.get("layer_split", False),
        prefix_caching=settings["prefix_caching"],
        kv_replicated_latent=settings.get("kv_replicated_latent", True),
        custom_all_reduce=settings.get("custom_all_reduce", False),
        vendors=tuple(own.get("vendors") or info["vendors"]),
        source=own.get("source") or settings["source"],
        max_model_len_default=settings.get("max_model_len_default") or None,
        state_pages=settings.get("state_pages", 1),
        group_stretch=settings.get("group_stretch", 1.25),
        fused_attention=settings.get("fused_attention", True),
    )


@lru_cache(maxsize=8)
def _toml(name: str) -> dict[str, Any]:
    with (DATA / f"{name}.toml").open("rb") as file:
        return tomllib.load(file)


def _entry(engine: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The entry that holds the rules, and what a relative changes of it."""
    word = engine.strip().lower()
    aliases = _toml("others")["aliases"]
    name = aliases.get(word, word)
    if name in VERSIONED:
        return _toml(name), {}
    for entry in _toml("others")["engines"]:
        if entry["name"] == name:
            return (_toml(entry["like"]), entry) if "like" in entry else (entry, {})
    near = get_close_matches(name, [*engine_names(), *aliases], 4, 0.6)
    raise UnknownName("engine", engine, near, f"known: {', '.join(engine_names())}")


def newest_known(engine: str, version: str) -> str:
    """The newest version in the catalogue when `version` is a newer one, else ''. Raises BadInput for what is no version."""
    info, own = _entry(engine)
    if "versions" not in info or own.get("by_date") or date_in(version):
        return ""
    wanted, newest = parse_version(version, info.get("version_prefix", "")), info["versions"][-1]["from"]
    if not wanted:
        raise BadInput(f"{version!r} is no version of {info['name']}; say one such as {info.get('version_prefix', '')}{newest}")
    return newest if wanted > parse_version(newest) else ""


def _settings(info: Mapping[str, Any], version: str, measured: str, vendor: str) -> dict[str, Any]:
    """All settings that hold in a version: later entries change what they name. Some reach other vendors' cards only in a later version."""
    entries = info["versions"]
    wanted = _known_version(info, version, measured)
    chosen: dict[str, Any] = {}

    def reached(first: str, date: str) -> bool:
        return parse_version(first) <= wanted if wanted else not measured or padded(date) <= padded(measured)

    for index, entry in enumerate(entries):
        later = entry.get("other_vendors_from") if vendor not in ("", "NVIDIA") else None
        if index == 0 or reached(*(later or (entry["from"], entry["date"]))):
            chosen = {**chosen, **entry, "version": entry["from"]}
    return chosen


def _known_version(info: Mapping[str, Any], version: str, measured: str) -> Version:
    """The version as numbers, or () when it says nothing or is the number of a wrapper around the engine."""
    wanted = parse_version(version, info.get("version_prefix", ""))
    limit = info.get("wrapper_after_days")
    if not wanted or not limit or not measured:
        return wanted
    known = [entry["date"] for entry in info["versions"] if parse_version(entry["from"]) <= wanted]
    return () if known and days_between(known[-1], measured) > limit + 240 else wanted


def _tier(tiers: list[dict[str, Any]], memory_bytes: float, card: str) -> dict[str, Any]:
    name = card.lower()
    for tier in tiers:
        if memory_bytes < tier.get("min_gib", 0) * GIB:
            continue
        if memory_bytes >= tier.get("max_gib", float("inf")) * GIB or memory_bytes >= tier.get("max_mib", float("inf")) * MIB:
            continue
        if ("card" in tier and not any(word in name for word in tier["card"])) or any(word in name for word in tier.get("not_card", ())):
            continue
        return tier
    return tiers[-1]


def _graph_max(
    settings: Mapping[str, Any], tier: Mapping[str, Any], sequences: int, memory_bytes: float, card: str, tensor_parallel: int
) -> int:
    """Largest decode batch that is captured as a graph."""
    largest = int(tier.get("graph_max", settings["graph_max"]))
    if tensor_parallel >= 4:
        largest = int(tier.get("graph_max_tp4", largest))
    big, special = settings.get("big_card"), settings.get("graph_max_on")
    if big and "tiers" in settings and memory_bytes > big["above_mib"] * MIB:
        largest = max(largest, big["graph_max"])
    if special and any(word in card.lower() for word in special["card"]):
        largest = special["batch"]
    per_sequence = settings.get("graph_per_sequence", 0)
    return min(largest, per_sequence * sequences) if per_sequence else largest


def _share(
    settings: Mapping[str, Any], memory_bytes: float, tensor_parallel: int, pipeline_parallel: int, tokens: int, graph_max: int
) -> tuple[float, float]:
    """The share of memory and what is kept back besides, in MiB. SGLang states what it reserves; the share follows."""
    memory_mib = memory_bytes / MIB
    reserve, big = settings.get("reserve"), settings.get("big_card")
    if reserve:
        kept = reserve["base_mib"] + reserve["per_token_mib"] * max(tokens, reserve["min_tokens"]) + reserve["per_graph_mib"] * graph_max
        kept += reserve["per_rank_mib"] * tensor_parallel * pipeline_parallel
        if memory_mib > reserve["floor_above_gib"] * 1024:
            kept = max(kept, reserve["floor_mib"])
        return max(0.0, 1 - kept / memory_mib), 0.0
    if big and memory_mib > big["above_mib"]:
        return 1 - big["reserve_mib"] / memory_mib, 0.0
    by_tp = settings.get("share_by_tp")
    if by_tp:
        return float(next(by_tp[step] for step in sorted(by_tp, key=int, reverse=True) if int(step) <= tensor_parallel)), 0.0
    return float(settings["memory_share"]), float(settings.get("reserve_mib", 0))
