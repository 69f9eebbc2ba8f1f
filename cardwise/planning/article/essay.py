"""The essay behind the article: its worked cases out of its own formulas, and what comes out today."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cardwise.answer import Option
from cardwise.catalogue.article import article
from cardwise.catalogue.costs import cost_assumptions, essay
from cardwise.laws import essay as law
from cardwise.laws.cost import owned_hour
from cardwise.planning.article import training as trained
from cardwise.planning.article.ask import ask, cards, fastest, option_of
from cardwise.quantities import GIGA, HOUR, KILO, MEGA, YEAR_HOURS

ESSAY_CARDS = ("rtx-4090", "h100")
Numbers = tuple[float, float, float | None]
"""Printed in the essay, out of its formula with its inputs, and what comes out today (None: not answered)."""


@dataclass(frozen=True, slots=True)
class EssayCase:
    """One worked case in `unit`. `printed`: the essay's result; `recomputed`: its formula with its inputs; `right`: predicted or reckoned
    today, None where this version does not answer."""

    id: str
    name: str
    name_zh: str
    unit: str
    printed: float
    recomputed: float
    right: float | None
    note: str
    note_zh: str

    @property
    def reproduced(self) -> float:
        """Recomputed over printed: 1 within the rounding of the essay's text."""
        return self.recomputed / self.printed


def essay_cases() -> tuple[EssayCase, ...]:
    """All worked cases of the essay, in its order."""
    words = article()["essay"]["case"]
    numbers = dict(all_numbers(essay()))
    return tuple(
        EssayCase(id, entry["name"]["en"], entry["name"]["zh"], entry["unit"], *numbers[id], entry["note"]["en"], entry["note"]["zh"])
        for id, entry in words.items()
    )


def all_numbers(facts: dict[str, Any]) -> Iterator[tuple[str, Numbers]]:
    yield from training(facts)
    yield from links(facts)
    yield from streams(facts)
    for card in ESSAY_CARDS:
        yield from server(facts, card)


def training(facts: dict[str, Any]) -> Iterator[tuple[str, Numbers]]:
    """Memory of training; right today: the activations of the model as it is, with flash attention, and the planner's smallest counts."""
    right = dict(trained.essay_right(facts))
    model, given = facts["model"], facts["training"]
    activations = law.activation_bytes(model["context_tokens"], given["batch"], model["hidden"], model["layers"], given["tensor_parallel"])
    rest = (model["bytes_per_parameter"], given["gradient_bytes_per_parameter"], given["optimizer_bytes_per_parameter"])
    memory = law.training_memory(model["parameters"], *rest, activations)
    yield "activations", (given["activation_gb"], activations / GIGA, right["activations"])
    yield "training_memory", (given["total_gb"], memory.total / GIGA, right["training_memory"])
    for size in ("large", "small"):
        count = law.cards_for(memory.total, given[f"{size}_card_gb"] * GIGA)
        yield f"{size}_cards", (given[f"{size}_cards"], count, right[f"{size}_cards"])


def links(facts: dict[str, Any]) -> Iterator[tuple[str, Numbers]]:
    """Tensor parallelism by link, the pipeline and the balance batch."""
    model = facts["model"]
    for name, card in facts["cards"].items():
        largest = law.largest_tensor_parallel(
            model["hidden"], model["bytes_per_parameter"], card["flops_per_s"], card["one_way_bytes_per_s"]
        )
        yield f"tensor_parallel_{name}", (card["largest_tensor_parallel"], largest, trained.essay_tensor_parallel(name, facts))
    stage, given = reading(facts, "rtx-4090"), facts["pipeline"]
    small, _, large = cards()
    lone = option_of(eight(small.name, 1), small.name, 8, "PP8")
    yield "stage", (given["stage_seconds"] * KILO, stage * KILO, lone.performance.tpot_s.likely / given["cards"] * KILO)
    yield "pipeline_token", (given["token_seconds"], law.pipeline_token_seconds(stage, given["cards"]), lone.performance.tpot_s.likely)
    for name, real in zip(ESSAY_CARDS, (small, large), strict=True):
        card = facts["cards"][name]
        balance = law.balance_batch(card["flops_per_s"], card["bandwidth_bytes_per_s"])
        yield f"balance_{name}", (card["balance_batch"], balance, law.balance_batch(real.peaks["bf16"], real.bandwidth_bytes_per_s))


