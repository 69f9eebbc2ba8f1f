"""Schedulers of diffusion models: how many network evaluations a number of steps takes. The facts are in data/diffusion/schedulers.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

from cardwise.catalogue.load import read_toml
from cardwise.errors import UnknownName


@dataclass(frozen=True, slots=True)
class Scheduler:
    """One scheduler: N steps take `per_step` x N + `extra` evaluations of the denoiser."""

    name: str
    per_step: int
    extra: int
    source: str

    def evaluations(self, steps: int) -> int:
        return max(self.per_step * steps + self.extra, 1)


@lru_cache(maxsize=1)
def schedulers() -> Mapping[str, Scheduler]:
    """All schedulers by name and alias, in lower case."""
    found = {}
    for name, entry in read_toml("diffusion/schedulers.toml").items():
        made = Scheduler(name, int(entry["evaluations"]), int(entry["extra"]), entry["source"])
        found.update({word.lower(): made for word in (name, *entry["aliases"])})
    return found


def scheduler(name: str) -> Scheduler:
    """The scheduler of that name or alias. Raises UnknownName with the nearest names."""
    word = name.strip().lower()
    if word not in schedulers():
        near = get_close_matches(word[:60], schedulers(), 3, 0.5) or sorted({one.name for one in schedulers().values()})[:8]
        raise UnknownName("scheduler", name[:60], near)
    return schedulers()[word]
