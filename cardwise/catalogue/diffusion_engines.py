"""Software that runs pipelines of images and video, how it unpacks weights, and what its process takes: data/diffusion/engines.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from cardwise.catalogue.load import read_toml
from cardwise.errors import UnknownName
from cardwise.quantities import GIB

FILE = "diffusion/engines.toml"


@dataclass(frozen=True, slots=True)
class PipelineEngine:
    """One engine: its usual `mode` and `precision`; attention is fused from the month `fused_since` on. `splits`: what it spreads over
    cards; `sharded`: it keeps weights in shares there. `decoder_precision`: of the autoencoder where it has its own; `keeps_checkpoint`:
    weights stay as they are published, under autocast, whose residual stream is in 32 bit. `steps`: where nobody says (0: the model's).
    `vendors`, `without_generations`, `formats`: what it runs on and takes; empty: any.
    """

    name: str
    mode: str
    precision: str
    fused_since: str
    offloads: tuple[str, ...]
    splits: tuple[str, ...]
    sharded: bool
    source: str
    decoder_precision: str = ""
    keeps_checkpoint: bool = False
    steps: int = 0
    vendors: tuple[str, ...] = ()
    without_generations: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()

    def why_not(self, vendor: str, generation: str, weights: str) -> str:
        """Why this engine does not run such a card or format; empty where it does."""
        if self.vendors and vendor not in self.vendors:
            return f"{self.name} runs on {' and '.join(self.vendors)}, not on {vendor}"
        if generation in self.without_generations:
            return f"{self.name} does not run on the generation {generation}"
        if self.formats and weights not in self.formats:
            return f"{self.name} takes {', '.join(self.formats)}, not {weights}"
        return ""


@dataclass(frozen=True, slots=True)
class Unpacking:
    """How stored weights become operands: bytes moved per element and pass, eagerly and replayed; `native`: multiplied as stored."""

    name: str
    moved_bytes: float
    replayed_bytes: float
    native: bool
    words: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """Bytes of a process beside its tensors; FLOP/s of the host for encoders that stay there; pixels of a decoder's tile; parameters from
    which a text encoder is quantised or kept on the host.
    """

    context_bytes: float
    host_flops_per_s: float
    tile_pixels: int
    large_encoder: int


@lru_cache(maxsize=1)
def _data() -> Mapping[str, Any]:
    return read_toml(FILE)


@lru_cache(maxsize=1)
def pipeline_engines() -> Mapping[str, PipelineEngine]:
    """All engines by name."""
    return {
        name: PipelineEngine(
            name,
            entry["mode"],
            entry["precision"],
            entry["fused_since"],
            tuple(entry["offloads"]),
            tuple(entry["splits"]),
            bool(entry.get("sharded", False)),
            entry["source"],
            str(entry.get("decoder_precision", "")),
            bool(entry.get("keeps_checkpoint", False)),
            int(entry.get("steps", 0)),
            tuple(entry.get("vendors", ())),
            tuple(entry.get("without_generations", ())),
            tuple(entry.get("formats", ())),
        )
        for name, entry in _data()["engines"].items()
    }


@lru_cache(maxsize=256)
def pipeline_engine(name: str) -> PipelineEngine:
    """The engine of that name or alias; no name is diffusers. Raises UnknownName with the nearest names."""
    word = name.strip().lower() or "diffusers"
    aliases = {alias: engine for engine, entry in _data()["engines"].items() for alias in (engine, *entry.get("aliases", ()))}
    if word not in aliases:
        raise UnknownName("engine for images and video", name[:60], get_close_matches(word[:60], aliases, 3, 0.5) or sorted(aliases)[:6])
    return pipeline_engines()[aliases[word]]


@lru_cache(maxsize=1)
def unpackings() -> Mapping[str, Unpacking]:
    """All ways of unpacking by name."""
    return {
        name: Unpacking(
            name, float(entry["bytes"]), float(entry["replayed"]), bool(entry.get("native")), tuple(entry["words"]), entry["source"]
        )
        for name, entry in _data()["unpacking"].items()
    }


def ranking_model() -> str:
    """The pipeline by which cards are ranked for images."""
    return str(_data()["ranking"]["images"]["model"])


@lru_cache(maxsize=1)
def process_memory() -> ProcessMemory:
    entry = _data()["memory"]
    return ProcessMemory(
        entry["context"]["gib"] * GIB,
        float(entry["host"]["flops_per_s"]),
        int(entry["tile"]["pixels"]),
        int(entry["large_encoder"]["parameters"]),
    )
