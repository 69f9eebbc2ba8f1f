"""What an engine era takes besides weights and cache, from data/memory.toml."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from cardwise.budget import MemoryConstants
from cardwise.catalogue.engines import engine_info
from cardwise.engine import EngineRules
from cardwise.quantities import KIB, MIB

DATA = Path(__file__).parent / "data" / "memory.toml"


@lru_cache(maxsize=1)
def _data() -> dict[str, Any]:
    with DATA.open("rb") as file:
        return tomllib.load(file)


def memory_constants(rules: EngineRules) -> MemoryConstants:
    """The constants for the rules' engine and era."""
    return _constants(rules.engine, rules.era)


@lru_cache(maxsize=256)
def _constants(engine: str, era: str) -> MemoryConstants:
    data, info = _data(), engine_info(engine)
    entry = {**data["default"], **data["eras"].get(era, {})}
    return MemoryConstants(
        era=era,
        source=entry["source"],
        context_bytes=entry["context_mib"] * MIB,
        peer_bytes=entry["peer_mib"] * MIB,
        rank_bytes=entry["rank_mib"] * MIB,
        profile=entry["profile"],
        hidden_copies=entry["hidden_copies"],
        bytes_per_logit=entry["bytes_per_logit"],
        encoder_bytes_per_token=entry["encoder_kib_per_token"] * KIB,
        encoder_tokens=entry["encoder_tokens"],
        encoder_whole_length=entry["encoder_whole_length"],
        encoder_by_shape=entry.get("encoder_by_shape", False),
        graph_bytes=entry["graph_mib"] * MIB,
        state_bits=entry["state_bits"],
        unified_pages=entry["unified_pages"],
        length_tokens=entry["length_tokens"],
        embedding_on_host=info.embedding_on_host,
        kv_at_start=info.kv_at_start,
        attention_buffer=entry.get("attention_buffer", False),
        latent_full_width=entry.get("latent_full_width", 0),
        index_scale_bytes=entry["index_scale_bytes"],
        latent_absorbed=entry.get("latent_absorbed", False),
        holds_longest=entry["holds_longest"],
        shortest_context=entry["shortest_context"],
        expert_multiple=entry["expert_multiple"],
        slack_share=entry["slack_share"],
    )
