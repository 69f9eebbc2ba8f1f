"""One layout under more and more load: TTFT, TPOT and tokens/s by users at once or requests per second, and the knee.

Every point is a run of the simulator under the load that `plan` would ask, with fewer bundles; a curve costs some tenths of a second.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cardwise.answer import Option
from cardwise.calibration.effects import efficiency
from cardwise.calibration.predict import first_token_seconds, limits_of, step_of
from cardwise.errors import CardwiseError
from cardwise.hardware import Accelerator
from cardwise.planning.asking import MOST_USERS
from cardwise.planning.evaluate import SATURATED, budget_for, setup_of
from cardwise.planning.explain import candidate_of
from cardwise.planning.question import Question
from cardwise.serving.metrics import Distribution, Served
from cardwise.serving.serve import serve
from cardwise.workload import Slo, Workload

BUNDLES = 60
"""Bundles of one point: percentiles move by a few percent against a run of all requests, the knee does not."""
REQUESTS = 300
"""Random arrivals of one point that a replica sees."""
BEYOND = 2.0
"""The curve ends at this multiple of the sequences that the layout can run at once."""
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0)
"""Requests per second that are tried, as shares of those of a short run of a full layout, up to the second one that is not kept up with."""


@dataclass(frozen=True, slots=True)
class LoadPoint:
    """What the whole layout serves under one load. `load`: users at once, or requests per second. Distributions in seconds.

    `keeps`: the percentile asked for keeps the limits; without limits, every load does. `kept_up`: requests are served as they come.
    """

    load: float
    ttft_s: Distribution
    tpot_s: Distribution
    e2e_s: Distribution
    output_tokens_per_s: float
    requests_per_s: float
    preemptions: int
    keeps: bool
    kept_up: bool


@dataclass(frozen=True, slots=True)
class LoadCurve:
    """`kind`: users or rate. `asked`: the load of the question, None for offline runs.

    `knee`: the load at which requests/s over their mean time is largest, the optimal operating point of Kleinrock ("Power and deterministic
    rules of thumb for probabilistic problems in computer communications", ICC 1979): beyond it waiting grows faster than what is served.
    `most`: the largest load up to which all points keep the limits; None without limits, 0 when the smallest breaks them.
    """

    kind: str
    option: Option
    points: tuple[LoadPoint, ...]
    asked: float | None
    knee: float
    most: float | None
    slo: Slo | None
    percentile: float


def load_curve(question: Question, option: Option) -> LoadCurve:
    """The curve of one option of the question's answer; over requests/s where the question asks for a rate, else over users at once.

    Raises CardwiseError when the option does not run even the smallest load.
    """
    card = next(card for _, card in question.cards if card.name == option.layout.accelerator)
    by_rate = question.workload.load == "rate"
    loads = rates(question, option, card) if by_rate else users(question, option)
    points: list[LoadPoint] = []
    for load in loads:
        points.append(point(question, option, card, load))
        if sum(not one.kept_up for one in points) > 1 and load > (asked_of(question.workload) or 0.0):
            break
    keeping = [one.load for index, one in enumerate(points) if all(before.keeps and before.kept_up for before in points[: index + 1])]
    return LoadCurve(
        kind="rate" if by_rate else "users",
        option=option,
        points=tuple(points),
        asked=asked_of(question.workload),
        knee=max(points, key=lambda one: one.requests_per_s / one.e2e_s.mean).load,
        most=None if question.slo is None else max(keeping, default=0.0),
        slo=question.slo,
        percentile=question.percentile,
    )


def asked_of(workload: Workload) -> float | None:
    """Where the question's own load lies on the curve."""
    if workload.load == "rate":
        return workload.requests_per_s
    return None if workload.load == "offline" else float(workload.users)


def users(question: Question, option: Option) -> list[float]:
    """1, 2, 3, 4, 6, 8, 12 ... users, to twice those that the layout runs at once, with the asked number among them."""
    candidate = candidate_of(question, _card(question, option), option.layout)
    batch = candidate.rules.max_num_seqs * option.layout.data_parallel * option.layout.replicas
    asked = question.workload.users if question.workload.load != "offline" else 1
    last = min(max(BEYOND * min(batch, max(option.performance.users_at_mean_length, 1.0)), 2.0 * asked, 4.0), MOST_USERS)
    found, step = {1, asked}, 1
    while step <= last:
        found |= {step, step * 3 // 2}
        step *= 2
    return sorted(float(load) for load in found if load <= last)


def rates(question: Question, option: Option, card: Accelerator) -> list[float]:
    """Requests per second from a tenth of what a full layout serves to more than that, with the asked rate among them."""
    replicas = option.layout.replicas
    offline = Workload("offline", question.workload.lengths, requests=REQUESTS * replicas)
    full = served(replace(question, workload=offline), option, card).requests_per_s
    asked = question.workload.requests_per_s or full
    return sorted({*(share * full for share in SHARES), asked})


def point(question: Question, option: Option, card: Accelerator, load: float) -> LoadPoint:
    """The layout under one load."""
    lengths = question.workload.lengths
    if question.workload.load == "rate":
        asked = replace(question.workload, requests_per_s=load, requests=REQUESTS * option.layout.replicas)
    else:
        asked = Workload("concurrency" if load > 1 else "single", lengths, users=int(load), seed=question.workload.seed)
    made = served(replace(question, workload=asked), option, card)
    tail = "median" if question.percentile == 50 else f"p{question.percentile:g}"
    slo = question.slo
    return LoadPoint(
        load=load,
        ttft_s=made.ttft_s,
        tpot_s=made.tpot_s,
        e2e_s=made.e2e_s,
        output_tokens_per_s=made.output_tokens_per_s,
        requests_per_s=made.requests_per_s,
        preemptions=made.preemptions,
        keeps=slo is None
        or ((slo.ttft_s is None or made.ttft_s.at(tail) <= slo.ttft_s) and (slo.tpot_s is None or made.tpot_s.at(tail) <= slo.tpot_s)),
        kept_up=asked.load != "rate" or made.busy_share < SATURATED or made.requests_per_s >= 0.9 * load,
    )


def served(question: Question, option: Option, card: Accelerator) -> Served:
    """One replica under its part of the load, with the rates of the whole layout."""
    candidate = candidate_of(question, card, option.layout)
    made = setup_of(question, candidate)
    factors = efficiency(made.context)
    step = step_of(made, made.layout, factors)
    limits = limits_of(made, budget_for(question, candidate, made), factors, replace(option.layout, replicas=1))
    one = serve(step, limits, made.workload, first_token_seconds(made, factors, step), question.slo, bundles=BUNDLES)
    return replace(
        one,
        output_tokens_per_s=one.output_tokens_per_s * made.shares,
        input_tokens_per_s=one.input_tokens_per_s * made.shares,
        requests_per_s=one.requests_per_s * made.shares,
        preemptions=round(one.preemptions * made.shares),
    )


def _card(question: Question, option: Option) -> Accelerator:
    found = next((card for _, card in question.cards if card.name == option.layout.accelerator), None)
    if found is None:
        raise CardwiseError(f"{option.layout.accelerator} is none of the cards of the question")
    return found
