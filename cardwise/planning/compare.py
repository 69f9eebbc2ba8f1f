"""Cards side by side, and ranked for a stated workload."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from cardwise.answer import Option
from cardwise.catalogue.diffusion_engines import ranking_model
from cardwise.catalogue.links import link, node
from cardwise.catalogue.prices import Market, market
from cardwise.catalogue.rendering import RenderingScore, rendering_scores
from cardwise.errors import BadInput, CardwiseError
from cardwise.hardware import Accelerator, Link
from cardwise.planning.costs import BUY_KINDS, RENT_KINDS
from cardwise.planning.question import Question
from cardwise.workload import Lengths, Workload

RANKS = ("decode", "prefill", "training", "price-performance", "perf-per-watt", "images", "rendering")
WHOLE = ("training", "images")
"""Ranks whose value does not come from a layout of the language model asked for."""
SIXTEEN_BIT = ("bf16", "fp16", "fp32")
UNITS = {
    "decode": "output tokens/s",
    "prefill": "prompt tokens/s",
    "training": "dense 16-bit TFLOP/s",
    "price-performance": "output tokens per dollar",
    "perf-per-watt": "output tokens per joule",
    "images": "images an hour",
    "rendering": "score of the benchmark in value_note",
}
SPECIFICATION: Mapping[str, tuple[str, Callable[[Accelerator], float | None]]] = {
    "decode": ("memory bandwidth alone", lambda card: card.bandwidth_bytes_per_s),
    "prefill": ("16-bit arithmetic alone", lambda card: sixteen_bit(card)),
}


@dataclass(frozen=True, slots=True)
class CardRow:
    """One card of a comparison. `value`: what it is ranked by, in the comparison's unit; None where that is not known.

    `predicted`: the option that the value is of, on one card; None when the value is a specification or the model does not run,
    and then `why` says so. `pair`: the link of two, `full`: that of all cards of the usual machine, `cards` of them.
    `scores`: what sources print for rendering, when cards are ranked for it.
    """

    card: Accelerator
    rent: Market | None
    buy: Market | None
    pair: Link | None
    full: Link | None
    cards: int
    value: float | None = None
    predicted: Option | None = None
    why: str = ""
    scores: tuple[RenderingScore, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Cards in the order asked, or by rank: first those whose value is predicted (or whose score is known), then those ranked by
    specification alone.
    """

    rank: str
    unit: str
    model: str
    workload: Workload
    rows: tuple[CardRow, ...]


def compare(question: Question, rank: str = "", progress: Callable[[int, int], None] | None = None) -> Comparison:
    """The cards of the question side by side; with `rank` ordered by it. `progress`: cards done, cards in all.

    Raises BadInput for an unknown rank.
    """
    if rank and rank not in RANKS:
        raise BadInput(f"rank is {rank!r}; it must be one of {', '.join(RANKS)}")
    cards = list({card.name: card for _, card in question.cards}.values())
    rows = [described(card, question) for card in cards]
    if not rank:
        return Comparison("", "", question.architecture.name, question.workload, tuple(rows))
    if rank == "rendering":
        return Comparison(rank, UNITS[rank], question.architecture.name, question.workload, by_rendering(rows))
    if rank == "images":
        ranked = by_images(rows, question, progress)
        return Comparison(rank, UNITS[rank], ranking_model(), question.workload, tuple(ranked))
    asked = measured_by(question, rank)
    ranked = []
    for done, row in enumerate(rows):
        if progress is not None:
            progress(done, len(rows))
        ranked.append(valued(row, asked, rank))
    ranked.sort(key=lambda row: (row.value is None or (row.predicted is None and rank not in WHOLE), -(row.value or 0.0), row.card.name))
    return Comparison(rank, UNITS[rank], question.architecture.name, asked.workload, tuple(ranked))


def by_images(rows: Sequence[CardRow], question: Question, progress: Callable[[int, int], None] | None) -> list[CardRow]:
    """Cards by images an hour of the ranking's pipeline at its own size and steps, one at a time, in the fastest way that fits one card."""
    from cardwise.planning.runs.question import run_question
    from cardwise.planning.runs.search import plan_run

    found = []
    for done, row in enumerate(rows):
        if progress is not None:
            progress(done, len(rows))
        asked = run_question(ranking_model(), f"1x {row.card.name}")
        answer = plan_run(replace(asked, cards=((1, row.card),)))
        if answer.options:
            best = answer.options[answer.by_speed[0]]
            way = ", ".join((best.execution.weights, best.execution.engine, *([] if best.execution.offload == "none" else ["offload"])))
            found.append(replace(row, value=best.per_hour.likely, why=way))
        else:
            found.append(replace(row, why=answer.refusals[0].reason if answer.refusals else "no engine of the catalogue runs on it"))
    return sorted(found, key=lambda row: (row.value is None, -(row.value or 0.0), row.card.name))


