"""From a question to ranked options: enumerate, refuse, keep what is worth simulating, simulate, rank."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from cardwise.answer import Answer, Option, Refusal
from cardwise.budget import MemoryBudget
from cardwise.calibration.setup import Setup
from cardwise.catalogue.engines import engine_info
from cardwise.catalogue.formats import cache_format
from cardwise.catalogue.links import node
from cardwise.hardware import Accelerator
from cardwise.laws.memory import kv_bytes_per_token
from cardwise.layout import Layout
from cardwise.planning.evaluate import MANY_CARDS, check_fits, evaluate
from cardwise.planning.grow import Copy, grown
from cardwise.planning.layouts import Candidate, counts_for, engine_for, expert_spreads, rules_for, splits, weights_for
from cardwise.planning.question import Question
from cardwise.planning.verdict import verdict, verdict_zh

COUNTS_KEPT = 2
Fitting = tuple[Candidate, Setup, MemoryBudget]


def plan(question: Question, progress: Callable[[int, int], None] | None = None) -> Answer:
    """The answer to `question`: options that run, refusals with reasons, rankings and a verdict. `progress`: cards done, cards in all."""
    options: list[Option] = []
    refusals: list[Refusal] = []
    for done, (asked, card) in enumerate(question.cards):
        if progress is not None:
            progress(done, len(question.cards))
        for engine_weights in combinations(question, card):
            found, refused = options_of(question, card, asked, *engine_weights)
            options += found
            refusals += refused
    if question.budget_usd_per_hour is not None:
        options, dear = within_budget(question.budget_usd_per_hour, options)
        refusals += dear
    return answer(question, options, refusals)


def combinations(question: Question, card: Accelerator) -> list[tuple[str, str]]:
    """Engine and weight format pairs to try on a card."""
    engine = engine_for(question, card)
    return [(engine, weights) for weights in weights_for(question, card, engine)]


def candidates(question: Question, card: Accelerator, asked: int | None, count: int, engine: str, weights: str) -> list[Candidate]:
    info = engine_info(engine)
    found = []
    for tensor, pipeline, replicas in splits(count, info, question.architecture, question, exact=asked is not None):
        layout = Layout(
            accelerator=card.name,
            tensor_parallel=tensor,
            pipeline_parallel=pipeline,
            replicas=replicas,
            weights=weights,
            kv=question.kv,
            engine=engine,
            engine_version=question.engine_version,
        )
        rules = rules_for(question, card, engine, tensor)
        found += [Candidate(spread, card, rules, info) for spread in expert_spreads(layout, info, question.architecture)]
    return found


def options_of(question: Question, card: Accelerator, asked: int | None, engine: str, weights: str) -> tuple[list[Option], list[Refusal]]:
    """Options of one card and weight format: the asked count, or the smallest counts that fit and, when the load needs it, replicas of
    them.
    """
    options: list[Option] = []
    refusals: list[Refusal] = []
    tried: list[Copy] = []
    kept = 0
    for count in counts_for(question, asked):
        fitting: list[Fitting] = []
        refused: list[Refusal] = []
        for candidate in candidates(question, card, asked, count, engine, weights):
            result = check_fits(question, candidate)
            if isinstance(result, Refusal):
                refused.append(result)
            else:
                fitting.append((candidate, *result))
        if not fitting:
            refusals += nearest(refused)
            refusals += [r for r in refused if asked is not None and r.shortfall_bytes is None and r not in refusals]
            if kept:
                break
            continue
        if asked is not None or len(question.cards) <= MANY_CARDS:
            refusals += [r for r in refused if r.shortfall_bytes is None]
        for item in worth_simulating(fitting, question):
            made = evaluate(question, *item)
            if isinstance(made, Refusal):
                refusals.append(made)
            else:
                options.append(made)
                tried.append((item[0], made))
        kept += 1
        if kept >= (1 if len(question.cards) > MANY_CARDS else COUNTS_KEPT):
            break
    if asked is None and options and not any(o.meets for o in options):
        above = max(option.layout.cards for option in options)
        more = larger(question, card, engine, weights, above) if len(question.cards) <= MANY_CARDS else []
        found = grown(question, [*tried, *((one, None) for one in more)])
        options += [found] if found else []
    return options, refusals


def worth_simulating(fitting: list[Fitting], question: Question) -> list[Fitting]:
    """With many cards to compare, one split each: tensor parallel where it divides, else pipeline."""
    if len(question.cards) <= MANY_CARDS:
        return fitting
    return [max(fitting, key=lambda item: (item[0].layout.tensor_parallel, -item[0].layout.pipeline_parallel))]


def nearest(refused: Iterable[Refusal]) -> list[Refusal]:
    """Of the refusals of one count, the one that is closest to running: the smallest shortfall, else the first."""
    ordered = sorted(refused, key=lambda r: (r.shortfall_bytes is None, r.shortfall_bytes or 0.0))
    return ordered[:1]


def larger(question: Question, card: Accelerator, engine: str, weights: str, above: int) -> list[Candidate]:
    """Copies on more cards than were tried, all of them tensor parallel inside one machine: what a tight limit may need."""
    counts = [count for count in counts_for(question, None) if above < count <= node(card).cards]
    found = [one for count in counts for one in candidates(question, card, None, count, engine, weights)]
    return [one for one in found if one.layout.pipeline_parallel == 1 and not isinstance(check_fits(question, one), Refusal)]


def within_budget(budget: float, options: list[Option]) -> tuple[list[Option], list[Refusal]]:
    """Options whose rent is known and within the budget; the others as refusals."""
    kept, refused = [], []
    for option in options:
        rent = option.cost.rent
        if rent is not None and rent.total <= budget:
            kept.append(option)
            continue
        reason = "no rental price is known" if rent is None else f"rents for ${rent.total:,.2f}/h, the budget is ${budget:,.2f}/h"
        layout = option.layout
        refused.append(
            Refusal(
                layout.accelerator,
                layout.cards,
                layout.weights,
                layout.degrees(),
                reason,
                "state a price with --price" if rent is None else "",
            )
        )
    return kept, refused


def usd_per_million(option: Option) -> float | None:
    """Rent where known, else what owning costs, per million output tokens."""
    return option.cost.paid[1].usd_per_million_output_alone if option.cost.paid else None


def rank(options: list[Option], key: Callable[[int], tuple[Any, ...]]) -> tuple[int, ...]:
    return tuple(sorted(range(len(options)), key=key))


def slowness(option: Option, load: str) -> float:
    """Seconds of a token: of a stream, or of all together where nobody waits for a stream; of the first where there is no other."""
    performance = option.performance
    if load == "offline":
        return 1.0 / performance.output_tokens_per_s.likely
    return performance.tpot_s.likely or performance.ttft_s.likely


def pareto(options: list[Option], load: str) -> tuple[int, ...]:
    """Options that no other beats in both cost per token and `slowness`."""
    priced = [(usd_per_million(o), slowness(o, load), i) for i, o in enumerate(options)]
    known = sorted((c, t, i) for c, t, i in priced if c is not None)
    front, best = [], float("inf")
    for _, slow, index in known:
        if slow < best:
            front.append(index)
            best = slow
    return tuple(front)


def answer(question: Question, options: list[Option], refusals: list[Refusal]) -> Answer:
    """Rankings, Pareto front and verdict over the options. Options without a price come last, by tokens/s of a card."""
    load = question.workload.load

    def cost(option: Option) -> tuple[float, float]:
        usd = usd_per_million(option)
        return float("inf") if usd is None else usd, -option.performance.output_tokens_per_s.likely / option.layout.cards

    def cost_key(i: int) -> tuple[bool, float, float]:
        return not options[i].meets, *cost(options[i])

    def speed_key(i: int) -> tuple[bool, float]:
        return not options[i].meets, slowness(options[i], load)

    def simple_key(i: int) -> tuple[bool, int, int, float, float]:
        layout = options[i].layout
        return not options[i].meets, layout.cards, layout.pipeline_parallel + layout.replicas, *cost(options[i])

    architecture = question.architecture
    cache = cache_format("fp16" if question.kv == "auto" else question.kv)
    engines = sorted({o.layout.engine for o in options}) or [question.engine]
    layout = Layout(question.cards[0][1].name)
    rules = rules_for(question, question.cards[0][1], engine_for(question, question.cards[0][1]))
    made = Answer(
        model=architecture.name,
        parameters=architecture.parameters,
        kv_bytes_per_token=kv_bytes_per_token(architecture, cache, layout, rules),
        workload=question.workload,
        slo=question.slo,
        engine=", ".join(engines),
        options=tuple(options),
        refusals=tuple(refusals),
        by_cost=rank(options, cost_key),
        by_speed=rank(options, speed_key),
        by_simplicity=rank(options, simple_key),
        pareto=pareto(options, load),
        verdict="",
        notes=question.notes,
    )
    return replace(made, verdict=verdict(made), verdict_zh=verdict_zh(made))
