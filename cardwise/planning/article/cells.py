"""How numbers stand in the tables of the claims."""

from __future__ import annotations

from collections.abc import Iterable

from cardwise.answer import Estimate, Option
from cardwise.planning.article.ask import usd_per_million
from cardwise.planning.article.claim import Row, Table
from cardwise.quantities import GIB, TERA, significant

UNKNOWN = "-"


def number(value: float | None, digits: int = 3) -> str:
    return UNKNOWN if value is None else significant(value, digits)


def tera(value: float | None) -> str:
    return UNKNOWN if value is None else significant(value / TERA, 4)


def in_gib(value: float) -> str:
    return f"{value / GIB:.1f}"


def interval(estimate: Estimate, factor: float = 1.0) -> str:
    """`45 (38-52)`."""
    low, high = sorted((estimate.low * factor, estimate.high * factor))
    return f"{significant(estimate.likely * factor)} ({significant(low, 2)}-{significant(high, 2)})"


def layout_name(option: Option) -> str:
    """`8x RTX 4090 TP8`."""
    degrees = option.layout.degrees()
    return option.name if degrees == "one card" else f"{option.name} {degrees}"


SPEED_HEADER = ("layout", "TTFT s", "tok/s a user", "tok/s in all", "$ per M output, rented", "decode bound by")
SPEED_HEADER_ZH = ("布局", "TTFT s", "每用户 tok/s", "合计 tok/s", "租用:每百万输出 token 美元", "解码瓶颈")


def speed_row(option: Option) -> Row:
    """A layout under a load, as SPEED_HEADER says."""
    performance = option.performance
    return (
        layout_name(option),
        interval(performance.ttft_s),
        interval(performance.stream_tokens_per_s),
        interval(performance.output_tokens_per_s),
        number(usd_per_million(option)),
        option.bound,
    )


def table(title: str, title_zh: str, header: Row, header_zh: Row, rows: Iterable[Row]) -> Table:
    """A table whose rows all have the width of its headers."""
    made = tuple(rows)
    assert all(len(row) == len(header) == len(header_zh) for row in made)
    return Table(title, title_zh, header, header_zh, made)
