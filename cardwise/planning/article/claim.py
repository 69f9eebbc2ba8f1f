"""A claim of the article with its answer, as plain strings and numbers that a report prints as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Literal

Verdict = Literal["right", "roughly", "wrong", "cannot be checked"]
VERDICTS_ZH: Mapping[str, str] = {
    "right": "正确",
    "roughly": "大致正确",
    "wrong": "错误",
    "cannot be checked": "无法核对",
}
Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A small table: one header, rows of the same length. Cells are names, numbers and short English words."""

    title: str
    title_zh: str
    header: Row
    header_zh: Row
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim. Texts come in English and (`_zh`) in Chinese; `recomputed` is a formula with its numbers and needs no language.

    `claim`: what is said, in our own words. `article`: the figure as it is printed. `recomputed`: the article's own formula with its own
    inputs. `right`: what comes out with today's facts and the right formula. `reason`: why the verdict, in a line. `tables`: the answer
    where it is one. `figures`: the numbers in the texts by name, units in the names. `sources`: where inputs and facts are from.
    """

    id: str
    claim: str
    claim_zh: str
    article: str
    article_zh: str
    recomputed: str
    right: str
    right_zh: str
    verdict: Verdict
    reason: str
    reason_zh: str
    figures: tuple[tuple[str, float], ...]
    sources: tuple[str, ...]
    tables: tuple[Table, ...] = ()

    @property
    def verdict_zh(self) -> str:
        return VERDICTS_ZH[self.verdict]

    @property
    def rows(self) -> tuple[Row, ...]:
        """The first table, its header first; empty without one."""
        return (self.tables[0].header, *self.tables[0].rows) if self.tables else ()

    def figure(self, name: str) -> float:
        """A number of the texts. Raises KeyError for an unknown name."""
        return dict(self.figures)[name]

    def in_language(self, lang: str) -> Claim:
        """The same claim whose plain fields are in `lang` (en or zh)."""
        if lang != "zh":
            return self
        tables = tuple(replace(table, title=table.title_zh, header=table.header_zh) for table in self.tables)
        names = ("claim", "article", "right", "reason")
        return replace(self, tables=tables, **{name: getattr(self, f"{name}_zh") for name in names})


@dataclass(frozen=True, slots=True)
class Found:
    """What a computation found for one claim: the verdict, the values of its sentences, tables and further sources."""

    verdict: Verdict
    values: Mapping[str, float | str]
    tables: tuple[Table, ...] = ()
    sources: tuple[str, ...] = ()


def claim_of(id: str, words: Mapping[str, Any], found: Found, article_source: str) -> Claim:
    """The claim from its sentences (`{names}` are values of `found`) and what was computed."""

    def said(key: str, lang: str) -> str:
        return str(words[key][lang]).format(**found.values)

    return Claim(
        id=id,
        claim=said("claim", "en"),
        claim_zh=said("claim", "zh"),
        article=said("figure", "en"),
        article_zh=said("figure", "zh"),
        recomputed=str(words.get("recomputed", "")).format(**found.values),
        right=said("right", "en"),
        right_zh=said("right", "zh"),
        verdict=found.verdict,
        reason=said("reason", "en"),
        reason_zh=said("reason", "zh"),
        figures=tuple((name, float(value)) for name, value in found.values.items() if not isinstance(value, str) and isfinite(value)),
        sources=tuple(dict.fromkeys((article_source, *words.get("sources", ()), *found.sources))),
        tables=found.tables,
    )
