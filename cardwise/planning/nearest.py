"""Measured cases near an answer: how near, what was measured, and what Cardwise says there.

The distance adds up, in doublings where a quantity may double: the card (same 0, same chip 0.2, same generation 1, same maker 2.5, else 4),
the model (same 0, else 0.5 and the doublings of its parameters), the number of cards, users (half), prompt (quarter) and output (tenth),
and 1 for another engine, 0.7 for another weight format, 0.5 for another kind of load.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

from cardwise.answer import Answer, Evidence, Option
from cardwise.calibration import evidence
from cardwise.calibration.cases import case_of
from cardwise.calibration.validate import predict
from cardwise.catalogue.accelerators import accelerator, accelerators
from cardwise.catalogue.formats import weight_format
from cardwise.catalogue.models import listed, model_id, shapeless
from cardwise.errors import CardwiseError
from cardwise.hardware import Accelerator
from cardwise.planning.question import Question

METRICS = ("output_tok_s", "decode_tok_s", "tpot_ms", "total_tok_s")
FAR = 8.0
"""Beyond three doublings in everything that matters a case says nothing."""
MANY_PER_SOURCE = 2
CARDS_WITH_EVIDENCE = 6
"""Cards of an answer that get a measured case beside them: as many as a screen shows."""
Row = Mapping[str, str]


def nearest(question: Question, option: Option, count: int = 3) -> tuple[Evidence, ...]:
    """Up to `count` measured cases near `option`, nearest first, at most two of a source; fewer where nothing is near."""
    card = next(card for _, card in question.cards if card.name == option.layout.accelerator)
    rows = _speeds_near(card.generation) or _speeds()
    scored = sorted((distance(row, question, option, card), row["case_id"], row) for row in rows)
    found: list[Evidence] = []
    sources: dict[str, int] = {}
    seen: set[tuple[str, ...]] = set()
    for far, _, row in scored:
        if far > FAR or len(found) >= count:
            break
        run = tuple(
            row.get(name, "") for name in ("source_id", "model", "accelerator", "engine", "weights", "count", "batch", "input_tokens")
        )
        if run in seen or sources.get(row["source_id"], 0) >= MANY_PER_SOURCE:
            continue
        seen.add(run)
        case = case_of(row)
        made = predict([case])[0]
        if made.predicted is None:
            continue
        sources[row["source_id"]] = sources.get(row["source_id"], 0) + 1
        source = row.get("source") or row["source_id"]
        found.append(Evidence(case.case_id, source, described(row), case.metric, float(row["value"]), made.predicted, far))
    return tuple(found)


@lru_cache(maxsize=1)
def _speeds() -> tuple[Row, ...]:
    return tuple(_of_speed(evidence.measured_rows()))


@lru_cache(maxsize=64)
def _speeds_near(generation: str) -> tuple[Row, ...]:
    """Measured rows of cards of the same generation; the others are a doubling farther at least."""
    alike = (other for other in accelerators().values() if other.generation == generation)
    return tuple(_of_speed(evidence.rows_of(name for other in alike for name in (other.name, *other.aliases))))


def _of_speed(rows: Iterable[Row]) -> Iterator[Row]:
    return (row for row in rows if row["metric"] in METRICS and row["value"])


def beside(answer: Answer, question: Question) -> Answer:
    """The answer with the nearest measured case at the best option of each card, of the first few cards."""
    if not question.evidence:
        return answer
    best: dict[str, int] = {}
    for index in answer.by_cost:
        best.setdefault(answer.options[index].layout.accelerator, index)
    near = {index: nearest(question, answer.options[index], 1) for index in list(best.values())[:CARDS_WITH_EVIDENCE]}
    options = tuple(replace(option, evidence=near.get(index, ())) for index, option in enumerate(answer.options))
    return replace(answer, options=options)


def distance(row: Row, question: Question, option: Option, card: Accelerator) -> float:
    """How far a measured row is from an option, by the rule above; infinite when its card or model is not known."""
    layout, load = option.layout, question.workload
    other = _card(row["accelerator"])
    if other is None:
        return math.inf
    far = _card_distance(other, card) + _model_distance(row["model"], question)
    if far > FAR:
        return far
    far += _doublings(_number(row, "count", 1.0), layout.cards)
    far += 0.5 * _doublings(_number(row, "batch", 1.0), load.users)
    far += 0.25 * _doublings(_number(row, "input_tokens", load.lengths.input_tokens), load.lengths.input_tokens)
    far += 0.1 * _doublings(_number(row, "output_tokens", load.lengths.output_tokens), load.lengths.output_tokens)
    far += (row["engine"].lower() != layout.engine) * 1.0
    far += (_kernel(row.get("weights") or "bf16") != _kernel(layout.weights)) * 0.7
    return far + (row.get("load", "") not in ("", load.load)) * 0.5


def described(row: Row) -> str:
    """The case in words: cards, model, engine, format, load."""
    users = f"{_number(row, 'batch', 1.0):g} at once" if row.get("load") != "rate" else f"{row.get('request_rate')} requests/s"
    tokens = f"{row.get('input_tokens') or '?'}+{row.get('output_tokens') or '?'} tokens"
    engine = f"{row['engine']} {row.get('engine_version', '')}".strip()
    return (
        f"{_number(row, 'count', 1.0):g}x {row['accelerator']}, {row['model']}, {engine}, {row.get('weights') or 'bf16'}, {users}, {tokens}"
    )


@lru_cache(maxsize=512)
def _card(name: str) -> Accelerator | None:
    try:
        return accelerator(name, lenient=True)
    except CardwiseError:
        return None


def _card_distance(one: Accelerator, other: Accelerator) -> float:
    if one.name == other.name:
        return 0.0
    if one.family and one.family == other.family:
        return 0.2
    return 1.0 if one.generation == other.generation else 2.5 if one.vendor == other.vendor else 4.0


def _model_distance(name: str, question: Question) -> float:
    if shapeless(name) == shapeless(question.architecture.name):
        return 0.0
    count = _parameters(name)
    return math.inf if not count else 0.5 + _doublings(count, question.architecture.parameters)


@lru_cache(maxsize=1024)
def _parameters(name: str) -> float:
    try:
        found = model_id(name)
    except CardwiseError:
        return 0.0
    return float(_counts().get(found) or 0.0)


@lru_cache(maxsize=1)
def _counts() -> dict[str, int | None]:
    return {entry.id: entry.parameters for entry in listed()}


@lru_cache(maxsize=256)
def _kernel(name: str) -> str:
    try:
        return weight_format(name).kernel
    except CardwiseError:
        return name


def _number(row: Row, name: str, default: float) -> float:
    try:
        return float(row.get(name) or default)
    except ValueError:
        return default


def _doublings(one: float, other: float) -> float:
    return abs(math.log2(max(one, 1.0) / max(other, 1.0)))
