"""Units and how they are printed. Inside Cardwise everything is SI: bytes, seconds, FLOP/s, bytes/s, watts."""

from __future__ import annotations

KIB, MIB, GIB, TIB = 2.0**10, 2.0**20, 2.0**30, 2.0**40
KILO, MEGA, GIGA, TERA = 1e3, 1e6, 1e9, 1e12
MILLISECOND, MICROSECOND = 1e-3, 1e-6
HOUR, YEAR_HOURS = 3600.0, 8760.0
SMALLEST_DECIMALS = 12


def significant(value: float, digits: int = 3) -> str:
    """`value` with `digits` significant digits and thousands separators, never in scientific notation.

    Below 10^-12 nothing is left but zeros.
    """
    if value != value or value in (float("inf"), float("-inf")):
        return str(value)
    if value == 0:
        return "0"
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])  # of the rounded value: 9.997 is 10.0, not 10.00
    return f"{value:,.{min(max(digits - 1 - exponent, 0), SMALLEST_DECIMALS)}f}"


def gib(value_bytes: float) -> str:
    """Bytes as GiB with one decimal."""
    return f"{value_bytes / GIB:,.1f} GiB"


def duration(seconds: float) -> str:
    """Seconds as the unit that a person would use."""
    if seconds < 1e-3:
        return f"{significant(seconds * 1e6)} us"
    if seconds < 1:
        return f"{significant(seconds * 1e3)} ms"
    if seconds < 120:
        return f"{significant(seconds)} s"
    return f"{significant(seconds / 60)} min" if seconds < 7200 else f"{significant(seconds / HOUR)} h"
