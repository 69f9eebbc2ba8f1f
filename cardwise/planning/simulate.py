"""Every request of a load or of a trace on the best layout: percentiles, rates, and the state of the engine over time."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cardwise.answer import Option
from cardwise.calibration.effects import efficiency
from cardwise.calibration.predict import first_token_seconds, limits_of, step_of
from cardwise.calibration.setup import Setup
from cardwise.errors import BadFile, BadInput, CannotRun
from cardwise.hardware import Accelerator
from cardwise.planning.evaluate import budget_for, setup_of
from cardwise.planning.explain import best, candidate_of
from cardwise.planning.question import Question
from cardwise.planning.search import plan as search
from cardwise.serving.limits import Limits, StepCost
from cardwise.serving.metrics import Served, summarise
from cardwise.serving.requests import Request
from cardwise.serving.serve import run
from cardwise.serving.simulation import Simulation
from cardwise.serving.trace import Moment, Trace
from cardwise.workload import MAX_TOKENS, Lengths, Workload

COLUMNS = ("arrival_s", "input_tokens", "output_tokens")
MOST_REQUESTS = 200_000
POINTS = 60


@dataclass(frozen=True, slots=True)
class Point:
    """The state at one time, of all replicas: sequences that run and wait, share of the cache in use, preemptions since the start."""

    time_s: float
    running: float
    waiting: float
    kv_share: float
    preemptions: int


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a load does to one layout. `served`: times over all requests, rates of the whole layout. `points`: at equal steps of time.

    `source`: the file of a trace, empty for a synthetic load. `goodput_requests_per_s`: requests within the limits, None without limits.
    """

    model: str
    question: Question
    card: Accelerator
    option: Option
    source: str
    requests: int
    served: Served
    points: tuple[Point, ...]

    @property
    def goodput_requests_per_s(self) -> float | None:
        share = self.served.goodput_share
        return None if share is None else share * self.served.requests_per_s


def simulate(question: Question, trace: Path | None = None, text: str | None = None) -> Simulated:
    """`text`: the trace's contents when they are in memory; `trace` then names it and is not opened.

    Raises BadInput for several cards or a bad trace, CannotRun when no layout of the card runs."""
    if len(question.cards) != 1:
        raise BadInput(f"simulate runs one layout, {len(question.cards)} cards are named; compare them with cardwise plan, or name one")
    requests = None if trace is None else read_trace(trace) if text is None else trace_of(text, trace)
    asked = question if requests is None else traced(question, requests)
    card = asked.cards[0][1]
    answer = search(asked)
    option = best(answer)
    if option is None:
        first = answer.refusals[0] if answer.refusals else None
        raise CannotRun(
            f"{first.cards}x {first.accelerator}, {first.weights}: {first.reason}" if first else f"no layout of {card.name} can be made",
            first.fix if first else "",
        )
    made = setup_of(asked, candidate_of(asked, card, option.layout))
    factors = efficiency(made.context)
    budget = budget_for(asked, candidate_of(asked, card, option.layout), made)
    step, limits = step_of(made, made.layout, factors), limits_of(made, budget, factors, replace(option.layout, replicas=1))
    replicas = option.layout.replicas
    traces = one_load(step, limits, made) if requests is None else each_share(step, limits, requests, replicas)
    before = first_token_seconds(made, factors, step)
    served = together(summarise(traces[0], before, asked.slo), made.shares) if requests is None else whole(traces, before, asked)
    return Simulated(
        model=question.architecture.name,
        question=asked,
        card=card,
        option=option,
        source="" if trace is None else trace.name,
        requests=served.requests,
        served=served,
        points=tuple(points([one.moments for one in traces], max(one.duration_s for one in traces))),
    )


def one_load(step: StepCost, limits: Limits, made: Setup) -> list[Trace]:
    """A synthetic load is shared out evenly: every replica that has any sees the same."""
    return [run(step, limits, made.workload, sample=True)] * math.ceil(made.shares)


def together(one: Served, replicas: float) -> Served:
    """One replica's numbers as those of all equal replicas: rates and counts are multiplied, times stay."""
    return replace(
        one,
        requests=round(one.requests * replicas),
        output_tokens_per_s=one.output_tokens_per_s * replicas,
        input_tokens_per_s=one.input_tokens_per_s * replicas,
        requests_per_s=one.requests_per_s * replicas,
        preemptions=round(one.preemptions * replicas),
        peak_running=one.peak_running * replicas,
    )


