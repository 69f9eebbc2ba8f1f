"""From a question about training to ranked options: counts, layouts, refusals with the nearest fix, scaling, verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cardwise.answer import Refusal
from cardwise.catalogue.links import node
from cardwise.errors import CannotRun, CardwiseError
from cardwise.hardware import Accelerator
from cardwise.laws import training as law
from cardwise.laws.training_memory import state_bytes, trained_parameters
from cardwise.planning.training_asking import TrainingQuestion
from cardwise.planning.training_evaluate import evaluate, rated
from cardwise.planning.training_layouts import Settled, counts, fitting, recipe_of, settled, split_reason, ways_of
from cardwise.planning.training_nearest import nearest
from cardwise.planning.training_verdict import card_verdicts, verdict, verdict_zh
from cardwise.quantities import gib
from cardwise.training import Recipe
from cardwise.training_answer import Scaling, TrainingAnswer, TrainingOption

KEPT = 4
"""Layouts of one card and count that an answer holds, the fastest of every split."""
GROWTH = (1, 2, 4, 8)
MANY_CARDS = 12
"""Cards beyond which nothing is said of scaling."""


def plan_training(question: TrainingQuestion, progress: Callable[[int, int], None] | None = None) -> TrainingAnswer:
    """The answer: options that run, refusals with reasons, scaling over more cards, a verdict for every card.

    `progress` gets cards done and cards in all.
    """
    options: list[TrainingOption] = []
    refusals: list[Refusal] = []
    held: dict[str, int] = {}
    for done, (asked, card) in enumerate(question.cards, 1):
        try:
            found, refused = options_of(question, card, asked)
        except CardwiseError as error:  # a card that lacks the arithmetic, or of which a needed fact is missing
            found, refused = [], [Refusal(card.name, asked or 1, question.precision, "", error.reason, error.fix)]
        if asked is None and found:
            held[card.name] = found[0].layout.cards
        options += found
        refusals += refused
        if progress is not None:
            progress(done, len(question.cards))
    return answered(question, options, refusals, held)


def options_of(question: TrainingQuestion, card: Accelerator, asked: int | None) -> tuple[list[TrainingOption], list[Refusal]]:
    """Options of one card: the count asked for, or the smallest that holds the model."""
    card.peak("bf16", "fp16", "fp32")
    if question.precision == "fp8" and "fp8" not in card.peaks:
        raise CannotRun(f"{card.name} has no fp8 arithmetic", "take --precision bf16")
    refusals: list[Refusal] = []
    tried = 0
    for count in (asked,) if asked is not None else counts(card, question):
        found = list(fitting(question, card, count))
        if found:
            refusals += [short_of(question, card, tried)] if tried else []
            return fastest(question, card, found), refusals
        if ways_of(question, card, count):
            tried = count
        else:
            refusals = [invalid(question, card, count)]
    if not tried:
        return [], refusals
    return [], [short_of(question, card, tried)]


def fastest(question: TrainingQuestion, card: Accelerator, held: Sequence[Settled]) -> list[TrainingOption]:
    """The fastest layout of every split (data, tensor, pipeline, ZeRO), the first few."""
    best: dict[tuple[int, ...], tuple[float, Settled]] = {}
    for rate, one in rated(question, card, held):
        layout = one.layout
        key = (layout.data_parallel, layout.tensor_parallel, layout.pipeline_parallel, layout.zero)
        if key not in best or rate > best[key][0]:
            best[key] = (rate, one)
    ordered = sorted(best.values(), key=lambda pair: (-pair[0], pair[1].layout.model_parallel))
    first, *others = (evaluate(question, card, one) for _, one in ordered[:KEPT])
    return [replace(first, evidence=nearest(question.architecture, first)), *others]


def invalid(question: TrainingQuestion, card: Accelerator, count: int) -> Refusal:
    """Why a count has no layout at all."""
    tensor, stages = question.tensor_parallel or 1, question.pipeline_parallel or 1
    refused = split_reason(question, node(card).cards, tensor, stages)
    if refused is not None:
        return Refusal(card.name, count, question.precision, "", refused.reason, refused.fix)
    if count % (tensor * stages):
        return Refusal(card.name, count, question.precision, "", f"tensor x pipeline {tensor * stages} does not divide {count} cards",
                       f"take a multiple of {tensor * stages} cards")  # fmt: skip
    batch = question.global_batch or 0
    replicas = count // (tensor * stages)
    return Refusal(card.name, count, question.precision, "",
                   f"a global batch of {batch:,} sequences does not divide over the replicas of any split of {count} cards",
                   f"take a multiple of {replicas * (question.micro_batch or 1):,}")  # fmt: skip


def short_of(question: TrainingQuestion, card: Accelerator, count: int) -> Refusal:
    """The layout that is nearest to fitting, what is missing, and the nearest change that fits."""
    nearest = min(settled(question, card, count), key=lambda one: one.memory.shortfall_bytes)
    memory, layout = nearest.memory, nearest.layout
    states = memory.weights + memory.gradients + memory.optimizer
    reason = (
        f"needs {gib(memory.shortfall_bytes)} a card more than it has: {gib(states)} of weights, gradients and optimiser,"
        f" {gib(memory.activations)} of activations, {gib(memory.buffers + memory.context)} of buffers and runtime"
    )
    return Refusal(
        card.name, layout.cards, question.precision, layout.degrees(), reason, fix_of(question, card, layout.cards), memory.shortfall_bytes
    )


def fix_of(question: TrainingQuestion, card: Accelerator, count: int) -> str:
    """The nearest change that fits: what was fixed set free, then more cards, then fewer trained parameters."""
    changes: tuple[tuple[str, TrainingQuestion], ...] = (
        ("leave --recompute free", replace(question, recompute=None)),
        ("leave --zero free", replace(question, zero=None)),
        ("leave --micro-batch free", replace(question, micro_batch=None)),
        ("leave --tensor-parallel and --pipeline-parallel free", replace(question, tensor_parallel=None, pipeline_parallel=None)),
    )
    for text, changed in changes:
        if changed != question and holds(changed, card, count):
            return text
    parts = []
    more = next((n for n in counts(card, question) if n > count and holds(question, card, n)), None)
    if more is not None:
        parts.append(f"take {more:,}x {card.name}")
    others: tuple[tuple[str, TrainingQuestion], ...] = (
        ("--offload-states, with states in the host's memory", replace(question, offload=True)),
        ("--method lora", replace(question, method="lora")),
        ("--method qlora", replace(question, method="qlora")),
    )
    parts += [text for text, changed in others if changed != question and question.method == "full" and holds(changed, card, count)][:1]
    return ", or ".join(parts)


def holds(question: TrainingQuestion, card: Accelerator, count: int) -> bool:
    return any(True for _ in fitting(question, card, count))


def fewest_of(question: TrainingQuestion, card: Accelerator) -> int | None:
    """The smallest count, of those that are tried, that holds the model; None when none does."""
    try:
        return next((count for count in counts(card, question) if holds(question, card, count)), None)
    except CardwiseError:
        return None


def grown(question: TrainingQuestion, option: TrainingOption, card: Accelerator) -> list[Scaling]:
    """The fastest layout of 1, 2, 4 and 8 times as many cards, the tokens of a step as they are."""
    found: list[Scaling] = []
    for times in GROWTH:
        count = option.layout.cards * times
        held = list(fitting(question, card, count)) if count <= 16_384 else []
        if not held:
            continue
        best = option if times == 1 else evaluate(question, card, max(rated(question, card, held), key=lambda pair: pair[0])[1])
        each = best.tokens_per_s.likely / count
        first = found[0].tokens_per_s / found[0].cards if found else each
        rent = best.cost.rent_usd
        found.append(
            Scaling(
                card.name,
                count,
                best.layout.degrees(),
                best.tokens_per_s.likely,
                each / first,
                best.days.likely,
                None if rent is None else rent.likely,
            )
        )
    return found


def answered(question: TrainingQuestion, options: list[TrainingOption], refusals: list[Refusal], held: Mapping[str, int]) -> TrainingAnswer:
    """Rankings, scaling of the best layout of each card, verdicts. `held`: the fewest cards that hold the model, where they are known."""

    def rank(key: Callable[[TrainingOption], Any]) -> tuple[int, ...]:
        return tuple(sorted(range(len(options)), key=lambda index: key(options[index])))

    def usd(option: TrainingOption) -> float:
        return option.cost.paid[1].likely if option.cost.paid else float("inf")

    model = question.architecture
    recipe: Recipe = recipe_of(question, 1)
    trained = trained_parameters(model, recipe)
    optimizer = question.optimizer
    states = state_bytes(trained, recipe.weight_bytes, optimizer.gradient_bytes, optimizer.state_bytes + optimizer.master_bytes).total
    if question.method != "full":
        states += model.parameters * recipe.frozen_bytes
    scaling: list[Scaling] = []
    for _, card in question.cards:
        own = [option for option in options if option.layout.accelerator == card.name]
        if own and len(question.cards) <= MANY_CARDS:
            scaling += grown(question, max(own, key=lambda option: option.tokens_per_s.likely), card)
    made = TrainingAnswer(
        model=model.name,
        parameters=model.parameters,
        trained_parameters=trained,
        model_source=model.source,
        method=question.method,
        tokens=question.tokens,
        sequence=question.sequence,
        optimizer=optimizer.name,
        precision=question.precision,
        state_bytes=states,
        flops_per_token=law.model_flops(model, question.sequence) * law.needed_share(question.method == "full"),
        options=tuple(options),
        refusals=tuple(refusals),
        by_cost=rank(lambda option: (usd(option), option.days.likely)),
        by_speed=rank(lambda option: (option.days.likely, usd(option))),
        by_simplicity=rank(lambda option: (option.layout.cards, option.layout.model_parallel, option.days.likely)),
        scaling=tuple(scaling),
        verdicts=(),
        verdict="",
        verdict_zh="",
        notes=question.notes,
        assumptions=question.assumptions,
    )
    fewest = {card.name: held.get(card.name) or fewest_of(question, card) for _, card in question.cards}
    made = replace(made, verdicts=card_verdicts(question, made, fewest))
    return replace(made, verdict=verdict(made), verdict_zh=verdict_zh(made))
