"""What a million output tokens of one layout costs by the share of the paid hours with load, and where buying begins to pay."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cardwise.answer import Answer, Option
from cardwise.catalogue.accelerators import accelerator
from cardwise.economics import CostAssumptions
from cardwise.laws.cost import usd_per_unit
from cardwise.planning.costs import buy_hour
from cardwise.quantities import MEGA

SHARES = (0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True, slots=True)
class CostPoint:
    """$ per million output tokens at one utilization; None where no price is known.

    `rented`: by the hour, stopped with the load. `kept`: rented all month. `bought`: owned, idle or not.
    """

    utilization: float
    rented: float | None
    kept: float | None
    bought: float | None


@dataclass(frozen=True, slots=True)
class CostCurve:
    """`assumed`: the utilization of the answer. `break_even`: the one from which buying costs less than renting by the hour; None: never,
    or not known. `api`: providers and what they ask for a million output tokens with their prompts.
    """

    option: Option
    points: tuple[CostPoint, ...]
    assumed: float
    break_even: float | None
    api: tuple[tuple[str, float], ...]
    cny_per_usd: float

    @property
    def known(self) -> bool:
        """Whether any price is."""
        return any(value is not None for point in self.points for value in (point.rented, point.bought))


def cost_curve(answer: Answer, option: Option) -> CostCurve | None:
    """The curve of one option at its own rates; None when the answer carries no assumptions or the layout makes no output."""
    assumptions, made = answer.assumptions, option.performance.output_tokens_per_s.likely
    if assumptions is None or not made:
        return None
    point, even = option.cost.break_even, None
    if point is not None and point.reachable:
        even = point.utilization
    shares = sorted({*SHARES, assumptions.utilization, *([even] if even and even >= SHARES[0] else [])})
    lengths = answer.workload.lengths
    asked = tuple(
        (one.price.provider, one.price.usd(lengths.mean_input, lengths.mean_output) / lengths.mean_output * MEGA) for one in answer.api
    )
    return CostCurve(
        option=option,
        points=tuple(cost_point(option, share, assumptions) for share in shares),
        assumed=assumptions.utilization,
        break_even=even,
        api=asked if lengths.mean_output else (),
        cny_per_usd=assumptions.cny_per_usd,
    )


def cost_point(option: Option, utilization: float, assumptions: CostAssumptions) -> CostPoint:
    """One utilization, by the laws and prices that the answer itself was reckoned with."""
    made, activity = option.performance.output_tokens_per_s.likely, option.performance.busy_share
    rent = option.cost.rent
    rented = kept = bought = None
    if rent is not None:
        rented, kept = (usd_per_unit(rent, made, share) * MEGA for share in (1.0, utilization))
    if option.cost.buy is not None:
        layout = option.layout
        hour, _, _ = buy_hour(accelerator(layout.accelerator), layout.cards, activity, replace(assumptions, utilization=utilization))
        bought = None if hour is None else usd_per_unit(hour, made, utilization) * MEGA
    return CostPoint(utilization, rented, kept, bought)
