"""A person's own facts: ten lines add a card, one line corrects one, and slips of the hand are refused in one line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from cardwise.catalogue.accelerators import accelerator, accelerators
from cardwise.catalogue.links import link, node
from cardwise.catalogue.load import use_facts
from cardwise.catalogue.prices import market, typical
from cardwise.errors import BadFile, BadInput, CardwiseError, UnknownName
from cardwise.passes.architectures import architecture
from cardwise.planning import facade
from cardwise.quantities import GIB, GIGA, TERA


class Write(Protocol):
    def __call__(self, text: str, name: str = ...) -> Path: ...


TEN_LINES = """
name = "RTX 6090"
vendor = "NVIDIA"
generation = "blackwell"
class = "geforce"
form_factor = "PCIe card"
memory_gib = 48
bandwidth_gb_s = 2400
fp16_dense_tflops = 300
pcie = "5.0 x16"
tdp_w = 600
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes a file of facts; afterwards the catalogue is as it was."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def to_file(text: str, name: str = "mine.toml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    yield to_file
    monkeypatch.undo()
    use_facts([])


def test_ten_lines_are_a_card(write: Write) -> None:
    use_facts([write(TEN_LINES)])
    card = accelerator("6090")
    assert (card.memory_bytes, card.bandwidth_bytes_per_s) == (48 * GIB, 2400 * GIGA)
    assert card.peaks["fp16"] == 300 * TERA and card.sources["fp16"].kind == "user"
    assert card.peaks["fp8"] == 600 * TERA and card.sources["fp8"].kind == "derived"  # by the rule of its generation
    assert card.usable_bytes < card.memory_bytes and "mine.toml" in card.source
    assert link(card, 4).bytes_per_s == pytest.approx(63 * GIGA, rel=0.01) and not link(card, 4).peer_to_peer
    use_facts([])
    with pytest.raises(UnknownName):
        accelerator("6090")


def test_like_takes_over_the_rest(write: Write) -> None:
    use_facts([write('name = "My 4090"\nlike = "4090"\nmemory_gib = 48\n')])
    mine, stock = accelerator("my 4090"), accelerator("RTX 4090")
    assert mine.peaks == stock.peaks and mine.generation == "ada"
    assert mine.usable_bytes == pytest.approx(48 * GIB, rel=0.001) and mine.memory_bytes == 48 * GIB
    assert mine.family == "My 4090" and mine.msrp_usd is None


def test_the_same_name_corrects_a_card(write: Write) -> None:
    use_facts([write('[[accelerator]]\nname = "L2"\nbandwidth_gb_s = 300\nfp16_dense_tflops = 96.5\n')])
    card = accelerator("L2")
    assert card.bandwidth_bytes_per_s == 300 * GIGA and card.memory_bytes == 24 * GIB


def test_the_config_folder_is_read_and_later_files_win(write: Write, tmp_path: Path) -> None:
    folder = tmp_path / "config" / "cardwise"
    folder.mkdir(parents=True)
    (folder / "cards.toml").write_text(TEN_LINES, encoding="utf-8")
    use_facts([])
    assert accelerator("RTX 6090").memory_bytes == 48 * GIB
    use_facts([write(TEN_LINES.replace("48", "64"))])
    assert accelerator("RTX 6090").memory_bytes == 64 * GIB


def test_own_prices_come_first(write: Write) -> None:
    columns = "accelerator,kind,price,currency,unit,count,date,source"
    row = "H100 SXM,rent_reserved,100000,CNY,server-month,8,2026-11,contract"
    use_facts([write('[[price]]\naccelerator = "4090"\nusd_per_hour = 0.22\n'), write(f"{columns}\n{row}\n", "prices.csv")])
    found = market(accelerator("RTX 4090"), ("rent_on_demand",))
    assert found is not None and (found.low, found.high, found.price.provider) == (0.22, 0.22, "you")
    contract = typical(accelerator("H100 SXM"), ("rent_reserved",), 7.0)
    assert contract is not None and contract.amount == pytest.approx(100000 / 8 / 730 / 7.0)