def described(card: Accelerator, question: Question) -> CardRow:
    """Specifications, prices and links of one card."""
    rate, machine = question.assumptions.cny_per_usd, node(card)
    return CardRow(
        card=card,
        rent=market(card, RENT_KINDS[question.rent], rate),
        buy=market(card, BUY_KINDS, rate),
        pair=linked(card, 2, question.link),
        full=linked(card, machine.cards, question.link),
        cards=machine.cards,
    )


def linked(card: Accelerator, count: int, said: str) -> Link | None:
    """The link of `count` cards; None where no source states one."""
    try:
        return link(card, count, said) if count > 1 else None
    except CardwiseError:
        return None


def sixteen_bit(card: Accelerator) -> float | None:
    """Dense FLOP/s with 16-bit inputs and 32-bit sums, where stated."""
    return next((card.peaks[name] for name in SIXTEEN_BIT if card.peaks.get(name)), None)


def by_rendering(rows: Sequence[CardRow]) -> tuple[CardRow, ...]:
    """Cards with a score first, benchmark by benchmark; the others by FP32 rate, which is no score. Each card once."""
    known = [replace(row, scores=rendering_scores(row.card)) for row in rows]
    placed: dict[str, CardRow] = {}
    for label, found in by_benchmark(known).items():
        for row, score in found:
            placed.setdefault(row.card.name, replace(row, value=score.score, why=label))
    others = [replace(row, why="no score known; ranked by FP32 rate") for row in known if row.card.name not in placed]
    others.sort(key=lambda row: (-row.card.peaks.get("fp32", 0.0), row.card.name))
    return (*placed.values(), *others)


def by_benchmark(rows: Sequence[CardRow]) -> dict[str, list[tuple[CardRow, RenderingScore]]]:
    """Cards and scores of every benchmark version, best first; versions with more of the cards come first. Ratios are no scores."""
    found = [(row, score) for row in rows for score in row.scores if not score.ratio_to]
    counts = Counter(score.label for _, score in found)
    found.sort(key=lambda pair: (-pair[1].score, pair[0].card.name))
    return {
        label: [(row, score) for row, score in found if score.label == label]
        for label in sorted(counts, key=lambda label: (-counts[label], label))
    }


def measured_by(question: Question, rank: str) -> Question:
    """The question whose answer the rank is read from: a prompt alone for prefill, else the load as asked."""
    if rank != "prefill":
        return question
    lengths = Lengths(question.workload.lengths.input_tokens, 1.0)
    return replace(question, workload=Workload("single", lengths))


def valued(row: CardRow, question: Question, rank: str) -> CardRow:
    """The row with what it is ranked by."""
    if rank == "training":
        rate = sixteen_bit(row.card)
        return replace(row, value=None if rate is None else rate / 1e12, why="the datasheet's rate; cardwise plan --train predicts a run")
    option, why = on_one(row.card, question)
    if option is None:
        reason, specification = SPECIFICATION.get(rank, ("", None))
        value = specification(row.card) if specification else None
        return replace(row, value=value, why=f"{why}; ranked by {reason}" if specification else why)
    value, missing = score(option, rank)
    return replace(row, value=value, predicted=option, why=missing)


def on_one(card: Accelerator, question: Question) -> tuple[Option | None, str]:
    """The fastest layout of the widest weight format that runs on one card, or why there is none."""
    from cardwise.planning.search import combinations, options_of

    why = ""
    one = replace(question, cards=((1, card),))
    try:
        pairs = combinations(one, card)
    except CardwiseError as error:
        return None, error.message
    for engine, weights in pairs:
        options, refusals = options_of(one, card, 1, engine, weights)
        if options:
            return max(options, key=lambda option: option.performance.output_tokens_per_s.likely), ""
        why = why or (refusals[0].reason if refusals else "does not run")
    return None, why


def score(option: Option, rank: str) -> tuple[float | None, str]:
    """The value of a rank, or what is missing for it."""
    tokens = option.performance.output_tokens_per_s.likely
    if rank == "decode":
        return tokens, ""
    if rank == "prefill":
        return option.performance.input_tokens_per_s, ""
    if rank == "perf-per-watt":
        watts = option.cost.watts
        return (tokens / watts, "") if watts else (None, "no power rating is known")
    hour = option.cost.rent or option.cost.buy
    if hour is None or not hour.total:
        return None, "no price is known"
    return tokens * 3600.0 / hour.total, "rented" if option.cost.rent else "bought"
