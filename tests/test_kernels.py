"""Laws of single kernels: limits, directions, closed forms; and the shipped constants within what physics allows."""

from __future__ import annotations

import math
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardwise.calibration import kernel_laws, kernels
from cardwise.calibration.kernel_rows import Sample
from cardwise.laws.kernels import (
    DecodeConstants,
    ExpertConstants,
    PrefillConstants,
    ProductConstants,
    ReduceConstants,
    Silicon,
    decode_attention_seconds,
    expert_seconds,
    kernel_all_reduce_seconds,
    looked_at,
    prefill_attention_seconds,
    product_seconds,
    product_share,
    resident,
    wave_rows,
)

FACTS = Path(__file__).parent.parent / "cardwise" / "catalogue" / "data" / "calibration" / "kernels.toml"
CARD = Silicon(flops_per_s=1e15, bytes_per_s=2e12, units=100, cache_bytes=2**25)
PRODUCT = ProductConstants(compute=0.8, bandwidth=0.9, launch_s=3e-6, fill_rows=20.0, wave_share=0.2, quantise_passes=1.5, cache_gain=1.5)
PREFILL = PrefillConstants(compute=0.6, launch_s=1e-5, lag_pairs=200.0, dim_exponent=0.3, bandwidth=0.8)
DECODE = DecodeConstants(bandwidth=0.9, compute=0.6, launch_s=1e-5, pad_tokens=60.0, cache_gain=1.5)
EXPERTS = ExpertConstants(compute=0.4, bandwidth=0.9, launch_s=3e-5, fill_rows=60.0, skew=0.8, traffic=2.0)
REDUCE = ReduceConstants(latency_s=4e-6, rank_s=2e-7, settle_s=7e-6, share=0.6, rank_exponent=0.2)
SIZES = st.integers(1, 2**16)


def prefill(tokens: float = 4096, cached: float = 0, window: float = math.inf, silicon: Silicon = CARD, **other: float) -> float:
    shape = {"sequences": 2, "heads": 32, "kv_heads": 8, "score_dim": 128, "value_dim": 128, **other}
    c = replace(PREFILL, **{key: shape.pop(key) for key in list(shape) if hasattr(PREFILL, key)})
    return float(
        prefill_attention_seconds(
            shape["sequences"],
            tokens,
            cached,
            window,
            shape["heads"],
            shape["kv_heads"],
            shape["score_dim"],
            shape["value_dim"],
            silicon,
            c,
        )
    )


def decode(readers: float = 64, group: float = 8, context: float = 4096, silicon: Silicon = CARD, size: float = 2) -> float:
    return float(decode_attention_seconds(readers, group, context, 128, 128, 256 * size, 128, silicon, DECODE))


def experts(rows: float = 512, touched: float = 64, silicon: Silicon = CARD) -> float:
    return float(expert_seconds(rows, touched, 4096, 1536, 1.0, silicon, EXPERTS))


# --- products ---------------------------------------------------------------------------------------------------------------------


@given(SIZES, SIZES, SIZES, st.sampled_from(["rows", "outputs", "inputs"]))
@settings(max_examples=200, deadline=None)
def test_a_larger_product_is_never_faster(m: int, n: int, k: int, which: str) -> None:
    shape = {"rows": float(m), "outputs": float(n), "inputs": float(k)}
    # In the cache a product is faster than beside it: the law of sizes holds among operands that come from memory.
    card = replace(CARD, cache_bytes=0.0)
    larger = {**shape, which: shape[which] * 2}
    assert product_seconds(**larger, weight_bytes=1.0, silicon=card, c=PRODUCT) >= product_seconds(
        **shape, weight_bytes=1.0, silicon=card, c=PRODUCT
    )


@given(SIZES, SIZES, SIZES, st.floats(1.0, 10.0))
@settings(max_examples=100, deadline=None)
def test_more_bandwidth_or_arithmetic_is_never_slower(m: int, n: int, k: int, factor: float) -> None:
    now = product_seconds(m, n, k, 1.0, CARD, PRODUCT)
    for better in (replace(CARD, bytes_per_s=CARD.bytes_per_s * factor), replace(CARD, flops_per_s=CARD.flops_per_s * factor)):
        assert product_seconds(m, n, k, 1.0, better, PRODUCT) <= now * (1 + 1e-12)


def test_a_huge_product_reaches_its_share_of_the_peak() -> None:
    sixteen, m, n, k = replace(PRODUCT, quantise_passes=0.0), 2**24, 2**14, 2**14
    rate = 2.0 * m * n * k / float(product_seconds(m, n, k, 2.0, CARD, sixteen))
    assert rate / CARD.flops_per_s == pytest.approx(0.8, rel=1e-3)
    assert product_share(n, 2.0, CARD, sixteen) == pytest.approx(0.8)


