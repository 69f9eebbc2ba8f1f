"""Accelerators, the links between them, and what they cost: frozen facts, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cardwise.errors import MissingFact


@dataclass(frozen=True, slots=True)
class Source:
    """Where a number is from. `kind`: datasheet, measured, file, config, derived (by `rule`), assumed, user."""

    kind: str
    text: str
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One card (or one unified-memory machine) as its sheets describe it. All rates are dense, per card.

    `peaks` maps an arithmetic to FLOP/s (or OP/s): fp32, tf32, fp16 (FP32 accumulate), fp16_acc16 (FP16 accumulate),
    bf16, fp8, int8, fp4, int4. A missing key means that the chip lacks the format or that no source states it.
    """

    name: str
    vendor: str
    generation: str
    form_factor: str
    memory_bytes: float
    usable_bytes: float
    memory_type: str
    bandwidth_bytes_per_s: float
    peaks: Mapping[str, float]
    source: str
    aliases: tuple[str, ...] = ()
    launch: str = ""
    l2_bytes: float | None = None
    units: int | None = None
    boost_hz: float | None = None
    interconnect: str = ""
    interconnect_bytes_per_s: float | None = None
    pcie: str = ""
    p2p_over_pcie: str = "unknown"
    tdp_w: float | None = None
    msrp_usd: float | None = None
    ecc: str = ""
    notes: str = ""
    unified_memory: bool = False
    reported_bytes: float | None = None  # what the runtime reports as total (cudaMemGetInfo): the base of an engine's memory share
    family: str = ""  # cards of one family share a physical chip: "H100 SXM" for H100 SXM and H800 SXM
    sources: Mapping[str, Source] = field(default_factory=dict)

    @property
    def chip(self) -> str:
        """The family, or the card alone where no other shares its chip: what counts as the same silicon in evidence."""
        return self.family or self.name

    def peak(self, *formats: str) -> float:
        """FLOP/s of the first of `formats` that this card states. Raises MissingFact when it states none."""
        for name in formats:
            value = self.peaks.get(name)
            if value:
                return value
        raise MissingFact(f"{self.name} states no rate for {' or '.join(formats)}; add it with --facts")


@dataclass(frozen=True, slots=True)
class Link:
    """How the cards of one node talk: bytes/s in one direction per card as specified, and whether peers reach each other directly.

    `kind`: nvlink, nvlink-bridge, nvswitch, pcie, xgmi, unified, ethernet, none. `between`: the link over which the stages of a pipeline
    talk where that is another (between machines, or between pairs that a bridge joins); None: this link serves both.
    """

    name: str
    kind: str
    bytes_per_s: float
    peer_to_peer: bool
    source: str
    generation: str = ""
    between: Link | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """One dated price. `kind`: rent_on_demand, rent_spot, rent_reserved, buy_new, buy_used, msrp ...; per card, in `currency`."""

    accelerator: str
    kind: str
    provider: str
    region: str
    currency: str
    amount: float
    unit: str
    count: int
    date: str
    source: str
    notes: str = ""
