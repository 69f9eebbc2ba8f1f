"""An explanation as text: the budget, the steps, what binds, what would change it, and what it all rests on."""

from __future__ import annotations

from collections.abc import Sequence

from cardwise.planning.changes import Change
from cardwise.planning.explain import Explanation, SlotValue, StepTime
from cardwise.quantities import GIB, duration, significant
from cardwise.reports.plan_text import section
from cardwise.reports.table import Column, table, wrapped
from cardwise.reports.words import UNKNOWN, Words, gibibytes, interval, layout_words, load_sentence, measured_line, number, words

BAR = 50
SIGNS = {"weights": "W", "kv": "K", "activation": "A", "graphs": "G", "communication": "C", "context": "X", "outside": "."}


def explain_text(e: Explanation, lang: str = "en", width: int = 120) -> str:
    """The whole explanation for a terminal of `width` columns."""
    say = words(lang)
    blocks = [verdict(e, say, width), memory(e, say, width)]
    blocks += [step(one, say, width) for one in e.steps]
    blocks += [changes(e, say, width), slots(e.slots, say, width), evidence(e, say, width)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def verdict(e: Explanation, say: Words, width: int) -> str:
    """In a sentence: what is served and which limit binds, or why it cannot run."""
    name = layout_words(e.layout, say)
    head = wrapped(load_sentence(e.question.workload, say), width)
    if e.option is None:
        refusal = e.refusal
        reason = say.said(refusal.reason) if refusal else ""
        fix = say("fix", fix=say.said(refusal.fix)) if refusal and refusal.fix else ""
        return wrapped(say("explain_refused", name=name, model=e.model, reason=reason, fix=fix), width) + "\n" + head
    p = e.option.performance
    served = say(
        "explain_served",
        name=name,
        model=e.model,
        ttft=interval(p.ttft_s, 1e3),
        tpot=interval(p.tpot_s, 1e3),
        all=interval(p.output_tokens_per_s),
    )
    held = say("explain_held", mean=f"{p.users_at_mean_length:,.0f}", longest=f"{p.users_at_max_length:,.0f}", batch=f"{e.batch_limit:,}")
    link = [wrapped(say("explain_link", link=say.said(e.link)), width)] if e.layout.cards_per_replica > 1 else []
    return "\n".join([wrapped(served, width), wrapped(bound(e, say), width), head, *link, wrapped(held, width)])


def bound(e: Explanation, say: Words) -> str:
    """Which limit binds, and why."""
    p = e.option.performance if e.option else None
    if e.limit == "memory" and p is not None:
        return say(
            "binds_memory",
            held=f"{p.users_at_mean_length / e.layout.replicas:,.0f}",
            wanted=f"{e.wanted:,.0f}",
            preempted=f"{p.preemptions:,}",
        )
    if e.limit == "queue":
        return say("binds_queue", wanted=f"{e.wanted:,.0f}", batch=f"{e.batch_limit:,}")
    share = p.prefill_share if p is not None else 0.0
    part = share if e.limit_phase == "prefill" else 1.0 - share
    return say(f"binds_{e.limit}", phase=say(e.limit_phase), share=f"{part:.0%}")


def memory(e: Explanation, say: Words, width: int) -> str:
    """The budget of the fullest card as a bar and a table whose parts sum to the card."""
    budget = e.budget
    scale = max(budget.usable_bytes, sum(max(value, 0.0) for _, value in budget.parts))
    bar = "".join(SIGNS[name] * round(BAR * max(value, 0.0) / scale) for name, value in budget.parts)
    rows = [(f"{SIGNS[name]} {say(f'part_{name}')}", value) for name, value in budget.parts]
    rows.append((say("part_sum"), budget.usable_bytes))
    columns = [
        Column(say("part"), tuple(name for name, _ in rows), "left", True),
        Column("GiB", tuple(f"{value / GIB:,.2f}" for _, value in rows)),
        Column("%", tuple(f"{value / budget.usable_bytes:.1%}" for _, value in rows)),
    ]
    lines = [
        wrapped(say("memory_title", card=e.card.name), width),
        f"[{bar[:BAR]:<{BAR}}]" if budget.fits else f"[{bar}]",
        table(columns, width),
    ]
    if not budget.fits:
        lines.append(wrapped(say("memory_short", gib=gibibytes(budget.shortfall_bytes)), width))
    else:
        lines.append(wrapped(say("memory_kv", tokens=f"{budget.kv_tokens:,}", longest=f"{budget.max_model_len:,}"), width))
    return "\n".join(lines)


def step(one: StepTime, say: Words, width: int) -> str:
    """One step by operator group."""
    title = say(
        f"step_{one.kind}",
        sequences=significant(one.sequences),
        tokens=f"{one.tokens:,.0f}",
        seconds=duration(one.seconds),
        bound=say(one.bound),
    )
    operators = one.operators

    def mebibytes(value: float) -> str:
        return significant(value / 2**20) if value else UNKNOWN

    columns = [
        Column(say("operators"), tuple(say.said(operator.group) for operator in operators), "left", True),
        Column("ms", tuple(significant(operator.seconds * 1e3) for operator in operators)),
        Column("%", tuple(f"{operator.seconds / one.seconds:.0%}" for operator in operators)),
        Column(say("bound_by"), tuple(say(operator.bound) for operator in operators), "left"),
        Column("GFLOP", tuple(significant(operator.flops / 1e9) if operator.flops else UNKNOWN for operator in operators)),
        Column(say("mib_weights"), tuple(mebibytes(operator.weight_bytes) for operator in operators)),
        Column(say("mib_activations"), tuple(mebibytes(operator.activation_bytes) for operator in operators)),
        Column(say("mib_kv"), tuple(mebibytes(operator.kv_bytes) for operator in operators)),
        Column(say("mib_messages"), tuple(mebibytes(operator.message_bytes) for operator in operators)),
    ]
    return f"{wrapped(title, width)}\n{table(columns, width)}"


def changes(e: Explanation, say: Words, width: int) -> str:
    """The nearest changes, each planned for real."""
    lines = [change(one, say) for one in e.changes] or [say("change_none")]
    return section(say("changes_pass" if e.option is None or not e.option.meets else "changes_faster"), lines, width)


def change(one: Change, say: Words) -> str:
    p = one.option.performance
    text = say(f"change_{one.kind}", to=say.said(one.to))
    result = say(
        "change_result",
        name=layout_words(one.option.layout, say, engine=False),
        ttft=number(p.ttft_s.likely * 1e3),
        tpot=number(p.tpot_s.likely * 1e3),
        all=number(p.output_tokens_per_s.likely),
    )
    faster = "" if one.factor is None or one.passes else say("change_factor", factor=f"{one.factor:.2f}")
    return f"{text}{say('colon')}{result}{faster}"


def slots(used: Sequence[SlotValue], say: Words, width: int) -> str:
    """The efficiencies used, each with its prior, its source and what the fit made of it."""
    lines = []
    for slot in used:
        moved = ", ".join(f"{key} x{factor:.2f} ({cases:,})" for key, factor, cases in slot.moved)
        fitted = say("slot_fitted", moved=moved) if moved else say("slot_prior")
        timed = slot.name.endswith("_seconds")
        value, prior = (duration(amount) if timed else significant(amount) for amount in (slot.value, slot.prior))
        unit, source = say.said(slot.unit.removeprefix("s ") if timed else slot.unit), say.said(slot.source)
        lines.append(say("slot", name=slot.name, value=value, unit=unit, prior=prior, source=source, fitted=fitted))
    return section(say("slots_title"), lines, width)


def evidence(e: Explanation, say: Words, width: int) -> str:
    """Measured cases near this one."""
    lines = [measured_line(one, say) for one in e.evidence]
    if e.option is None:
        return ""
    basis = e.option.basis
    lines.append(say("basis" if basis.cases else "basis_none", cards=e.card.name, text=say.said(basis.text), cases=f"{basis.cases:,}"))
    return section(say("evidence_title"), lines, width)