def test_quantising_the_input_costs_the_more_the_fewer_columns_share_it() -> None:
    m, k = 2**22, 2**14
    for n in (2**10, 2**12, 2**14):
        rate = 2.0 * m * n * k / float(product_seconds(m, n, k, 1.0, CARD, PRODUCT))
        assert rate / CARD.flops_per_s == pytest.approx(product_share(n, 1.0, CARD, PRODUCT), rel=2e-3)
    # By hand: 1/0.8 + 1.5 x 3 bytes x 1e15 / (2 x 1024 x 2e12) = 1.25 + 1.0986.
    assert product_share(1024, 1.0, CARD, PRODUCT) == pytest.approx(1 / 2.3486, rel=1e-4)


def test_a_thin_product_is_limited_by_the_memory() -> None:
    thin = replace(PRODUCT, fill_rows=0.0, wave_share=0.0, launch_s=0.0)
    weights = 2.0 * 2**14 * 2**14
    assert weights / float(product_seconds(1, 2**14, 2**14, 2.0, CARD, thin)) / CARD.bytes_per_s == pytest.approx(0.9, rel=2e-3)


def test_an_empty_shape_costs_the_launch() -> None:
    assert float(product_seconds(1, 1, 1, 2.0, replace(CARD, flops_per_s=1e20), PRODUCT)) == pytest.approx(3e-6, rel=1e-3)


def test_a_wave_gives_every_unit_a_tile() -> None:
    # 4096 columns are 32 tiles of 128; 100 units take 3.125 rows of tiles, 400 rows.
    assert wave_rows(4096, 100) == 400


@pytest.mark.parametrize(("moved", "share"), [(2**20, 1.0), (2**25, 0.5), (2**30, 0.0)])
def test_what_fits_the_cache_is_resident(moved: float, share: float) -> None:
    assert float(resident(moved, 2**25)) == pytest.approx(share, abs=1e-6)
    assert float(resident(moved, 0.0)) == 0.0


# --- attention --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tokens", "cached", "window"), [(7, 0, math.inf), (7, 5, math.inf), (9, 0, 4), (9, 2, 4), (9, 6, 4), (3, 0, 3)])
def test_pairs_are_those_counted_one_by_one(tokens: int, cached: int, window: float) -> None:
    assert looked_at(tokens, cached, window) == sum(min(window, cached + i) for i in range(1, tokens + 1))


def test_long_prompts_reach_their_share_of_the_peak() -> None:
    for tokens in (1024, 8192, 2**20):
        flops = 2 * 32 * 256 * 2 * tokens * (tokens + 1) / 2
        reached = flops / prefill(tokens, launch_s=0.0, bandwidth=1e9) / CARD.flops_per_s
        assert reached == pytest.approx(0.6 / (1 + 400 / tokens), rel=1e-3)


def test_prefill_runs_in_the_right_directions() -> None:
    assert prefill(4096) < prefill(8192)
    assert prefill(4096, cached=4096) > prefill(4096)
    assert prefill(4096, cached=4096) < prefill(8192)
    assert prefill(8192, window=1024) < prefill(8192)
    assert prefill(8192, window=2**20) == prefill(8192)
    assert prefill(score_dim=256, value_dim=256) < 2 * prefill()  # a wider head has the better rate
    assert prefill(silicon=replace(CARD, bytes_per_s=4e12)) <= prefill()


def test_decode_reads_at_the_share_of_the_bandwidth() -> None:
    moved = 2048 * 2**17 * 512
    assert moved / decode(readers=2048, context=2**17) / CARD.bytes_per_s == pytest.approx(0.9, rel=2e-2)


def test_decode_depends_on_the_bytes_alone_where_contexts_are_long() -> None:
    times = [decode(readers=2**power, context=2 ** (22 - power)) for power in (0, 3, 6)]
    assert max(times) / min(times) < 1.05


def test_decode_runs_in_the_right_directions() -> None:
    assert decode(context=8192) > decode(context=4096)
    assert decode(readers=128) > decode(readers=64)
    assert decode(group=128) == decode(group=1)  # query heads up to a tile ride along
    assert decode(group=256) > decode(group=128)
    assert decode(silicon=replace(CARD, bytes_per_s=4e12)) < decode()
    # A cache of 8 bit halves the bytes, not the arithmetic.
    assert decode(readers=2048, size=2) / 2 < decode(readers=2048, size=1) < decode(readers=2048, size=2)


# --- experts and all-reduce -------------------------------------------------------------------------------------------------------


def test_experts_run_in_the_right_directions() -> None:
    assert experts(rows=1024) > experts(rows=512)
    assert experts(touched=128) > experts(touched=64)
    assert experts(silicon=replace(CARD, bytes_per_s=4e12)) < experts()


