"""The library's `plan`: the same call, with an answer that draws itself in a notebook."""

from __future__ import annotations

from dataclasses import replace
from typing import Unpack

from cardwise.answer import Answer
from cardwise.planning import facade
from cardwise.planning.asking import Options
from cardwise.reports.html import html


def plan(model: str, cards: str | None = None, **options: Unpack[Options]) -> Answer:
    """Which of `cards` (`"RTX 4090, 8x H100 SXM"`, or `"all"`) run `model` under a load, how fast, at what cost. Raises CardwiseError.

    Options are those of `cardwise.planning.asking.Options`; the answer is frozen and renders as HTML in a notebook.
    """
    return replace(facade.plan(model, cards, **options), renderer=html)
