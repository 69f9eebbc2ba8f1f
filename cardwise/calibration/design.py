"""The linear map between effects and slots, gathered by stack: normal equations without a matrix over all rows and effects.

A row's logarithm moves by its slope in a slot times the sum of the slot's effects that its stack has. Rows of one stack share those
effects, so that the products of a fit are sums of small dense ones over the stacks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardwise.calibration.effects import Slot, keys, slots

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Pair = tuple[str, str]
"""A slot and a key of one of its levels."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Rows with one set of attributes: their effects (`columns`), and the slot that each of those acts on."""

    rows: Integers
    columns: Integers
    slots: Integers


class Design:
    """Effects of a set of rows. `index`: number of each effect; `prior`: spread of its level; `level`: the level's number."""

    def __init__(self, contexts: Sequence[Mapping[str, str]], acting: Sequence[Slot] | None = None) -> None:
        """`acting`: the slots, those of language models when not given."""
        gathered: dict[tuple[tuple[str, str], ...], list[int]] = defaultdict(list)
        for row, context in enumerate(contexts):
            gathered[tuple(sorted(context.items()))].append(row)
        self.index: dict[Pair, int] = {}
        self.levels: dict[Pair, int] = {}
        prior: list[float] = []
        level: list[int] = []
        self.stacks: list[Stack] = []
        for attributes, rows in gathered.items():
            columns, acts_on = [], []
            for number, slot in enumerate(slots() if acting is None else acting):
                spreads = dict(slot.levels)
                for key in keys(slot, dict(attributes)):
                    name = "+".join(part.split("=")[0] for part in key.split("+"))
                    pair = (slot.name, key)
                    if pair not in self.index:
                        self.index[pair] = len(self.index)
                        prior.append(spreads[name])
                        level.append(self.levels.setdefault((slot.name, name), len(self.levels)))
                    columns.append(self.index[pair])
                    acts_on.append(number)
            self.stacks.append(Stack(np.array(rows), np.array(columns), np.array(acts_on)))
        self.prior: Floats = np.array(prior)
        self.level: Integers = np.array(level)

    def times(self, slopes: Floats, effects: Floats) -> Floats:
        """What effects add to the logarithm of every row. `slopes`: rows x slots."""
        moved = np.zeros(len(slopes))
        for stack in self.stacks:
            moved[stack.rows] = slopes[np.ix_(stack.rows, stack.slots)] @ effects[stack.columns]
        return moved

    def normal(self, slopes: Floats, weights: Floats, residual: Floats) -> tuple[Floats, Floats]:
        """X' W X and X' W r, where X is the matrix of all rows and effects."""
        matrix = np.zeros((len(self.index), len(self.index)))
        vector = np.zeros(len(self.index))
        for stack in self.stacks:
            own = slopes[np.ix_(stack.rows, stack.slots)]
            weighted = own * weights[stack.rows, None]
            matrix[np.ix_(stack.columns, stack.columns)] += own.T @ weighted
            vector[stack.columns] += weighted.T @ residual[stack.rows]
        return matrix, vector

    def sensitivity(self, slopes: Floats) -> Floats:
        """By effect: the largest mean slope of a stack in the effect's slot."""
        most = np.zeros(len(self.index))
        for stack in self.stacks:
            own = np.abs(slopes[np.ix_(stack.rows, stack.slots)]).mean(axis=0)
            np.maximum.at(most, stack.columns, own)
        return most

    def supported(self, slopes: Floats, keep: Floats) -> NDArray[np.bool_]:
        """Effects that some kept row depends on."""
        seen = np.zeros(len(self.index))
        for stack in self.stacks:
            seen[stack.columns] += np.abs(slopes[np.ix_(stack.rows, stack.slots)] * keep[stack.rows, None]).sum(axis=0)
        found: NDArray[np.bool_] = seen > 1e-9
        return found
