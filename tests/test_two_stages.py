"""Disaggregated serving as a closed loop, against Little's law and arithmetic of one user."""

from __future__ import annotations

import pytest

from cardwise.serving.two_stages import ROUNDS, Prefill, waits
from cardwise.workload import Lengths

EQUAL = Lengths(1000.0, 100.0)


def test_one_user_waits_for_its_own_prompt_alone() -> None:
    found = waits(Prefill(1, alone_s=0.3, each_s=0.1, together=8.0), 1, 5.0, EQUAL)
    assert (found.mean, found.median, found.p99) == pytest.approx((0.3, 0.3, 0.3))


def test_users_beyond_what_the_workers_take_wait_as_little_says() -> None:
    """40 users, two workers at 0.2 s a prompt: a round takes 4 s whatever happens, of which decoding takes 1."""
    found = waits(Prefill(2, alone_s=0.2, each_s=0.2, together=1.0), 40, 1.0, EQUAL)
    assert found.median == pytest.approx(40 * 0.2 / 2 - 1.0, rel=0.02)


def test_equal_requests_that_start_together_stay_together() -> None:
    """Decoding that ends in the order of the start never queues again: only the first round waits, half the burst in the mean."""
    found = waits(Prefill(1, alone_s=0.1, each_s=0.1, together=1.0), 20, 100.0, EQUAL)
    first = 0.1 * (20 + 1) / 2
    assert found.mean == pytest.approx((first + (ROUNDS - 1) * 0.1) / ROUNDS, rel=0.01)
    assert found.median == pytest.approx(0.1)


def test_groups_of_users_stand_for_many() -> None:
    """Sixteen times the users on sixteen times the workers' speed wait as long."""
    few = waits(Prefill(4, alone_s=0.16, each_s=0.16, together=1.0), 512, 10.0, Lengths(1000.0, 100.0, low=0.8))
    many = waits(Prefill(4, alone_s=0.16, each_s=0.01, together=16.0), 8192, 10.0, Lengths(1000.0, 100.0, low=0.8))
    assert many.mean == pytest.approx(few.mean, rel=0.02)


def test_more_workers_never_wait_longer() -> None:
    means = [waits(Prefill(n, alone_s=0.2, each_s=0.1, together=4.0), 100, 2.0, Lengths(1000.0, 100.0, low=0.8)).mean for n in (1, 2, 4, 8)]
    assert means == sorted(means, reverse=True)
