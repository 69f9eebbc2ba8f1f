"""Which link the cards of a layout use, and what a node is. The facts are in data/links.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cardwise.catalogue.load import Table, forgets, read_toml, user_tables
from cardwise.errors import BadInput, CannotRun, MissingFact
from cardwise.hardware import Accelerator, Link
from cardwise.quantities import GIGA

SAID = ("", "nvlink", "pcie", "pcie-p2p", "xgmi", "unified", "ethernet")


@dataclass(frozen=True, slots=True)
class Node:
    """One machine: how many cards it holds, the network between machines (bytes/s per card and direction), the power of the rest of it."""

    name: str
    cards: int
    network: str
    network_bytes_per_s: float
    source: str
    host_power_w: float | None = None


@lru_cache(maxsize=1)
def _tables() -> Mapping[str, tuple[Table, ...]]:
    """Tables of links.toml by kind, a person's own before them."""
    content = read_toml("links.toml")
    return {kind: (*user_tables().get(kind, ()), *content[kind]) for kind in ("pcie", "p2p", "fabric", "node")}


forgets(_tables.cache_clear)


def node(accelerator: Accelerator) -> Node:
    """The usual machine of this card: the first node of the data whose conditions hold."""
    table = next(entry for entry in _tables()["node"] if _holds(entry, accelerator))
    cards = int(table["cards"])
    per_card = table["network_gb_s"] if "network_gb_s" in table else table["network_gb_s_per_node"] / cards
    power = table.get("host_power_w")
    return Node(table["name"], cards, table["network"], per_card * GIGA, table["source"], None if power is None else float(power))


def link(accelerator: Accelerator, count: int, said: str = "") -> Link:
    """The link that `count` of these cards use, bytes/s in one direction per card as specified.

    `said`: what a person or a measured table says of the link: nvlink (a bridge is there), pcie (none is), pcie-p2p (a patched driver lets
    peers reach each other), xgmi, unified, ethernet; empty: the usual. More cards than a node holds talk over its network, unless PCIe is
    said.
    Raises BadInput for another word, CannotRun for a link that the card lacks, MissingFact when the card states neither PCIe nor a fabric.
    """
    if said not in SAID:
        raise BadInput(f"link {said!r} is unknown; say one of {', '.join(filter(None, SAID))}")
    if count < 1:
        raise BadInput(f"{count} cards have no link; the count must be at least 1")
    if count == 1:
        return Link("one card", "none", accelerator.bandwidth_bytes_per_s, True, "the card's own memory", accelerator.generation)
    machine = node(accelerator)
    if (count > machine.cards and not said.startswith("pcie")) or said == "ethernet":
        return Link(machine.network, "ethernet", machine.network_bytes_per_s, False, machine.source, accelerator.generation)
    fabric = _fabric(accelerator, count, said)
    if fabric is not None:
        return fabric
    if said in ("nvlink", "xgmi") and not accelerator.interconnect:
        raise CannotRun(f"{accelerator.name} has no {said}; its cards talk over PCIe {accelerator.pcie}".rstrip(), "say pcie, or nothing")
    return _pcie(accelerator, said)


def _fabric(accelerator: Accelerator, count: int, said: str) -> Link | None:
    """The direct link between cards of one node, None where PCIe is used."""
    total = accelerator.interconnect_bytes_per_s
    table = next((entry for entry in _tables()["fabric"] if entry["name"] == accelerator.interconnect), None)
    if table is None or said in ("pcie", "pcie-p2p") or count > table["cards"] or not (table["usual"] or said in ("nvlink", "xgmi")):
        return None
    rate = None if total is None else total / 2
    if "per_peer_gb_s" in table:
        meshed = float(table["per_peer_gb_s"]) * GIGA * (count - 1)
        rate = meshed if rate is None else min(meshed, rate)
    if rate is None:
        raise MissingFact(
            f"{accelerator.name}: no source states the rate of its {accelerator.interconnect}; add interconnect_gb_s with --facts"
        )
    return Link(table["name"], table["kind"], rate, True, f"{table['source']}; {accelerator.source}", accelerator.generation)


def host_bytes_per_s(accelerator: Accelerator) -> float | None:
    """One direction of a card's link to its host; None for unified memory, where the host has no other, and where no source states PCIe."""
    known = any(accelerator.pcie.startswith(table["generation"]) for table in _tables()["pcie"])
    return _pcie(accelerator, "").bytes_per_s if known and not accelerator.unified_memory else None


def _pcie(accelerator: Accelerator, said: str) -> Link:
    generation, _, lanes = accelerator.pcie.partition(" x")
    table = next((entry for entry in _tables()["pcie"] if entry["generation"] == generation), None)
    if table is None:
        raise MissingFact(f'{accelerator.name}: no source states how several of it are linked; add pcie = "4.0 x16" with --facts')
    peers, why = _peer_to_peer(accelerator)
    if said == "pcie-p2p":
        peers, why = True, "said"
    name = f"PCIe {generation} x{lanes or 16}" + ("" if peers else ", no P2P: through the host")
    rate = float(table["lane_gb_s"]) * float(lanes or 16) * GIGA
    return Link(name, "pcie", rate, peers, f"{table['source']}; P2P: {why}", accelerator.generation)


def _peer_to_peer(accelerator: Accelerator) -> tuple[bool, str]:
    if accelerator.p2p_over_pcie in ("yes", "no"):
        return accelerator.p2p_over_pcie == "yes", accelerator.source
    table = next((entry for entry in _tables()["p2p"] if _holds(entry, accelerator)), None)
    return (bool(table["on"]), str(table["source"])) if table else (False, "no source: taken as off")


def _holds(table: Table, accelerator: Accelerator) -> bool:
    """Whether all conditions of a table hold for the card. A card of somebody's own counts by its family too."""
    conditions: tuple[tuple[str, Any], ...] = (
        ("names", {accelerator.name, accelerator.family}),
        ("interconnects", {accelerator.interconnect}),
        ("generations", {accelerator.generation}),
        ("forms", {accelerator.form_factor}),
    )
    return table.get("vendor", accelerator.vendor) == accelerator.vendor and all(
        key not in table or values.intersection(table[key]) for key, values in conditions
    )
