"""The answer of `plan` as text: the verdict, what runs by card, what does not and why, then what all of it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cardwise.answer import Answer, ApiComparison, Option, Refusal
from cardwise.quantities import significant
from cardwise.reports.table import Column, table, wrapped
from cardwise.reports.words import Words, gibibytes, interval, kibibytes, load_sentence, measured_line, number, parameters, words

MANY_CARDS = 12
CARDS_SHOWN = 25
REFUSALS_SHOWN = 8


def plan_text(answer: Answer, lang: str = "en", width: int = 120, full: bool = False) -> str:
    """The whole answer for a terminal of `width` columns."""
    say = words(lang)
    blocks = [wrapped(answer.verdict_zh if say.chinese and answer.verdict_zh else answer.verdict, width), head(answer, say, width)]
    names = list(dict.fromkeys(option.layout.accelerator for option in answer.options))
    if len(names) > MANY_CARDS:
        blocks.append(by_rank(answer, names, say, width, full))
    else:
        shown = list(range(len(answer.options))) if full else chosen(answer)
        blocks += [by_card(answer, name, shown, say, width) for name in names]
        if len(shown) < len(answer.options):
            blocks.append(wrapped(say("only_best", shown=len(shown), all=len(answer.options)), width))
    if answer.options:
        blocks.append(wrapped(say("pareto"), width))
    blocks += [
        refused(answer, say, width, full),
        nearby(answer, say, width),
        basis(answer, say, width),
        prices(answer, say, width, len(names) > MANY_CARDS),
    ]
    blocks += [assumed(answer, say, width), unknown(answer, say, width)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def nearby(answer: Answer, say: Words, width: int) -> str:
    """The measured case nearest to the best option of each card, with the factor between prediction and measurement there."""
    beside = ((option.layout.accelerator, one) for option in answer.options for one in option.evidence)
    lines = [say("evidence_of", cards=card, case=measured_line(one, say)) for card, one in beside]
    return section(say("evidence_title"), lines, width) if lines else ""


def head(answer: Answer, say: Words, width: int) -> str:
    line = say(
        "model_line",
        model=answer.model,
        parameters=parameters(answer.parameters),
        kv=kibibytes(answer.kv_bytes_per_token),
        source=say.said(answer.model_source),
    )
    lines = [wrapped(line, width), wrapped(load_sentence(answer.workload, say), width)]
    if answer.slo:
        named = (("TTFT", answer.slo.ttft_s), ("TPOT", answer.slo.tpot_s))
        limits = ", ".join(f"{name} {significant(value * 1e3)} ms" for name, value in named if value is not None)
        lines.append(say("slo", limits=limits, percentile=f"{answer.percentile:g}"))
    return "\n".join(lines)


def chosen(answer: Answer) -> list[int]:
    """The best split of each card, count and weight format, and whatever is best in something."""
    best: dict[tuple[str, int, str], int] = {}
    for index in answer.by_cost:
        layout = answer.options[index].layout
        best.setdefault((layout.accelerator, layout.cards, layout.weights), index)
    tops = [order[0] for order in (answer.by_cost, answer.by_speed, answer.by_simplicity) if order]
    return sorted({*best.values(), *tops, *answer.pareto})


def by_card(answer: Answer, name: str, shown: Sequence[int], say: Words, width: int) -> str:
    """The table of one card."""
    rows = [index for index in shown if answer.options[index].layout.accelerator == name]
    usable = answer.options[rows[0]].budget.usable_bytes
    title = say("usable", card=name, gib=gibibytes(usable))
    return f"{title}\n{table(columns(answer, rows, say, named=False), width)}"


def by_rank(answer: Answer, names: Sequence[str], say: Words, width: int, full: bool) -> str:
    """One table of many cards, by cost."""
    rows: list[int] = []
    for index in answer.by_cost:
        if full or all(answer.options[row].layout.accelerator != answer.options[index].layout.accelerator for row in rows):
            rows.append(index)
    cut = rows if full else rows[:CARDS_SHOWN]
    return f"{table(columns(answer, cut, say, named=True), width)}\n\n{wrapped(say('only_cards', shown=len(cut), all=len(names)), width)}"


def columns(answer: Answer, rows: Sequence[int], say: Words, named: bool) -> list[Column]:
    options = [answer.options[row] for row in rows]
    rate = answer.assumptions.cny_per_usd if answer.assumptions else 1.0
    engines = len({option.layout.engine for option in answer.options}) > 1
    marks = ["*" if row in answer.pareto else "" for row in rows]

    def column(key: str, cells: Iterable[str], left: bool = False, is_key: bool = False) -> Column:
        return Column(say(key), tuple(cells), "left" if left else "right", is_key)

    made = [
        Column(
            say("layout"),
            tuple(f"{say.said(layout_name(o, named))}{' ' + m if m else ''}" for o, m in zip(options, marks, strict=True)),
            "left",
            True,
        )
    ]
    made += [column("engine", (o.layout.engine for o in options), left=True)] if engines else []
    made += [
        column("weights", (o.layout.weights for o in options), left=True, is_key=True),
        column("ttft", (interval(o.performance.ttft_s, 1e3) for o in options)),
        column("tpot", (interval(o.performance.tpot_s, 1e3) for o in options)),
        column("stream", (number(o.performance.stream_tokens_per_s.likely or None) for o in options)),
        column("all", (interval(o.performance.output_tokens_per_s) for o in options)),
        column("rent_hour", (say.money(o.cost.rent.total if o.cost.rent else None, rate) for o in options)),
        column(
            "rent_token", (say.money(o.cost.rent_token.usd_per_million_output_alone if o.cost.rent_token else None, rate) for o in options)
        ),
        column(
            "buy_token", (say.money(o.cost.buy_token.usd_per_million_output_alone if o.cost.buy_token else None, rate) for o in options)
        ),
        column("watts", (number(o.cost.watts) for o in options)),
        column("gib", (held(o) for o in options)),
        column("fits", (f"{o.performance.users_at_mean_length:,.0f}" for o in options)),
        column("bound", (f"{say(o.bound)}/{say(o.prefill_bound)}" for o in options), left=True),
    ]
    if answer.slo or answer.workload.load == "rate":
        made.append(column("meets", (say("yes" if o.meets else "no") for o in options)))
    return made


def held(option: Option) -> str:
    """GiB a card: what is used before any request, and what is left for the cache."""
    budget = option.budget
    return f"{gibibytes(budget.usable_bytes - budget.kv_bytes - budget.outside_bytes)} + {gibibytes(budget.kv_bytes)}"


def layout_name(option: Option, named: bool) -> str:
    """`8x TP4 PP2`; equal copies of one card need no other word than their count."""
    layout = option.layout
    count = option.name if named else f"{layout.cards}x"
    if layout.cards_per_replica > 1:
        return f"{count} {layout.degrees()}"
    return count if layout.cards == 1 else f"{count} replicas"


def refused(answer: Answer, say: Words, width: int, full: bool) -> str:
    """What cannot run, gathered: one line for the counts of a card and weight format that lack memory, one for each other reason."""
    gathered: dict[tuple[str, str, str], list[Refusal]] = {}
    fewest: dict[tuple[str, str], int] = {}
    for option in answer.options:
        key = option.layout.accelerator, option.layout.weights
        fewest[key] = min(option.layout.cards, fewest.get(key, option.layout.cards))
    for one in answer.refusals:
        reason = "" if one.shortfall_bytes is not None else one.reason
        gathered.setdefault((one.accelerator, one.weights if not reason else "", reason), []).append(one)
    lines = [_refusal_line(group, fewest.get((group[-1].accelerator, group[-1].weights)), say) for group in gathered.values()]
    if not lines:
        return ""
    shown = lines if full or len(lines) <= REFUSALS_SHOWN + 1 else lines[:REFUSALS_SHOWN]
    if len(shown) < len(lines):
        shown = [*shown, say("more_refused", count=len(lines) - len(shown))]
    return "\n".join([say("refused"), *(wrapped(f"  {line}", width, "    ") for line in shown)])


def _refusal_line(group: Sequence[Refusal], fewest: int | None, say: Words) -> str:
    """One line; the fix is the fewest cards that hold these weights where the table shows some, else the planner's."""
    nearest = group[-1]
    counts = ", ".join(str(count) for count in dict.fromkeys(one.cards for one in group))
    fix = say("fix", fix=say.said(nearest.fix)) if nearest.fix else ""
    if nearest.shortfall_bytes is None:
        name = f"{nearest.cards}x {nearest.accelerator}" if len(group) == 1 else nearest.accelerator
        return f"{name} {nearest.weights}{say('colon')}{say.said(nearest.reason)}{fix}"
    short = [gibibytes(one.shortfall_bytes or 0.0) for one in group]
    text = short[0] if len(short) == 1 else f"{', '.join(short)}"
    counted = say("cards_count", counts=counts)
    if fewest is not None and fewest > nearest.cards:
        fix = say("fits_from", count=fewest)
    return f"{nearest.accelerator} {say('refused_short', weights=nearest.weights, counts=counted, short=text)}{fix}"


