"""Imported once by the process that workers are forked from: the modules and the facts that nearly every question needs."""

from __future__ import annotations

import contextlib

from cardwise.catalogue.accelerators import accelerators
from cardwise.catalogue.models import listed
from cardwise.errors import CardwiseError
from cardwise.planning import compare, explain, nearest, search, simulate
from cardwise.reports import catalogue_records, layout_records, records, run_records, words
from cardwise.web import answers

LOADED = (compare, explain, nearest, search, simulate, catalogue_records, layout_records, records, run_records, words, answers)


def warm() -> None:
    """Reads the catalogue; a broken file of the person's own is told by whoever asks, not here."""
    with contextlib.suppress(CardwiseError):
        accelerators()
        listed()


warm()
