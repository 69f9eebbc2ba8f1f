"""The command line: parse, one call of the library, print. The one place where errors become a line and an exit code.

Exit codes: 0 answered, 1 a mistake in Cardwise itself, 2 a question or file that cannot be used (one line on stderr), 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from cardwise import __version__
from cardwise.commands import ask, check, files, look, serve, trace
from cardwise.commands.printing import language_of, tell
from cardwise.errors import CardwiseError

BROKEN, USAGE, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="cardwise",
    help="Which card, how many of them, how fast, at what cost: predictions for serving a model. Works offline.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"cardwise {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False) -> None:
    pass


for command in (
    ask.plan, ask.explain, ask.simulate, look.cards, look.models, look.model, check.article, check.validate, check.accuracy, serve.serve,
    trace.trace,
):  # fmt: skip
    app.command(command.__name__)(command)


def run(arguments: Sequence[str]) -> int:
    """The exit code of a call. Every error of a person's is one line on stderr, never a traceback."""
    files.remember(arguments)
    usage: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
    try:
        result = typer.main.get_command(app).main(list(arguments) or ["--help"], prog_name="cardwise", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except CardwiseError as error:
        return _failed(error.message, arguments)
    except usage as error:
        return _failed(" ".join(error.format_message().split()) or "no command was given; see cardwise --help", arguments)
    except typer.Exit as done:
        return done.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:  # the reader went away, as `| head` does; nothing more can be said
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # a mistake of ours; one line all the same, the traceback for whoever wants it
        if os.environ.get("CARDWISE_DEBUG"):
            raise
        _failed(
            f"a mistake in cardwise itself: {type(error).__name__}: {error}; CARDWISE_DEBUG=1 shows where".replace("\n", " "), arguments
        )
        return BROKEN


def _failed(message: str, arguments: Sequence[str]) -> int:
    tell(message, language_of(arguments))
    return USAGE


def main() -> None:
    """The entry of the command `cardwise`."""
    for stream in (sys.stdout, sys.stderr):  # a terminal that lacks a letter gets a question mark, not an error
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
