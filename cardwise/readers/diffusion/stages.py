"""Stages of a network -> `Network`: equal operators counted together, the size of a block, what is held where memory peaks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cardwise.network import Attention, Canvas, Convolution, Held, Linear, Network, Op
from cardwise.readers.diffusion.convolutional import Piece

NOMINAL = Canvas(width=1024, height=1024, frames=16, prompt_tokens=64)  # only decides which stage is the largest; any common size does


@dataclass(frozen=True, slots=True)
class Stage:
    """Pieces that run one after the other while `held` is alive. `block`: a block that offloading moves as one."""

    pieces: tuple[Piece, ...]
    held: tuple[Held, ...] = ()
    block: bool = True

    @property
    def parameters(self) -> int:
        """Elements of all weights."""
        return sum(op.parameters for piece in self.pieces for op in piece.ops)


def build(name: str, stages: Sequence[Stage]) -> Network:
    """The network of the stages. Its blocks are so many that the largest stage counts as one of them."""
    ops = counted(op for stage in stages for piece in stage.pieces for op in piece.ops)
    largest = max((stage.parameters for stage in stages if stage.block), default=0)
    total = sum(op.parameters for op in ops)
    return Network(name, ops, blocks=max(1, total // largest) if largest else 1, held=peak(stages))


def counted(ops: Iterable[Op]) -> tuple[Op, ...]:
    """Equal operators as one with their count, in the order in which they first come."""
    counts: dict[Op, int] = {}
    for op in ops:
        one = replace(op, count=1)
        counts[one] = counts.get(one, 0) + op.count
    return tuple(replace(op, count=count) for op, count in counts.items())


def peak(stages: Sequence[Stage]) -> tuple[Held, ...]:
    """What is alive beside the network's largest operator so that both together are the most that is alive in any piece.

    Where the most is alive beside another operator, what that one is smaller by is left out of the tensors held then.
    """
    most, own, largest = -1.0, 0.0, 0.0
    held: tuple[Held, ...] = ()
    for stage in stages:
        for piece in stage.pieces:
            kept = stage.held + piece.held
            running = max((_own(op) for op in piece.ops), default=0.0)
            largest = max(largest, running)
            alive = sum(h.positions.at(NOMINAL) * h.width for h in kept) + running
            if alive > most:
                most, held, own = alive, kept, running
    return _lessened(_joined(held), largest - own)


def _lessened(held: Sequence[Held], elements: float) -> tuple[Held, ...]:
    """The tensors without so many elements of them, of those of most positions first."""
    found = []
    for h in sorted(held, key=lambda h: -h.positions.at(NOMINAL)):
        width = max(h.width - round(elements / h.positions.at(NOMINAL)), 0)
        elements = max(elements - h.width * h.positions.at(NOMINAL), 0.0)
        found += [Held(h.positions, width)] if width else []
    return tuple(found)


def _own(op: Op) -> float:
    """Elements of the inputs and the output of one operator on the nominal canvas."""
    if isinstance(op, Linear):
        return op.rows.at(NOMINAL) * (op.inputs + op.outputs)
    if isinstance(op, Convolution):
        return op.positions.at(NOMINAL) * (op.inputs * op.scale + op.outputs)
    if isinstance(op, Attention):
        width = op.heads * (op.head_dim + (op.value_dim or op.head_dim))
        return op.sequences.at(NOMINAL) * width * (op.queries.at(NOMINAL) + op.keys.at(NOMINAL))
    return op.positions.at(NOMINAL) * op.width * min(op.passes, 2.0)


def _joined(held: Sequence[Held]) -> tuple[Held, ...]:
    """Tensors over equal positions as one."""
    widths = {h.positions: 0 for h in held}
    for h in held:
        widths[h.positions] += h.width
    return tuple(Held(positions, width) for positions, width in widths.items())
