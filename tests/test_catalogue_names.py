"""What people, drivers and tables call a card, and which card that is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardwise.catalogue.accelerators import accelerator, accelerators, named, parse_cards
from cardwise.errors import AmbiguousName, BadInput, CardwiseError, UnknownName

# Names that published tables of measurements use, some of which leave the variant open.
IN_TABLES = """
A100=A100 SXM 80GB; A100 40GB=A100 SXM 40GB; A100 80GB=A100 SXM 80GB; A100 PCIe=A100 PCIe 80GB; A100 PCIe 40GB=A100 PCIe 40GB
A100 PCIe 80GB=A100 PCIe 80GB; A100 SXM=A100 SXM 80GB; A100 SXM 40GB=A100 SXM 40GB; A100 SXM 80GB=A100 SXM 80GB; A40=A40
A800 PCIe 80GB=A800 PCIe 80GB; B200=B200; B200 SXM=B200; B300 SXM=B300; GB200=GB200; GB200 SXM=GB200; GB300=GB300; GH200 SXM=GH200 96GB
GTX 1050 Ti=GTX 1050 Ti; GTX 1060 6GB=GTX 1060 6GB; GTX 1070=GTX 1070; GTX 1080=GTX 1080; Gaudi 2=Gaudi 2; Gaudi2=Gaudi 2
Gaudi 3=Gaudi 3; H100=H100 SXM; H100 80GB=H100 SXM; H100 NVL=H100 NVL; H100 PCIe=H100 PCIe; H100 SXM=H100 SXM; H20 141GB=H20 141GB
H200=H200 SXM; H200 NVL=H200 NVL; H200 SXM=H200 SXM; H800=H800 SXM; Jetson Orin NX 16GB=Jetson Orin NX 16GB; L20=L20; L4=L4; L40=L40
L40S=L40S; M1=M1 8-core; M1 7-core=M1 7-core; M1 Max=M1 Max 32-core; M1 Max 24-core=M1 Max 24-core; M1 Max 32-core=M1 Max 32-core
M1 Pro 14-core=M1 Pro 14-core; M1 Pro 16-core=M1 Pro 16-core; M1 Ultra 48-core=M1 Ultra 48-core; M1 Ultra 64-core=M1 Ultra 64-core
M2=M2 10-core; M2 Max 30-core=M2 Max 30-core; M2 Ultra 76-core=M2 Ultra 76-core; M3 10-core=M3 10-core; M3 Max=M3 Max 40-core
M3 Max 40-core=M3 Max 40-core; M3 Pro 18-core=M3 Pro 18-core; M4 Pro=M4 Pro 20-core; M5 10-core=M5 10-core; M5 Pro=M5 Pro; MI100=MI100
MI250=MI250; MI300X=MI300X; MI325X=MI325X; MI350X=MI350X; MI355X=MI355X; P100 16GB=P100 PCIe 16GB; Quadro P2000=Quadro P2000
Quadro RTX 8000=Quadro RTX 8000; Quadro T1000=Quadro T1000; RTX 2070 SUPER=RTX 2070 SUPER; RTX 2080=RTX 2080; RTX 2080 Ti=RTX 2080 Ti
RTX 3050 Laptop GPU=RTX 3050 Laptop 4GB; RTX 3050 Laptop GPU 6GB=RTX 3050 Laptop 6GB; RTX 3060=RTX 3060 12GB; RTX 3070=RTX 3070
RTX 3070 Laptop=RTX 3070 Laptop; RTX 3070 Ti=RTX 3070 Ti; RTX 3080=RTX 3080 10GB; RTX 3080 Laptop GPU=RTX 3080 Laptop 16GB
RTX 3080 Ti=RTX 3080 Ti; RTX 3090=RTX 3090; RTX 3090 Ti=RTX 3090 Ti; RTX 4000 Ada=RTX 4000 Ada; RTX 4070=RTX 4070
RTX 4070 Laptop=RTX 4070 Laptop; RTX 4070 Laptop GPU=RTX 4070 Laptop; RTX 4070 SUPER=RTX 4070 SUPER; RTX 4070 Ti=RTX 4070 Ti
RTX 4090=RTX 4090; RTX 4090 48GB (modded)=RTX 4090 48GB (modded); RTX 4090 Laptop=RTX 4090 Laptop; RTX 4090 Laptop GPU=RTX 4090 Laptop
RTX 5000 Ada=RTX 5000 Ada; RTX 5070=RTX 5070; RTX 5080=RTX 5080; RTX 5090=RTX 5090; RTX 5090 D=RTX 5090 D; RTX 6000 Ada=RTX 6000 Ada
RTX A4000=RTX A4000; RTX A5000=RTX A5000; RTX PRO 2000 Blackwell=RTX PRO 2000 Blackwell; RTX PRO 6000=RTX PRO 6000 Blackwell Workstation
RTX PRO 6000 Blackwell=RTX PRO 6000 Blackwell Workstation; RTX PRO 6000 Blackwell Server Edition=RTX PRO 6000 Blackwell Server
RX 7900 XT=RX 7900 XT; RX 7900 XTX=RX 7900 XTX; RX 9070 XT=RX 9070 XT; Radeon 780M=Radeon 780M
Radeon 8060S (Ryzen AI Max+ 395)=Ryzen AI Max+ 395; Radeon RX 6600 XT=RX 6600 XT; Radeon RX 6700 XT=RX 6700 XT
Radeon RX 6750 XT=RX 6750 XT; Radeon RX 6800 XT=RX 6800 XT; Radeon RX 7900 XT=RX 7900 XT; Radeon RX 7900 XTX=RX 7900 XTX; T4=T4
Tesla K80=K80 (per GPU); Tesla M40 24GB=M40 24GB; Tesla P4=P4; Tesla P40=P40; Titan V=TITAN V; V100=V100 SXM2 16GB
V100 PCIe 16GB=V100 PCIe 16GB; V100S 32GB=V100S PCIe 32GB
"""
# What drivers and people write; each means one card.
STRICT = {
    "4090": "RTX 4090", "rtx4090": "RTX 4090", "RTX-4090 24 GB": "RTX 4090", "NVIDIA GeForce RTX 4090": "RTX 4090",
    "4090D": "RTX 4090 D", "NVIDIA H100 80GB HBM3": "H100 SXM", "NVIDIA A100-SXM4-80GB": "A100 SXM 80GB",
    "NVIDIA A100 80GB PCIe": "A100 PCIe 80GB", "NVIDIA A100-PCIE-40GB": "A100 PCIe 40GB",
    "Tesla V100-SXM2-32GB": "V100 SXM2 32GB", "Tesla P100-PCIE-16GB": "P100 PCIe 16GB", "Tesla T4": "T4",
    "NVIDIA L40S": "L40S", "NVIDIA GeForce RTX 4090 Laptop GPU": "RTX 4090 Laptop", "RTX 4090 Mobile": "RTX 4090 Laptop",
    "NVIDIA RTX 6000 Ada Generation": "RTX 6000 Ada", "Apple M3 Max (40-core GPU)": "M3 Max 40-core",
    "AMD Instinct MI300X OAM": "MI300X", "AMD Radeon RX 7900 XTX": "RX 7900 XTX", "7900xtx": "RX 7900 XTX",
    "Intel Arc B580": "Arc B580", "DGX Spark": "GB10", "Strix Halo": "Ryzen AI Max+ 395", "昇腾910B3": "Ascend 910B3",
    "英伟达 RTX 4090": "RTX 4090", "H20": "H20 96GB", "80GB A100 SXM": "A100 SXM 80GB", "H100 SXM5 80GB": "H100 SXM",
    "a100 sxm 80g": "A100 SXM 80GB",
    "NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition": "RTX PRO 6000 Blackwell Max-Q",
}  # fmt: skip


@pytest.mark.parametrize("pair", [pair for line in IN_TABLES.strip().splitlines() for pair in line.split("; ")])
def test_names_of_tables_find_the_right_card(pair: str) -> None:
    name, card = pair.split("=")
    assert accelerator(name, lenient=True).name == card


@pytest.mark.parametrize(("name", "card"), STRICT.items())
def test_names_of_drivers_and_people_find_the_right_card(name: str, card: str) -> None:
    assert accelerator(name).name == card
    assert accelerator(name.upper()).name == card


@pytest.mark.parametrize(
    ("name", "some"),
    [
        ("A100", {"A100 SXM 80GB", "A100 PCIe 40GB"}),
        ("H100", {"H100 SXM", "H100 PCIe", "H100 NVL"}),
        ("A100 80GB", {"A100 SXM 80GB", "A100 PCIe 80GB"}),
        ("H200", {"H200 SXM", "H200 NVL"}),
        ("M3 Max", {"M3 Max 30-core", "M3 Max 40-core"}),
        ("3080", {"RTX 3080 10GB", "RTX 3080 12GB"}),
        ("RTX PRO 6000", {"RTX PRO 6000 Blackwell Workstation", "RTX PRO 6000 Blackwell Server"}),
        ("RTX 6000", {"Quadro RTX 6000", "RTX 6000 Ada"}),
    ],
)
def test_a_name_of_two_cards_lists_them(name: str, some: set[str]) -> None:
    with pytest.raises(AmbiguousName, match="could mean") as caught:
        accelerator(name)
    assert some <= set(caught.value.candidates)
    assert set(named(name)) == set(caught.value.candidates)


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UnknownName, match="RTX 4090") as caught:
        accelerator("RTX 4095")
    assert len(caught.value.nearest) <= 3 and "--facts" in caught.value.message
    with pytest.raises(UnknownName, match="MI300X"):
        accelerator("MI300")


def test_every_card_finds_itself_and_every_alias_a_card_that_carries_it() -> None:
    for card in accelerators().values():
        assert accelerator(card.name) is card
        for alias in card.aliases:
            assert card.name in named(alias), alias


def test_a_shared_name_has_at_most_one_preferred_card() -> None:
    for card in accelerators().values():
        for alias in card.aliases:
            if len(named(alias)) > 1:
                try:
                    preferred = accelerator(alias, lenient=True).name
                except AmbiguousName:
                    continue
                assert preferred in named(alias)


def test_a_unified_machine_may_say_its_memory() -> None:
    small = accelerator("M3 Max 64GB")
    assert (small.name, small.family, small.memory_bytes) == ("M3 Max 40-core 64GB", "M3 Max 40-core", 64 * 2**30)
    assert accelerator("Apple M2 Ultra 76-core 128 GB").usable_bytes == 96 * 2**30
    assert accelerator("Ryzen AI Max+ 395 64GB").memory_bytes == 64 * 2**30
    with pytest.raises(BadInput, match="sold with 64, 128, 192 GB; 512 GB is none of them"):
        accelerator("M2 Ultra 76-core 512GB")
    with pytest.raises(UnknownName):
        accelerator("RTX 4090 96GB")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RTX 4090, 8x H100 SXM, 2*a100-sxm-80g", [(None, "RTX 4090"), (8, "H100 SXM"), (2, "A100 SXM 80GB")]),
        ("8x4090", [(8, "RTX 4090")]),
        ("4090 x8", [(8, "RTX 4090")]),
        ("7900 xtx", [(None, "RX 7900 XTX")]),
        ("2x7900xtx;", [(2, "RX 7900 XTX")]),
        ("8 × RTX 4090；2x昇腾910B3", [(8, "RTX 4090"), (2, "Ascend 910B3")]),
        ("M2 Ultra 76-core 128GB x2", [(2, "M2 Ultra 76-core 128GB")]),
    ],
)
def test_lists_of_cards(text: str, expected: list[tuple[int | None, str]]) -> None:
    assert [(count, card.name) for count, card in parse_cards(text)] == expected


@pytest.mark.parametrize(("text", "name"), [("RTX 9999", "RTX 9999"), ("8x RTX 9999", "RTX 9999"), ("8x H900", "H900")])
def test_an_unknown_card_is_named_as_it_was_written(text: str, name: str) -> None:
    """`RT`, x, 9999 is not a reading of `RTX 9999`."""
    with pytest.raises(UnknownName, match=f"unknown card {name!r}; nearest: "):
        parse_cards(text)


def test_all_is_every_card() -> None:
    assert len(parse_cards(" ALL ")) == len(accelerators())


@pytest.mark.parametrize("text", ["", " , ;", "0x 4090", "16385x 4090", "9999999999999x 4090"])
def test_a_bad_list_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_cards(text)
    with pytest.raises(BadInput, match="between 1 and 16,384"):
        parse_cards("0x 4090")


@given(st.text(max_size=40))
def test_any_text_is_a_card_or_a_one_line_error(text: str) -> None:
    for ask in (accelerator, parse_cards):
        try:
            ask(text)
        except CardwiseError as error:
            assert "\n" not in error.message and error.message
