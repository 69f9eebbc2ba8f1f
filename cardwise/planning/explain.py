"""One layout in depth: its memory, the time of its steps by operator, the limit that binds, and what would change it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cardwise.answer import Answer, Evidence, Option, Refusal
from cardwise.budget import MemoryBudget
from cardwise.calibration import effects
from cardwise.calibration.effects import efficiency
from cardwise.calibration.predict import first_token_seconds, step_of
from cardwise.calibration.setup import Setup
from cardwise.catalogue.engines import engine_info
from cardwise.efficiency import Efficiency
from cardwise.errors import BadInput, CannotRun, CardwiseError
from cardwise.hardware import Accelerator
from cardwise.layout import Layout
from cardwise.passes.batch import Batch
from cardwise.passes.step import EngineStep
from cardwise.planning.changes import Change, changes
from cardwise.planning.evaluate import LIMITS_BY_FIELD, budget_for, check_fits, setup_of
from cardwise.planning.layouts import Candidate, check_runs, rules_for
from cardwise.planning.nearest import nearest
from cardwise.planning.question import Question
from cardwise.planning.search import candidates, combinations
from cardwise.planning.search import plan as search

WAITING = 3.0
"""A first token that comes later than this multiple of its own work has mostly waited."""


@dataclass(frozen=True, slots=True)
class OperatorTime:
    """One group of operators of a step, per card. `seconds` of the groups sum to the step. `bound`: compute, bandwidth, link or launch."""

    group: str
    seconds: float
    flops: float
    weight_bytes: float
    activation_bytes: float
    kv_bytes: float
    message_bytes: float
    launches: float
    bound: str


@dataclass(frozen=True, slots=True)
class StepTime:
    """One step of the engine: `decode` of `sequences` that hold `tokens` in all, or `prefill` of one prompt of `tokens`."""

    kind: str
    sequences: float
    tokens: float
    seconds: float
    operators: tuple[OperatorTime, ...]

    @property
    def bound(self) -> str:
        """The limit that takes most of the step."""
        totals: dict[str, float] = {}
        for operator in self.operators:
            totals[operator.bound] = totals.get(operator.bound, 0.0) + operator.seconds
        return max(totals, key=lambda name: totals[name])


@dataclass(frozen=True, slots=True)
class SlotValue:
    """One efficiency: the value used, the prior and its source, and the fitted factors that moved it: (key, factor, cases)."""

    name: str
    value: float
    unit: str
    prior: float
    source: str
    moved: tuple[tuple[str, float, int], ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything about one layout. `option` is None and `refusal` says why when it cannot run; the budget stands in both cases.

    `limit`: compute, bandwidth, link, launch, memory or queue; `limit_phase`: decode, prefill, or empty for memory and queue.
    `wanted`: sequences that one replica is asked to run at once; `batch_limit`: those that the engine runs at most.
    """

    model: str
    question: Question
    card: Accelerator
    layout: Layout
    link: str
    budget: MemoryBudget
    option: Option | None
    refusal: Refusal | None
    answer: Answer
    limit: str
    limit_phase: str
    wanted: float
    batch_limit: int
    steps: tuple[StepTime, ...]
    slots: tuple[SlotValue, ...]
    changes: tuple[Change, ...]
    evidence: tuple[Evidence, ...]


def explain(question: Question) -> Explanation:
    """The best layout of the one card asked for, or the one nearest to running. Raises BadInput for several cards."""
    cards = {card.name: card for _, card in question.cards}
    if len(cards) != 1 or len(question.cards) != 1:
        raise BadInput(f"explain looks at one layout, {len(question.cards)} are named; compare them with cardwise plan, or name one")
    card = next(iter(cards.values()))
    answer = search(question)
    return explained(question, answer, card, best(answer))


def explained(question: Question, answer: Answer, card: Accelerator, option: Option | None) -> Explanation:
    """One option of the question's answer in depth; None: the layout of the card that is nearest to running."""
    candidate = candidate_of(question, card, option.layout) if option else _nearest_candidate(question, card, answer)
    made = setup_of(question, candidate)
    budget = budget_for(question, candidate, made)
    factors = efficiency(made.context)
    refusal = None if option else _refusal_of(question, candidate, answer)
    step = step_of(made, made.layout, factors)
    taken = steps(step, made, option) if option else ()
    limit, phase, wanted = "memory", "", float(made.workload.users)
    if option:
        limit, phase, wanted = binding_limit(option, made, taken[-1].seconds + first_token_seconds(made, factors, step))
    return Explanation(
        model=question.architecture.name,
        question=question,
        card=card,
        layout=candidate.layout,
        link=made.link.name,
        budget=budget,
        option=option,
        refusal=refusal,
        answer=answer,
        limit=limit,
        limit_phase=phase,
        wanted=wanted,
        batch_limit=candidate.rules.max_num_seqs,
        steps=taken,
        slots=slot_values(made, factors),
        changes=changes(question, card, candidate.layout, option),
        evidence=nearest(question, option) if option and question.evidence else (),
    )


def best(answer: Answer) -> Option | None:
    """The option that keeps the limits at the lowest cost, or the highest rate of a card where no price is known."""
    return answer.options[answer.by_cost[0]] if answer.options else None


def candidate_of(question: Question, card: Accelerator, layout: Layout) -> Candidate:
    """The layout with the rules that it runs under."""
    return Candidate(layout, card, rules_for(question, card, layout.engine, layout.tensor_parallel), engine_info(layout.engine))


