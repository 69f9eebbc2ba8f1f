"""A step of training: laws that must hold whatever the constants are, closed forms of the formulas."""

from __future__ import annotations

import dataclasses

import pytest

from cardwise.calibration.training_cases import machines_of
from cardwise.catalogue.accelerators import accelerator
from cardwise.catalogue.training import failures, optimizer, training_efficiency
from cardwise.laws import training as law
from cardwise.passes.architectures import architecture
from cardwise.passes.training import TrainingStep
from cardwise.training import Recipe, TrainingLayout

RECIPE = Recipe("full", optimizer("adamw"), 4096, 1024)


def step(model: str = "llama-2-7b", card: str = "H100 SXM", recipe: Recipe = RECIPE, **layout: object) -> TrainingStep:
    found = accelerator(card)
    placed = TrainingLayout(found.name, **{"data_parallel": 8, "zero": 3, "micro_batch": 1, "accumulation": 8, **layout})  # type: ignore[arg-type]
    machines = machines_of(found, placed.cards)
    return TrainingStep(architecture(model), recipe, placed, found, machines, training_efficiency(found, recipe.kernels))


def test_operators_sum_to_the_step() -> None:
    for one in (step(), step(tensor_parallel=4), step(data_parallel=4, pipeline_parallel=4, zero=1), step(data_parallel=64)):
        assert sum(float(operator.seconds) for operator in one.operators()) == pytest.approx(one.seconds())
        assert all(float(operator.seconds) >= 0 for operator in one.operators())


def test_full_training_multiplies_three_times_and_recomputation_four() -> None:
    def products(**layout: object) -> float:
        return next(o.work.flops for o in step(data_parallel=1, accumulation=1, **layout).operators() if o.group == "products")

    model = architecture("llama-2-7b")
    matrices = sum(matrix.parameters * count for matrix, count in model.matrices())
    assert products() == pytest.approx(6 * matrices * 4096)
    assert products(recompute="full") == pytest.approx(8 * matrices * 4096)
    assert law.products_factor(False, False) == 2 and law.products_factor(False, True) == 3


def test_what_is_slower() -> None:
    """Recomputation, no sharing of the work, a slower link, a longer pipeline with few micro-batches."""
    plain = step().seconds()
    assert step(recompute="full").seconds() > step(recompute="selective").seconds() > plain
    assert step(card="RTX 4090").tokens_per_s_per_card() < step(card="H100 SXM").tokens_per_s_per_card()
    short, long = (step(data_parallel=1, pipeline_parallel=stages, accumulation=16, zero=0) for stages in (4, 16))
    assert short.tokens_per_s_per_card() > long.tokens_per_s_per_card()
    interleaved = step(data_parallel=1, pipeline_parallel=8, accumulation=8, zero=0, interleave=4)
    assert interleaved.seconds() < step(data_parallel=1, pipeline_parallel=8, accumulation=8, zero=0).seconds()
    lora = dataclasses.replace(RECIPE, method="lora")
    assert step(recipe=lora).seconds() < plain
    unpacked = step(recipe=dataclasses.replace(lora, method="qlora", frozen_bytes=0.516), data_parallel=1)
    assert unpacked.seconds() > step(recipe=lora, data_parallel=1).seconds()


@pytest.mark.parametrize("card", ["H100 SXM", "A100 SXM 80GB", "RTX 4090", "MI300X"])
@pytest.mark.parametrize("zero", [0, 1, 2, 3])
def test_more_cards_never_make_fewer_tokens(card: str, zero: int) -> None:
    rates = [step(card=card, data_parallel=count, zero=zero).tokens_per_s_per_card() * count for count in (1, 2, 4, 8)]
    assert rates == sorted(rates)
    if card != "RTX 4090":  # between consumer machines lies 10 Gb/s Ethernet, on which sharded weights crawl
        beyond = [step(card=card, data_parallel=count, zero=zero).tokens_per_s_per_card() * count for count in (8, 16, 64, 512)]
        assert beyond == sorted(beyond)


