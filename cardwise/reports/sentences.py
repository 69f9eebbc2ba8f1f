"""What the library says in English, found again in a catalogue of templates and said in another language, where it is shown.

Errors, refusals, notes and labels are English texts wherever they are made; only what renders knows of languages. An entry of the
catalogue is an English template and its translation: `{name}` stands for a value that stays as it is, `{name:number}` for a number,
`{name:size}` for a number of bytes, `{name:word}` for a text without spaces, `{name:said}` for a text that is itself looked up,
`{name:list}` for several with commas. The template with the most letters of its own that fits is taken. `place: text` and
`reason; fix` are found by their parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}")
NUMBER = r"-?\d(?:[\d,.]*\d)?(?:e[+-]?\d+)?"
FITS = {"word": r"\S+", "number": NUMBER, "size": rf"{NUMBER}(?: [KMGT]i?B)?"}
"""What a value of a kind looks like, in the notation that browsers share; the other kinds are any text."""
LONGEST, MOST_MARKS = 2000, 20
"""Characters, and places where a text may be cut in two: what is longer or more broken holds a person's own text, and stays as it is."""
AND = {", ": "、", " and ": "和", " or ": "或"}
BETWEEN = re.compile("(, | and | or )")
Values = tuple[str, ...]
COLON, SEMICOLON = (": ", "："), ("; ", "；")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A template and its translation. `pieces`: the constant text around its values; `names`, `kinds`: of the values, in order."""

    pieces: tuple[str, ...]
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    translated: str

    @property
    def own(self) -> int:
        """Letters of its own: the more, the more it says."""
        return sum(map(len, self.pieces)) + sum(bool(kind) for kind in self.kinds)

    def values(self, text: str) -> Values | None:
        """Its values in a text, each as short as can be, from left to right; None where it does not fit."""
        first, *others = self.pieces
        if not (text.startswith(first) and text.endswith(others[-1]) and all(piece in text for piece in others)):
            return None
        return _values(text, len(first), tuple(zip(self.kinds, others, strict=True)), set())


def _values(text: str, at: int, parts: tuple[tuple[str, str], ...], failed: set[tuple[int, int]]) -> Values | None:
    """Values from a place on. `parts`: kinds, and what stands behind them. `failed`: what was tried in vain; nothing is tried twice."""
    if not parts:
        return ()
    if (len(parts), at) in failed:
        return None
    (kind, piece), *others = parts
    for end in _places(text, piece, at + 1) if others else (len(text) - len(piece),):
        value = text[at:end]
        if value and (kind not in FITS or re.fullmatch(FITS[kind], value)):
            found = _values(text, end + len(piece), tuple(others), failed)
            if found is not None:
                return (value, *found)
    failed.add((len(parts), at))
    return None


def _places(text: str, piece: str, start: int = 0) -> Iterator[int]:
    while (start := text.find(piece, start)) >= 0:
        yield start
        start += 1


def sentence(template: str, translated: str) -> Sentence:
    """An entry of the catalogue from its two texts."""
    slots = SLOT.findall(template)
    pieces = tuple(SLOT.sub("\0", template).split("\0"))
    return Sentence(pieces, tuple(name for name, _ in slots), tuple(kind for _, kind in slots), translated)


class Sentences:
    """A catalogue for one language. `known(text)` is the translation, None without one."""

    def __init__(self, entries: Iterable[tuple[str, str]]) -> None:
        made = [sentence(template, translated) for template, translated in entries]
        self.fixed: Mapping[str, str] = {one.pieces[0]: one.translated for one in made if not one.names}
        self.open = sorted((one for one in made if one.names), key=lambda one: (-one.own, one.pieces))
        self._kept = lru_cache(maxsize=4096)(self._known)

    def said(self, text: str) -> str:
        """The text in this language; one that is not in the catalogue as it is."""
        return self.known(text) or text

    def known(self, text: str) -> str | None:
        return self._kept(text) if len(text) <= LONGEST else None

    def _known(self, text: str) -> str | None:
        if text in self.fixed:
            return self.fixed[text]
        for one in self.open:
            values = one.values(text)
            if values is not None:
                return self._filled(one, values)
        if sum(text.count(mark) for mark, _ in (COLON, SEMICOLON)) > MOST_MARKS:
            return None
        return self._behind_a_place(text) or self._in_two(text)

    def _filled(self, one: Sentence, values: tuple[str, ...]) -> str:
        shown = {name: self._value(value, kind) for name, kind, value in zip(one.names, one.kinds, values, strict=True)}
        return SLOT.sub(lambda slot: shown[slot[1]], one.translated)

    def _value(self, value: str, kind: str) -> str:
        if kind == "said":
            return self.said(value)
        if kind == "list":
            return "".join(AND.get(part) or self.said(part) for part in BETWEEN.split(value))
        return value

    def _behind_a_place(self, text: str) -> str | None:
        """`config.json: field x is missing`: what is wrong somewhere."""
        mark, translated = COLON
        for at in _places(text, mark):
            found = self.known(text[at + len(mark) :])
            if found is not None:
                return text[:at].replace(mark, translated) + translated + found
        return None

    def _in_two(self, text: str) -> str | None:
        """`no layout can be made; ask for another count`: a reason and what helps."""
        mark, translated = SEMICOLON
        for at in _places(text, mark):
            reason, fix = self.known(text[:at]), self.known(text[at + len(mark) :])
            if reason is not None and fix is not None:
                return reason + translated + fix
        return None
