"""Version strings of engines as people and logs write them, as comparable numbers and dates."""

from __future__ import annotations

import re

Version = tuple[int, ...]

_DOTTED = re.compile(r"(?<![\d.])v?(\d{1,4}(?:\.\d{1,4}){1,3})")
_BUILD = re.compile(r"(?<![0-9a-z])b(\d{1,6})(?![0-9a-z])|\((\d{3,6})\)")
_DAY = re.compile(r"(20[2-3]\d)-?([01]\d)-?([0-3]\d)(?!\d)")


def parse_version(text: str, prefix: str = "") -> Version:
    """`v0.5.12-rocm700-mi35x` -> (0, 5, 12); with prefix `b`: `b2824 (4426e298)` -> (2824,). () when the text holds no version.

    Only the release numbers count: `1.2.0rc6.post2` and `0.9.2.dev364` are taken as the release that they lead to.
    """
    word = text.strip().lower()
    if prefix == "b":
        build = _BUILD.search(word)
        if build:
            return (int(build.group(1) or build.group(2)),)
        return (int(word),) if word.isdigit() else ()
    if word.isdigit():
        return (int(word),)
    start = word.split("_")[0] if word.startswith("rocm") else word
    found = _DOTTED.match(start.removeprefix("nightly-"))
    return tuple(int(part) for part in found.group(1).split(".")) if found else ()


def date_in(text: str) -> str:
    """The day that a nightly's name holds, as YYYY-MM-DD, or ''."""
    found = _DAY.search(text)
    return "-".join(found.groups()) if found else ""


def padded(date: str) -> str:
    """A date of any precision as a day, so that strings compare: the end of a month, the middle of a year."""
    return {4: f"{date}-06-30", 7: f"{date}-31"}.get(len(date), date)


def days_between(earlier: str, later: str) -> int:
    """Days from one date to another, to the month when a day is missing."""

    def days(text: str) -> int:
        year, month, day = (int(part) for part in (*padded(text).split("-"), "1", "1")[:3])
        return year * 365 + month * 30 + day

    return days(later) - days(earlier)
