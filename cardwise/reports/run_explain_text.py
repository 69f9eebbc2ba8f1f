"""An explanation of a run of a pipeline as text: stages, operators, memory, the constants used."""

from __future__ import annotations

from cardwise.planning.runs.explain import RunExplanation, StageExplained
from cardwise.quantities import TERA, duration, significant
from cardwise.reports.explain_text import slots
from cardwise.reports.plan_text import section
from cardwise.reports.run_text import STAGES, head, refused, spread, way
from cardwise.reports.table import Column, table, wrapped
from cardwise.reports.words import Words, gibibytes, interval, measured_line, words

SMALLEST_SHARE = 0.002


def run_explain_text(e: RunExplanation, lang: str = "en", width: int = 120) -> str:
    """The whole explanation for a terminal of `width` columns."""
    say = words(lang)
    if e.option is None:
        blocks = [wrapped(e.answer.verdict_zh if say.chinese else e.answer.verdict, width), head(e.answer, say, width)]
        return "\n\n".join([*blocks, refused(e.answer, say, width)]) + "\n"
    blocks = [verdict(e, say, width), head(e.answer, say, width)]
    blocks += [stage(one, say, width) for one in e.stages if one.component]
    blocks += [memory(e, say, width), slots(e.slots, say, width), nearby(e, say, width)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def verdict(e: RunExplanation, say: Words, width: int) -> str:
    """Which way is explained, and how long it takes."""
    option = e.option
    assert option is not None
    made = option.execution
    text = say(
        "run_explained",
        name=spread(option),
        weights=made.weights,
        engine=made.engine,
        way=way(made.offload, made.decoder, say),
        batch=option.job.batch,
        seconds=interval(option.run_s),
        each=interval(option.each_s),
    )
    return wrapped(text, width)


def stage(one: StageExplained, say: Words, width: int) -> str:
    """One stage by groups of operators, the longest first."""
    total = one.pass_s or 1.0
    groups = sorted((g for g in one.groups if g.seconds / total >= SMALLEST_SHARE), key=lambda g: -g.seconds)
    title = say(
        "run_stage_title",
        stage=say(f"run_{one.stage}"),
        component=one.component,
        repeats=significant(one.repeats),
        each=duration(one.pass_s),
        seconds=duration(one.pass_s * one.repeats),
    )
    columns = [
        Column(say("run_operators"), tuple(say.said(group.group) for group in groups), "left", True),
        Column("ms", tuple(significant(group.seconds * 1e3) for group in groups)),
        Column("%", tuple(f"{group.seconds / total:.1%}" for group in groups)),
        Column("TFLOP", tuple(significant(group.flops / TERA) if group.flops else "-" for group in groups)),
        Column("GB", tuple(significant((group.weight_bytes + group.activation_bytes) / 1e9) for group in groups)),
        Column(say("run_launches"), tuple(f"{group.launches:,.0f}" for group in groups)),
        Column(say("run_limit"), tuple(say(group.bound) for group in groups), "left"),
    ]
    return f"{wrapped(title, width)}\n{table(columns, width)}"


def memory(e: RunExplanation, say: Words, width: int) -> str:
    """Bytes by stage, which sum to what the stage takes, beside what the card has."""
    option = e.option
    assert option is not None
    kept = [one for name in STAGES for one in option.memory if one.stage == name]
    columns = [
        Column(say("run_stage_name"), tuple(say(f"run_{one.stage}") for one in kept), "left", True),
        Column(say("weights"), tuple(gibibytes(one.weights_bytes) for one in kept)),
        Column(say("run_activations"), tuple(gibibytes(one.activation_bytes) for one in kept)),
        Column(say("run_other"), tuple(gibibytes(one.other_bytes) for one in kept)),
        Column(say("run_free"), tuple(gibibytes(option.usable_bytes - one.total_bytes) for one in kept)),
        Column(say("run_usable"), tuple(gibibytes(option.usable_bytes) for _ in kept)),
    ]
    return f"{wrapped(say('run_memory_title'), width)}\n{table(columns, width)}"


def nearby(e: RunExplanation, say: Words, width: int) -> str:
    """The nearest measured run, and what the interval rests on."""
    option = e.option
    assert option is not None
    lines = [measured_line(one, say) for one in e.evidence]
    lines.append(say("basis", cards=option.accelerator, text=say.said(option.basis.text), cases=f"{option.basis.cases:,}"))
    return section(say("evidence_title"), lines, width)