def basis(answer: Answer, say: Words, width: int) -> str:
    """On what the intervals rest, cards of one basis together."""
    gathered: dict[tuple[str, int], dict[str, None]] = {}
    for option in answer.options:
        gathered.setdefault((option.basis.text, option.basis.cases), {})[option.layout.accelerator] = None
    lines = []
    for (text, cases), cards in gathered.items():
        key = "basis" if cases else "basis_none"
        lines.append(say(key, cards=", ".join(cards), text=say.said(text), cases=f"{cases:,}"))
    return section(say("basis_head"), lines, width)


def prices(answer: Answer, say: Words, width: int, many: bool) -> str:
    """Where prices are from, when buying pays, and what providers ask for the same tokens."""
    lines: dict[str, None] = {}
    tops = {answer.by_cost[0]} if answer.options else set()
    for index, option in enumerate(answer.options):
        if many and index not in tops:
            continue
        for key, source in (("rented", option.cost.rent_source), ("bought", option.cost.buy_source)):
            if source:
                lines[say(key, card=option.layout.accelerator, source=say.said(source))] = None
    for index in sorted(tops):
        lines[_break_even(answer.options[index], say)] = None
        for other in answer.api:
            lines[_api(answer.options[index], other, answer, say)] = None
    return section(say("prices_head"), [line for line in lines if line], width)


