"""What the library says in English, found again in a catalogue of templates and said in another language, where it is shown.

Errors, refusals, notes and labels are English texts wherever they are made; only what renders knows of languages. An entry of the
catalogue is an English template and its translation: `{name}` stands for a value that stays as it is, `{name:number}` for a number,
`{name:size}` for a number of bytes, `{name:word}` for a text without spaces, `{name:said}` for a text that is itself looked up,
`{name:list}` for several with commas. The template with the most letters of its own that fits is taken. `place: text` and
`reason; fix` are found by their parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}")
NUMBER = r"-?\d(?:[\d,.]*\d)?(?:e[+-]?\d+)?"
FITS = {"": ".+?", "said": ".+?", "list": ".+?", "word": r"\S+?", "number": NUMBER, "size": rf"{NUMBER}(?: [KMGT]i?B)?"}
"""What a value of each kind looks like, in the notation that browsers share."""
AND = {", ": "、", " and ": "和", " or ": "或"}
BETWEEN = re.compile("(, | and | or )")
COLON, SEMICOLON = (": ", "："), ("; ", "；")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A template and its translation. `pieces`: the constant text around its values; `names`, `kinds`: of the values, in order."""

    pieces: tuple[str, ...]
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    translated: str

    @property
    def pattern(self) -> str:
        parts = [re.escape(self.pieces[0])]
        for kind, piece in zip(self.kinds, self.pieces[1:], strict=True):
            parts += [f"({FITS[kind]})", re.escape(piece)]
        return f"^{''.join(parts)}$"

    @property
    def own(self) -> int:
        """Letters of its own: the more, the more it says."""
        return sum(map(len, self.pieces)) + sum(bool(kind) for kind in self.kinds)

    def values(self, text: str) -> tuple[str, ...] | None:
        if not text.startswith(self.pieces[0]) or not all(piece in text for piece in self.pieces):
            return None
        found = _compiled(self.pattern).match(text)
        return None if found is None else found.groups()


@lru_cache(maxsize=2048)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)


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
        self.known = lru_cache(maxsize=4096)(self._known)

    def said(self, text: str) -> str:
        """The text in this language; one that is not in the catalogue as it is."""
        return self.known(text) or text

    def _known(self, text: str) -> str | None:
        if text in self.fixed:
            return self.fixed[text]
        for one in self.open:
            values = one.values(text)
            if values is not None:
                return self._filled(one, values)
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


def _places(text: str, mark: str) -> list[int]:
    return [found.start() for found in re.finditer(re.escape(mark), text)]
