"""Watts and joules. Pure: every number comes as an argument. Watts are averages; energy at the meter includes the facility (PUE)."""

from __future__ import annotations

from cardwise.errors import BadInput
from cardwise.quantities import HOUR, KILO


def card_watts(tdp_w: float, activity: float, idle_share: float) -> float:
    """Average watts of a card that is active for `activity` (0 to 1) of the time: TDP x (idle + (1 - idle) x activity).

    The linear model of Fan, Weber and Barroso, "Power provisioning for a warehouse-sized computer" (ISCA 2007), for a server's CPU.
    It is an upper bound where the load is active but limited by memory: decoding draws less than TDP. A power limit replaces `tdp_w`.
    """
    for name, value in (("activity", activity), ("idle_share", idle_share)):
        if not 0 <= value <= 1:
            raise BadInput(f"{name} is {value:g}; it must lie between 0 and 1")
    if tdp_w < 0:
        raise BadInput(f"tdp_w is {tdp_w:g}; it must be at least 0")
    return tdp_w * (idle_share + (1 - idle_share) * activity)


def layout_watts(cards: int, tdp_w: float, activity: float, idle_share: float, host_w_per_card: float) -> float:
    """Average watts of `cards` cards and their part of the servers, before the facility's share."""
    return cards * (card_watts(tdp_w, activity, idle_share) + host_w_per_card)


def facility_watts(machine_w: float, pue: float) -> float:
    """Watts at the facility's meter: power usage effectiveness (ISO/IEC 30134-2) times the machine's."""
    if pue < 1:
        raise BadInput(f"pue is {pue:g}; it must be at least 1")
    return machine_w * pue


def joules_per_unit(watts: float, units_per_s: float) -> float:
    """Energy of one token, image or clip at a rate. Joules are watts over units per second."""
    if units_per_s <= 0:
        raise BadInput(f"the rate is {units_per_s:g} a second; energy per unit needs more than 0")
    return watts / units_per_s


def kwh(joules: float) -> float:
    """Joules as kilowatt-hours."""
    return joules / (KILO * HOUR)


def power_usd_per_hour(facility_w: float, usd_per_kwh: float) -> float:
    """Dollars of electricity in an hour at these watts."""
    return facility_w / KILO * usd_per_kwh
