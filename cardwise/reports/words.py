"""What the reports say in English and Chinese, from messages*.toml, and how numbers are written in it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cardwise.answer import Estimate, Evidence
from cardwise.layout import Layout
from cardwise.quantities import GIB, significant
from cardwise.reports.sentences import Sentences
from cardwise.workload import Workload

FILES = sorted(Path(__file__).parent.glob("messages*.toml"))
UNKNOWN = "-"


@dataclass(frozen=True, slots=True)
class Words:
    """One language. `words("key", name=value)` is the text with its values put in; `said(text)` translates what the library says."""

    lang: str
    texts: Mapping[str, str]
    sentences: Sentences

    def __call__(self, key: str, **values: Any) -> str:
        return self.texts[key].format(**values) if values else self.texts[key]

    def said(self, text: str) -> str:
        """A text of the library in this language; one that has no translation stays English."""
        return self.sentences.said(text)

    @property
    def chinese(self) -> bool:
        return self.lang == "zh"

    def money(self, usd: float | None, cny_per_usd: float) -> str:
        """Dollars in English, yuan in Chinese; the sign stands in the heading."""
        return UNKNOWN if usd is None else significant(usd * (cny_per_usd if self.chinese else 1.0))


@lru_cache(maxsize=1)
def messages() -> Mapping[str, Any]:
    """`text` by key, and `sentence` by English template, of all files of messages."""
    tables = [tomllib.loads(file.read_text(encoding="utf-8")) for file in FILES]
    return {kind: {key: entry for table in tables for key, entry in table.get(kind, {}).items()} for kind in ("text", "sentence")}


@lru_cache(maxsize=4)
def words(lang: str) -> Words:
    """The texts of `lang`: en or zh."""
    data = messages()
    texts = {key: entry[lang] for key, entry in data["text"].items()}
    return Words(lang, texts, Sentences(data["sentence"].items() if lang == "zh" else ()))


def interval(estimate: Estimate, factor: float = 1.0) -> str:
    """`45 (38-52)`: likely, low and high. A time or rate of nothing is not known."""
    if not estimate.likely:
        return UNKNOWN
    low, high = sorted((estimate.low * factor, estimate.high * factor))
    return f"{significant(estimate.likely * factor)} ({significant(low, 2)}-{significant(high, 2)})"


def number(value: float | None, digits: int = 3) -> str:
    return UNKNOWN if value is None else significant(value, digits)


def gibibytes(value_bytes: float) -> str:
    return f"{value_bytes / GIB:,.1f}"


def parameters(count: float) -> str:
    """`69.0 B`, `355 M`."""
    return f"{significant(count / 1e9)} B" if count >= 1e9 else f"{significant(count / 1e6)} M"


def kibibytes(value_bytes: float) -> str:
    return f"{significant(value_bytes / 1024)} KiB"


def layout_words(layout: Layout, say: Words, engine: bool = True) -> str:
    """`8x RTX 4090 (TP4 x2 replicas, fp8, vllm)`."""
    parts = (say.said(layout.degrees()), layout.weights, *((layout.engine,) if engine else ()))
    return f"{layout.cards}x {layout.accelerator} ({', '.join(parts)})"


def load_sentence(workload: Workload, say: Words) -> str:
    """The load in words."""
    lengths = workload.lengths
    tokens = {"input": f"{lengths.input_tokens:,.0f}", "output": f"{lengths.output_tokens:,.0f}"}
    if workload.load == "rate":
        return say("load_rate", rate=number(workload.requests_per_s), **tokens)
    if workload.load == "offline":
        return say("load_offline", requests=f"{workload.requests or 1:,}", **tokens)
    return say(f"load_{workload.load}", users=f"{workload.users:,}", **tokens)


def measured_line(one: Evidence, say: Words) -> str:
    """A measured case, what Cardwise says of it, and how near it is."""
    return say(
        "evidence",
        text=say.said(one.text),
        metric=one.metric,
        measured=number(one.measured),
        predicted=number(one.predicted),
        factor=f"{one.factor:.2f}",
        distance=f"{one.distance:.1f}",
        source=one.source,
    )
