"""Published runs of a model of images on the article's A100 and 4090, brought to seconds per step, picture and megapixel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from cardwise.calibration.cases import case_of
from cardwise.calibration.runs.cases import run_rows
from cardwise.calibration.runs.predict import SPEED
from cardwise.calibration.validate import predict
from cardwise.catalogue.accelerators import named
from cardwise.catalogue.article import article
from cardwise.catalogue.load import forgets
from cardwise.errors import CardwiseError
from cardwise.planning.article.cells import number
from cardwise.planning.runs.nearest import described
from cardwise.quantities import MEGA


@dataclass(frozen=True, slots=True)
class Published:
    """A measured run and its seconds per step, picture and megapixel."""

    text: str
    card: str
    value: str
    step_megapixel_s: float
    predicted: float | None


@lru_cache(maxsize=4)
def published(model: str) -> tuple[Published, ...]:
    """Measured runs of a model of images on an A100 and a 4090, quickest first."""
    return tuple(sorted(_published(model), key=lambda one: (one.card, one.step_megapixel_s)))


forgets(published.cache_clear)


def _published(model: str) -> Iterator[Published]:
    for row in run_rows():
        if row["model"] != model or row["metric"] not in SPEED or not row["width"]:
            continue
        card = _meant(row["accelerator"])
        if card is None or (row["metric"] != "it_s" and not row["steps"]):
            continue
        value, batch = float(row["value"]), float(row["batch"] or 1)
        megapixels = float(row["width"]) * float(row["height"]) / MEGA
        seconds = {"it_s": 1 / value / batch, "images_per_s": 1 / value / float(row["steps"] or 1)}.get(row["metric"])
        seconds = value / batch / float(row["steps"]) if seconds is None else seconds
        guess = predict([case_of(row)])[0].predicted
        text = described(row).replace(f", {row['model']}", "") + (f", {row['notes']}" if row["notes"] else "")
        yield Published(text, card, f"{number(value)} {row['metric']}", seconds / megapixels, guess)


def _meant(name: str) -> str | None:
    """`a100` or `rtx4090` where a row is of that card."""
    try:
        found = named(name)
    except CardwiseError:
        return None
    chosen = article()["cards"]
    if chosen["small"] in found:
        return "rtx4090"
    return "a100" if set(found) & set(chosen["old_all"]) else None
