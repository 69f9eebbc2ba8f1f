"""Typed, checked access to the fields of a model's configuration. Everything that is absent, of a wrong type or absurd is a BadFile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from cardwise.errors import BadFile

MAX_WIDTH = 2**26  # no width, vocabulary or position count of a model is larger; beyond it the file is broken
MAX_LAYERS = 4096
MAX_POSITIONS = 2**34


class Fields:
    """A mapping of field names to values, with the place it is from for error messages.

    Every getter takes the field's name and its synonyms in other families; the first that is present and not null counts.
    """

    def __init__(self, values: Mapping[str, object], source: str, defaults: Mapping[str, object] | None = None) -> None:
        self.values, self.source, self.defaults = values, source, defaults or {}

    def get(self, *names: str) -> object:
        """The first value that is present and not null, in the file or among the defaults of the family; None without."""
        for mapping in (self.values, self.defaults):
            for name in names:
                value = mapping.get(name)
                if value is not None:
                    return value
        return None

    def has(self, *names: str) -> bool:
        return self.get(*names) is not None

    def bad(self, text: str) -> BadFile:
        return BadFile(f"{self.source}: {text}")

    def integer(self, *names: str, default: int | None = None, low: int = 1, high: int = MAX_WIDTH) -> int:
        """A whole number in [low, high]. Raises BadFile when it is missing (and there is no default), not whole, or outside."""
        value = self.get(*names)
        if value is None:
            if default is None:
                raise self.bad(f"field {' or '.join(names)} is missing")
            return default
        return self._whole(names[0], value, low, high)

    def _whole(self, name: str, value: object, low: int, high: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.bad(f"field {name} is {short(value)}; it must be a whole number")
        if not low <= value <= high:
            raise self.bad(f"field {name} is {short(value)}; it must lie between {low:,} and {high:,}")
        return value

    def number(self, *names: str, default: float | None = None, low: float = 0.0, high: float = 1e6) -> float:
        """A finite number in [low, high]."""
        value = self.get(*names)
        if value is None:
            if default is None:
                raise self.bad(f"field {' or '.join(names)} is missing")
            return default
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise self.bad(f"field {names[0]} is {short(value)}; it must be a number between {low:g} and {high:g}")
        return float(value)

    def flag(self, *names: str, default: bool = False) -> bool:
        value = self.get(*names)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.bad(f"field {names[0]} is {short(value)}; it must be true or false")
        return value

    def text(self, *names: str, default: str | None = None) -> str:
        value = self.get(*names)
        if value is None:
            if default is None:
                raise self.bad(f"field {' or '.join(names)} is missing")
            return default
        if not isinstance(value, str):
            raise self.bad(f"field {names[0]} is {short(value)}; it must be a text")
        return value

    def integers(self, *names: str, low: int = 0, high: int = MAX_WIDTH) -> tuple[int, ...] | None:
        """A list of whole numbers, None when absent. `true` and `false` count as 1 and 0, as some configurations write them."""
        value = self.sequence(*names)
        if value is None:
            return None
        return tuple(self._whole(names[0], int(item) if isinstance(item, bool) else item, low, high) for item in value)

    def texts(self, *names: str) -> tuple[str, ...] | None:
        value = self.sequence(*names)
        if value is None:
            return None
        if not all(isinstance(item, str) for item in value):
            raise self.bad(f"field {names[0]} must be a list of texts")
        return tuple(cast(Sequence[str], value))

    def sequence(self, *names: str) -> Sequence[object] | None:
        value = self.get(*names)
        if value is None:
            return None
        if not isinstance(value, (list, tuple)):
            raise self.bad(f"field {names[0]} is {short(value)}; it must be a list")
        if len(value) > 2**20:
            raise self.bad(f"field {names[0]} has {len(value):,} entries; at most {2**20:,} are read")
        return value

    def per_layer(self, values: tuple[object, ...] | None, name: str, layers: int) -> None:
        """Raises BadFile when a list that states one value a layer is shorter than the layers."""
        if values is not None and len(values) < layers:
            raise self.bad(f"field {name} has {len(values)} entries for {layers} layers")

    def sub(self, name: str) -> Fields | None:
        """The fields of a nested mapping, None when absent."""
        value = self.get(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self.bad(f"field {name} is {short(value)}; it must be a group of fields")
        return Fields(value, f"{self.source} {name}")

    def subs(self, name: str) -> Iterator[Fields]:
        for i, value in enumerate(self.sequence(name) or ()):
            if not isinstance(value, Mapping):
                raise self.bad(f"field {name}[{i}] is {short(value)}; it must be a group of fields")
            yield Fields(value, f"{self.source} {name}[{i}]")


def short(value: object) -> str:
    """`value` as at most 40 characters, for a message of one line. Never builds the text of a huge number or list."""
    if isinstance(value, (list, tuple, dict)):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**30:
        return "a number of more than 30 digits"
    text = repr(value).replace("\n", " ")
    return text if len(text) <= 40 else text[:37] + "..."
