"""Time of collectives: latency + bytes over bandwidth, by algorithm. Pure; floats or arrays."""

from __future__ import annotations

from cardwise.laws.roofline import Amount

LATENCY_GROWTH = {"nvlink": 0.05, "nvlink-bridge": 0.05, "nvswitch": 0.05, "xgmi": 0.05}
OTHER_LATENCY_GROWTH = 0.5
RATE_EXPONENT = {"pcie": -0.32, "nvswitch": 0.15}
"""How an all-reduce changes with the number of cards, relative to two. Between cards that all reach each other the exchange is one shot,
and switches reduce on the way; over PCIe it is a ring through shared ports: 18, 14 and 11.5 GB/s on 2, 4 and 8 RTX PRO 6000 (published
kernel timings, docs/kernels.md)."""


def latency_growth(kind: str, ranks: int) -> float:
    """Latency of an all-reduce over a link of this kind relative to that of two cards."""
    return 1.0 + LATENCY_GROWTH.get(kind, OTHER_LATENCY_GROWTH) * (ranks - 2)


def rate_growth(kind: str, ranks: int) -> float:
    """Bytes/s of an all-reduce over a link of this kind relative to that of two cards."""
    return float((ranks / 2.0) ** RATE_EXPONENT.get(kind, 0.0)) if ranks > 2 else 1.0


def all_reduce_seconds(message_bytes: Amount, ranks: int, latency_s: float, bytes_per_s: float) -> Amount:
    """All-reduce of `message_bytes` on each of `ranks` cards, of which each waits `latency_s`.

    Every byte crosses each card's link 2 (n-1)/n times (ring; Patarasuk and Yuan 2009).
    `bytes_per_s`: what one card's link carries in one direction.
    """
    if ranks <= 1:
        return message_bytes * 0.0
    return latency_s + 2.0 * (ranks - 1) / ranks * message_bytes / bytes_per_s


def exchange_seconds(message_bytes: Amount, latency_s: float, bytes_per_s: float) -> Amount:
    """Two collectives, there and back, that put `message_bytes` on a card's link in all: all-gather and reduce-scatter, or all-to-alls."""
    return 2.0 * latency_s + message_bytes / bytes_per_s


def other_ranks(experts: float, ranks: int) -> float:
    """Expected number of other cards that a token with `experts` experts, spread evenly over `ranks` cards, is sent to."""
    return float((ranks - 1) * (1.0 - (1.0 - 1.0 / ranks) ** experts))


def send_seconds(message_bytes: Amount, latency_s: float, bytes_per_s: float) -> Amount:
    """One card hands `message_bytes` to the next pipeline stage."""
    return latency_s + message_bytes / bytes_per_s