def _nearest_candidate(question: Question, card: Accelerator, answer: Answer) -> Candidate:
    """Of the layouts that do not run, the one that lacks least memory. Raises CannotRun when none can even be laid out."""
    asked = question.cards[0][0]
    found: list[tuple[float, int, Candidate]] = []
    for engine, weights in combinations(question, card):
        for count in [asked] if asked else sorted({refusal.cards for refusal in answer.refusals}):
            for candidate in candidates(question, card, asked, count, engine, weights):
                try:
                    check_runs(card, candidate.layout, candidate.info)
                    budget = budget_for(question, candidate, setup_of(question, candidate))
                except CardwiseError:
                    continue
                found.append((budget.shortfall_bytes, len(found), candidate))
    if not found:
        first = answer.refusals[0] if answer.refusals else None
        raise CannotRun(first.reason if first else f"no layout of {card.name} can be made", first.fix if first else "ask for another count")
    return min(found, key=lambda item: item[:2])[2]


def _refusal_of(question: Question, candidate: Candidate, answer: Answer) -> Refusal | None:
    result = check_fits(question, candidate)
    return result if isinstance(result, Refusal) else next(iter(answer.refusals), None)


def binding_limit(option: Option, made: Setup, prefill_s: float) -> tuple[str, str, float]:
    """(limit, phase, sequences wanted of a replica): memory and queue first, else the limit of the phase that takes more time.

    `prefill_s`: seconds to a first token of a prompt that waits for nobody. Memory binds when the cache holds fewer than are wanted,
    the queue when a prompt at a given rate waits longer than it is worked on, or when more are wanted than the engine runs.
    """
    performance, replicas = option.performance, option.layout.replicas
    load, limit = made.workload, made.rules.max_num_seqs * option.layout.data_parallel
    held, running = performance.users_at_mean_length / replicas, performance.running / replicas
    if load.load == "rate":
        waits = performance.ttft_s.likely > WAITING * prefill_s
        full = performance.preemptions > 0 or (waits and running > 0.9 * held and held < limit)
        if full or waits:
            return "memory" if full else "queue", "", running
    wanted = running if load.load == "rate" else float({"single": 1, "offline": load.requests or 1}.get(load.load, load.users))
    if performance.preemptions or (held < min(wanted, limit) and running < wanted):
        return "memory", "", wanted
    if load.load in ("concurrency", "batch") and wanted > limit:
        return "queue", "", wanted
    return (option.prefill_bound, "prefill", wanted) if performance.prefill_share > 0.5 else (option.bound, "decode", wanted)


def steps(step: EngineStep, made: Setup, option: Option) -> tuple[StepTime, ...]:
    """A decode step at the load's batch, and a prefill of one mean prompt."""
    lengths = made.workload.lengths
    running = max(1.0, min(option.performance.running / option.layout.replicas, float(made.rules.max_num_seqs)))
    held = running * (lengths.mean_input + lengths.mean_output / 2)
    prompt = max(lengths.mean_input, 1.0)
    return (
        step_time("decode", step, Batch(decodes=running, context=held, outputs=running), running, held),
        step_time("prefill", step, Batch(prefill=prompt, pairs=prompt * prompt / 2, outputs=1.0), 1.0, prompt),
    )


def step_time(kind: str, step: EngineStep, batch: Batch, sequences: float, tokens: float) -> StepTime:
    """The operator groups of a step that take time, with the limit of each."""
    found = []
    for operator in step.operators(batch):
        seconds = float(operator.seconds)
        if seconds <= 0:
            continue
        parts = {name: float(getattr(operator, attribute)) for attribute, name in LIMITS_BY_FIELD.items()}
        work = operator.work
        found.append(
            OperatorTime(
                group=operator.group,
                seconds=seconds,
                flops=float(work.flops),
                weight_bytes=float(work.weight_bytes),
                activation_bytes=float(work.activation_bytes),
                kv_bytes=float(work.kv_bytes),
                message_bytes=float(work.message_bytes),
                launches=float(work.launches),
                bound=max(parts, key=lambda name: parts[name]),
            )
        )
    return StepTime(kind, sequences, tokens, sum(operator.seconds for operator in found), tuple(found))


def slot_values(made: Setup, factors: Efficiency) -> tuple[SlotValue, ...]:
    """The efficiencies of this stack with their priors and what the fit made of them; those that the layout does not use are left out."""
    unused = set()
    unused |= set() if made.architecture.has_experts else {"experts", "routing_skew"}
    unused |= set() if made.architecture.has_state else {"state_bandwidth"}
    unused |= set() if made.layout.cards_per_replica > 1 else {"reduce_seconds", "reduce_share"}
    unused |= set() if made.layout.pipeline_parallel > 1 else {"pipeline"}
    unused |= set() if made.power_limit_w else {"power_exponent"}
    context, fitted = dict(made.context), effects.fitted()
    values = []
    for slot in effects.slots():
        if slot.name in unused:
            continue
        moved = [fitted[slot.name, key] for key in effects.keys(slot, context) if (slot.name, key) in fitted]
        named = tuple((effect.key, math.exp(effect.log_factor), effect.cases) for effect in moved)
        values.append(SlotValue(slot.name, float(getattr(factors, slot.name)), slot.unit, slot.prior, slot.source, named))
    return tuple(values)