def _break_even(option: Option, say: Words) -> str:
    point = option.cost.break_even
    if point is None:
        return ""
    if point.utilization is None or not point.reachable:
        return say("break_even_never", name=option.name)
    return say("break_even", name=option.name, share=f"{point.utilization:.0%}")


def _api(option: Option, other: ApiComparison, answer: Answer, say: Words) -> str:
    rate = answer.assumptions.cny_per_usd if answer.assumptions else 1.0
    volumes = []
    for way, point in (("rented", other.rented), ("bought", other.bought)):
        if point is None:
            continue
        if point.reachable and point.units_per_month is not None:
            volumes.append(say(f"api_{way}", tokens=number(point.units_per_month / 1e6)))
        else:
            volumes.append(say(f"api_never_{way}"))
    if not volumes:
        return ""
    price = other.price
    return say(
        "api",
        provider=price.provider,
        input=say.money(price.usd_per_million_input, rate),
        output=say.money(price.usd_per_million_output, rate),
        date=price.date,
        name=option.name,
        volumes=say("comma").join(volumes),
    )


def assumed(answer: Answer, say: Words, width: int) -> str:
    lines = []
    if answer.options:
        lengths = answer.workload.lengths
        engines = ", ".join(dict.fromkeys(f"{o.layout.engine} {o.layout.engine_version}".strip() for o in answer.options))
        kv = ", ".join(dict.fromkeys("auto, 16 bit" if o.layout.kv == "auto" else o.layout.kv for o in answer.options))
        longest = max((o.budget.max_model_len for o in answer.options), default=int(lengths.input_tokens + lengths.output_tokens))
        lines.append(say("assumed_engine", engines=engines, kv=kv, tokens=f"{longest:,}"))
    a = answer.assumptions
    if a is not None and answer.options:
        lines.append(say("assumed_use", share=f"{a.utilization:.0%}"))
        bought = {"years": f"{a.years:g}", "interest": f"{a.interest_per_year:.1%}", "host": number(a.host_usd_per_card)}
        bought |= {"network": number(a.network_usd_per_card), "kwh": f"{a.electricity_usd_per_kwh:g}", "pue": f"{a.pue:g}"}
        lines.append(say("assumed_buy", rack=number(a.rack_usd_per_kw_month), **bought))
        lines.append(say("assumed_cny", rate=f"{a.cny_per_usd:g}"))
    lines.append(say("assumed_off"))
    return section(say("assumed_head"), [*lines, *(say.said(note) for note in answer.notes)], width)


def unknown(answer: Answer, say: Words, width: int) -> str:
    lines = []
    for key, missing in (
        ("unknown_rent", [o for o in answer.options if o.cost.rent is None]),
        ("unknown_buy", [o for o in answer.options if o.cost.buy is None]),
    ):
        if missing:
            lines.append(say(key, cards=", ".join(dict.fromkeys(o.layout.accelerator for o in missing))))
    if len({option.layout.weights for option in answer.options}) > 1:
        lines.append(say("unknown_quality"))
    return section(say("unknown_head"), lines, width)


def section(title: str, lines: Sequence[str], width: int) -> str:
    """A title with indented lines; nothing without lines."""
    return "\n".join([title, *(wrapped(f"  {line}", width, "    ") for line in lines)]) if lines else ""
