"""The price of a step as a look-up: what the simulator asks some hundred times a run."""

from __future__ import annotations

from bisect import bisect_right
from typing import Protocol

import numpy as np

from cardwise.efficiency import Efficiency
from cardwise.laws.operators import recurrence_flops
from cardwise.laws.roofline import SHARPNESS, Amount
from cardwise.laws.work import Operator
from cardwise.layout import Layout
from cardwise.model import Architecture, Layer, StateCache
from cardwise.passes.batch import Batch

SMALL_ROWS = 16
ROWS = np.unique(np.round(np.concatenate([np.arange(0, SMALL_ROWS + 1), np.geomspace(SMALL_ROWS + 2, 2.0**16, 56)]))).astype(float)
MANY = 1e7


class Priced(Protocol):
    """What is tabulated: EngineStep."""

    architecture: Architecture
    layout: Layout
    efficiency: Efficiency
    attention_ranks: int
    score_rate: float

    @property
    def host_seconds(self) -> float: ...

    def operators(self, batch: Batch) -> list[Operator]: ...

    def decode_attention(self, layer: Layer, decodes: Amount, context: Amount) -> Operator: ...

    def prefill_attention(self, layer: Layer, prefill: Amount, pairs: Amount) -> Operator: ...


class StepTable:
    """Everything but attention and recurrences depends on the number of rows alone, and those are linear: in contexts and pairs up to a
    window, in decodes.

    So one table over rows, one over rows through the head, and two slopes per kind of layer say the same as the list of operators.
    """

    def __init__(self, step: Priced) -> None:
        self._lanes = step.layout.pipeline_parallel
        self._mixing = step.efficiency.mixing
        self._host = step.host_seconds
        self._rows = [float(v) for v in ROWS]
        by_rows = step.operators(Batch(decodes=ROWS * self._lanes, outputs=0.0 * ROWS))
        self._by_rows = _total([operator for operator in by_rows if operator.group != "recurrence"])
        # a prompt's tokens leave the state in registers: only decodes move it
        self._per_decode = sum(float(np.asarray(o.seconds)[-1]) / float(ROWS[-1]) for o in by_rows if o.group == "recurrence")
        outputs = _total(step.operators(Batch(outputs=ROWS * 1.0)))
        self._by_outputs = [v - outputs[0] for v in outputs]
        self._windows: list[tuple[float, float]] = []
        self._pair_windows: list[tuple[float, float, float]] = []
        groups = step.layout.data_parallel
        for layer in step.architecture.layers:
            cache = layer.mixer.cache
            if isinstance(cache, StateCache):
                flops = float(recurrence_flops(1.0, cache.state_elements / step.attention_ranks))
                self._pair_windows.append((flops * layer.count / step.score_rate / groups, 1.0, 0.0))
                continue
            if not layer.mixer.heads:
                continue
            window, top = float(cache.window or 0), float(layer.mixer.top_k or 0)
            whole = float(step.decode_attention(layer, MANY / (window or top or 1.0), MANY).seconds) / MANY / groups
            # sparse attention scores every key with its index and looks at the best few: two slopes, one of them capped
            index = float(step.decode_attention(layer, 0.0, MANY).seconds) / MANY / groups if top and not window else 0.0
            self._windows += [(whole - index, window or top), (index, 0.0)] if index else [(whole, window or top)]
            asked = MANY if window or top else 1.0
            filled = step.prefill_attention(layer, asked, 0.0).seconds
            prefill = (step.prefill_attention(layer, asked, MANY).seconds - filled) / MANY
            first = float(filled / asked) / groups
            self._pair_windows.append((float(prefill) / groups, min((w for w in (window, top) if w), default=0.0), first))

    def _look_up(self, table: list[float], rows: float) -> float:
        """Linear between the grid's rows, and on with the last slope beyond them."""
        grid = self._rows
        low = int(rows) if rows < SMALL_ROWS else min(bisect_right(grid, rows), len(grid) - 1) - 1
        start = grid[low]
        return table[low] + (rows - start) / (grid[low + 1] - start) * (table[low + 1] - table[low])

    def seconds(self, decodes: float, context: float, prefill: float = 0.0, pairs: float = 0.0, ends: float = 0.0) -> float:
        """Seconds of one step: `decodes` sequences over `context` cached tokens in all, `prefill` prompt tokens over `pairs` of query and
        key, of which `ends` prompts end.
        """
        decode = 0.0
        if decodes or prefill <= 0:
            base, slope = self.decode_line(decodes, context)
            decode = base + slope * context
        if prefill <= 0:
            return decode
        lanes = self._lanes
        rows = max(prefill / lanes, 1.0)
        scores = sum(
            per_pair * (min(pairs, prefill * window) if window else pairs) + per_token * prefill
            for per_pair, window, per_token in self._pair_windows
        )
        scores /= lanes
        alone = self._look_up(self._by_rows, rows) + self._look_up(self._by_outputs, ends) + scores
        if not decodes:
            return smooth_maximum_of(alone, self._host)
        stage = decodes / min(lanes, max(decodes, 1.0))
        added = self._look_up(self._by_rows, stage + rows) - self._look_up(self._by_rows, stage) + scores
        added += self._look_up(self._by_outputs, decodes + ends) - self._look_up(self._by_outputs, decodes)
        # what rides along is cheaper, but no step is shorter than its prompts alone
        return smooth_maximum_of(max(decode + added * self._mixing, alone), self._host)

    def decode_line(self, decodes: float, context: float) -> tuple[float, float]:
        """(a, b): a decode step of `decodes` sequences takes a + b x (tokens in their caches), near `context` tokens in all.

        With pipeline stages a step is the cycle in which every sequence makes a token: each stage sees decodes / stages at a time,
        and fewer sequences than stages leave stages idle.
        """
        lanes = min(float(self._lanes), max(decodes, 1.0))
        base = self._look_up(self._by_rows, decodes / lanes) + self._look_up(self._by_outputs, decodes)
        base += self._per_decode * decodes / lanes
        slope = 0.0
        for per_token, window in self._windows:
            if window and context > decodes * window:
                base += per_token * decodes * window / lanes
            else:
                slope += per_token / lanes
        return base, slope


def smooth_maximum_of(a: float, b: float) -> float:
    """`roofline.smooth_maximum` of two plain numbers, without the cost of arrays."""
    high, low = (a, b) if a > b else (b, a)
    return high * (1.0 + (low / high) ** SHARPNESS) ** (1.0 / SHARPNESS) if low > 0 else high


def _total(operators: list[Operator]) -> list[float]:
    """Seconds of all operators for each entry of the grid."""
    total: Amount = np.zeros_like(ROWS)
    for operator in operators:
        total = total + operator.seconds
    return [float(v) for v in np.asarray(total)]
