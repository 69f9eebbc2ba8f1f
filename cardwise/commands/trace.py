"""Pipelines as they run: their networks written down without weights, or compared with the readers'."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cardwise.commands.options import LANG
from cardwise.commands.printing import check_language, write
from cardwise.errors import BadInput

if TYPE_CHECKING:
    from cardwise.reports.words import Words
    from cardwise.tracing.pipeline import Compared


def trace(
    name: Annotated[
        str, typer.Argument(help="Folder of a pipeline or of components' configurations, or a known name.", show_default=False)
    ],
    out: Annotated[Path | None, typer.Option("--out", help="Where the facts go. Default: the terminal.", show_default=False)] = None,
    check: Annotated[bool, typer.Option("--check", help="Compare with what the readers say instead.")] = False,
    like: Annotated[str, typer.Option("--like", help="Pipeline class whose run is nearest to an unknown one's.", show_default=False)] = "",
    lang: Annotated[str, LANG] = "en",
) -> None:
    """Builds every network of a pipeline on torch's meta device, runs it at a few sizes, and writes its operators as facts.

    Needs the extra: pip install 'cardwise[trace]'.
    """
    from cardwise.reports.words import words
    from cardwise.tracing.pipeline import compared, source_of, written_facts

    say = words(check_language(lang))
    if check:
        if out is not None or like:
            raise BadInput("--check compares a pipeline that can be read; leave --out and --like out")
        return _check(name, compared, say)
    if out is not None and not out.parent.is_dir():
        raise BadInput(f"{out}: its folder does not exist; make it first")
    text = written_facts(source_of(name, like), _told)
    if out is None:
        return write(text)
    out.write_text(text, encoding="utf-8")
    write(say("trace_written", out=out))


def _told(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _check(name: str, compared: Callable[[str], Iterator[Compared]], say: Words) -> None:
    different = 0
    for found in compared(name):
        flops = ", ".join(f"{(traced / read if read else 1.0):.4f}" for traced, read in found.flops)
        kernels = found.kernels[0] / max(found.kernels[1], 1.0)
        counts = {"traced": f"{found.traced_parameters:,}", "read": f"{found.read_parameters:,}", "kernels": f"{kernels:.2f}"}
        write(say("trace_same" if found.equal else "trace_different", component=found.component, flops=flops, **counts))
        different += not found.equal
    if different:
        raise typer.Exit(1)
