"""The same network on other extents, or on weights that are counted elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cardwise.network import Attention, Extent, Linear, Network, Op, Pointwise


def with_extents(network: Network, change: Callable[[Extent], Extent]) -> Network:
    """Every extent changed by a rule."""
    held = tuple(replace(item, positions=change(item.positions)) for item in network.held)
    return replace(network, ops=tuple(_with_extents(op, change) for op in network.ops), held=held)


def _with_extents(op: Op, change: Callable[[Extent], Extent]) -> Op:
    if isinstance(op, Linear):
        return replace(op, rows=change(op.rows))
    if isinstance(op, Attention):
        return replace(op, queries=change(op.queries), keys=change(op.keys), sequences=change(op.sequences))
    return replace(op, positions=change(op.positions))


def of_one_picture(network: Network) -> Network:
    """The work on one frame, whatever the length of the video."""
    return replace(with_extents(network, _still), window=0, step=0)


def _still(extent: Extent) -> Extent:
    if not extent.share:
        return extent
    if extent.later:
        return Extent(extent.fixed, extent.prompt)
    if not extent.side:  # frames alone
        return Extent(extent.fixed + extent.share, extent.prompt)
    return replace(extent, stride=0)


def on_latents_of(network: Network, side: int, assumed: int) -> Network:
    """A network whose reader takes `assumed` pixels each way of a latent, on latents of `side` pixels; both powers of two."""
    return (
        network if side == assumed else with_extents(network, lambda e: replace(e, side=max(e.side * side // assumed, 1)) if e.side else e)
    )


def unstored(network: Network) -> Network:
    """The same work on weights that are counted elsewhere."""
    return replace(network, ops=tuple(_unstored(op) for op in network.ops))


def _unstored(op: Op) -> Op:
    if isinstance(op, Pointwise):
        return replace(op, parameters_each=0)
    return op if isinstance(op, Attention) else replace(op, stored=False)
