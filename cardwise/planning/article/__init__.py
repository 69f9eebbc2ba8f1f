"""The article claim by claim: its figure, its formula recomputed, the right figure, the verdict and why. `claims()` and `essay_cases()`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cardwise.catalogue.article import article
from cardwise.planning.article import advice, clips, hardware, memory, money, pictures, rendering, speed
from cardwise.planning.article.claim import Claim, Found, Table, claim_of
from cardwise.planning.article.essay import EssayCase, essay_cases

__all__ = ["Claim", "EssayCase", "Table", "claims", "essay_cases"]


ANSWERS: Mapping[str, Callable[[], Found]] = {
    "A1": hardware.tf32,
    "A2": hardware.against_a100,
    "A3": rendering.rendering,
    "A4": money.price_ratios,
    "A5": speed.ranking,
    "A6": speed.work,
    "A7": memory.activations,
    "A8": memory.weights,
    "A9": memory.cache,
    "A10": memory.two_or_three,
    "A11": memory.eight_small,
    "A12": pictures.images,
    "A13": advice.inference_and_training,
    "R1": hardware.export_card,
    "R2": clips.clips,
    "R3": advice.one_small_card,
    "R4": advice.small_or_large,
}


def claims(lang: str = "en", only: tuple[str, ...] = ()) -> tuple[Claim, ...]:
    """Every claim with its answer, computed now; `only`: these ids. `lang`: language of the plain fields, en or zh; a Claim has both."""
    facts = article()
    wanted = [id for id in ANSWERS if not only or id in only]
    return tuple(claim_of(id, facts["claim"][id], ANSWERS[id](), facts["source"]).in_language(lang) for id in wanted)
