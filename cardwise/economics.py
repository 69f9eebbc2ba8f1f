"""What hours, tokens and watts cost: the assumptions that a person may override, and the results. Frozen facts, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from cardwise.errors import BadInput
from cardwise.hardware import Source
from cardwise.quantities import MEGA

# What a field may be, where that is not simply 0 or more; and the fields that may not be 0.
LIMITS = {
    "years": (0.0, 50.0),
    "residual_share": (0.0, 1.0),
    "interest_per_year": (0.0, 1.0),
    "pue": (1.0, 10.0),
    "idle_power_share": (0.0, 1.0),
    "utilization": (0.0, 1.0),
}
POSITIVE = ("years", "utilization", "cny_per_usd")


@dataclass(frozen=True, slots=True)
class CostAssumptions:
    """Everything that is neither a card's price nor a predicted speed. Each field has a source in `sources` under its own name.

    years: time over which a purchase is written off. residual_share: of the price, got back at the end.
    interest_per_year: nominal yearly rate, paid monthly. pue: facility energy per energy of the machine.
    electricity_usd_per_kwh. rack_usd_per_kw_month: space and cooling, per kW of the machine's rated power.
    host_usd_per_card, network_usd_per_card: the card's part of its server and of the fabric between servers.
    host_w_per_card: the card's part of the server's own power. idle_power_share: of TDP, drawn by a card that waits.
    utilization: share of the paid hours in which the load runs. cny_per_usd: exchange rate.
    """

    years: float
    residual_share: float
    interest_per_year: float
    pue: float
    electricity_usd_per_kwh: float
    rack_usd_per_kw_month: float
    host_usd_per_card: float
    network_usd_per_card: float
    host_w_per_card: float
    idle_power_share: float
    utilization: float
    cny_per_usd: float
    sources: Mapping[str, Source] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in assumption_names():
            value, (low, high) = getattr(self, name), LIMITS.get(name, (0.0, float("inf")))
            positive = name in POSITIVE
            if not (low < value if positive else low <= value) or not value <= high or value == float("inf"):
                lower = f"{'more than' if positive else 'at least'} {low:g}"
                raise BadInput(f"{name} is {value:g}; it must be {lower} and {'finite' if high == float('inf') else f'at most {high:g}'}")

    def with_user(self, **changes: float) -> CostAssumptions:
        """The same assumptions with `changes` by field name, each marked as the user's. Raises BadInput on an unknown name or value."""
        unknown = sorted(set(changes) - set(assumption_names()))
        if unknown:
            raise BadInput(f"unknown cost assumption {', '.join(unknown)}; known: {', '.join(assumption_names())}")
        sources = {**self.sources, **{name: Source("user", "given on this call") for name in changes}}
        return replace(self, sources=sources, **changes)


def assumption_names() -> tuple[str, ...]:
    """Names of the numbers of `CostAssumptions`."""
    return tuple(item.name for item in fields(CostAssumptions) if item.name != "sources")


@dataclass(frozen=True, slots=True)
class HourlyCost:
    """Dollars for one hour of a layout, by what they pay for. A rented hour has `rent` alone; an owned hour has the others.

    capital: the purchase less what it is sold for, spread evenly. interest: on what is not yet paid back.
    host and network are inside capital and interest. power: at the facility's meter. rack: space and cooling.
    """

    rent: float = 0.0
    capital: float = 0.0
    interest: float = 0.0
    power: float = 0.0
    rack: float = 0.0

    @property
    def total(self) -> float:
        return self.rent + self.capital + self.interest + self.power + self.rack

    def __add__(self, other: HourlyCost) -> HourlyCost:
        return HourlyCost(
            self.rent + other.rent,
            self.capital + other.capital,
            self.interest + other.interest,
            self.power + other.power,
            self.rack + other.rack,
        )


@dataclass(frozen=True, slots=True)
class TokenCost:
    """Dollars per million tokens. `blended` shares the cost over input and output alike; the other two split it by time.

    prefill_share: the part of the busy time that is prefill, by which the cost is split. A side without tokens is None.
    utilization: the share of paid hours that these figures assume. usd_per_million_output_alone: all cost on the output.
    """

    usd_per_million_input: float | None
    usd_per_million_output: float | None
    usd_per_million_blended: float
    usd_per_million_output_alone: float | None
    prefill_share: float
    utilization: float
    cny_per_usd: float

    @property
    def cny_per_million_input(self) -> float | None:
        return None if self.usd_per_million_input is None else self.usd_per_million_input * self.cny_per_usd

    @property
    def cny_per_million_output(self) -> float | None:
        return None if self.usd_per_million_output is None else self.usd_per_million_output * self.cny_per_usd

    @property
    def cny_per_million_blended(self) -> float:
        return self.usd_per_million_blended * self.cny_per_usd

    @property
    def tokens_per_usd(self) -> float:
        """Tokens, input and output, that a dollar buys."""
        return MEGA / self.usd_per_million_blended if self.usd_per_million_blended else float("inf")


@dataclass(frozen=True, slots=True)
class BreakEven:
    """Where two ways of paying cost the same. `utilization` above 1: never, however busy; None: the other way is cheaper at any use.

    busy_hours_per_month: the same point in hours of load. units_per_month: in tokens, images or clips, where a rate is known.
    """

    utilization: float | None
    busy_hours_per_month: float | None
    units_per_month: float | None = None

    @property
    def reachable(self) -> bool:
        return self.utilization is not None and self.utilization <= 1.0


@dataclass(frozen=True, slots=True)
class ApiPrice:
    """What a provider asks for a model: dollars per million input and output tokens, on a date."""

    model: str
    provider: str
    usd_per_million_input: float
    usd_per_million_output: float
    date: str
    source: str

    def usd(self, input_tokens: float, output_tokens: float) -> float:
        """Dollars for these tokens."""
        return (input_tokens * self.usd_per_million_input + output_tokens * self.usd_per_million_output) / MEGA
