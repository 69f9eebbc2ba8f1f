"""Everything that can go wrong, as a tree. A person sees `message`: one line with the value, the limit, the next step.

CardwiseError             exit code 2; the command line catches this one class
  UnknownName             a card, model, engine or format that the catalogue lacks; lists the nearest names
  AmbiguousName           a name that could mean several things; lists them
  BadInput                a number, option or file that cannot be used
    BadFile               a file that cannot be read: truncated, wrong kind, wrong encoding, missing field
  MissingFact             a number is needed that no source states and no rule derives
  CannotRun               a layout that the engine or the card would refuse; `reason` and `fix`
  NotSupported            a question that this version does not answer yet
"""

from __future__ import annotations

from collections.abc import Iterable


class CardwiseError(Exception):
    """Base of all errors that are told to the user in one line. `fix`: the nearest change that helps, where it stands apart."""

    fix = ""

    @property
    def message(self) -> str:
        return str(self).replace("\n", " ")

    @property
    def reason(self) -> str:
        """What is wrong, without the fix."""
        return self.message


class BadInput(CardwiseError):
    """A value that cannot be used, with the limit that it breaks."""


class BadFile(BadInput):
    """A file that is truncated, of the wrong kind, not UTF-8, or lacks a field."""


class UnknownName(CardwiseError):
    """A name that is not in the catalogue. `nearest` are the closest known names."""

    def __init__(self, kind: str, name: str, nearest: Iterable[str] = (), hint: str = "") -> None:
        self.kind, self.name, self.nearest = kind, name, tuple(nearest)
        near = f"; nearest: {', '.join(self.nearest)}" if self.nearest else ""
        super().__init__(f"unknown {kind} {name!r}{near}{'; ' + hint if hint else ''}")


class AmbiguousName(CardwiseError):
    """A name that could mean several entries. `candidates` are all of them."""

    def __init__(self, kind: str, name: str, candidates: Iterable[str]) -> None:
        self.kind, self.name, self.candidates = kind, name, tuple(candidates)
        super().__init__(f"{kind} {name!r} could mean {', '.join(self.candidates)}; say which")


class MissingFact(CardwiseError):
    """A number that is needed, stated by no source and derived by no rule. Raised instead of guessing."""


class NotSupported(CardwiseError):
    """A question outside what this version answers."""


class CannotRun(CardwiseError):
    """A layout that would be refused. `reason` says what binds and by how much, `fix` the nearest change that passes."""

    def __init__(self, reason: str, fix: str = "") -> None:
        self._reason, self.fix = reason, fix
        super().__init__(reason + (f"; {fix}" if fix else ""))

    @property
    def reason(self) -> str:
        return self._reason
