"""One settled layout -> an option with its step, its run and its costs."""

from __future__ import annotations

from collections.abc import Sequence

from cardwise.answer import Basis, Estimate
from cardwise.calibration.training_cases import machines_of
from cardwise.calibration.training_intervals import interval, knowledge, widths
from cardwise.catalogue.prices import market
from cardwise.catalogue.training import failures, training_efficiency
from cardwise.economics import CostAssumptions
from cardwise.hardware import Accelerator
from cardwise.laws import training as law
from cardwise.laws.cost import bought_hour
from cardwise.laws.training_memory import trained_parameters
from cardwise.laws.work import Operator
from cardwise.passes.training import Machines, TrainingStep
from cardwise.planning.costs import BUY_KINDS, card_rent, source_text
from cardwise.planning.training_asking import TrainingQuestion
from cardwise.planning.training_layouts import Settled
from cardwise.quantities import HOUR
from cardwise.training import Recipe
from cardwise.training_answer import RunCost, TrainingOption

DAY = 24 * HOUR
LIMITS = {
    "tensor all-reduce": "link", "sharded weights": "link", "gradient exchange": "link", "pipeline send": "link", "offload": "link",
    "pipeline bubble": "bubble", "pipeline imbalance": "bubble", "host": "host", "step": "host", "stragglers": "host",
}  # fmt: skip
"""What an operator spends its time on, where it is not its own larger limit."""
TEXTS = {
    "generation": "training runs measured on cards of its generation",
    "datasheet": "no training run measured on its generation: datasheet and the constants of the others",
}


def step_of(question: TrainingQuestion, card: Accelerator, one: Settled, machines: Machines | None = None) -> TrainingStep:
    """The step of a layout. `machines`: where the cards stand, if the caller has it at hand."""
    layout = one.layout
    found = machines or machines_of(card, layout.cards, question.link)
    return TrainingStep(question.architecture, one.recipe, layout, card, found, training_efficiency(card, question.kernels))


def rated(question: TrainingQuestion, card: Accelerator, fitting: Sequence[Settled]) -> list[tuple[float, Settled]]:
    """Layouts of one count with their tokens/s of all cards, which is what they are ranked by."""
    machines = machines_of(card, fitting[0].layout.cards, question.link) if fitting else None
    return [(step_of(question, card, one, machines).tokens_per_s_per_card() * one.layout.cards, one) for one in fitting]


def evaluate(question: TrainingQuestion, card: Accelerator, one: Settled) -> TrainingOption:
    """Everything that is said of one layout."""
    step, layout = step_of(question, card, one), one.layout
    operators = step.operators()
    seconds = sum(float(operator.seconds) for operator in operators)
    rate = step.step_tokens / seconds
    whole = interval(rate, card)
    breaks = failures(card)
    between = breaks.card_seconds_between / layout.cards
    written = checkpoint_bytes(question, one.recipe) / (breaks.write_bytes_per_s * max(1.0, layout.cards / step.machines.cards))
    lost = law.lost_share(written, breaks.restart_s, between)
    lost = 1.0 - (1.0 - lost) * (1.0 - breaks.pause_share)
    days = whole.inverse().scaled(law.run_seconds(question.tokens, 1.0, lost) / DAY)
    peak = card.peaks.get("fp8", 0.0) if question.precision == "fp8" else 0.0
    peak = peak or card.peak("bf16", "fp16", "fp32")
    needed, done = (law.needed_share(question.method == "full", again) for again in (False, layout.recompute == "full"))
    a_token = law.model_flops(question.architecture, question.sequence) / peak
    wire = step.machines.inside.name if layout.cards > 1 else "one card"
    if layout.cards > step.machines.cards:
        wire = f"{wire}; between machines {step.machines.network_bytes_per_s / 1e9:.3g} GB/s a card"
    kind = knowledge(card)
    return TrainingOption(
        layout=layout,
        recipe=one.recipe,
        link=wire,
        memory=one.memory,
        operators=tuple((operator.group, float(operator.seconds)) for operator in operators),
        bounds=tuple(map(limit_of, operators)),
        step_s=whole.inverse().scaled(step.step_tokens),
        tokens_per_s=whole,
        tokens_per_s_per_card=whole.scaled(1 / layout.cards),
        mfu=rate / layout.cards * a_token * needed,
        hfu=rate / layout.cards * a_token * done,
        bound=bound_of(operators),
        failure_s=between,
        lost_share=lost,
        days=days,
        cost=cost_of(question, card, layout.cards, days),
        basis=Basis(kind, widths()[kind][2], TEXTS[kind]),
    )


def limit_of(operator: Operator) -> str:
    """What an operator waits for: compute, bandwidth, link, bubble or host."""
    own = "compute" if operator.compute_seconds >= operator.memory_seconds else "bandwidth"
    return LIMITS.get(operator.group, own)


def bound_of(operators: Sequence[Operator]) -> str:
    """Each operator's seconds go to what it waits for, and the largest sum binds."""
    totals: dict[str, float] = {}
    for operator in operators:
        name = limit_of(operator)
        totals[name] = totals.get(name, 0.0) + float(operator.seconds)
    return max(totals, key=lambda name: totals[name])


def checkpoint_bytes(question: TrainingQuestion, recipe: Recipe) -> float:
    """What a restart needs: the trained parameters with the optimiser's states."""
    optimizer = recipe.optimizer
    return trained_parameters(question.architecture, recipe) * (recipe.weight_bytes + optimizer.state_bytes + optimizer.master_bytes)


def cost_of(question: TrainingQuestion, card: Accelerator, cards: int, days: Estimate) -> RunCost:
    """Rent for the duration of the run; a purchase by the hours of the run, which bear the hours without load (utilization)."""
    assumptions, hours = question.assumptions, days.scaled(24.0)
    rent, rent_source = card_rent(card, question.rent, question.price_usd_per_card_hour, assumptions)
    buy, buy_source = buy_hour(card, assumptions)
    return RunCost(
        rent_usd_per_hour=None if rent is None else rent * cards,
        rent_usd=None if rent is None else hours.scaled(rent * cards),
        rent_source=rent_source,
        buy_usd_per_hour=None if buy is None else buy * cards,
        buy_usd=None if buy is None else hours.scaled(buy * cards / assumptions.utilization),
        buy_source=buy_source,
    )


def buy_hour(card: Accelerator, assumptions: CostAssumptions) -> tuple[float | None, str]:
    """Dollars of an owned card's hour under full load."""
    found = market(card, BUY_KINDS, assumptions.cny_per_usd)
    if found is None or card.tdp_w is None:
        return None, ""
    return bought_hour(found.price.amount, 1, card.tdp_w, assumptions, 1.0).total, source_text(found)
