"""Recurrent layers in vLLM's cache: width of the state, tokens of a page, states a sequence, layers of a group."""

from __future__ import annotations

from dataclasses import replace

import pytest
from memory_models import CONFIGS

from cardwise.budget import CachePlan
from cardwise.catalogue.engine_memory import memory_constants
from cardwise.catalogue.engines import engine_rules
from cardwise.catalogue.formats import cache_format
from cardwise.errors import BadFile
from cardwise.laws.memory_cache import cache_plan
from cardwise.layout import Layout
from cardwise.model import StateCache
from cardwise.passes.architectures import architecture
from cardwise.quantities import GIB
from cardwise.readers.config import read_config


def plan(model: str, version: str, *, tensor: int = 1, kv: str = "auto", engine: str = "vllm") -> CachePlan:
    rules = engine_rules(engine, version, memory_bytes=96 * GIB)
    return cache_plan(architecture(model), cache_format(kv), Layout("x", tensor_parallel=tensor), rules, memory_constants(rules))


@pytest.mark.parametrize("version", ["0.10.2", "0.16.0", "0.25.0"])
def test_qwen3_next_keeps_its_state_in_the_type_of_the_model(version: str) -> None:
    """A start-up log of Qwen3-Next on two H200: attention block size 544; a page holds 32 heads x 128 x 128 and 3 x 8192 in bf16."""
    found = plan("Qwen/Qwen3-Next-80B-A3B-Instruct", version, tensor=2)
    assert (found.block_tokens, found.pages) == (544, 12)
    (state,) = (group for group in found.groups if group.kind == "state")
    assert 2 * state.state_bytes == 2 * (32 * 128 * 128 + 3 * 8192)


def test_a_configuration_that_states_fp32_has_pages_twice_as_long() -> None:
    """Qwen3.6-27B: 48 heads x 128 x 128 in fp32 are 3.1 MB, 1.5 thousand tokens of 2 KiB; the same in bf16 would be half of that."""
    found = plan("Qwen/Qwen3.6-27B", "0.20.0", tensor=2)
    (state,) = (group for group in found.groups if group.kind == "state")
    assert state.state_bytes == pytest.approx(24 * 128 * 128 * 4 + 3 * 5120 * 2)
    assert found.block_tokens == 784


def test_prefix_caching_of_recurrences_doubles_their_states() -> None:
    """A start-up log of August 2026, Qwen3.8-27B-FP8 on two 3090 with fp8 cache: a pool of 4.99 GiB a card holds 2.31 requests of 131,072
    tokens. Before 0.27.0 vLLM cached no prefixes of hybrid models and kept one state a sequence."""
    model = "Qwen/Qwen3.8-27B-FP8"
    assert plan(model, "0.27.0", tensor=2, kv="fp8").concurrency(4.99 * GIB, 131_072) == pytest.approx(2.31, abs=0.005)
    one, two = (plan(model, version, tensor=2, kv="fp8") for version in ("0.25.0", "0.27.0"))
    assert (one.state_blocks, two.state_blocks) == (1, 2)
    states = two.sequence_bytes(131_072) - one.sequence_bytes(131_072)
    assert states / (3 * one.pages * one.page_bytes) == pytest.approx(1.0)


@pytest.mark.parametrize(("version", "pages"), [("0.17.0", 12), ("0.20.0", 16)])
def test_kinds_of_nearly_as_many_layers_share_groups_of_the_larger_number(version: str, pages: int) -> None:
    """16 recurrent and 12 attention layers: padded into one group below a factor of 1.25 until 0.17, 1.5 from 0.20."""
    whole = architecture("Qwen/Qwen3-Next-80B-A3B-Instruct")
    layers = tuple(replace(layer, count=16) if isinstance(layer.mixer.cache, StateCache) else layer for layer in whole.layers)
    rules = engine_rules("vllm", version, memory_bytes=96 * GIB)
    found = cache_plan(replace(whole, layers=layers), cache_format("auto"), Layout("x"), rules, memory_constants(rules))
    assert found.pages == pages


def test_the_width_of_the_state_is_read_from_the_configuration() -> None:
    def bits(**changes: object) -> set[int | None]:
        read = read_config({**CONFIGS["qwen3-next-80b-a3b"], **changes}, name="next", source="config.json")
        return {layer.mixer.cache.state_bits for layer in read.layers if isinstance(layer.mixer.cache, StateCache)}

    assert bits() == {None} and bits(mamba_ssm_dtype="float32") == {32} and bits(mamba_ssm_dtype="bfloat16") == {16}
    with pytest.raises(BadFile, match="mamba_ssm_dtype is 'int4'; known are float32, bfloat16, float16"):
        bits(mamba_ssm_dtype="int4")
