"""The answer of `plan` about images and video as text: the verdict, what runs by card, memory by precision, what does not run and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cardwise.quantities import GIB, significant
from cardwise.reports.plan_text import section
from cardwise.reports.table import Column, table, wrapped
from cardwise.reports.words import UNKNOWN, Words, gibibytes, interval, measured_line, parameters, words
from cardwise.run_answer import MemoryNeed, RunAnswer, RunOption

REFUSALS_SHOWN, ROWS_SHOWN = 8, 40
LESS = 0.95
STAGES = ("encode", "denoise", "decode")


def run_text(answer: RunAnswer, lang: str = "en", width: int = 120, full: bool = False) -> str:
    """The whole answer for a terminal of `width` columns."""
    say = words(lang)
    blocks = [wrapped(answer.verdict_zh if say.chinese else answer.verdict, width), head(answer, say, width)]
    shown = answer.by_cost if full else best_of_each(answer)
    if shown:
        if len(shown) > ROWS_SHOWN and not full:
            more = wrapped(say("run_more", count=len(answer.options) - ROWS_SHOWN), width)
            shown = shown[:ROWS_SHOWN]
        else:
            more = ""
        blocks += [table(columns(answer, shown, say), width), more, wrapped(say("run_legend"), width), stages(answer, say, width)]
    blocks += [needs(answer, say, width, full), refused(answer, say, width), nearby(answer, say, width), basis(answer, shown, say, width)]
    blocks += [prices(answer, shown, say, width), unknown(answer, say, width)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def head(answer: RunAnswer, say: Words, width: int) -> str:
    """Model and job."""
    listed = ", ".join(f"{name} {parameters(count)}" for name, count in answer.components if count)
    line = say(
        "run_line",
        model=answer.model,
        name=answer.name,
        parameters=parameters(answer.parameters),
        components=listed,
        source=say.said(answer.source),
    )
    job = answer.job
    said = say(
        f"run_job_{answer.task}",
        images=f"{answer.images:,}",
        width=job.width,
        height=job.height,
        steps=job.steps,
        passes=job.passes,
        **({"frames": job.frames} if answer.task == "video" else {}),
    )
    return "\n".join([wrapped(line, width), wrapped(said, width)])


def best_of_each(answer: RunAnswer) -> tuple[int, ...]:
    """The fastest way of each card, count and weight format, by cost."""
    best: dict[tuple[str, int, str], int] = {}
    for index in answer.by_speed:
        option = answer.options[index]
        best.setdefault((option.accelerator, option.cards, option.execution.weights), index)
    kept = set(best.values())
    return tuple(index for index in answer.by_cost if index in kept)


def columns(answer: RunAnswer, rows: Sequence[int], say: Words) -> list[Column]:
    options = [answer.options[row] for row in rows]
    rate = answer.assumptions.cny_per_usd if answer.assumptions else 1.0

    def column(key: str, cells: Iterable[str], left: bool = False, is_key: bool = False) -> Column:
        return Column(say(key), tuple(cells), "left" if left else "right", is_key)

    made = [
        column("run_cards", (spread(option) for option in options), left=True, is_key=True),
        column("weights", (option.execution.weights for option in options), left=True, is_key=True),
        column("run_engine", (option.execution.engine for option in options), left=True),
        column("run_offload", (way(option.execution.offload, option.execution.decoder, say) for option in options), left=True),
    ]
    if any(option.job.batch > 1 for option in options):
        made.append(column("run_batch", (str(option.job.batch) for option in options)))
    made.append(column(f"run_each_{answer.task}", (interval(option.each_s) for option in options)))
    if answer.images > 1:
        made.append(column("run_all", (interval(option.all_s) for option in options)))
    made += [
        column(f"run_hour_{answer.task}", (significant(option.per_hour.likely) for option in options)),
        column("run_thousand_rent", (say.money(option.cost.rent_per_thousand_usd, rate) for option in options)),
        column("run_thousand_buy", (say.money(option.cost.buy_per_thousand_usd, rate) for option in options)),
        column("run_peak", (gibibytes(option.peak.total_bytes) for option in options)),
        column("run_bound", (say(bound_of(option)) for option in options), left=True),
    ]
    return made


def spread(option: RunOption) -> str:
    """`2x A100 (CFG 2)`: cards and how one run is spread over them."""
    split = option.execution.split
    parts = [f"CFG {split.guidance}" if split.guidance > 1 else "", f"Ulysses {split.ulysses}" if split.ulysses > 1 else ""]
    said = " x ".join(part for part in parts if part)
    return f"{option.name} ({said})" if said else option.name


def way(offload: str, decoder: str, say: Words) -> str:
    """Where weights wait and how the decoder works."""
    text = say({"none": "run_way_whole", "model": "run_way_model", "sequential": "run_way_sequential"}[offload])
    return text if decoder == "whole" else say(f"run_{decoder}", way=text)


def bound_of(option: RunOption) -> str:
    """The limit of the denoiser's steps."""
    return max((stage for stage in option.stages if stage.stage == "denoise"), key=lambda stage: stage.seconds).bound


