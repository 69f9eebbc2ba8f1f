"""Calls on a few canvases -> Network: the same kernels gathered by what they multiply or move, their extents inferred from all canvases.

A stored matrix or filter that is used several times in one pass, as autoencoders of video that go chunk by chunk do, is one operator of all
their rows; then the chunks' launches beyond the first canvas's are not told.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cardwise.errors import NotSupported
from cardwise.network import ONE, Attention, Canvas, Convolution, Extent, Linear, Network, Op, Pointwise
from cardwise.tracing.calls import AttentionCall, Call, ConvolutionCall, MatrixCall, PointwiseCall, ProductCall, part_name
from cardwise.tracing.extents import SIDES, STRIDES, extent, nearest

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Traced:
    """One pass on one canvas: its kernels in order."""

    canvas: Canvas
    calls: tuple[Call, ...]


def network_of(
    name: str, traces: Sequence[Traced], parameters: Mapping[str, int], blocks: int = 1,
    sides: Sequence[int] = SIDES, strides: Sequence[int] = STRIDES,
) -> Network:  # fmt: skip
    """The network. `parameters`: elements of every stored tensor by name, those that are tied once. Raises NotSupported where a number
    depends on the canvas in a way that no extent states.
    """
    fit = _Fit(name, tuple(trace.canvas for trace in traces), sides, strides)
    gathered = [_gather(trace.calls) for trace in traces]
    stored = {weight for weight in _weights(gathered[0]) if weight not in parameters}  # kept by another network
    ops: list[Op] = []
    for key in dict.fromkeys(key for calls in gathered for key in calls):
        lists = [calls.get(key, ()) for calls in gathered]
        if all(lists):
            ops += _ops(fit, lists, stored)
        elif not isinstance(next(filter(None, lists))[0], PointwiseCall):  # a copy or a pad that some sizes need is let go
            raise NotSupported(f"{name}: {_where(key)} runs at some sizes only; such a network cannot be written down")
    rest = sum(count for tensor, count in parameters.items() if tensor not in stored)
    if rest:
        ops.append(Pointwise("norms and tables", ONE, 1, passes=0.0, launches=0, parameters_each=rest))
    return Network(name, _merged(ops), blocks)


@dataclass(frozen=True, slots=True)
class _Fit:
    name: str
    canvases: tuple[Canvas, ...]
    sides: Sequence[int]
    strides: Sequence[int]

    def extent(self, values: Sequence[int], what: str) -> Extent:
        found = extent(values, self.canvases, self.sides, self.strides)
        if found is None:
            raise NotSupported(f"{self.name}: {what} has {', '.join(f'{v:,}' for v in values)} rows on the canvases; no extent says how")
        return found


def _gather(calls: Sequence[Call]) -> dict[Key, tuple[Call, ...]]:
    """Calls by what they have in common on every canvas."""
    found: dict[Key, list[Call]] = {}
    for call in calls:
        if isinstance(call, (MatrixCall, ConvolutionCall)):
            key: Key = (call.path, call.weight)
        elif isinstance(call, AttentionCall):
            key = (call.path, "attention", call.heads, call.head_dim, call.value_dim)
        elif isinstance(call, ProductCall):
            key = (call.path, "product")
        else:
            key = (call.path, call.kernel)
        found.setdefault(key, []).append(call)
    return {key: tuple(items) for key, items in found.items()}


def _weights(gathered: Mapping[Key, Sequence[Call]]) -> set[str]:
    calls = (call for items in gathered.values() for call in items)
    used = {name for call in calls if isinstance(call, (MatrixCall, ConvolutionCall)) for name in (call.weight, call.bias)}
    return used - {""}


def _where(key: Key) -> str:
    return f"{key[1]} of {key[0] or 'the network'}"


def _ops(fit: _Fit, lists: Sequence[Sequence[Call]], stored: set[str]) -> list[Op]:
    first = lists[0][0]
    if isinstance(first, MatrixCall):
        return [_linear(fit, lists, first, stored)]
    if isinstance(first, ConvolutionCall):
        return [_convolution(fit, lists, first, stored)]
    if isinstance(first, PointwiseCall):
        return [_pointwise(fit, lists, first)]
    if len({len(calls) for calls in lists}) > 1:
        return [_windows(fit, lists, first)]
    make = _attention if isinstance(first, AttentionCall) else _product
    return [make(fit, column) for column in zip(*lists, strict=True)]


def _new(weight: str, stored: set[str]) -> bool:
    fresh = bool(weight) and weight not in stored
    stored.add(weight)
    return fresh


def _linear(fit: _Fit, lists: Sequence[Sequence[Call]], first: MatrixCall, stored: set[str]) -> Linear:
    rows = [sum(call.rows for call in calls if isinstance(call, MatrixCall)) for calls in lists]
    fresh = _new(first.weight, stored)
    bias = bool(first.bias) and (fresh or first.bias not in stored)
    stored.add(first.bias)
    name = part_name(first.path, "products")
    return Linear(name, fit.extent(rows, first.path), first.inputs, first.outputs, bias=bias, stored=fresh)


def _convolution(fit: _Fit, lists: Sequence[Sequence[Call]], first: ConvolutionCall, stored: set[str]) -> Convolution:
    calls = [[call for call in items if isinstance(call, ConvolutionCall)] for items in lists]
    positions = [sum(call.positions for call in items) for items in calls]
    scale = sum(call.read for call in calls[0]) / positions[0]
    fresh = _new(first.weight, stored)
    if first.bias:
        stored.add(first.bias)
    return Convolution(
        "convolution", fit.extent(positions, first.path), first.inputs, first.outputs, first.taps, groups=first.groups,
        bias=bool(first.bias), scale=round(scale, 3), stored=fresh,
    )  # fmt: skip


def _pointwise(fit: _Fit, lists: Sequence[Sequence[Call]], first: PointwiseCall) -> Pointwise:
    items = [[call for call in calls if isinstance(call, PointwiseCall)] for calls in lists]
    alike = len({len(calls) for calls in items}) == 1 and all(len({call.written for call in calls}) == 1 for calls in items)
    written = [sum(call.written for call in calls) // (len(calls) if alike else 1) for calls in items]
    moved = sum(call.moved for call in items[0])
    width = first.width if not any(count % first.width for count in written) else math.gcd(*written) or 1
    positions = extent([count // width for count in written], fit.canvases, fit.sides, fit.strides)
    if positions is None:
        width, counts = 1, [float(count) for count in written]
        # pads of a row more; else masks of positions by positions, whose size at the first canvas keeps their launches
        positions = nearest(counts, fit.canvases, fit.sides, fit.strides) or Extent(fixed=counts[0])
    return Pointwise(
        part_name(first.path, "norms and activations"),
        positions,
        width,
        passes=round(moved / max(written[0], 1), 3),
        launches=len(lists[0]),
    )


def _attention(fit: _Fit, column: Sequence[Call]) -> Attention:
    calls = [call for call in column if isinstance(call, AttentionCall)]
    first = calls[0]
    queries = fit.extent([call.queries for call in calls], first.path)
    keys = fit.extent([call.keys for call in calls], first.path)
    sequences = fit.extent([call.sequences for call in calls], first.path)
    name = "self-attention" if queries == keys else "cross-attention"
    return Attention(
        name, queries, keys, first.heads, first.head_dim, sequences=sequences,
        value_dim=0 if first.value_dim == first.head_dim else first.value_dim,
    )  # fmt: skip


def _windows(fit: _Fit, lists: Sequence[Sequence[Call]], first: Call) -> Attention:
    """Attention of equal windows of which larger canvases have more: all of them as sequences of one."""
    joined = []
    for calls in lists:
        items = [call for call in calls if isinstance(call, AttentionCall)]
        if len(items) != len(calls) or len({(call.queries, call.keys) for call in items}) > 1:
            raise NotSupported(
                f"{fit.name}: products of {first.path or 'the network'} differ in number between canvases; they cannot be written down"
            )
        joined.append(replace(items[0], sequences=sum(call.sequences for call in items)))
    return _attention(fit, joined)


def _product(fit: _Fit, column: Sequence[Call]) -> Op:
    """A product of two activations. What varies becomes rows; scores of positions by positions are half an attention."""
    calls = [call for call in column if isinstance(call, ProductCall)]
    first = calls[0]
    sizes = {name: [getattr(call, name) for call in calls] for name in ("batch", "rows", "inner", "columns")}
    varying = [name for name, values in sizes.items() if len(set(values)) > 1]
    name = part_name(first.path, "products")
    fixed = [getattr(first, key) for key in ("rows", "inner", "columns") if key not in varying]
    inside = [key for key in varying if key != "batch"]
    sequences = fit.extent(sizes["batch"], first.path) if "batch" in varying else ONE
    heads = 1 if "batch" in varying else first.batch
    if len(inside) == 2 and not fixed[0] % 2:
        one, other = (fit.extent(sizes[key], first.path) for key in inside)
        return Attention(name, one, other, heads, fixed[0] // 2, sequences=sequences)
    if len(inside) == 1 and "batch" not in varying:
        return Linear(name, fit.extent(sizes[inside[0]], first.path), first.batch * fixed[0], fixed[1], bias=False, stored=False)
    if not inside:
        rows = fit.extent([call.batch * call.rows for call in calls], first.path)
        return Linear(name, rows, first.inner, first.columns, bias=False, stored=False)
    raise NotSupported(
        f"{fit.name}: a product of {first.path or 'the network'} grows in {len(varying)} directions; it cannot be written down"
    )


def _merged(ops: Sequence[Op]) -> tuple[Op, ...]:
    """Equal operators as one with a count, in the order of their first; kernels over equal tensors as one with all passes and launches."""
    counts: Counter[Op] = Counter()
    moving: dict[Op, tuple[float, int]] = {}
    for op in ops:
        if isinstance(op, Pointwise) and op.launches:
            like = replace(op, passes=0.0, launches=0)
            passes, launches = moving.get(like, (0.0, 0))
            moving[like] = passes + op.passes, launches + op.launches
            counts[like] = 1
        else:
            counts[replace(op, count=1)] += op.count
    made: list[Op] = []
    for op, count in counts.items():
        if isinstance(op, Pointwise) and op in moving:
            passes, launches = moving[op]
            made.append(replace(op, passes=round(passes, 3), launches=launches))
        else:
            made.append(replace(op, count=count))
    return tuple(made)
