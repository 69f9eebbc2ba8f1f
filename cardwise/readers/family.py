"""Traits of a model family: what its configuration leaves unsaid. Read once from families.toml, which lists one table per `model_type`."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from cardwise.errors import UnknownName

TABLE = Path(__file__).with_name("families.toml")


@dataclass(frozen=True, slots=True)
class ExpertTraits:
    """`width`: field of one expert's width. `shared`: how the shared experts' width follows: count (`n_shared_experts` x width), width
    (`shared_expert_intermediate_size`), share (other field names), or none. `first`: which layers have experts: all, first_k (all but the
    first `first_k_dense_replace`), num_dense, step (`decoder_sparse_step`, `mlp_only_layers`), start (`moe_layer_start_index`),
    types, list.
    `router_bias`: one stored value an expert (bias or balancing correction). `bias`: the experts' matrices have biases."""

    width: str
    shared: str = ""
    shared_gate: bool = False
    first: str = "all"
    router_bias: bool | str = False
    bias: bool = False


@dataclass(frozen=True, slots=True)
class Traits:
    """Traits of one family. A text where a truth value is possible names the field that says so.

    `builder`: the function of `config.BUILDERS` that builds the layers. `text`: the field that holds the text model's own configuration.
    `vision`: the function of `vision.TOWERS` that counts the towers. `qk_norm`: norms of queries and keys, one `head` wide (shared by all
    heads), one of each head (`heads`), or over the `width` of all heads. `norms`: norm vectors of the hidden width in a layer.
    `windows`: which layers attend to a window when no list says so: none, all, use (`use_sliding_window`), alternate (even layers),
    pattern (all but each n-th). `stored_rotary`: the file stores head_dim / n rotary frequencies. `halved_width`: the stated
    width counts gate and up together. `mtp`: how the layers that predict further tokens are built. `indexer`: layers
    choose their keys (sparse attention).
    """

    builder: str = "transformer"
    text: str = ""
    vision: str = ""
    qkv_bias: bool | str = False
    o_bias: bool | str = False
    mlp_bias: bool | str = False
    head_bias: bool | str = False
    qk_norm: str = ""
    qk_norm_field: str = ""
    norms: int = 2
    norm_bias: bool = False
    final_norm: bool = True
    gated: bool = True
    tied: bool = False
    windows: str = "none"
    positions: bool = False
    embedding_norm: bool = False
    sinks: bool = False
    output_gate: bool = False
    multi_query: str = ""
    halved_width: bool = False
    mlp_vectors: int = 0
    stored_rotary: int = 0
    indexer: bool = False
    mtp: str = ""
    experts: ExpertTraits | None = None
    defaults: Mapping[str, object] = field(default_factory=dict)


@cache
def _tables() -> dict[str, dict[str, Any]]:
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


def names() -> tuple[str, ...]:
    """Every `model_type` that is known."""
    return tuple(_tables())


@cache
def traits(model_type: str) -> Traits:
    """The traits of a family. Raises UnknownName with the nearest families."""
    tables = _tables()
    if model_type not in tables:
        near = difflib.get_close_matches(model_type[:80], tables, n=3, cutoff=0.5)
        raise UnknownName("model_type", model_type[:80], near)
    table = dict(tables[model_type])
    base = traits(table.pop("like")) if "like" in table else Traits()
    if "experts" in table:
        table["experts"] = ExpertTraits(**table["experts"])
    unknown = set(table) - {f.name for f in fields(Traits)}
    if unknown:
        raise ValueError(f"{TABLE.name}: [{model_type}] has unknown keys {sorted(unknown)}")
    return replace(base, **table)
