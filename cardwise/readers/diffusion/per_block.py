"""Fields that state one value for all blocks of a network, or a list of one a block, or of one a layer of each."""

from __future__ import annotations

from typing import TypeVar

from cardwise.errors import NotSupported
from cardwise.readers.fields import MAX_LAYERS, MAX_WIDTH, Fields, short

T = TypeVar("T")

MAX_BLOCKS = 16  # 16 halvings are beyond any picture


def widths(fields: Fields, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    """The channels of each block. Raises BadFile for none, or for more than a picture can be halved."""
    values = fields.integers(name, low=1)
    values = default if values is None else values
    if not 1 <= len(values) <= MAX_BLOCKS:
        raise fields.bad(f"field {name} has {len(values)} entries; it must have 1 to {MAX_BLOCKS}")
    return values


def integers(
    fields: Fields, name: str, blocks: int, default: int | tuple[int, ...], low: int = 1, high: int = MAX_WIDTH
) -> tuple[int, ...]:
    """One whole number a block, from a list or from one number for all."""
    value = fields.get(name)
    if value is None:
        value = default
    if not isinstance(value, (list, tuple)):
        return (fields.integer(name, default=default if isinstance(default, int) else None, low=low, high=high),) * blocks
    values = fields.integers(name, low=low, high=high)
    values = tuple(value) if values is None else values
    return _checked(fields, name, values, blocks)


def heads(fields: Fields, name: str, channels: tuple[int, ...], default: int | tuple[int, ...]) -> tuple[int, ...]:
    """The attention heads of each block. Raises BadFile where there are more than channels."""
    values = integers(fields, name, len(channels), default)
    for width, count in zip(channels, values, strict=True):
        if count > width:
            raise fields.bad(f"field {name} is {count}: more heads than the {width} channels of its block")
    return values


def texts(fields: Fields, name: str, blocks: int, default: str | tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    """One word a block, from a list or from one word for all. Raises NotSupported for a word that is not among the `known`."""
    value = fields.get(name)
    if isinstance(value, str) or (value is None and isinstance(default, str)):
        values: tuple[str, ...] = (fields.text(name, default=default if isinstance(default, str) else None),) * blocks
    else:
        found = fields.texts(name)
        values = tuple(default) if found is None else found
    for word in values:
        if word not in known:
            raise NotSupported(f"{fields.source}: {name} {short(word)} is not read yet; known are {', '.join(known)}")
    return _checked(fields, name, values, blocks)


def layers(fields: Fields, name: str, counts: tuple[int, ...], default: int) -> tuple[tuple[int, ...], ...]:
    """One whole number a layer of each block: `counts` layers. A number stands for all layers of a block, or of all blocks."""
    value = fields.get(name)
    if not isinstance(value, (list, tuple)):
        number = fields.integer(name, default=default, low=0, high=MAX_LAYERS)
        return tuple((number,) * count for count in counts)
    entries = fields.sequence(name) or ()
    if len(entries) != len(counts):
        raise fields.bad(f"field {name} has {len(entries)} entries; it must have {len(counts)}, one a block")
    return tuple(_layers(fields, name, entry, count) for entry, count in zip(entries, counts, strict=True))


def _layers(fields: Fields, name: str, entry: object, count: int) -> tuple[int, ...]:
    one = Fields({name: entry}, fields.source)
    if not isinstance(entry, (list, tuple)):
        return (one.integer(name, low=0, high=MAX_LAYERS),) * count
    values = one.integers(name, low=0, high=MAX_LAYERS) or ()
    if len(values) < count:
        raise fields.bad(f"field {name} has {len(values)} entries for a block of {count} layers")
    return values[:count]


def _checked(fields: Fields, name: str, values: tuple[T, ...], blocks: int) -> tuple[T, ...]:
    if len(values) != blocks:
        raise fields.bad(f"field {name} has {len(values)} entries; it must have {blocks}, one a block")
    return values
