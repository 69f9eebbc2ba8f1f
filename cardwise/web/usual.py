"""Imported after `preload` by the process that workers are forked from: the question that the page opens with, asked once, so that every
worker has read what nearly all answers rest on. Answers are computed anew all the same."""

from __future__ import annotations

import contextlib

from cardwise.errors import CardwiseError
from cardwise.planning import facade
from cardwise.web import answers

USUAL = {"model": "llama-2-70b", "cards": "RTX 4090, A100 SXM 80GB, H100 SXM"}
"""The page's own default (static/question.js)."""


def ask() -> None:
    """A broken file of the person's own is told by whoever asks, not here."""
    with contextlib.suppress(CardwiseError):
        facade.plan(USUAL["model"], USUAL["cards"])
        answers.names({}, lambda done, of: None)


ask()
