"""Laws of the planner: what more bandwidth, memory, money and cards must do to an answer, whatever the fit."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from cardwise.answer import Answer, Option
from cardwise.catalogue.accelerators import accelerator
from cardwise.catalogue.costs import cost_assumptions
from cardwise.errors import BadInput, CannotRun, NotSupported
from cardwise.planning import asking, facade
from cardwise.planning.compare import compare
from cardwise.planning.explain import explain
from cardwise.planning.question import Question
from cardwise.planning.search import plan
from cardwise.planning.shapes import shape
from cardwise.quantities import HOUR, MEGA

CARDS = ("RTX 4090", "A100 SXM 80GB", "H100 SXM", "MI300X")


def asked(cards: str = "RTX 4090, A100 SXM 80GB, H100 SXM", model: str = "llama-3.1-8b", **options: Any) -> Question:
    return asking.question(model, cards, **{"concurrency": 8, **options})


def by_layout(answer: Answer) -> dict[tuple[str, str, int], Option]:
    return {(o.layout.weights, o.layout.degrees(), o.layout.cards): o for o in answer.options}


@pytest.mark.parametrize("name", CARDS)
def test_more_bandwidth_is_never_slower(name: str) -> None:
    question, card = asked(f"2x {name}"), accelerator(name)
    faster = replace(card, bandwidth_bytes_per_s=card.bandwidth_bytes_per_s * 1.5)
    before, after = by_layout(plan(question)), by_layout(plan(replace(question, cards=((2, faster),))))
    assert before.keys() == after.keys() and before
    for key, option in before.items():
        assert after[key].performance.tpot_s.likely <= option.performance.tpot_s.likely * 1.0001
        assert after[key].performance.output_tokens_per_s.likely >= option.performance.output_tokens_per_s.likely * 0.9999


@pytest.mark.parametrize("name", CARDS)
def test_more_arithmetic_is_never_slower(name: str) -> None:
    question, card = asked(f"1x {name}", input=4000), accelerator(name)
    faster = replace(card, peaks={key: value * 1.5 for key, value in card.peaks.items()})
    before, after = by_layout(plan(question)), by_layout(plan(replace(question, cards=((1, faster),))))
    for key, option in before.items():
        assert after[key].performance.ttft_s.likely <= option.performance.ttft_s.likely * 1.0001


@pytest.mark.parametrize("name", CARDS)
def test_more_memory_never_holds_fewer(name: str) -> None:
    question, card = asked(f"1x {name}"), accelerator(name)
    reported = None if card.reported_bytes is None else card.reported_bytes * 1.05
    larger = replace(card, usable_bytes=card.usable_bytes * 1.05, memory_bytes=card.memory_bytes * 1.05, reported_bytes=reported)
    before, after = by_layout(plan(question)), by_layout(plan(replace(question, cards=((1, larger),))))
    assert before.keys() <= after.keys()
    for key, option in before.items():
        assert after[key].performance.users_at_mean_length >= option.performance.users_at_mean_length


def test_the_parts_of_every_budget_sum_to_the_card() -> None:
    for option in plan(asked(model="llama-2-70b")).options:
        assert math.isclose(sum(value for _, value in option.budget.parts), option.budget.usable_bytes, rel_tol=1e-9)
        assert option.budget.fits and option.budget.kv_bytes > 0


def test_cost_is_price_times_time() -> None:
    """What all tokens of an hour at the assumed use cost is what the hour costs."""
    for option in plan(asked(price=2.0)).options:
        performance, cost = option.performance, option.cost
        assert cost.rent is not None and cost.rent_token is not None
        assert math.isclose(cost.rent.total, 2.0 * option.layout.cards)
        used = HOUR * cost.rent_token.utilization
        paid = performance.output_tokens_per_s.likely * used * (cost.rent_token.usd_per_million_output or 0.0) / MEGA
        paid += performance.input_tokens_per_s * used * (cost.rent_token.usd_per_million_input or 0.0) / MEGA
        assert math.isclose(paid, cost.rent.total, rel_tol=1e-9)


def test_twice_the_price_is_twice_the_cost_and_the_same_speed() -> None:
    one, two = plan(asked(price=1.0)), plan(asked(price=2.0))
    for cheap, dear in zip(one.options, two.options, strict=True):
        assert cheap.performance == dear.performance
        assert cheap.cost.rent_token is not None and dear.cost.rent_token is not None
        assert math.isclose(2 * cheap.cost.rent_token.usd_per_million_blended, dear.cost.rent_token.usd_per_million_blended)


def test_rankings_are_permutations_and_the_front_is_not_beaten() -> None:
    answer = plan(asked())
    everything = list(range(len(answer.options)))
    for order in (answer.by_cost, answer.by_speed, answer.by_simplicity):
        assert sorted(order) == everything

    def point(index: int) -> tuple[float, float]:
        token = answer.options[index].cost.rent_token
        assert token is not None and token.usd_per_million_output_alone is not None
        return token.usd_per_million_output_alone, answer.options[index].performance.tpot_s.likely

    for index in answer.pareto:
        cost, tpot = point(index)
        assert not any(point(other)[0] < cost and point(other)[1] < tpot for other in everything)
    assert answer.by_simplicity[0] in [
        i for i in everything if answer.options[i].layout.cards == min(o.layout.cards for o in answer.options)
    ]


def test_a_budget_leaves_what_it_can_pay() -> None:
    answer = facade.plan("llama-3.1-8b", "RTX 4090, H100 SXM", budget_usd_per_hour=1.0, concurrency=4)
    assert answer.options and all(o.cost.rent is not None and o.cost.rent.total <= 1.0 for o in answer.options)
    assert any("budget" in refusal.reason for refusal in answer.refusals)


def test_the_fewest_replicas_that_keep_a_limit_are_found() -> None:
    """One fewer does not keep it; found, not divided."""
    degrees = {"tensor_parallel": 1, "pipeline_parallel": 1}
    question = asked("A100 SXM 80GB", concurrency=None, rate=25.0, ttft=2000.0, tpot=40.0, weights="bf16", **degrees)
    options = [o for o in plan(question).options if o.meets]
    assert options
    count = options[0].layout.cards
    assert count > 1
    card = question.cards[0][1]
    assert all(o.meets for o in plan(replace(question, cards=((count, card),))).options)
    assert not any(o.meets for o in plan(replace(question, cards=((count - 1, card),))).options)


def test_a_limit_that_no_card_keeps_is_said() -> None:
    answer = facade.plan("llama-2-70b", "A100 SXM 80GB", concurrency=4, tpot=0.01)
    assert answer.options and not any(option.meets for option in answer.options)
    assert "No layout keeps the limits" in answer.verdict


def test_refusals_carry_a_reason_and_what_is_missing() -> None:
    answer = facade.plan("llama-2-70b", "1x RTX 4090", weights="bf16")
    assert not answer.options and len(answer.refusals) == 1
    refusal = answer.refusals[0]
    assert refusal.reason and refusal.fix and refusal.shortfall_bytes and refusal.shortfall_bytes > 100 * 2**30


def test_light_random_arrivals_wait_for_nobody() -> None:
    """At a request every ten seconds a first token comes as fast as for one stream alone."""
    alone = facade.plan("llama-3.1-8b", "1x H100 SXM", weights="bf16").options[0]
    light = facade.plan("llama-3.1-8b", "1x H100 SXM", weights="bf16", rate=0.1).options[0]
    assert light.performance.ttft_tail_s < 1.5 * alone.performance.ttft_s.likely


def test_percentiles_rise() -> None:
    tails = [
        facade.plan("llama-3.1-8b", "1x RTX 4090", weights="bf16", rate=2.0, requests=300, percentile=p).options[0].performance.ttft_tail_s
        for p in (50.0, 90.0, 95.0, 99.0)
    ]
    assert tails == sorted(tails) and tails[0] < tails[-1]


def test_own_cards_and_models_join_the_catalogue(tmp_path: Any) -> None:
    card = tmp_path / "card.toml"
    card.write_text('[[accelerator]]\nname = "My 5000"\nlike = "RTX 4090"\nmemory_gib = 48\nsource = "its box"\n', encoding="utf-8")
    try:
        facade.use_facts([card])
        assert facade.plan("llama-3.1-8b", "1x My 5000").options
    finally:
        facade.use_facts([])


def test_ranks_order_cards_and_say_what_is_not_predicted() -> None:
    found = compare(asked("H100 SXM, RTX 4090, GTX 1050 Ti", weights="bf16"), "decode")
    assert [row.card.name for row in found.rows] == ["H100 SXM", "RTX 4090", "GTX 1050 Ti"]
    assert found.rows[2].predicted is None and "bandwidth" in found.rows[2].why
    training = compare(asked("RTX 4090, H100 SXM"), "training")
    assert [row.card.name for row in training.rows] == ["H100 SXM", "RTX 4090"]


def test_an_api_price_is_met_at_more_tokens_when_the_cards_cost_more() -> None:
    cheap = facade.plan("llama-2-70b", "4x A100 SXM 80GB", concurrency=32, price=1.0, weights="bf16")
    dear = facade.plan("llama-2-70b", "4x A100 SXM 80GB", concurrency=32, price=3.0, weights="bf16")
    assert cheap.api and len(cheap.api) == len(dear.api)
    for one, other in zip(cheap.api, dear.api, strict=True):
        assert one.rented is not None and other.rented is not None
        assert math.isclose(3 * (one.rented.units_per_month or 0.0), other.rented.units_per_month or 0.0, rel_tol=1e-9)


@pytest.mark.parametrize(
    ("options", "error"), [({"lora": True}, NotSupported), ({"speculative": True}, NotSupported), ({"rate": -1.0}, BadInput)]
)
def test_questions_that_are_not_answered(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        facade.plan("llama-3.1-8b", "RTX 4090", **options)  # type: ignore[arg-type]


def test_fixed_degrees_that_cannot_be() -> None:
    with pytest.raises(CannotRun, match="heads"):
        facade.plan("llama-2-70b", "6x RTX 4090", tensor_parallel=3)
    with pytest.raises(BadInput, match="divide"):
        facade.plan("llama-2-70b", "8x RTX 4090", tensor_parallel=3)


def test_assumptions_are_the_catalogues_unless_said() -> None:
    assert asking.assumptions() == cost_assumptions()
    said = asking.assumptions(utilization=0.2, cny=7.3)
    assert (said.utilization, said.cny_per_usd, said.years) == (0.2, 7.3, cost_assumptions().years)
    assert said.sources["utilization"].kind == "user"


def test_one_stream_keeps_one_replica_busy() -> None:
    """Eight cards answer one person no faster than one card does, unless they share the model."""
    one = facade.plan("llama-3.1-8b", "1x H100 SXM", weights="bf16").options[0]
    eight = by_layout(facade.plan("llama-3.1-8b", "8x H100 SXM", weights="bf16"))
    copies = eight["bf16", "x8 replicas", 8]
    assert math.isclose(copies.performance.output_tokens_per_s.likely, one.performance.output_tokens_per_s.likely)
    assert copies.performance.busy_share <= 1 / 8
    assert copies.cost.paid is not None and one.cost.paid is not None
    dear, cheap = (c.paid[1].usd_per_million_blended for c in (copies.cost, one.cost) if c.paid)
    assert math.isclose(dear, 8 * cheap)


def test_an_offline_run_is_ranked_by_all_tokens_and_nobody_waits() -> None:
    answer = facade.plan("llama-3.1-8b", "1x RTX 4090", offline=True, requests=200)
    rates = [answer.options[i].performance.output_tokens_per_s.likely for i in answer.by_speed]
    assert rates == sorted(rates, reverse=True) and len(rates) > 1
    assert "TTFT" not in answer.verdict and "a user" not in answer.verdict


def test_without_a_price_the_verdict_does_not_speak_of_cost() -> None:
    answer = facade.plan("qwen3-30b-a3b", "M3 Max 40-core")
    assert all(option.cost.paid is None for option in answer.options) and answer.options
    assert "cost" not in answer.verdict and "no price being known" in answer.verdict and "成本" not in answer.verdict_zh
    best = answer.options[answer.by_cost[0]]
    assert best.layout.cards == 1 and best.performance.output_tokens_per_s.likely == max(
        o.performance.output_tokens_per_s.likely for o in answer.options if o.layout.cards == 1
    )


def test_tensor_parallelism_stays_inside_the_machine() -> None:
    """Two machines of eight: eight ranks talk over NVLink and only the stages over the network, which is faster than sixteen over it."""
    options = by_layout(facade.plan("deepseek-r1", "16x H100 SXM", concurrency=32))
    inside, across = options["fp8", "TP8 PP2", 16], options["fp8", "TP16", 16]
    assert "NVLink" in inside.link and "InfiniBand" in inside.link and "NVLink" not in across.link
    assert inside.performance.tpot_s.likely < across.performance.tpot_s.likely


@pytest.mark.parametrize(
    ("model", "cards", "options", "reason", "fix"),
    [
        ("qwen3-30b-a3b", "2x M3 Max 40-core", {"weights": "q4_k_m"}, "splits rows inside one machine", "--pp"),
        ("llama-3.1-8b", "RTX 4090", {"engine": "vllm", "kv": "q8_0"}, "vllm has no KV cache in q8_0", "fp16, fp8"),
        ("llama-3.1-8b", "RTX 4090", {"engine": "llama.cpp", "kv": "fp8"}, "llama.cpp has no KV cache in fp8", "q8_0"),
        ("llama-3.1-8b", "MI300X", {"engine": "tensorrt-llm"}, "does not run on AMD cards", "vllm, sglang"),
        (
            "llama-3.1-8b",
            "RTX 4090",
            {"engine": "llama.cpp", "weights": "awq-int4"},
            "has no awq-int4 kernel",
            "bf16, fp16, int8, q8_0, q4_k_m",
        ),
    ],
)
def test_what_an_engine_cannot_do_is_refused_with_what_it_can(
    model: str, cards: str, options: dict[str, Any], reason: str, fix: str
) -> None:
    answer = facade.plan(model, cards, **options)
    refused = [refusal for refusal in answer.refusals if reason in refusal.reason]
    assert refused and all(fix in refusal.fix for refusal in refused)


def test_a_cache_that_one_engine_has_chooses_it() -> None:
    assert facade.plan("llama-3.1-8b", "RTX 4090", kv="q8_0").engine == "llama.cpp"
    assert facade.plan("llama-3.1-8b", "RTX 4090", kv="fp8").engine == "vllm"
    assert facade.plan("llama-3.1-8b", "RTX 4090", engine="llama.cpp", weights="bf16").options


def test_a_request_of_one_token_has_no_time_per_token() -> None:
    answer = facade.plan("llama-3.1-8b", "RTX 4090, H100 SXM", output=1)
    assert answer.options and all(o.performance.tpot_s.likely == o.performance.stream_tokens_per_s.likely == 0 for o in answer.options)
    assert "a user" not in answer.verdict
    first = [answer.options[i].performance.ttft_s.likely for i in answer.by_speed]
    assert first == sorted(first)


def test_what_the_question_itself_is_worth_saying() -> None:
    long = facade.plan("llama-2-7b", "H100 SXM", input=6000)
    assert any("longer than the 4,096" in note for note in long.notes)
    newer = facade.plan("llama-2-7b", "H100 SXM", engine="vllm", engine_version="99.1")
    assert any("99.1 is newer than the catalogue: predicted as " in note for note in newer.notes)
    assert not facade.plan("llama-3.1-8b", "H100 SXM", engine="vllm", engine_version="0.11.0").notes


@pytest.mark.parametrize(
    ("card", "model", "engine", "weights"),
    [
        ("Ascend 910B3", "llama-3.1-8b", "lmdeploy", "bf16"),
        ("M3 Max 40-core", "gpt-oss-20b", "llama.cpp", "mxfp4"),
        ("GTX 1080 Ti", "llama-3.1-8b", "llama.cpp", "q8_0"),
    ],
)
def test_the_usual_engine_of_a_card(card: str, model: str, engine: str, weights: str) -> None:
    found = {(option.layout.engine, option.layout.weights) for option in facade.plan(model, card).options}
    assert (engine, weights) in found and {name for name, _ in found} == {engine}


def test_a_checkpoint_is_planned_with_the_bits_of_its_parts() -> None:
    """Kimi-K2.5 keeps attention in 16 bit and its experts in groups of 32: as `cardwise model` counts it."""
    option = facade.plan("kimi-k2.5", "8x H200 SXM", tensor_parallel=8).options[0]
    read = shape(asking.read_model("kimi-k2.5"))
    assert option.layout.weights == "int4"
    assert dict(option.budget.weights_by_part)["experts"] * 8 == pytest.approx(dict(read.weight_bytes)["experts"], rel=1e-6)


def test_the_fewest_cards_are_found_over_all_splits() -> None:
    """A copy on one card keeps the limit only when nearly idle; two cards a copy need a fraction of the cards."""
    question = asked("L40S", "qwen3-32b", concurrency=None, rate=5.0, ttft=1000.0, tpot=50.0, weights="fp8")
    best = min((o for o in plan(question).options if o.meets), key=lambda o: o.layout.cards)
    assert best.layout.tensor_parallel > 1 and best.layout.replicas > 1
    card = question.cards[0][1]
    for fewer in (1, 2):
        assert not any(o.meets for o in plan(replace(question, cards=((best.layout.cards - fewer, card),))).options)


def test_a_tight_limit_is_met_with_more_cards_a_copy() -> None:
    """The two smallest counts that hold the weights cannot be fast enough; four can."""
    options = plan(asked("H100 SXM", "llama-3.1-70b", concurrency=None, rate=1.0, tpot=16.0, weights="fp8")).options
    assert any(o.meets and o.layout.tensor_parallel >= 4 for o in options)
    assert not any(o.meets for o in options if o.layout.cards_per_replica <= 2)


def test_what_would_make_it_run_looks_as_far_as_it_takes() -> None:
    """One card is far too little; the count that holds the weights is named, as the refusal does."""
    found = explain(asked("1x RTX 4090", "llama-2-70b", concurrency=None, weights="bf16")).changes
    cards = [change for change in found if change.kind == "cards"]
    assert [change.to for change in cards] == ["8"] and cards[0].passes and cards[0].factor is None


def test_llama_cpp_serves_as_many_at_once_as_it_has_slots() -> None:
    """The context that it allocates at start is that of all slots, as far as it fits; beyond them requests wait."""
    asks = {"engine": "llama.cpp", "weights": "q4_k_m"}
    one, four, eight = (facade.plan("llama-3.1-8b", "1x RTX 4090", concurrency=n, **asks).options[0] for n in (1, 4, 8))  # type: ignore[arg-type]
    assert four.performance.output_tokens_per_s.likely > 2 * one.performance.output_tokens_per_s.likely
    assert math.isclose(eight.performance.output_tokens_per_s.likely, four.performance.output_tokens_per_s.likely, rel_tol=0.02)
    assert (one.performance.running, four.performance.running, eight.performance.running) == (1, 4, 4)
    assert four.budget.max_model_len == 1280 and four.budget.kv_tokens == 4 * 1280
    tight = facade.plan("llama-3.1-8b", "1x RTX 4090", concurrency=4, engine="llama.cpp", weights="f16", input=30000).options[0]
    assert 1 <= tight.performance.running < 4 and tight.budget.fits


def test_a_mesh_gives_tensor_parallelism_the_links_of_its_own_group() -> None:
    """Four of eight MI300X reach three peers each, whether the other four are another copy or the next stage."""
    options = by_layout(facade.plan("llama-3.1-70b", "8x MI300X", weights="fp8"))
    copies, stages = options["fp8", "TP4 x2 replicas", 8], options["fp8", "TP4 PP2", 8]
    assert stages.performance.ttft_s.likely >= copies.performance.ttft_s.likely
    assert copies.link == stages.link


def test_a_link_that_a_card_lacks_is_said_beside_the_memory() -> None:
    answer = facade.plan("llama-3.1-70b", "4x RTX 4090", weights="awq-int4", link="nvlink")
    assert not answer.options and any("has no nvlink" in refusal.reason for refusal in answer.refusals)


def test_the_rate_of_one_stream_has_the_interval_of_its_time() -> None:
    """A stream's tokens/s is its tokens over the time of a request: both intervals say the same."""
    performance = facade.plan("llama-3.1-8b", "1x H100 SXM", weights="bf16").options[0].performance
    for rate, seconds in (("low", "high"), ("likely", "likely"), ("high", "low")):
        product = getattr(performance.output_tokens_per_s, rate) * getattr(performance.e2e_s, seconds)
        assert math.isclose(product, performance.output_tokens_per_s.likely * performance.e2e_s.likely, rel_tol=1e-9)
