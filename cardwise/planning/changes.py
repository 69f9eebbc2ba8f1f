"""What would change the verdict: nearby layouts and loads, each planned for real."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cardwise.answer import Answer, Option
from cardwise.catalogue.engines import engine_info
from cardwise.catalogue.formats import weight_format
from cardwise.errors import CardwiseError
from cardwise.hardware import Accelerator
from cardwise.layout import Layout
from cardwise.planning.layouts import GGUF_ENGINE, splits, weights_for
from cardwise.planning.question import Question
from cardwise.planning.search import plan as search
from cardwise.workload import Workload

WORTH = 1.03
"""A change that speeds up by less than this is not worth saying."""
NARROWER = ("fp8", "awq-int4", "q8_0", "q4_k_m")
NARROWER_KV = ("fp8", "q8_0")
TIMES = (2, 4, 8, 16, 32)
"""Multiples of the cards that are tried; all of them only for a layout that does not pass."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change and what comes of it. `kind`: kv, weights, split, context, cards, link. `to`: the new value, in words.

    `factor`: how much faster than before: tokens/s in all for loads of many, of a stream for one; None when nothing ran before.
    `passes`: it makes a layout run, or keep the limits, that did not.
    """

    kind: str
    to: str
    option: Option
    factor: float | None
    passes: bool


def changes(question: Question, card: Accelerator, layout: Layout, option: Option | None, count: int = 3) -> tuple[Change, ...]:
    """The nearest changes that pass, else those that speed up most; one of each kind, `count` in all."""
    failing = option is None or not option.meets
    found: dict[str, Change] = {}
    for kind, to, asked in nearby(question, card, layout, failing):
        if failing and kind in found:
            continue
        new = _best(asked, question.workload)
        if new is None or (failing and not new.meets):
            continue
        factor = None if option is None else speed(new, question.workload) / speed(option, question.workload)
        made = Change(kind, to, new, factor, failing)
        old = found.get(kind)
        if failing or (factor is not None and factor > max(WORTH, (old.factor or 0.0) if old else 0.0)):
            found[kind] = made
    ordered = list(found.values())
    if not failing:
        ordered.sort(key=lambda change: -(change.factor or 0.0))
    return tuple(ordered[:count])


def speed(option: Option, workload: Workload) -> float:
    """What a change is to raise: tokens/s of the stream for one user or a given rate, else of all."""
    performance = option.performance
    one = workload.load in ("single", "rate")
    return (one and performance.stream_tokens_per_s.likely) or performance.output_tokens_per_s.likely


def nearby(question: Question, card: Accelerator, layout: Layout, failing: bool) -> Iterator[tuple[str, str, Question]]:
    """Kind, new value and question of every change, the nearest first."""
    fixed = replace(
        question,
        cards=((layout.cards, card),),
        engine=layout.engine,
        weights=(layout.weights,),
        kv=layout.kv,
        tensor_parallel=layout.tensor_parallel,
        pipeline_parallel=layout.pipeline_parallel,
        budget_usd_per_hour=None,
    )
    if layout.kv in ("auto", "fp16", "bf16"):
        known = engine_info(layout.engine).caches or NARROWER_KV
        for kv in [name for name in NARROWER_KV if name in known][:1]:
            yield "kv", kv, replace(fixed, kv=kv)
    for weights in dict.fromkeys((*weights_for(replace(question, weights=()), card, layout.engine), *NARROWER)):
        file_of_llama_cpp = weight_format(weights).kernel.startswith("gguf")
        if weights != layout.weights and file_of_llama_cpp == (layout.engine == GGUF_ENGINE):
            yield "weights", weights, replace(fixed, weights=(weights,))
    for tensor, pipeline, replicas in splits(layout.cards, engine_info(layout.engine), question.architecture, _free(question), exact=True):
        if (tensor, pipeline, replicas) != (layout.tensor_parallel, layout.pipeline_parallel, layout.replicas):
            degrees = replace(layout, tensor_parallel=tensor, pipeline_parallel=pipeline, replicas=replicas).degrees()
            yield "split", degrees, replace(fixed, tensor_parallel=tensor, pipeline_parallel=pipeline)
    lengths = question.workload.lengths
    for share in (0.75, 0.5, 0.25) if failing else (0.5,):
        shorter = replace(lengths, input_tokens=max(1.0, round(lengths.input_tokens * share)))
        yield (
            "context",
            f"{shorter.input_tokens:,.0f}",
            replace(_shorter(fixed, share), workload=replace(question.workload, lengths=shorter)),
        )
    for count in dict.fromkeys((layout.cards + 1, *(times * layout.cards for times in (TIMES if failing else TIMES[:1])))):
        yield "cards", f"{count}", replace(_free(fixed), cards=((count, card),))
    for word in ("pcie-p2p", "nvlink"):
        if layout.cards_per_replica > 1 and word != question.link:
            yield "link", word, replace(fixed, link=word)


def _free(question: Question) -> Question:
    return replace(question, tensor_parallel=None, pipeline_parallel=None)


def _shorter(question: Question, share: float) -> Question:
    length = question.max_model_len
    return question if length is None else replace(question, max_model_len=max(1, round(length * share)))


def _best(question: Question, workload: Workload) -> Option | None:
    """The fastest option of a question that keeps the limits, None when nothing runs."""
    try:
        answer: Answer = search(question)
    except CardwiseError:
        return None
    return max(answer.options, key=lambda option: (option.meets, speed(option, workload)), default=None)