def test_eight_bit_products_are_faster_but_less_than_twice() -> None:
    ratio = step().seconds() / step(recipe=dataclasses.replace(RECIPE, precision="fp8")).seconds()
    assert 1.0 < ratio < 2.0


def test_a_power_limit_binds_the_card_with_more_units_than_power() -> None:
    """An L40S has 2.2 times the 16-bit peak of an RTX 4090 and 350 W against 450: it is about as fast."""
    one, other = (step("llama-3.2-1b", card, data_parallel=1).sixteen_rate for card in ("L40S", "RTX 4090"))
    assert 0.9 < one / other < 1.5
    assert law.limited_rate(100.0, None, 1.0) == 100.0


def test_flops_of_palm() -> None:
    """6 N + 12 L H Q T: llm-foundry states 1,007 tokens/s of MPT-70B at 2,048 tokens as 41.25 % of 989.5 TFLOPS."""
    flops = law.model_flops(architecture("mosaicml/mpt-70b"), 2048)
    assert law.utilization(1007, flops, 989.5e12) == pytest.approx(0.4125, abs=0.0005)


def test_experts_count_as_far_as_they_are_used() -> None:
    """Mixtral 8x7B has 46.7 B parameters, of which a token uses 12.9 B (Jiang et al. 2024)."""
    assert law.counted_parameters(architecture("mixtral-8x7b")) == pytest.approx(12.9e9, rel=0.005)


def test_pairs_of_causal_attention() -> None:
    assert law.seen_pairs(4, None) == 10 == law.seen_pairs(4, 9)
    assert law.seen_pairs(6, 2) == sum(min(i + 1, 2) for i in range(6))


def test_imbalance_of_stages() -> None:
    """32 layers and a head of 2.4 layers: eight stages hold five layers at most, 34.4 / 8 in the mean; two hold 17 and 15 with the head."""
    assert law.imbalance(32, 8, 2.4) == pytest.approx(5 * 8 / 34.4)
    assert law.imbalance(32, 2, 2.4) == pytest.approx(17.4 * 2 / 34.4)
    assert law.imbalance(32, 1, 2.4) == 1.0 == law.imbalance(32, 4, 0.0)


def test_bubble() -> None:
    assert law.bubble(8, 64) == 7 / 64 and law.bubble(8, 64, 3) == 7 / 192


def test_collectives_between_machines_use_all_ports() -> None:
    inside = law.gather_seconds(8e9, 8, 8, 400e9, 50e9, 0.0)
    assert inside == pytest.approx(7e9 / 400e9)
    across = law.gather_seconds(8e9, 16, 8, 400e9, 50e9, 0.0)
    assert across == pytest.approx(max(7e9 / 400e9, 4e9 / 400e9))
    assert law.gather_seconds(8e9, 1, 8, 400e9, 50e9, 1.0) == 0.0


def test_checkpoints_by_young() -> None:
    """The interval of least cost: a slightly shorter or longer one costs more."""
    write, restart, between = 60.0, 900.0, 10_000.0
    best = law.interval_between_checkpoints(write, between)

    def cost(interval: float) -> float:
        return write / interval + (restart + interval / 2) / between

    assert law.lost_share(write, restart, between) == pytest.approx(cost(best))
    assert cost(best) < min(cost(best * 0.9), cost(best * 1.1))


def test_failures_of_llama_3() -> None:
    """419 unexpected interruptions in 54 days on 16,384 H100 (Dubey et al. 2024): one in three hours."""
    between = failures(accelerator("H100 SXM")).card_seconds_between / 16_384 / 3600
    assert between == pytest.approx(54 * 24 / 419, rel=0.05)
    assert failures(accelerator("RTX 4090")).card_seconds_between < failures(accelerator("A100 SXM 80GB")).card_seconds_between