def each_share(step: StepCost, limits: Limits, requests: Sequence[Request], replicas: int) -> list[Trace]:
    """A trace is dealt out in turn, as a round-robin router does."""
    shares = [requests[index::replicas] for index in range(replicas)]
    return [Simulation(step, limits, [replace(request) for request in share], None, True).run() for share in shares if share]


def whole(traces: Sequence[Trace], first_token_s: float, question: Question) -> Served:
    """All replicas of a trace as one run."""
    joined = Trace(
        requests=tuple(request for trace in traces for request in trace.requests),
        duration_s=max(trace.duration_s for trace in traces),
        preemptions=sum(trace.preemptions for trace in traces),
        moments=(),
        busy_s=sum(trace.busy_s for trace in traces) / len(traces),
        prefill_s=sum(trace.prefill_s for trace in traces) / len(traces),
        peak_running=sum(trace.peak_running for trace in traces),
    )
    return summarise(joined, first_token_s, question.slo)


def points(moments: Sequence[Sequence[Moment]], duration_s: float) -> list[Point]:
    """The state of all replicas at equal steps of time: each replica's last sample before."""
    found = []
    places = [0] * len(moments)
    for index in range(1, POINTS + 1):
        time = duration_s * index / POINTS
        running = waiting = share = 0.0
        preempted = 0
        for replica, samples in enumerate(moments):
            while places[replica] + 1 < len(samples) and samples[places[replica] + 1].time_s <= time:
                places[replica] += 1
            if samples and samples[places[replica]].time_s <= time:
                now = samples[places[replica]]
                running, waiting, share = running + now.running, waiting + now.waiting, share + now.kv_share / len(moments)
                preempted += now.preemptions
        found.append(Point(time, running, waiting, min(share, 1.0), preempted))
    return found


def traced(question: Question, requests: Sequence[Request]) -> Question:
    """The question with the load that a trace amounts to on average, and room for its longest request."""
    count = len(requests)
    span = max(requests[-1].arrival - requests[0].arrival, 1e-9)
    lengths = Lengths(sum(r.input_tokens for r in requests) / count, sum(r.output_tokens for r in requests) / count)
    rate = (count - 1) / span if count > 1 and span > 1e-6 else None
    longest = math.ceil(max(r.input_tokens + r.output_tokens for r in requests))
    load = Workload("rate", lengths, requests_per_s=rate, requests=count) if rate else Workload("offline", lengths, requests=count)
    return replace(question, workload=load, max_model_len=question.max_model_len or longest)


def read_trace(path: Path) -> list[Request]:
    """The requests of a CSV of arrival_s, input_tokens, output_tokens, in order of arrival. Raises BadFile with the line number."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror or error}") from None
    return trace_of(text, path)


def trace_of(text: str, path: Path) -> list[Request]:
    """The requests of a trace in memory; `path` names it in messages."""
    reader = csv.DictReader(text.splitlines())
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise BadFile(f"{path} lacks the column {', '.join(missing)}; a trace has {', '.join(COLUMNS)}")
    requests = []
    for row in reader:
        values = [_number(path, reader.line_num, name, row.get(name)) for name in COLUMNS]
        requests.append(Request(values[0], max(values[1], 1.0), max(values[2], 1.0)))
        if len(requests) > MOST_REQUESTS:
            raise BadFile(f"{path} has more than {MOST_REQUESTS:,} requests; simulate a part of it")
    if not requests:
        raise BadFile(f"{path} holds no request; a trace has one row for each")
    requests.sort(key=lambda request: request.arrival)
    start = requests[0].arrival
    return [replace(request, arrival=request.arrival - start) for request in requests]


def _number(path: Path, line: int, name: str, text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        raise BadFile(f"{path} line {line}: {name} is {text!r}; it must be a number") from None
    if not 0 <= value <= MAX_TOKENS:
        raise BadFile(f"{path} line {line}: {name} is {text}; it must lie between 0 and {MAX_TOKENS:,}")
    return value
