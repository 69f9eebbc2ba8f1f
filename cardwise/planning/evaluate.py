"""One layout -> an option with everything said about it, or a refusal with the reason and the nearest fix."""

from __future__ import annotations

import math
from dataclasses import replace

from cardwise.answer import Option, Performance, Refusal
from cardwise.budget import MemoryBudget
from cardwise.calibration import intervals
from cardwise.calibration.attributes import context
from cardwise.calibration.effects import efficiency
from cardwise.calibration.knowledge import knowledge
from cardwise.calibration.predict import budget_of, first_token_seconds, limits_of, step_of
from cardwise.calibration.setup import Setup, shares
from cardwise.catalogue.formats import cache_format, stored_format
from cardwise.catalogue.links import link, node
from cardwise.errors import CannotRun, CardwiseError
from cardwise.hardware import Accelerator, Link
from cardwise.laws.memory import valid_split
from cardwise.layout import Layout
from cardwise.passes.batch import Batch
from cardwise.passes.step import EngineStep
from cardwise.planning.costs import cost_of
from cardwise.planning.layouts import Candidate, check_runs
from cardwise.planning.question import Question
from cardwise.serving.metrics import Served
from cardwise.serving.serve import serve
from cardwise.workload import Workload

SEARCH_BUNDLES = 120
MANY_CARDS = 12
FEWER_REQUESTS = 250
"""Random arrivals that a replica sees when many cards are compared and nobody says how many."""
SATURATED = 0.98
"""Share of the time that a replica is busy from which on it serves what it can."""
RATE = "output_tok_s"
"""The metric whose interval a rate has; that of one stream is a request over its time, and has the interval of that."""
LIMITS_BY_FIELD = {"compute_seconds": "compute", "memory_seconds": "bandwidth", "link_seconds": "link", "launch_seconds": "launch"}


def share_of_load(workload: Workload, replicas: int) -> Workload:
    """What one of `replicas` equal replicas sees."""
    return replace(
        workload,
        users=max(1, math.ceil(workload.users / replicas)),
        requests_per_s=workload.requests_per_s / replicas if workload.requests_per_s else None,
        requests=max(1, math.ceil(workload.requests / replicas)) if workload.requests else None,
    )


def setup_of(question: Question, candidate: Candidate) -> Setup:
    """The simulation's inputs for one replica of a candidate."""
    layout, card, rules = candidate.layout, candidate.card, candidate.rules
    model = question.architecture
    weights = stored_format(layout.weights, layout.engine, model.weight_format, model.quantization)
    wire = link_of(card, layout, question.link)
    workload = share_of_load(question.workload, layout.replicas)
    if workload.load == "rate" and workload.requests is None and len(question.cards) > MANY_CARDS:
        workload = replace(workload, requests=FEWER_REQUESTS)
    return Setup(
        architecture=question.architecture,
        layout=layout,
        accelerator=card,
        link=wire,
        weights=weights,
        cache=cache_format("fp16" if layout.kv == "auto" else layout.kv),
        rules=rules,
        workload=workload,
        context=context(card, weights, rules, wire, workload.load, default_backend(card)),
        power_limit_w=question.power_limit_w,
        max_model_len=question.max_model_len,
        memory_share=question.memory_share,
        shares=shares_of(question.workload, workload, layout.replicas),
    )


def link_of(card: Accelerator, layout: Layout, said: str) -> Link:
    """The link of one copy: of the cards that are tensor parallel, as long as they fit one machine, and of its stages where that is
    another (a bridge joins two cards, a network machines)."""
    spanned, inside = layout.cards_per_replica, layout.tensor_parallel
    if not spanned > inside > 1 or inside > node(card).cards:
        return link(card, spanned, said=said)
    own, between = link(card, inside, said=said), link(card, spanned, said=said)
    return own if own.kind == between.kind else replace(own, name=f"{own.name}; between stages {between.name}", between=between)


def shares_of(whole: Workload, one: Workload, replicas: int) -> float:
    """How many of one replica's loads the whole load is."""
    return shares(whole.load, float(whole.users), one.users, replicas)


def default_backend(card: Accelerator) -> str:
    """What today's llama.cpp is built with on AMD cards when nobody says."""
    return "vulkan; flash attention" if card.vendor == "AMD" else ""


def budget_for(question: Question, candidate: Candidate, made: Setup) -> MemoryBudget:
    """The memory budget of one replica. Raises CannotRun with the reason when the split is not valid."""
    layout = replace(candidate.layout, replicas=1)
    reason = valid_split(question.architecture, made.weights, layout, candidate.rules)
    if reason:
        raise CannotRun(reason)
    return budget_of(made, layout)


def refusal(card: Accelerator, layout: Layout, error: CardwiseError, shortfall: float | None = None) -> Refusal:
    """A refusal from an error; a CannotRun carries its fix."""
    return Refusal(card.name, layout.cards, layout.weights, layout.degrees(), error.reason, error.fix, shortfall)


