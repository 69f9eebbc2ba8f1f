"""The training planner: smallest counts, valid layouts, refusals with the nearest fix, sums, cost."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from cardwise.catalogue.accelerators import accelerator
from cardwise.catalogue.training import memory_rules
from cardwise.errors import BadInput
from cardwise.laws.training_choice import first_fitting
from cardwise.planning.training import holds, plan_training
from cardwise.planning.training_asking import parse_tokens, training_question
from cardwise.planning.training_layouts import counts, fitting, settled, splits
from cardwise.reports.words import words
from cardwise.training import Offload
from cardwise.training_answer import TrainingAnswer

THREE = "RTX 4090, A100 SXM 80GB, H100 SXM"


def plan(model: str, cards: str = THREE, **options: object) -> TrainingAnswer:
    return plan_training(training_question(model, cards, **options))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def large() -> TrainingAnswer:
    return plan("llama-2-70b")


def test_what_cards_talk_over_is_said_in_chinese(large: TrainingAnswer) -> None:
    answers = (large, plan("llama-2-70b", "Jetson AGX Orin 64GB, RTX 3090"))
    reasons = [one.reason_zh for answer in answers for one in answer.verdicts]
    assert any("机间每卡" in reason for reason in reasons) and not any(re.search("[a-z]{3,} [a-z]{2,}", reason) for reason in reasons)
    links = {option.link for answer in answers for option in answer.options}
    assert any("between machines" in link for link in links)
    assert not any(re.search("[a-z]{3,} [a-z]{2,}", words("zh").said(link)) for link in links)


def test_progress_is_told_after_every_card() -> None:
    told: list[tuple[int, int]] = []
    plan_training(training_question("llama-2-7b", THREE), lambda done, of: told.append((done, of)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_the_smallest_count_holds_and_the_one_before_does_not(large: TrainingAnswer) -> None:
    for card in dict.fromkeys(option.layout.accelerator for option in large.options):
        count = next(option.layout.cards for option in large.options if option.layout.accelerator == card)
        question, found = training_question("llama-2-70b", card), accelerator(card)
        tried = list(counts(found, question))
        before = tried[tried.index(count) - 1]
        assert holds(question, found, count) and not holds(question, found, before)
        assert count < 8 or count % 8 == 0, "beyond one machine whole machines"


def test_sixteen_bytes_a_parameter_decide_the_count(large: TrainingAnswer) -> None:
    """69 B parameters x 16 bytes are 1,028 GiB: 13 cards of 80 GiB are not enough with activations, two machines are."""
    assert large.state_bytes == pytest.approx(16 * large.parameters)
    fewest = {one.accelerator: one.fewest_cards for one in large.verdicts}
    assert fewest["A100 SXM 80GB"] == fewest["H100 SXM"] == 16
    assert fewest["RTX 4090"] is not None and fewest["RTX 4090"] >= 48


def test_the_reason_is_memory_or_the_link_on_small_cards(large: TrainingAnswer) -> None:
    reasons = {one.accelerator: one.reason for one in large.verdicts}
    assert "link" in reasons["RTX 4090"] and "through the host" in reasons["RTX 4090"]
    assert all("16.0 bytes a parameter" in reason for reason in reasons.values())


def test_everything_sums(large: TrainingAnswer) -> None:
    for option in large.options:
        assert sum(value for _, value in option.memory.parts) == pytest.approx(option.memory.usable)
        assert sum(seconds for _, seconds in option.operators) == pytest.approx(option.step_s.likely)
        assert option.tokens_per_s.likely * option.step_s.likely == pytest.approx(option.step_tokens)
        assert option.days.low < option.days.likely < option.days.high
        assert option.memory.fits and 0 < option.mfu < 1 and option.mfu <= option.hfu
        seconds = option.days.likely * 86400 * (1 - option.lost_share)
        assert seconds * option.tokens_per_s.likely == pytest.approx(large.tokens)
        if option.cost.rent_usd is not None and option.cost.rent_usd_per_hour is not None:
            assert option.cost.rent_usd.likely == pytest.approx(24 * option.days.likely * option.cost.rent_usd_per_hour)


def test_the_nearest_measured_run_stands_beside_the_fastest_layout(large: TrainingAnswer) -> None:
    option = next(option for option in large.options if option.layout.accelerator == "H100 SXM" and option.evidence)
    assert option.evidence is not None
    assert "mpt-70b" in option.evidence.text and "H100 SXM" in option.evidence.text
    assert 0.7 < option.evidence.factor < 1.4


def test_splits_are_valid() -> None:
    """Tensor parallel inside a machine and dividing the heads; no more stages than layers; all cards used."""
    question = training_question("llama-2-70b", "64x H100 SXM")
    found = list(splits(question, 8, 64))
    assert all(data * tensor * stages == 64 and tensor <= 8 and stages <= 80 for data, tensor, stages in found)
    assert {tensor for _, tensor, _ in found} == {1, 2, 4, 8}


def test_a_layout_is_the_first_answer_to_the_question_that_names_its_split(large: TrainingAnswer) -> None:
    """What the page prints as the command of a layout, and what its charts rest on."""
    for option in large.options:
        layout = option.layout
        again = plan(
            "llama-2-70b", f"{layout.cards}x {layout.accelerator}", tensor_parallel=layout.tensor_parallel,
            pipeline_parallel=layout.pipeline_parallel, zero=layout.zero if layout.data_parallel > 1 else None,
        )  # fmt: skip
        assert (again.options[0].layout, again.options[0].step_s) == (layout, option.step_s)


def test_what_each_part_waits_for_adds_up_to_what_binds(large: TrainingAnswer) -> None:
    for option in large.options:
        totals: dict[str, float] = {}
        for (_, seconds), bound in zip(option.operators, option.bounds, strict=True):
            totals[bound] = totals.get(bound, 0.0) + seconds
        assert option.bound == max(totals, key=lambda name: totals[name])
        assert sum(totals.values()) == pytest.approx(option.step_s.likely)


def test_a_run_of_decades_is_said_to_take_them() -> None:
    answer = plan("llama-3.1-8b", "1x RTX 4090", method="lora", tokens="2T")
    (verdict,) = answer.verdicts
    assert not verdict.trains and verdict.reason.startswith("it takes ") and " years; " in verdict.reason
    assert verdict.reason_zh.startswith("需要 ") and " 年；" in verdict.reason_zh


def test_scaling_never_makes_fewer_tokens() -> None:
    for card in ("RTX 4090", "H100 SXM"):
        rates = [one.tokens_per_s for one in plan("llama-2-13b", card).scaling]
        assert len(rates) == 4 and rates == sorted(rates)


def test_recomputation_that_is_said_uses_less_memory_and_more_time() -> None:
    def of(kind: str) -> tuple[float, float]:
        option = plan(
            "llama-2-7b", "8x A100 SXM 80GB", recompute=kind, zero=3, micro_batch=1, tensor_parallel=1, pipeline_parallel=1
        ).options[0]
        return option.memory.used, option.step_s.likely

    none, full = of("none"), of("full")
    assert full[0] < none[0] and full[1] > none[1]


def test_more_tokens_take_longer_and_cost_more() -> None:
    one, two = (plan("llama-2-7b", "8x H100 SXM", tokens=tokens).options[0] for tokens in ("1T", "2T"))
    assert two.days.likely == pytest.approx(2 * one.days.likely)
    assert two.cost.rent_usd and one.cost.rent_usd and two.cost.rent_usd.likely == pytest.approx(2 * one.cost.rent_usd.likely)


@pytest.mark.parametrize(
    ("cards", "options", "reason", "fix"),
    [
        ("1x RTX 4090", {}, "GiB of weights, gradients and optimiser", "take 8x RTX 4090"),
        ("1x H100 SXM", {}, "needs", "take 2x H100 SXM, or --offload-states"),
        ("8x RTX 4090", {"zero": 0, "tensor_parallel": 1, "pipeline_parallel": 1}, "needs", "leave --zero free"),
        ("2x A100 SXM 80GB", {"recompute": "none", "micro_batch": 8}, "needs", "leave --recompute free"),
        ("8x H100 SXM", {"tensor_parallel": 3}, "32 heads are not divisible by 3", "valid degrees are 1, 2, 4, 8"),
        ("32x H100 SXM", {"tensor_parallel": 16}, "spans machines", "8 or less"),
        ("64x H100 SXM", {"pipeline_parallel": 64}, "64 stages for 32 layers", "at most 32"),
        ("8x H100 SXM", {"pipeline_parallel": 3}, "does not divide 8 cards", "a multiple of 3"),
        (
            "8x H100 SXM",
            {"global_batch": 3, "tensor_parallel": 1, "pipeline_parallel": 1},
            "does not divide over the replicas",
            "a multiple of",
        ),
    ],
)
def test_refusals_name_what_is_missing_and_the_nearest_fix(cards: str, options: dict[str, object], reason: str, fix: str) -> None:
    answer = plan("llama-2-7b", cards, **options)
    refusal = answer.refusals[0]
    assert not answer.options
    assert reason in refusal.reason and fix in refusal.fix


def test_the_fix_works() -> None:
    """What a refusal advises fits."""
    assert plan("llama-2-7b", "8x RTX 4090").options
    assert plan("llama-2-7b", "1x H100 SXM", offload=True).options[0].layout.offload != "none"


def test_adapters_fit_where_full_training_does_not() -> None:
    assert not plan("llama-2-7b", "1x RTX 4090").options
    option = plan("llama-2-7b", "1x RTX 4090", method="qlora", sequence=1024).options[0]
    assert option.layout.cards == 1 and option.layout.offload == "none"


def test_a_card_without_a_fact_is_refused_alone() -> None:
    """A card that states no 16-bit rate does not keep the others from an answer."""
    answer = plan("llama-2-7b", "Ascend 910B1, 8x H100 SXM")
    assert {option.layout.accelerator for option in answer.options} == {"H100 SXM"}
    assert answer.refusals[0].accelerator == "Ascend 910B1"


def test_eight_bit_training_needs_the_arithmetic() -> None:
    answer = plan("llama-2-7b", "8x A100 SXM 80GB, 8x H100 SXM", precision="fp8")
    assert {option.layout.accelerator for option in answer.options} == {"H100 SXM"}
    assert "no fp8" in answer.refusals[0].reason and "bf16" in answer.refusals[0].fix


@pytest.mark.parametrize(("text", "tokens"), [("1T", 1e12), ("300B", 3e11), ("2,000,000", 2e6), ("1.5t", 1.5e12), ("15e12", 15e12)])
def test_tokens_in_words(text: str, tokens: float) -> None:
    assert parse_tokens(text) == tokens


@pytest.mark.parametrize("text", ["", "T", "1Q", "-1", "nan", "1e30", "B300"])
def test_tokens_that_are_none(text: str) -> None:
    with pytest.raises(BadInput):
        parse_tokens(text)


@pytest.mark.parametrize("options", [{}, {"offload": True}, {"recompute": "selective"}, {"method": "lora"}, {"zero": 1, "micro_batch": 1}])
@pytest.mark.parametrize("card, count", [("RTX 4090", 1), ("RTX 4090", 16), ("RTX 3060 12GB", 64), ("H100 SXM", 8), ("H200 SXM", 32)])
def test_what_is_shared_between_cards_changes_no_layout(card: str, count: int, options: dict[str, object]) -> None:
    """Every layout of a card is the one that a search of its own finds: the first choice that fits, else the leanest."""
    question, found = training_question("llama-2-13b", card, **options), accelerator(card)  # type: ignore[arg-type]
    made = list(settled(question, found, count))
    for one in made:
        plain = replace(one.layout, recompute="none", offload="none")
        offloads: list[Offload | None] = ["none", None] if options.get("offload") else ["none"]
        tries = [
            first_fitting(question.architecture, one.recipe, plain, found.usable_bytes, memory_rules(), question.recompute, off)
            for off in offloads
        ]
        assert (one.layout, one.memory) in tries
    assert made and list(fitting(question, found, count)) == [one for one in made if one.memory.fits]
