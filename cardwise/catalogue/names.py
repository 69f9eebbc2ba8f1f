"""Names of cards: what a person, a driver or a table writes -> one entry of the catalogue.

Case, spaces, hyphens, brackets, the maker's words ("NVIDIA", "GeForce", "Instinct") and the memory type do not matter, nor does the order
of the words. A name that several cards carry is ambiguous; the data say which of them is meant where a table does not care (`lenient`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from cardwise.errors import AmbiguousName, UnknownName

_MAKERS = {"nvidia", "geforce", "amd", "instinct", "tesla", "intel", "apple", "google", "cloud", "huawei", "cambricon", "aws", "radeon"}
_NOISE = _MAKERS | {"gpu", "gpus", "card", "graphics", "generation", "edition", "the", "per", "npu", "with", "tensor", "oam"}
_MEMORY_TYPES = re.compile(r"(?:hbm|gddr|lpddr)\w*")
_SAME = {"mobile": "laptop", "notebook": "laptop", "cores": "core", "gib": "gb"}
_CHINESE = {"昇腾": " ascend ", "华为": " ", "寒武纪": " ", "英伟达": " ", "苹果": " "}
_PREFIX = re.compile(r"(?:rtx|gtx|rx) (?=\d)")


def words(text: str) -> tuple[str, ...]:
    """The words of a name that carry meaning, in their order."""
    text = text.lower()
    for chinese, latin in _CHINESE.items():
        text = text.replace(chinese, latin)
    text = re.sub(r"(\d+)\s*(?:gib|gb|g)\b", r"\1gb", text)
    text = re.sub(r"\bsxm\d\b", "sxm", text)
    found = (_SAME.get(word, word) for word in re.findall(r"[a-z0-9.]+", text))
    return tuple(word for word in found if word not in _NOISE)


def keys(text: str) -> tuple[str, ...]:
    """Keys of a name, the most faithful first: its words joined, the same without memory type, the same in alphabetical order."""
    full = words(text)
    bare = tuple(word for word in full if not _MEMORY_TYPES.fullmatch(word))
    return tuple(dict.fromkeys(("".join(full), "".join(bare), "|".join(sorted(bare)))))


@dataclass(frozen=True, slots=True)
class Entry:
    """One card as the index sees it: its name, other names, and those of them for which it is the one meant."""

    name: str
    aliases: tuple[str, ...]
    lenient: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Index:
    """`own`: key -> card of that very name. `shared`: key -> cards that carry it. `preferred`: key -> card meant where nobody asks back."""

    own: Mapping[str, str]
    shared: Mapping[str, tuple[str, ...]]
    preferred: Mapping[str, str]

    def find(self, text: str, *, lenient: bool = False) -> str:
        """The card that `text` names. Raises AmbiguousName with all candidates, UnknownName with the nearest names."""
        wanted = [key for key in keys(text) if key]
        for key in wanted:
            if key in self.own:
                return self.own[key]
            candidates = self.shared.get(key, ())
            if len(candidates) == 1:
                return candidates[0]
            if candidates and lenient and key in self.preferred:
                return self.preferred[key]
            if candidates:
                raise AmbiguousName("card", text, candidates)
        raise UnknownName("card", text, self.nearest(text), "add it with --facts, ten lines are enough")

    def nearest(self, text: str) -> tuple[str, ...]:
        """Up to three known names that look like `text`."""
        known = {**{key: names[0] for key, names in self.shared.items()}, **self.own}
        key = keys(text)[0]
        close = get_close_matches(key, known, n=6, cutoff=0.6) or [k for k in known if key and key in k][:3]
        close = close or get_close_matches(key, known, n=6, cutoff=0.5)
        return tuple(dict.fromkeys(known[match] for match in close))[:3]


def prefixless(name: str) -> str:
    """`4090` for `RTX 4090`; empty for names without such a prefix."""
    short = _PREFIX.sub("", name.lower(), count=1)
    return short if short != name.lower() and _PREFIX.match(name.lower()) else ""


def index(entries: Iterable[Entry]) -> Index:
    """The index of all cards. Names that several entries claim go to `shared`."""
    own: dict[str, str] = {}
    shared: dict[str, dict[str, None]] = {}
    preferred: dict[str, str] = {}
    for entry in entries:
        for key in keys(entry.name):
            own.setdefault(key, entry.name)
        for alias in (*entry.aliases, prefixless(entry.name)):
            for key in keys(alias) if alias else ():
                shared.setdefault(key, {})[entry.name] = None
        for alias in entry.lenient:
            for key in keys(alias):
                preferred.setdefault(key, entry.name)
    return Index(own, {key: tuple(names) for key, names in shared.items() if key}, preferred)