def check_fits(question: Question, candidate: Candidate) -> tuple[Setup, MemoryBudget] | Refusal:
    """Everything that can be known without a simulation: does it run, does it split, does it fit, does one request fit."""
    try:
        check_runs(candidate.card, candidate.layout, candidate.info)
        made = setup_of(question, candidate)
        budget = budget_for(question, candidate, made)
    except CardwiseError as error:
        return refusal(candidate.card, candidate.layout, error)
    need = question.max_model_len or question.workload.lengths.input_tokens + question.workload.lengths.output_tokens
    if not budget.fits:
        why = CannotRun(budget.reason, budget.fix)
        return refusal(candidate.card, candidate.layout, why, budget.shortfall_bytes)
    if budget.max_concurrency(need) < 1:
        why = CannotRun(
            f"the KV cache holds {budget.kv_tokens:,.0f} tokens, one request has {need:,.0f}",
            "more cards, smaller weights or a smaller KV format",
        )
        return refusal(candidate.card, candidate.layout, why)
    return made, budget


def evaluate(question: Question, candidate: Candidate, made: Setup, budget: MemoryBudget) -> Option | Refusal:
    """Simulates one replica under its part of the load."""
    factors = efficiency(made.context)
    layout = replace(candidate.layout, replicas=1)
    try:
        step = step_of(made, made.layout, factors)
        limits = limits_of(made, budget, factors, layout)
        served = serve(step, limits, made.workload, first_token_seconds(made, factors, step), question.slo, bundles=SEARCH_BUNDLES)
    except CardwiseError as error:
        return refusal(candidate.card, candidate.layout, error)
    what = knowledge(made)
    performance = performance_of(question, served, made.shares, candidate.layout, budget, what)
    decode_bound, prefill_bound = bounds(step, made, served)
    basis = intervals.basis(what, "e2e_s" if made.workload.load == "single" else RATE, made.workload.load)
    return Option(
        layout=candidate.layout,
        link=made.link.name,
        budget=budget,
        performance=performance,
        cost=cost_of(question, candidate.card, candidate.layout, performance),
        bound=decode_bound,
        prefill_bound=prefill_bound,
        meets=meets(question, performance),
        basis=basis,
    )


def performance_of(question: Question, served: Served, parts: float, layout: Layout, budget: MemoryBudget, what: str) -> Performance:
    """Served numbers of one replica as estimates of the whole layout, which is `parts` such loads on all replicas of `layout`."""
    replicas, caches = layout.replicas, layout.replicas * layout.data_parallel
    load = question.workload.load
    tail = "median" if question.percentile == 50 else f"p{question.percentile:g}"
    lengths = question.workload.lengths
    mean_length = lengths.mean_input + lengths.mean_output
    tpot = intervals.estimate(served.tpot_s.mean, "tpot_ms", load, what)
    e2e = intervals.estimate(served.e2e_s.mean, "e2e_s", load, what)
    made = served.output_tokens_per_s * parts
    return Performance(
        ttft_s=intervals.estimate(served.ttft_s.mean, "ttft_ms", load, what),
        ttft_tail_s=served.ttft_s.at(tail),
        tpot_s=tpot,
        tpot_tail_s=served.tpot_s.at(tail),
        e2e_s=e2e,
        output_tokens_per_s=e2e.inverse().scaled(made * e2e.likely) if load == "single" else intervals.estimate(made, RATE, load, what),
        input_tokens_per_s=served.input_tokens_per_s * parts,
        requests_per_s=served.requests_per_s * parts,
        stream_tokens_per_s=tpot.inverse() if tpot.likely else tpot,
        running=served.peak_running * parts,
        preemptions=round(served.preemptions * parts),
        goodput_share=served.goodput_share,
        busy_share=served.busy_share * parts / replicas,
        prefill_share=served.prefill_share / max(served.busy_share, 1e-9),
        users_at_mean_length=budget.max_concurrency(mean_length) * caches,
        users_at_max_length=budget.max_concurrency(question.max_model_len or lengths.input_tokens + lengths.output_tokens) * caches,
    )


def meets(question: Question, performance: Performance) -> bool:
    """Whether the limits asked for hold at the percentile, and an open load is kept up with."""
    slo = question.slo
    if slo and slo.ttft_s is not None and performance.ttft_tail_s > slo.ttft_s:
        return False
    if slo and slo.tpot_s is not None and performance.tpot_tail_s > slo.tpot_s:
        return False
    if question.workload.load == "rate":
        return performance.busy_share < SATURATED or performance.requests_per_s >= 0.9 * (question.workload.requests_per_s or 0.0)
    return True


def bounds(step: EngineStep, made: Setup, served: Served) -> tuple[str, str]:
    """The limit that takes most of a decode step at the load's batch, and of a prefill step of one request."""
    lengths = made.workload.lengths
    running = max(1.0, min(served.peak_running, float(made.workload.users if made.workload.load == "concurrency" else served.peak_running)))
    decode = Batch(decodes=running, context=running * (lengths.mean_input + lengths.mean_output / 2), outputs=running)
    prompt = max(lengths.mean_input, 1.0)
    return binding(step, decode), binding(step, Batch(prefill=prompt, pairs=prompt * prompt / 2, outputs=1.0))


def binding(step: EngineStep, batch: Batch) -> str:
    """compute, bandwidth, link or launch: each operator's time is given to its larger limit, and the largest sum binds."""
    totals = dict.fromkeys(LIMITS_BY_FIELD.values(), 0.0)
    for operator in step.operators(batch):
        parts = {name: float(getattr(operator, attribute)) for attribute, name in LIMITS_BY_FIELD.items()}
        totals[max(parts, key=lambda name: parts[name])] += float(operator.seconds)
    return max(totals, key=lambda name: totals[name])
