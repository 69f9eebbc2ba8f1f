"""A layout under more and more load, and what it costs by use: against the answer that it belongs to."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

import pytest

from cardwise.planning.asking import question
from cardwise.planning.cost_curve import cost_curve
from cardwise.planning.detail import Report, report
from cardwise.planning.load_curve import LoadCurve, load_curve
from cardwise.workload import Slo

CARD = "1x RTX 4090"


@lru_cache(maxsize=4)
def users() -> Report:
    return report("llama-3.1-8b", CARD, concurrency=16, weights="fp8")


@lru_cache(maxsize=4)
def requests() -> Report:
    return report("llama-3.1-8b", CARD, rate=4.0, ttft=1500, tpot=60, weights="fp8")


def curve(whole: Report) -> LoadCurve:
    found = whole.details[0].load
    assert found is not None
    return found


def test_at_the_load_asked_for_the_curve_says_what_the_answer_says() -> None:
    for whole in (users(), requests()):
        found = curve(whole)
        point = next(point for point in found.points if point.load == found.asked)
        performance = found.option.performance
        assert point.output_tokens_per_s == pytest.approx(performance.output_tokens_per_s.likely, rel=0.06)
        assert point.tpot_s.mean == pytest.approx(performance.tpot_s.likely, rel=0.06)


def test_more_users_get_more_in_all_and_less_each_until_the_cache_is_full() -> None:
    held = curve(users()).option.performance.users_at_mean_length
    inside = [point for point in curve(users()).points if point.load <= held]
    assert len(inside) >= 6
    for before, after in pairwise(inside):
        assert after.output_tokens_per_s > before.output_tokens_per_s
        assert after.tpot_s.median >= before.tpot_s.median * 0.999
    beyond = [point for point in curve(users()).points if point.load > held]
    assert beyond and beyond[-1].ttft_s.p95 > 3 * inside[-1].ttft_s.median


def test_an_open_load_is_kept_up_with_until_it_is_full() -> None:
    found = curve(requests())
    assert found.kind == "rate" and found.points[0].kept_up and not found.points[-1].kept_up
    kept = [point for point in found.points if point.kept_up]
    assert all(point.requests_per_s == pytest.approx(point.load, rel=0.12) for point in kept)
    assert found.points[-1].ttft_s.p95 > 5 * found.points[0].ttft_s.p95
    assert found.points[0].load < found.knee < found.points[-1].load


def test_most_is_the_last_load_that_keeps_the_limits() -> None:
    found = curve(requests())
    assert found.most is not None and found.most > 0
    for point in found.points:
        kept = point.ttft_s.p95 <= 1.5 and point.tpot_s.p95 <= 0.06
        assert kept or point.load > found.most
    asked = question("llama-3.1-8b", CARD, rate=4.0, weights="fp8")
    assert load_curve(replace(asked, slo=Slo(ttft_s=1e-4)), found.option).most == 0.0
    assert curve(users()).most is None


def test_costs_by_use_are_those_of_the_answer() -> None:
    whole = report("llama-3.1-8b", "1x H100 SXM", concurrency=16)
    found = cost_curve(whole.answer, whole.answer.options[0])
    assert found is not None and found.break_even is not None
    assumed = next(point for point in found.points if point.utilization == found.assumed)
    cost = found.option.cost
    assert cost.rent_token is not None and assumed.kept == pytest.approx(cost.rent_token.usd_per_million_output_alone)
    assert cost.buy_token is not None and assumed.bought == pytest.approx(cost.buy_token.usd_per_million_output_alone)
    for point in found.points:
        assert point.kept is not None and point.rented == pytest.approx(point.kept * point.utilization)
        assert point.bought is not None and (point.bought < point.rented) == (point.utilization > found.break_even * 1.0001)
    provider, asked = found.api[0]
    price = next(one.price for one in whole.answer.api if one.price.provider == provider)
    assert asked == pytest.approx((1024 * price.usd_per_million_input + 256 * price.usd_per_million_output) / 256)


def test_details_are_those_that_the_verdict_names() -> None:
    whole = report("llama-2-70b", "RTX 4090, H100 SXM", concurrency=8, input=3840)
    answer = whole.answer
    named = {answer.by_cost[0], answer.by_speed[0], answer.by_simplicity[0]}
    assert whole.details[0].explanation.option is answer.options[answer.by_cost[0]]
    assert {answer.options.index(one.explanation.option) for one in whole.details if one.explanation.option} == named
    assert all(one.explanation.layout == one.explanation.option.layout for one in whole.details if one.explanation.option)
