"""Time of collectives: latency + bytes over bandwidth, by algorithm. Pure; floats or arrays."""

from __future__ import annotations

import math

from cardwise.laws.roofline import Amount


def all_reduce_seconds(message_bytes: Amount, ranks: int, latency_s: float, bytes_per_s: float) -> Amount:
    """All-reduce of `message_bytes` on each of `ranks` cards.

    Latency grows with the tree's depth, log2(ranks); every byte crosses each card's link 2 (n-1)/n times (ring; Patarasuk and Yuan 2009).
    `bytes_per_s`: what one card's link carries in one direction.
    """
    if ranks <= 1:
        return message_bytes * 0.0
    return latency_s * math.log2(ranks) + 2.0 * (ranks - 1) / ranks * message_bytes / bytes_per_s


def send_seconds(message_bytes: Amount, latency_s: float, bytes_per_s: float) -> Amount:
    """One card hands `message_bytes` to the next pipeline stage."""
    return latency_s + message_bytes / bytes_per_s