def reading(facts: dict[str, Any], card: str) -> float:
    """Seconds in which eight cards read their share of the weights."""
    model = facts["model"]
    bandwidth = facts["cards"][card]["bandwidth_bytes_per_s"]
    return law.stage_seconds(model["parameters"], model["bytes_per_parameter"], facts["tensor_parallel"]["cards"], bandwidth)


def exchange(facts: dict[str, Any], card: str) -> float:
    """Seconds of one transfer at the card's balance batch."""
    model, given = facts["model"], facts["cards"][card]
    return law.transfer_seconds(given["balance_batch"], model["hidden"], model["bytes_per_parameter"], given["one_way_bytes_per_s"])


def streams(facts: dict[str, Any]) -> Iterator[tuple[str, Numbers]]:
    """Tokens/s of one stream under tensor parallelism over eight cards."""
    given, small = facts["tensor_parallel"], cards()[0]
    one = law.tensor_parallel_tokens_per_s(reading(facts, "rtx-4090"), given["transfers"], article()["essay"]["transfer_us"] / MEGA)
    lone = option_of(eight(small.name, 1), small.name, 8, "TP8")
    yield "stream_one", (given["single_stream_tokens_per_s"], one, lone.performance.stream_tokens_per_s.likely)
    for name, key in (("rtx-4090", "rtx_4090_stream_tokens_per_s"), ("h100", "h100_stream_tokens_per_s")):
        speed = law.tensor_parallel_tokens_per_s(reading(facts, name), given["transfers"], exchange(facts, name))
        yield f"stream_{name}", (given[key], speed, busy(facts, name).performance.stream_tokens_per_s.likely)


def server(facts: dict[str, Any], name: str) -> Iterator[tuple[str, Numbers]]:
    """An hour of a server, its throughput, and tokens per dollar, with the essay's assumptions and with ours."""
    given, cost = facts["cost"][name], facts["cost"]
    inputs = cost_assumptions().with_user(
        years=cost["years"],
        residual_share=0,
        interest_per_year=0,
        pue=1,
        electricity_usd_per_kwh=cost["electricity_usd_per_kwh"],
        rack_usd_per_kw_month=given["rack_usd_per_hour"] * YEAR_HOURS / 12 / (given["watts"] / KILO),
        utilization=1,
    )
    hour = owned_hour(given["server_usd"], given["watts"], given["watts"], inputs).total
    batch = facts["cards"][name]["balance_batch"]
    rate = law.overlapped_tokens_per_s(batch, reading(facts, name), facts["tensor_parallel"]["transfers"], exchange(facts, name))
    option = busy(facts, name)
    made, own = option.performance.output_tokens_per_s.likely, option.cost.buy
    yield f"hour_{name}", (given["usd_per_hour"], hour, None if own is None else own.total)
    yield f"tokens_{name}", (given["tokens_per_s"], rate, made)
    per_usd = None if own is None else made * HOUR / own.total / MEGA
    yield f"per_usd_{name}", (given["tokens_per_usd"] / MEGA, rate * HOUR / given["usd_per_hour"] / MEGA, per_usd)


def eight(card: str, users: int) -> Any:
    """Eight cards of a kind under the essay's load."""
    load, model = article()["essay"], article()["load"]
    return ask(model["model"], f"8x {card}", users, load["input_tokens"], load["output_tokens"], (model["weights"],))


def busy(facts: dict[str, Any], name: str) -> Option:
    """The fastest split of eight cards with as many users as the essay's balance batch."""
    real = dict(zip(ESSAY_CARDS, (cards()[0], cards()[2]), strict=True))[name]
    option = fastest(eight(real.name, facts["cards"][name]["balance_batch"]), real.name)
    assert option is not None, "eight cards hold the essay's model"
    return option
