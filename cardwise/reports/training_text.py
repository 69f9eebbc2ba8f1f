"""The answer of `plan --train` as text: the verdict, layouts by card, memory, time, scaling, refusals, then what it rests on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cardwise.quantities import HOUR
from cardwise.reports.table import Column, table, wrapped
from cardwise.reports.words import Words, gibibytes, interval, measured_line, number, parameters, words
from cardwise.training_answer import CardVerdict, TrainingAnswer, TrainingOption

LAYOUTS_SHOWN = 2
"""Of one card, unless all are asked for."""
SMALL_SHARE = 0.005


def training_text(answer: TrainingAnswer, lang: str = "en", width: int = 120, full: bool = False) -> str:
    """The whole answer for a terminal of `width` columns."""
    say = words(lang)
    names = list(dict.fromkeys(option.layout.accelerator for option in answer.options))
    blocks = [wrapped(answer.verdict_zh if say.chinese else answer.verdict, width), head(answer, say, width)]
    blocks += [by_card(answer, name, say, width, full) for name in names]
    shown = sum(len(of_card(answer, name)) if full else min(LAYOUTS_SHOWN, len(of_card(answer, name))) for name in names)
    if shown < len(answer.options):
        blocks.append(wrapped(say("train_more", shown=shown, all=len(answer.options)), width))
    best = fastest_of_each(answer)
    if best:
        blocks += [memory(best, say, width), time(best, say, width), scaling(answer, say, width)]
    blocks += [card_verdicts(answer, say, width), refused(answer, say, width), failures(best, say, width)]
    blocks += [nearby(best, say, width), basis(best, say, width), prices(best, say, width), assumed(answer, say, width)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def of_card(answer: TrainingAnswer, name: str) -> list[TrainingOption]:
    """Options of a card, the fastest first."""
    own = [option for option in answer.options if option.layout.accelerator == name]
    return sorted(own, key=lambda option: -option.tokens_per_s.likely)


def fastest_of_each(answer: TrainingAnswer) -> list[TrainingOption]:
    """The fastest option of each card, in the order of the question."""
    names = dict.fromkeys(option.layout.accelerator for option in answer.options)
    return [of_card(answer, name)[0] for name in names]


def head(answer: TrainingAnswer, say: Words, width: int) -> str:
    model = say(
        "train_model",
        model=answer.model,
        parameters=parameters(answer.parameters),
        trained=parameters(answer.trained_parameters),
        method=answer.method,
        states=gibibytes(answer.state_bytes),
        flops=number(answer.flops_per_token / 1e9),
        source=say.said(answer.model_source),
    )
    tokens = f"{number(answer.tokens / 1e12)} T" if answer.tokens >= 1e12 else f"{number(answer.tokens / 1e9)} B"
    run = say(
        "train_run",
        tokens=tokens,
        sequence=f"{answer.sequence:,}",
        optimizer=answer.optimizer,
        precision=answer.precision,
    )
    return f"{wrapped(model, width)}\n{wrapped(run, width)}"


def training_name(option: TrainingOption, say: Words) -> str:
    """`64x H100 SXM DP8 TP8 ZeRO-1`."""
    return f"{option.name} {say.said(option.layout.degrees())}"


def by_card(answer: TrainingAnswer, name: str, say: Words, width: int, full: bool) -> str:
    """The layouts of one card."""
    options = of_card(answer, name)
    options = options if full else options[:LAYOUTS_SHOWN]
    title = say("usable", card=name, gib=gibibytes(options[0].memory.usable))
    return f"{title}\n{table(columns(options, say, answer.assumptions.cny_per_usd), width)}"


def columns(options: Sequence[TrainingOption], say: Words, rate: float) -> list[Column]:
    """What is said of each layout; `rate`: CNY per USD."""
    several = len({option.layout.accelerator for option in options}) > 1

    def name(option: TrainingOption) -> str:
        return training_name(option, say) if several else f"{option.layout.cards:,}x {say.said(option.layout.degrees())}"

    def column(key: str, cell: Callable[[TrainingOption], str], left: bool = False, key_column: bool = False) -> Column:
        return Column(say(key), tuple(cell(option) for option in options), "left" if left else "right", key_column)

    def days(option: TrainingOption) -> str:
        return interval(option.days)

    found = [
        column("layout", name, True, True),
        column("train_micro", lambda o: f"{o.layout.micro_batch} x {o.layout.accumulation}"),
        column("train_batch", lambda o: number(o.step_tokens / 1e6)),
        column("train_recompute", lambda o: o.layout.recompute, True),
        column("train_step", lambda o: interval(o.step_s)),
        column("train_card_rate", lambda o: interval(o.tokens_per_s_per_card)),
        column("train_rate", lambda o: number(o.tokens_per_s.likely)),
        column("train_mfu", lambda o: f"{100 * o.mfu:.0f}"),
        column("train_hfu", lambda o: f"{100 * o.hfu:.0f}"),
        column("train_days", days),
        column("train_rent", lambda o: say.money(o.cost.rent_usd.likely if o.cost.rent_usd else None, rate)),
        column("train_buy", lambda o: say.money(o.cost.buy_usd.likely if o.cost.buy_usd else None, rate)),
        column("train_gib", lambda o: f"{gibibytes(o.memory.used)} + {gibibytes(o.memory.free)}"),
    ]
    if any(option.layout.offload != "none" for option in options):
        found.insert(4, column("train_offload", lambda o: o.layout.offload, True))
    return found


def memory(best: Sequence[TrainingOption], say: Words, width: int) -> str:
    """Every part of a card's memory, one column for each card; they sum to what is usable."""
    parts = [name for name, _ in best[0].memory.parts]
    rows = Column(say("train_part"), (*(say.said(part) for part in parts), say("train_usable")), "left", True)
    columns = [
        Column(option.name, (*(gibibytes(value) for _, value in option.memory.parts), gibibytes(option.memory.usable))) for option in best
    ]
    return f"{say('train_memory_head')}\n{table([rows, *columns], width)}"


