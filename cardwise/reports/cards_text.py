"""Cards side by side, in a list, or ranked, as text. A value that no source states is shown as unknown; a derived one has a `~`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cardwise.catalogue.prices import Market
from cardwise.catalogue.rendering import RenderingScore
from cardwise.hardware import Accelerator, Link
from cardwise.planning.compare import WHOLE, CardRow, Comparison, by_benchmark
from cardwise.quantities import GIB, MIB, significant
from cardwise.reports.plan_text import section
from cardwise.reports.table import Column, table, wrapped
from cardwise.reports.words import UNKNOWN, Words, gibibytes, load_sentence, number, words

SIDE_BY_SIDE = 8
RATES = ("fp32", "tf32", "bf16", "fp16", "fp16_acc16", "fp8", "fp4", "int8", "int4")


def cards_text(comparison: Comparison, lang: str = "en", width: int = 120) -> str:
    """Ranked when a rank was asked for, side by side up to eight cards, else a list."""
    say = words(lang)
    if comparison.rank == "rendering":
        return rendering(comparison.rows, say, width)
    if comparison.rank:
        return ranking(comparison, say, width)
    if len(comparison.rows) <= SIDE_BY_SIDE:
        return side_by_side(comparison.rows, say, width)
    return listing(comparison.rows, say, width)


def rate(card: Accelerator, name: str) -> str:
    """TFLOP/s of one arithmetic, `~` when derived."""
    value = card.peaks.get(name)
    if not value:
        return UNKNOWN
    return significant(value / 1e12) + ("~" if derived(card, name) else "")


def derived(card: Accelerator, name: str) -> bool:
    source = card.sources.get(name)
    return source is not None and source.kind in ("derived", "assumed")


def link_text(link: Link | None) -> str:
    return UNKNOWN if link is None else f"{link.name}, {significant(link.bytes_per_s / 1e9)} GB/s"


def price(market: Market | None) -> str:
    return UNKNOWN if market is None else f"{market.price.amount:,.2f}"


def price_range(market: Market | None) -> str:
    if market is None:
        return UNKNOWN
    return f"{market.price.amount:,.2f} ({significant(market.low)}-{significant(market.high)})" if len(market.rows) > 1 else price(market)


FACTS: tuple[tuple[str, Callable[[CardRow], str]], ...] = (
    ("vendor", lambda row: row.card.vendor),
    ("generation", lambda row: row.card.generation),
    ("form", lambda row: row.card.form_factor or UNKNOWN),
    ("launch_date", lambda row: row.card.launch or UNKNOWN),
    ("memory_gib", lambda row: f"{gibibytes(row.card.memory_bytes)} {row.card.memory_type}"),
    ("usable_gib", lambda row: gibibytes(row.card.usable_bytes) + ("~" if derived(row.card, "usable") else "")),
    ("bandwidth_gb_s", lambda row: f"{row.card.bandwidth_bytes_per_s / 1e9:,.0f}" + ("~" if derived(row.card, "bandwidth") else "")),
    ("l2_mib", lambda row: number(None if row.card.l2_bytes is None else row.card.l2_bytes / MIB)),
    ("units", lambda row: UNKNOWN if row.card.units is None else f"{row.card.units:,}"),
    ("boost_mhz", lambda row: number(None if row.card.boost_hz is None else row.card.boost_hz / 1e6, 4)),
)
LINKS: tuple[tuple[str, Callable[[CardRow], str]], ...] = (
    ("interconnect", lambda row: row.card.interconnect or "none"),
    ("pcie", lambda row: row.card.pcie or UNKNOWN),
    ("p2p", lambda row: row.card.p2p_over_pcie),
    ("pair", lambda row: link_text(row.pair)),
    ("machine", lambda row: f"{row.cards} x: {link_text(row.full)}"),
    ("tdp_w", lambda row: number(row.card.tdp_w)),
    ("rent_card", lambda row: price_range(row.rent)),
    ("buy_card", lambda row: price_range(row.buy)),
)


def side_by_side(rows: Sequence[CardRow], say: Words, width: int) -> str:
    """Facts down, cards across; what cannot stand side by side comes below."""
    rates = [name for name in RATES if any(row.card.peaks.get(name) for row in rows)]
    labels = [*(say(key) for key, _ in FACTS), *(say("rate", name=name) for name in rates), *(say(key) for key, _ in LINKS)]
    columns = [Column("", tuple(labels), "left", True)]
    for row in rows:
        cells = [get(row) for _, get in FACTS] + [rate(row.card, name) for name in rates] + [get(row) for _, get in LINKS]
        columns.append(Column(row.card.name, tuple(say("unknown") if cell == UNKNOWN else say.said(cell) for cell in cells), "left"))
    blocks = [table(columns, width), *(sources(row, rates, say, width) for row in rows)]
    return "\n\n".join(blocks) + "\n"


def sources(row: CardRow, rates: Sequence[str], say: Words, width: int) -> str:
    """Where the values of a card are from: its sheets, the rules of what is derived, the offers behind the prices."""
    card = row.card
    lines = [say("sheets", text=card.source)]
    for name, source in card.sources.items():
        if name in rates or name not in RATES:
            rule = f": {source.rule}" if source.rule else ""
            lines.append(
                f"{name}: {say.said(source.kind)}{rule} ({source.text})" if source.text else f"{name}: {say.said(source.kind)}{rule}"
            )
    for key, found in (("rent_card", row.rent), ("buy_card", row.buy)):
        if found is not None:
            of = found.price
            lines.append(f"{say(key)}: {say.said(of.kind)}, {say.said(of.date)}, {say.said(of.notes)}; {of.source}")
    if card.notes:
        lines.append(card.notes)
    return section(card.name, lines, width)


def listing(rows: Sequence[CardRow], say: Words, width: int) -> str:
    """One line a card."""
    columns = [
        Column(say("card"), tuple(row.card.name for row in rows), "left", True),
        Column(say("generation"), tuple(row.card.generation for row in rows), "left"),
        Column("GiB", tuple(f"{row.card.memory_bytes / GIB:,.0f}" for row in rows)),
        Column("GB/s", tuple(f"{row.card.bandwidth_bytes_per_s / 1e9:,.0f}" for row in rows)),
        Column("fp16", tuple(rate(row.card, "fp16") for row in rows)),
        Column("fp8", tuple(rate(row.card, "fp8") for row in rows)),
        Column("W", tuple(number(row.card.tdp_w) for row in rows)),
        Column(say("pair"), tuple(UNKNOWN if row.pair is None else row.pair.name for row in rows), "left"),
        Column(say("rent_card"), tuple(price(row.rent) for row in rows)),
        Column(say("buy_card"), tuple(price(row.buy) for row in rows)),
    ]
    return f"{table(columns, width)}\n\n{wrapped(say('cards_legend', count=len(rows)), width)}\n"


def ranking(comparison: Comparison, say: Words, width: int) -> str:
    """Cards by rank, with what each value is of."""
    rows = comparison.rows
    key = comparison.rank
    title = say(f"rank_{key}", model=comparison.model)
    predicted = key not in WHOLE

    def shown(row: CardRow) -> str:
        if row.value is None or (predicted and row.predicted is None):
            return UNKNOWN
        return significant(row.value)

    columns = [
        Column("#", tuple(str(place) for place in range(1, len(rows) + 1)), "right", True),
        Column(say("card"), tuple(row.card.name for row in rows), "left", True),
        Column(say(f"unit_{key}"), tuple(shown(row) for row in rows)),
        Column(say("weights"), tuple(row.predicted.layout.weights if row.predicted else UNKNOWN for row in rows), "left"),
        Column(say("engine"), tuple(row.predicted.layout.engine if row.predicted else UNKNOWN for row in rows), "left"),
        Column("GiB", tuple(f"{row.card.memory_bytes / GIB:,.0f}" for row in rows)),
        Column("GB/s", tuple(f"{row.card.bandwidth_bytes_per_s / 1e9:,.0f}" for row in rows)),
        Column("W", tuple(number(row.card.tdp_w) for row in rows)),
        Column(say("rent_card"), tuple(price(row.rent) for row in rows)),
        Column(say("note"), tuple(say.said(row.why) for row in rows), "left", prose=True),
    ]
    if not predicted:
        dropped = (say("weights"), say("engine"), *([say("note")] if key == "training" else []))
        columns = [column for column in columns if column.heading not in dropped]
    lines = [wrapped(title, width)]
    if predicted:
        lines.append(wrapped(load_sentence(comparison.workload, say), width))
    return (
        "\n".join(lines)
        + "\n\n"
        + table(columns, width)
        + f"\n\n{wrapped(say('rank_legend' if predicted else f'rank_{key}_legend'), width)}\n"
    )


def rendering(rows: Sequence[CardRow], say: Words, width: int) -> str:
    """A table for every benchmark version, one for the cards without a score, and where the scores are from."""
    blocks = [wrapped(say("rank_rendering"), width)]
    for label, found in by_benchmark(rows).items():
        title = label if found[0][1].version else say("rendering_version_unsaid", benchmark=label)
        blocks.append(f"{title}\n{table(scored([row for row, _ in found], [score for _, score in found], say), width)}")
    others = [row for row in rows if row.value is None]
    if others:
        blocks.append(f"{wrapped(say('rendering_others'), width)}\n{table(scored(others, [None] * len(others), say), width)}")
    blocks.append(wrapped(say("rank_rendering_legend"), width))
    printed = {score: None for row in rows for score in row.scores}
    lines = [f"{score.label}, {score.accelerator}: {score.source}" for score in printed]
    return "\n\n".join(filter(None, [*blocks, section(say("article_sources"), lines, width)])) + "\n"


def scored(rows: Sequence[CardRow], scores: Sequence[RenderingScore | None], say: Words) -> list[Column]:
    """Cards with a score of one benchmark version, or all without: then what else is known of them."""
    headings = {score.label for score in scores if score}
    cells = [say("unknown") if score is None else significant(score.score) for score in scores]
    notes = [said_of(row, score, say) for row, score in zip(rows, scores, strict=True)]
    places = [UNKNOWN if score is None else str(1 + sum(other.score > score.score for other in scores if other)) for score in scores]
    columns = [
        Column("#", tuple(places), "right", True),
        Column(say("card"), tuple(row.card.name for row in rows), "left", True),
        Column(next(iter(headings), say("rendering_score")), tuple(cells)),
        Column(say("rendering_fp32"), tuple(rate(row.card, "fp32") for row in rows)),
        Column(say("generation"), tuple(row.card.generation for row in rows), "left"),
        Column("GiB", tuple(f"{row.card.memory_bytes / GIB:,.0f}" for row in rows)),
        Column("W", tuple(number(row.card.tdp_w) for row in rows)),
    ]
    return [*columns, Column(say("note"), tuple(notes), "left", prose=True)] if any(notes) else columns


def said_of(row: CardRow, score: RenderingScore | None, say: Words) -> str:
    """What its source says beside a score; without one, the ratios that are known of the card."""
    if score is None:
        return "; ".join(ratio(one, say) for one in row.scores if one.ratio_to)
    parts = [score.notes_zh if say.chinese else score.notes]
    parts += [] if score.exact else [say("rendering_said_of", name=score.accelerator)]
    return ("；" if say.chinese else "; ").join([*parts, *(ratio(one, say) for one in row.scores if one.ratio_to)])


def ratio(score: RenderingScore, say: Words) -> str:
    notes = score.notes_zh if say.chinese else score.notes
    return say("rendering_ratio", benchmark=score.label, score=significant(score.score), card=score.ratio_to, notes=notes)
