"""Which link cards use: published rates per direction, P2P off where the driver has it off, networks beyond a node."""

from __future__ import annotations

import pytest

from cardwise.catalogue.accelerators import accelerator, accelerators
from cardwise.catalogue.links import SAID, link, node
from cardwise.errors import BadInput, CannotRun, CardwiseError, MissingFact
from cardwise.quantities import GIGA

# (card, count, said) -> kind, GB/s in one direction per card, peers reach each other
PUBLISHED = [
    ("H100 SXM", 8, "", "nvswitch", 450, True),  # 900 GB/s both ways
    ("H800 SXM", 8, "", "nvswitch", 200, True),
    ("A100 SXM 80GB", 4, "", "nvswitch", 300, True),
    ("B200", 8, "", "nvswitch", 900, True),
    ("V100 SXM2 16GB", 8, "", "nvlink", 150, True),
    ("GB200", 72, "", "nvswitch", 900, True),
    ("H100 NVL", 2, "", "nvlink-bridge", 300, True),
    ("H200 NVL", 4, "", "nvlink-bridge", 450, True),
    ("H100 PCIe", 2, "nvlink", "nvlink-bridge", 300, True),
    ("RTX 3090", 2, "nvlink", "nvlink-bridge", 56.25, True),
    ("RTX 2080 Ti", 2, "nvlink", "nvlink-bridge", 50, True),
    ("MI300X", 2, "", "xgmi", 64, True),  # one of seven links
    ("MI300X", 8, "", "xgmi", 448, True),
    ("Gaudi 2", 8, "", "ethernet", 262.5, True),  # 21 of 24 ports stay in the server
    ("RTX 4090", 8, "", "pcie", 31.5, False),
    ("RTX 4090", 8, "pcie-p2p", "pcie", 31.5, True),
    ("RTX 5090", 2, "", "pcie", 63, False),
    ("RTX 4060", 2, "", "pcie", 15.75, False),  # eight lanes
    ("RTX 3090", 2, "", "pcie", 31.5, False),  # a bridge is an accessory
    ("RTX 3090", 4, "nvlink", "pcie", 31.5, False),  # a bridge joins two
    ("H100 PCIe", 2, "", "pcie", 63, True),
    ("H100 NVL", 4, "", "pcie", 63, True),
    ("RTX PRO 6000 Blackwell Server", 8, "", "pcie", 63, True),
    ("L40S", 8, "", "pcie", 31.5, True),
    ("H100 SXM", 16, "", "ethernet", 50, False),  # 400 Gb/s InfiniBand per GPU
    ("L40", 12, "pcie", "pcie", 31.5, True),  # somebody's larger chassis
    ("L40", 12, "", "ethernet", 1.5625, False),
    ("A100 SXM 80GB", 16, "", "ethernet", 25, False),
    ("M2 Ultra 76-core", 2, "", "ethernet", 5, False),
    ("GB10", 2, "", "ethernet", 25, False),
]


@pytest.mark.parametrize(("name", "count", "said", "kind", "gb_s", "peers"), PUBLISHED)
def test_links_are_those_of_the_sheets(name: str, count: int, said: str, kind: str, gb_s: float, peers: bool) -> None:
    found = link(accelerator(name), count, said)
    assert (found.kind, found.peer_to_peer) == (kind, peers)
    assert found.bytes_per_s / GIGA == pytest.approx(gb_s, rel=0.01)
    assert found.source and found.name


def test_one_card_needs_no_link() -> None:
    assert link(accelerator("RTX 4090"), 1).kind == "none"


def test_what_a_card_lacks_is_refused() -> None:
    with pytest.raises(CannotRun, match=r"RTX 4090 has no nvlink; its cards talk over PCIe 4.0 x16; say pcie, or nothing"):
        link(accelerator("RTX 4090"), 2, "nvlink")
    with pytest.raises(BadInput, match="say one of nvlink, pcie"):
        link(accelerator("RTX 4090"), 2, "infinity")
    with pytest.raises(BadInput, match="at least 1"):
        link(accelerator("RTX 4090"), 0)
    with pytest.raises(MissingFact, match="TPU v6e"):
        link(accelerator("TPU v6e"), 8)


def test_every_card_has_a_node_and_a_sourced_link_or_says_what_is_missing() -> None:
    for card in accelerators().values():
        machine = node(card)
        assert machine.cards >= 1 and machine.network_bytes_per_s > 0 and machine.source
        for count in (2, 4, 8, 64):
            for said in SAID:
                try:
                    found = link(card, count, said)
                except CardwiseError as error:
                    assert card.name in error.message
                else:
                    assert found.bytes_per_s > 0 and found.source


def test_more_cards_never_make_a_faster_link_per_peer() -> None:
    for card in accelerators().values():
        try:
            rates = [link(card, count).bytes_per_s / (count - 1) for count in (2, 4, 8)]
        except CardwiseError:
            continue
        assert rates == sorted(rates, reverse=True), card.name


def test_nodes() -> None:
    assert (node(accelerator("H100 SXM")).cards, node(accelerator("H100 SXM")).host_power_w) == (8, 4600)
    assert node(accelerator("GB300")).cards == 72
    assert node(accelerator("RTX 4090 Laptop")).cards == 1
    assert node(accelerator("MI250")).cards == 4