def test_own_node(write: Write) -> None:
    use_facts(
        [write('[[node]]\nname = "my rig"\nnames = ["RTX 4090"]\ncards = 4\nnetwork = "25 GbE"\nnetwork_gb_s = 3.1\nsource = "mine"\n')]
    )
    assert node(accelerator("RTX 4090")).cards == 4
    assert link(accelerator("RTX 4090"), 8).name == "25 GbE"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (TEN_LINES.replace("= 48", "= -48"), r"RTX 6090: memory_gib is -48; it must lie between 0.1 and 100,000"),
        (TEN_LINES.replace("= 2400", "= 2.4e12"), "bandwidth_gb_s is 2.4e\\+12; it must lie between 1 and 1,000,000"),
        (TEN_LINES.replace("= 300", "= 0"), "fp16_dense_tflops is 0; it must lie between"),
        (TEN_LINES.replace("= 300", "= nan"), "fp16_dense_tflops is nan; it must lie between"),
        (TEN_LINES.replace("= 300", '= "fast"'), "fp16_dense_tflops is 'fast'; it must be a number"),
        (TEN_LINES.replace("fp16_dense_tflops", "fp16_tflops"), "unknown key fp16_tflops; did you mean fp16_dense_tflops"),
        (TEN_LINES.replace("bandwidth_gb_s = 2400\n", ""), "RTX 6090: bandwidth_gb_s is missing; add it, or like ="),
        ('name = "x"\nlike = "no such card"\n', "unknown card 'no such card'"),
        ("[[card]]\nname = 'x'\n", r"unknown table \[\[card\]\]; known: accelerator, price"),
        ("accelerator = 3\n", "accelerator must be a table"),
        ("[[accelerator]]\nmemory_gib = 3\n", "a card lacks name"),
        ('[[price]]\naccelerator = "4090"\n', "a price lacks price"),
        ('[[price]]\naccelerator = "4090"\nprice = -1\n', "price is -1; it must lie between"),
        ('[[price]]\naccelerator = "4090"\nprice = 1\nkind = "gift"\n', "kind is 'gift'; it must be one of rent_on_demand"),
        ("name = \n", "not valid TOML"),
        (TEN_LINES + "aliases = 3\n", "RTX 6090: aliases is 3; it must be a list of texts"),
        (TEN_LINES + 'memory_options_gib = ["48"]\n', "memory_options_gib is .*; it must be a list of numbers"),
        (TEN_LINES + "sources = 3\n", "sources must be tables"),
        (TEN_LINES.replace('"NVIDIA"', '["NVIDIA"]'), "vendor is .*; it must be a text"),
        ('[[price]]\naccelerator = "4090"\nprice = 1\ncount = 0\n', "count is 0; it must lie between 1 and"),
        ('[[price]]\naccelerator = "no such card"\nprice = 1\n', "unknown card 'no such card'"),
        ('[[node]]\nname = "box"\n', r"box: cards is missing; \[\[node\]\] needs name, cards, network, source"),
        ('[[node]]\nname = "box"\ncards = 4\nnetwork = "n"\nsource = "s"\n', "network_gb_s is missing"),
        ('[[usable]]\nshare = 2\nsource = "s"\n', "share is 2; it must lie between"),
    ],
)
def test_slips_are_refused_in_one_line_that_names_the_file(write: Write, text: str, says: str) -> None:
    path = write(text)
    with pytest.raises((BadInput, UnknownName)) as caught:
        use_facts([path])
        accelerators()
        market(accelerator("RTX 4090"))
    assert re.search(says, caught.value.message) and "\n" not in caught.value.message
    assert "mine.toml" in caught.value.message


def test_files_that_cannot_be_read(write: Write, tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="No such file"):
        use_facts([tmp_path / "none.toml"])
    (tmp_path / "latin.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(BadFile, match="not UTF-8 at byte 8"):
        use_facts([tmp_path / "latin.toml"])
    with pytest.raises(BadFile, match="row 2 lacks price"):
        use_facts([write("accelerator,kind,price\n4090,rent_on_demand,\n", "p.csv")])
    with pytest.raises(BadFile, match="must be numbers"):
        use_facts([write("accelerator,kind,price\n4090,rent_on_demand,cheap\n", "p.csv")])


MODEL = '[models."me/tuned"]\nlike = "Qwen/Qwen3-8B"\nsource = "my own fine-tune"\naliases = ["my-tuned"]\n'


def test_one_file_holds_cards_prices_and_models(write: Write) -> None:
    facade.use_facts([write(TEN_LINES.replace("name", "[[accelerator]]\nname", 1) + MODEL)])
    assert accelerator("RTX 6090").memory_bytes == 48 * GIB
    assert architecture("my-tuned").parameters == architecture("Qwen/Qwen3-8B").parameters
    facade.use_facts([write(MODEL + '[[price]]\naccelerator = "4090"\nusd_per_hour = 0.22\n')])
    assert architecture("me/tuned").source == "my own fine-tune"
    found = typical(accelerator("RTX 4090"))
    assert found is not None and found.amount == 0.22
    facade.use_facts([])
    with pytest.raises(UnknownName):
        architecture("me/tuned")


def test_a_file_that_is_one_card_may_hold_models_too(write: Write) -> None:
    facade.use_facts([write(TEN_LINES + MODEL)])
    assert accelerator("RTX 6090").tdp_w == 600 and architecture("my-tuned").layer_count == 36


def test_files_of_the_home_folder_hold_models_too(write: Write, tmp_path: Path) -> None:
    (tmp_path / "config" / "cardwise").mkdir(parents=True)
    write(MODEL, "config/cardwise/models.toml")
    facade.use_facts([])
    assert architecture("my-tuned").layer_count == 36
    write(MODEL.replace("tuned", "other"), "config/cardwise/models.toml")
    facade.use_facts([])
    assert architecture("my-other").layer_count == 36
    write("models = 3\n", "config/cardwise/models.toml")
    with pytest.raises(BadFile, match="models must be tables"):
        facade.use_facts([])


def test_a_file_that_is_refused_changes_nothing(write: Write) -> None:
    facade.use_facts([write(TEN_LINES)])
    for bad in (write("[[price]]\nprice = -1\n", "bad.toml"), write("models = 3\n", "worse.toml")):
        with pytest.raises(CardwiseError):
            facade.use_facts([bad])
        assert accelerator("RTX 6090").memory_bytes == 48 * GIB
