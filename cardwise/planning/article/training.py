"""Training in the article (A13) and in its essay: the three cards at equal counts, what binds each, memory and cards of a 70B."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cardwise.calibration.training_cases import machines_of
from cardwise.catalogue.accelerators import accelerator
from cardwise.catalogue.article import article
from cardwise.catalogue.load import forgets
from cardwise.catalogue.training import training_efficiency
from cardwise.laws import essay as law
from cardwise.laws.training_memory import activation_bytes, state_bytes
from cardwise.passes.training import TrainingStep
from cardwise.planning.article.ask import cards
from cardwise.planning.article.cells import in_gib, interval, number, table
from cardwise.planning.article.claim import Row, Table
from cardwise.planning.training import fewest_of, plan_training
from cardwise.planning.training_asking import training_question
from cardwise.planning.training_layouts import recipe_of
from cardwise.planning.training_verdict import link_share
from cardwise.quantities import GIGA
from cardwise.training import TrainingLayout
from cardwise.training_answer import TrainingAnswer, TrainingOption


@dataclass(frozen=True, slots=True)
class Case:
    """One case of the verdict: a model trained in full or by adapters on so many of each card."""

    model: str
    method: str
    count: int
    options: tuple[TrainingOption | None, ...]
    reasons: tuple[str, ...]


@lru_cache(maxsize=16)
def asked(model: str, method: str, count: int, tokens: str, sequence: int) -> TrainingAnswer:
    wanted = ", ".join(f"{count}x {card.name}" for card in cards())
    return plan_training(training_question(model, wanted, method=method, tokens=tokens, sequence=sequence))


forgets(asked.cache_clear)


def cases() -> tuple[Case, ...]:
    """The cases of the verdict, with the fastest layout of each card, None where it does not train the model."""
    given = article()["training"]
    found = []
    for one in given["cases"]:
        answer = asked(one["model"], one["method"], one["cards"], given["tokens"], given["sequence"])
        options, reasons = [], []
        for card in cards():
            own = [option for option in answer.options if option.layout.accelerator == card.name]
            options.append(max(own, key=lambda option: option.tokens_per_s.likely, default=None))
            refusal = next((refused for refused in answer.refusals if refused.accelerator == card.name), None)
            short = refusal.shortfall_bytes if refusal else None
            reasons.append("" if own else f"needs {in_gib(short)} GiB a card more" if short else "no layout")
        found.append(Case(one["model"], one["method"], one["cards"], tuple(options), tuple(reasons)))
    return tuple(found)


def usd(option: TrainingOption | None) -> float:
    """Rent of the run, infinite without a layout."""
    return float("inf") if option is None or option.cost.rent_usd is None else option.cost.rent_usd.likely


def verdict_table(found: tuple[Case, ...]) -> Table:
    """A row for each case and card: layout, memory, MFU, link, speed, cost, what binds."""
    rows: list[Row] = []
    for case in found:
        for card, option, reason in zip(cards(), case.options, case.reasons, strict=True):
            name = f"{case.count}x {card.name}"
            if option is None:
                rows.append((f"{case.model}, {case.method}", name, "-", "-", "-", "-", "-", "-", f"memory: {reason}"))
                continue
            memory = option.memory
            states = memory.weights + memory.gradients + memory.optimizer
            rows.append((
                f"{case.model}, {case.method}",
                name,
                option.layout.degrees(),
                f"{in_gib(states)} + {in_gib(memory.activations)}",
                f"{100 * option.mfu:.0f}",
                f"{100 * link_share(option):.0f}",
                interval(option.tokens_per_s_per_card),
                number(option.cost.rent_usd.likely if option.cost.rent_usd else None),
                option.bound + (", recomputes" if option.layout.recompute == "full" else ""),
            ))  # fmt: skip
    tokens = article()["training"]["tokens"]
    header = ("model, method", "cards", "layout", "GiB a card: states + activations", "MFU %", "link %", "tok/s a card",
              f"$ rented for {tokens} tokens", "bound by")  # fmt: skip
    header_zh = (
        "模型、方法",
        "显卡",
        "布局",
        "每卡 GiB：状态 + 激活",
        "MFU %",
        "链路 %",
        "每卡 tok/s",
        f"租用训练 {tokens} token 的美元",
        "瓶颈",
    )
    return table("Training on equal numbers of cards, the fastest layout", "同样数量的卡训练，最快的布局", header, header_zh, rows)


def values(found: tuple[Case, ...]) -> dict[str, float | str]:
    """Numbers of the sentence: in how many cases the 4090 trains at all, costs least, is fastest; how much of a step its link takes."""
    small = [case.options[0] for case in found]
    full = [option for case, option in zip(found, small, strict=True) if option is not None and option.layout.cards > 1]
    large = [case.options[2] for case in found]
    pairs = [(one, other) for one, other in zip(small, large, strict=True) if one is not None and other is not None]
    faster = [other.tokens_per_s.likely / one.tokens_per_s.likely for one, other in pairs]
    return {
        "training_cases": float(len(found)),
        "rtx4090_trains": float(sum(option is not None for option in small)),
        "rtx4090_training_cheapest": float(sum(usd(case.options[0]) <= min(map(usd, case.options)) < float("inf") for case in found)),
        "h100_training_fastest": float(sum(fastest(case) == 2 for case in found)),
        "rtx4090_link_percent": 100 * max((link_share(option) for option in full), default=0.0),
        "h100_times_faster_least": min(faster, default=float("nan")),
        "h100_times_faster_most": max(faster, default=float("nan")),
    }


def fastest(case: Case) -> int:
    """Index of the card with the most tokens/s."""
    return max(range(len(case.options)), key=lambda i: case.options[i].tokens_per_s.likely if case.options[i] else 0.0)  # type: ignore[union-attr]


# --- the essay's worked cases ----------------------------------------------------------------------------------------------------


def essay_right(facts: dict[str, Any]) -> Iterator[tuple[str, float | None]]:
    """What is right today for the essay's cases of training, in its units."""
    model, given = facts["model"], facts["training"]
    question = training_question(article()["load"]["model"], global_batch=given["batch"], sequence=model["context_tokens"])
    recipe = recipe_of(question, given["batch"])
    layout = TrainingLayout("any", micro_batch=given["batch"])
    activations = activation_bytes(question.architecture, recipe, layout, 0.0)
    optimizer = recipe.optimizer
    extra = optimizer.state_bytes + optimizer.master_bytes
    states = state_bytes(question.architecture.parameters, recipe.weight_bytes, optimizer.gradient_bytes, extra).total
    yield "activations", activations / GIGA
    yield "training_memory", (states + activations) / GIGA
    small, old, _ = cards()
    for size, card in (("large", old), ("small", small)):
        count = fewest_of(question, card)
        yield f"{size}_cards", None if count is None else float(count)


def essay_tensor_parallel(name: str, facts: dict[str, Any]) -> float:
    """The essay's largest tensor parallel with the rates that training attains instead of the datasheet's."""
    card = accelerator(article()["essay"]["training_cards"][name])
    question = training_question(article()["load"]["model"])
    machines = machines_of(card, 8, "pcie" if name == "h100-pcie" else "")
    efficiency = training_efficiency(card, question.kernels)
    step = TrainingStep(question.architecture, recipe_of(question, 1), TrainingLayout(card.name), card, machines, efficiency)
    model = facts["model"]
    return law.largest_tensor_parallel(model["hidden"], model["bytes_per_parameter"], step.sixteen_rate, step.inside_rate)