def test_experts_pay_for_part_filled_tiles() -> None:
    """At as many rows an expert as a tile pays for, the rate is half of that of full experts."""
    fast = replace(CARD, bytes_per_s=1e18)
    rates = [rows * 64 / (experts(rows * 64, silicon=fast) - EXPERTS.launch_s) for rows in (60, 10**7)]
    assert rates[0] / rates[1] == pytest.approx(0.5, rel=1e-3)


def test_all_reduce() -> None:
    assert kernel_all_reduce_seconds(2**20, 1, 1e11, REDUCE) == 0
    assert kernel_all_reduce_seconds(0.0, 8, 1e11, REDUCE) == pytest.approx(4e-6 + 8 * 2e-7)
    ring = replace(REDUCE, rank_exponent=0.0)
    assert 2**34 * 2 * 7 / 8 / kernel_all_reduce_seconds(2**34, 8, 1e11, ring) == pytest.approx(0.6e11, rel=1e-3)
    seconds = kernel_all_reduce_seconds(np.array([2.0**power for power in range(8, 30)]), 4, 1e11, REDUCE)
    assert np.all(np.diff(seconds) > 0)
    assert kernel_all_reduce_seconds(2**26, 4, 2e11, REDUCE) < kernel_all_reduce_seconds(2**26, 4, 1e11, REDUCE)


# --- the fit and its facts --------------------------------------------------------------------------------------------------------


def sample(card: str, silicon: Silicon) -> Sample:
    """Times of the law itself with known constants, for a fit that must find them."""
    rng = np.random.default_rng(1)
    shape = {name: 2.0 ** rng.uniform(low, 14, 400) for name, low in (("rows", 0), ("outputs", 9), ("inputs", 9))}
    truth = ProductConstants(0.7, 0.85, 5e-6, 30.0, 0.2, 0.0, 1.0)
    seconds = np.asarray(product_seconds(**shape, weight_bytes=2.0, silicon=silicon, c=truth))
    return Sample("product", "bf16", "bf16", card, silicon, 2.0, shape, seconds)


def test_the_fit_finds_the_constants_of_its_own_law_and_carries_them_to_another_card() -> None:
    pytest.importorskip("scipy")
    bare = replace(CARD, cache_bytes=0.0)
    other = Silicon(3e15, 7e12, 148)
    found = kernels.fit_all([sample("a", bare), sample("b", other)], lambda text: None)
    for one in found:  # fill_rows hides under the memory's time and is found to a quarter only
        assert one.values[[0, 1, 2, 4]] == pytest.approx([0.7, 0.85, 5e-6, 0.2], rel=0.02)
        assert one.values[3] == pytest.approx(30.0, rel=0.25)
    (one, _) = kernels.left_out(found, found)
    assert one[0] < 0.01 < one[1]
    text = tomllib.loads("\n".join(kernels.lines_of(found)))
    assert text["product"]["bf16"]["cards"] == ["a", "b"]
    assert text["product"]["bf16"]["compute"]["value"] == pytest.approx(0.7, rel=0.02)
    assert text["product"]["bf16"]["error_card_out"] < 0.01


def test_a_folder_without_timings_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pyarrow")
    assert kernels.main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def tables() -> list[tuple[str, dict[str, Any]]]:
    facts = tomllib.loads(FACTS.read_text(encoding="utf-8"))
    return [(f"{law}.{family}", table) for law, tables in facts.items() if law != "source" for family, table in tables.items()]


SHIPPED = tables()


def test_every_law_has_constants() -> None:
    assert {name.split(".")[0] for name, _ in SHIPPED} == {law.name for law in kernel_laws.LAWS}


@pytest.mark.parametrize(("name", "table"), SHIPPED, ids=[name for name, _ in SHIPPED])
def test_constants_are_within_physical_bounds(name: str, table: dict[str, Any]) -> None:
    law = next(law for law in kernel_laws.LAWS if law.name == name.split(".")[0])
    constants = {constant.name: constant for constant in law.constants}
    found = {key: value for key, value in table.items() if isinstance(value, dict)}
    assert set(found) >= set(constants) - {"quantise_passes"}
    for key, entry in found.items():
        constant = constants[key]
        assert constant.low * (1 - 1e-2 * np.sign(constant.low)) <= entry["value"] <= constant.high * 1.01, key
        assert entry["low"] <= entry["high"] and len(entry["by_card"]) == len(table["cards"])
        assert entry["unit"] == constant.unit
        if constant.unit.startswith("share of the specified") and not entry.get("undetermined"):
            assert 0 < entry["value"] <= 1.15, f"{key}: more than the datasheet"  # a boost clock and caches leave some room
    assert table["rows"] > 0


@pytest.mark.parametrize(("name", "table"), SHIPPED, ids=[name for name, _ in SHIPPED])
def test_the_law_is_no_worse_than_constant_shares(name: str, table: dict[str, Any]) -> None:
    assert table["error"] <= table["error_plain"] + 0.005
    assert table["error"] < 0.25
