"""The commands of a layout: what serves it, and what checks the prediction. Frozen text, no I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deployment:
    """`run`: the command of each process, of `copies` equal ones. `check`: measures what was predicted, with the load of one process; empty
    where no tool is known. `checkpoint`: the format in which a ready checkpoint of the model is needed, empty when its own one is served as
    it is. `model`: the name in the commands. `unsaid`: parts of the layout that the command line does not say.
    """

    run: tuple[str, ...]
    check: str
    copies: int
    checkpoint: str
    model: str
    unsaid: tuple[str, ...] = ()