def stages(answer: RunAnswer, say: Words, width: int) -> str:
    """Seconds by stage of the fastest option."""
    option = answer.options[answer.by_speed[0]]
    lines = [f"{spread(option)}, {option.execution.weights}, {option.execution.engine}"]
    for stage in option.stages:
        seconds = significant(stage.seconds)
        if not stage.component:
            lines.append(say("run_overhead", seconds=seconds))
            continue
        lines.append(
            say(
                "run_stage",
                stage=say(f"run_{stage.stage}"),
                component=stage.component,
                seconds=seconds,
                repeats=significant(stage.repeats),
                bound=say(stage.bound),
            )
        )
    return section(say("run_stage_head"), lines, width)


def needs(answer: RunAnswer, say: Words, width: int, full: bool = False) -> str:
    """Memory by precision and way of keeping weights; not `full`: only ways that take less than those before them."""
    listed = answer.needs if full else telling(answer.needs)
    return f"{wrapped(say('run_needs_head'), width)}\n{table(needs_columns(listed, say), width)}"


def needs_columns(listed: Sequence[MemoryNeed], say: Words) -> list[Column]:
    """The same as columns."""

    def cell(need: MemoryNeed, stage: str) -> str:
        found = next((peak.total_bytes for peak in need.memory if peak.stage == stage), None)
        return UNKNOWN if found is None else f"{found / GIB:,.1f}"

    return [
        Column(say("weights"), tuple(need.weights for need in listed), "left", True),
        Column(say("run_offload"), tuple(way(need.offload, need.decoder, say) for need in listed), "left", True),
        *(Column(say(f"run_{stage}"), tuple(cell(need, stage) for need in listed)) for stage in STAGES),
        Column(
            say("run_smallest"),
            tuple(f"{need.smallest} ({gibibytes(need.smallest_bytes)})" if need.smallest_bytes else UNKNOWN for need in listed),
            "left",
        ),
    ]


def telling(needs: Sequence[MemoryNeed]) -> list[MemoryNeed]:
    """The needs of each format that are at least a twentieth below all before them."""
    kept: list[MemoryNeed] = []
    for need in needs:
        before = [one.peak.total_bytes for one in kept if one.weights == need.weights]
        if not before or need.peak.total_bytes < min(before) * LESS:
            kept.append(need)
    return kept


def refused(answer: RunAnswer, say: Words, width: int) -> str:
    """What cannot run, the reason, the nearest change."""
    lines = list(
        dict.fromkeys(
            say(
                "run_refused",
                name=f"{one.cards}x {one.accelerator}",
                weights=one.weights,
                engine=one.engine,
                reason=say.said(one.reason),
                fix=say("fix", fix=say.said(one.fix)) if one.fix else "",
            )
            for one in answer.refusals
        )
    )
    shown = lines[:REFUSALS_SHOWN]
    if len(lines) > len(shown):
        shown.append(say("more_refused", count=len(lines) - len(shown)))
    return section(say("refused"), shown, width) if lines else ""


def nearby(answer: RunAnswer, say: Words, width: int) -> str:
    """The measured run nearest to the best option of each card."""
    beside = ((option.accelerator, one) for option in answer.options for one in option.evidence)
    lines = [say("evidence_of", cards=card, case=measured_line(one, say)) for card, one in beside]
    return section(say("evidence_title"), lines, width) if lines else ""


def basis(answer: RunAnswer, shown: Sequence[int], say: Words, width: int) -> str:
    """What the intervals rest on, cards of one kind together."""
    by: dict[tuple[str, int], list[str]] = {}
    for row in shown:
        option = answer.options[row]
        by.setdefault((option.basis.text, option.basis.cases), []).append(option.accelerator)
    lines = [say("basis", cards=", ".join(dict.fromkeys(cards)), text=say.said(text), cases=count) for (text, count), cards in by.items()]
    return section(say("basis_head"), lines, width) if lines else ""


def prices(answer: RunAnswer, shown: Sequence[int], say: Words, width: int) -> str:
    """Where the prices are from."""
    lines: dict[str, None] = {}
    for row in shown:
        option = answer.options[row]
        if option.cost.rent_source:
            lines[say("rented", card=option.accelerator, source=say.said(option.cost.rent_source))] = None
        if option.cost.buy_source:
            lines[say("bought", card=option.accelerator, source=say.said(option.cost.buy_source))] = None
    found = list(lines)
    if answer.assumptions is not None:
        found.append(say("assumed_use", share=f"{answer.assumptions.utilization:.0%}").partition(";")[0].partition("；")[0])
    return section(say("prices_head"), found, width) if lines else ""


def unknown(answer: RunAnswer, say: Words, width: int) -> str:
    """What is not predicted, and what should be known of the question."""
    return section(say("unknown_head"), [say("run_unknown_quality"), *(say.said(note) for note in answer.notes)], width)