def time(best: Sequence[TrainingOption], say: Words, width: int) -> str:
    """Shares of a step by what takes them."""
    shares = [{name: seconds / option.step_s.likely for name, seconds in option.operators} for option in best]
    names = list(dict.fromkeys(name for share in shares for name, value in share.items() if value >= SMALL_SHARE))
    rows = Column(say("train_operator"), tuple(say.said(name) for name in names), "left", True)
    columns = [
        Column(option.name, tuple(f"{100 * share.get(name, 0.0):.1f}" for name in names))
        for option, share in zip(best, shares, strict=True)
    ]
    return f"{say('train_time_head')}\n{table([rows, *columns], width)}"


def scaling(answer: TrainingAnswer, say: Words, width: int) -> str:
    """Tokens/s of more cards."""
    return f"{say('train_scaling_head')}\n{table(scaling_columns(answer, say), width)}" if answer.scaling else ""


def scaling_columns(answer: TrainingAnswer, say: Words) -> list[Column]:
    rows, rate = answer.scaling, answer.assumptions.cny_per_usd
    return [
        Column(say("train_cards"), tuple(f"{one.cards:,}x {one.accelerator}" for one in rows), "left", True),
        Column(say("layout"), tuple(say.said(one.degrees) for one in rows), "left"),
        Column(say("train_rate"), tuple(number(one.tokens_per_s) for one in rows)),
        Column(say("train_efficiency"), tuple(f"{one.efficiency:.2f}" for one in rows)),
        Column(say("train_days"), tuple(number(one.days) for one in rows)),
        Column(say("train_rent"), tuple(say.money(one.rent_usd, rate) for one in rows)),
    ]


def card_verdicts(answer: TrainingAnswer, say: Words, width: int) -> str:
    lines = [_verdict_line(one, say) for one in answer.verdicts]
    return section(say("train_verdict_head"), lines, width)


def _verdict_line(one: CardVerdict, say: Words) -> str:
    key = "train_verdict_yes" if one.trains else "train_verdict_no" if one.fewest_cards is None else "train_verdict_later"
    count = "" if one.fewest_cards is None else f"{one.fewest_cards:,}"
    return say(key, card=one.accelerator, count=count, reason=say.said(one.reason_zh) if say.chinese else one.reason)


def refused(answer: TrainingAnswer, say: Words, width: int) -> str:
    lines = [
        say(
            "train_refused",
            count=f"{one.cards:,}",
            card=one.accelerator,
            degrees=f" {one.degrees}" if one.degrees not in ("", "one card") else "",
            reason=say.said(one.reason),
            fix=say("fix", fix=say.said(one.fix)) if one.fix else "",
        )
        for one in answer.refusals
    ]
    return section(say("refused"), lines, width)


def failures(best: Sequence[TrainingOption], say: Words, width: int) -> str:
    lines = [say("train_failures", name=one.name, hours=number(one.failure_s / HOUR), share=f"{one.lost_share:.1%}") for one in best]
    return section(say("train_failures_head"), lines, width)


def nearby(best: Sequence[TrainingOption], say: Words, width: int) -> str:
    """The measured run nearest to the fastest layout of each card, with the factor between prediction and measurement there."""
    lines = [
        say("evidence_of", cards=one.layout.accelerator, case=measured_line(one.evidence, say)) for one in best if one.evidence is not None
    ]
    return section(say("evidence_title"), lines, width)


def basis(best: Sequence[TrainingOption], say: Words, width: int) -> str:
    """On what the intervals rest."""
    lines = []
    for text, cases in dict.fromkeys((one.basis.text, one.basis.cases) for one in best):
        cards = ", ".join(one.layout.accelerator for one in best if one.basis.text == text)
        lines.append(say("basis" if cases else "basis_none", cards=cards, text=say.said(text), cases=f"{cases:,}"))
    return section(say("basis_head"), lines, width)


def prices(best: Sequence[TrainingOption], say: Words, width: int) -> str:
    lines: dict[str, None] = {}
    for one in best:
        for key, source in (("rented", one.cost.rent_source), ("bought", one.cost.buy_source)):
            if source:
                lines[say(key, card=one.layout.accelerator, source=say.said(source))] = None
    return section(say("prices_head"), list(lines), width)


def assumed(answer: TrainingAnswer, say: Words, width: int) -> str:
    a = answer.assumptions
    lines = [say("train_assumed_stack"), say("train_assumed_use", share=f"{a.utilization:.0%}")]
    bought = {"years": f"{a.years:g}", "interest": f"{a.interest_per_year:.1%}", "host": number(a.host_usd_per_card)}
    bought |= {"network": number(a.network_usd_per_card), "kwh": f"{a.electricity_usd_per_kwh:g}", "pue": f"{a.pue:g}"}
    lines += [say("assumed_buy", rack=number(a.rack_usd_per_kw_month), **bought), say("assumed_cny", rate=f"{a.cny_per_usd:g}")]
    return section(say("assumed_head"), [*lines, *(say.said(note) for note in answer.notes)], width)


def section(title: str, lines: Sequence[str], width: int) -> str:
    """A title with indented lines; nothing without lines."""
    return "\n".join([title, *(wrapped(f"  {line}", width, "    ") for line in lines)]) if lines else ""
