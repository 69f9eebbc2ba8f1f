"""Pipelines as they run: their networks written down without weights, or compared with the readers'."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cardwise.commands.printing import write
from cardwise.errors import BadInput

if TYPE_CHECKING:
    from cardwise.tracing.pipeline import Compared


def trace(
    name: Annotated[
        str, typer.Argument(help="Folder of a pipeline or of components' configurations, or a known name.", show_default=False)
    ],
    out: Annotated[Path | None, typer.Option("--out", help="Where the facts go. Default: the terminal.", show_default=False)] = None,
    check: Annotated[bool, typer.Option("--check", help="Compare with what the readers say instead.")] = False,
    like: Annotated[str, typer.Option("--like", help="Pipeline class whose run is nearest to an unknown one's.", show_default=False)] = "",
) -> None:
    """Builds every network of a pipeline on torch's meta device, runs it at a few sizes, and writes its operators as facts.

    Needs the extra: pip install 'cardwise[trace]'.
    """
    from cardwise.tracing.pipeline import compared, source_of, written_facts

    if check:
        if out is not None or like:
            raise BadInput("--check compares a pipeline that can be read; leave --out and --like out")
        return _check(name, compared)
    if out is not None and not out.parent.is_dir():
        raise BadInput(f"{out}: its folder does not exist; make it first")
    text = written_facts(source_of(name, like), _told)
    if out is None:
        return write(text)
    out.write_text(text, encoding="utf-8")
    write(f"written to {out}; cardwise plan --facts {out} reads it")


def _told(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _check(name: str, compared: Callable[[str], Iterator[Compared]]) -> None:
    different = 0
    for found in compared(name):
        flops = ", ".join(f"{(traced / read if read else 1.0):.4f}" for traced, read in found.flops)
        kernels = found.kernels[0] / max(found.kernels[1], 1.0)
        said = "same" if found.equal else "DIFFERENT"
        write(
            f"{found.component}: {said}; parameters {found.traced_parameters:,} traced, {found.read_parameters:,} read; "
            f"FLOPs traced / read {flops}; kernels {kernels:.2f}"
        )
        different += not found.equal
    if different:
        raise typer.Exit(1)
