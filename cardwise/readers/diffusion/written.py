"""Networks written down as lists of operators, as `cardwise trace` leaves them -> Network. The inverse is `written`.

An operator is a table of its fields with `op`, its kind; an extent is a number, or a table of `fixed`, `prompt`, `share`, `side`, `stride`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields as dataclass_fields

from cardwise.network import Attention, Autoencoder, Convolution, Extent, Held, Linear, Network, Op, Pointwise
from cardwise.readers.fields import MAX_LAYERS, MAX_POSITIONS, Fields

KINDS: Mapping[str, type[Linear | Convolution | Attention | Pointwise]] = {
    "linear": Linear, "convolution": Convolution, "attention": Attention, "pointwise": Pointwise,
}  # fmt: skip
EXTENTS = frozenset({"rows", "positions", "queries", "keys", "sequences"})
MOST = 1e15  # more parameters, or passes over a tensor, than any operator has


def is_written(fields: Fields) -> bool:
    """Whether a component is a list of operators and no configuration."""
    return fields.has("ops") or (fields.has("encoder") and fields.has("decoder"))


def written_network(fields: Fields) -> Network:
    """The network of a table with `ops`, `name` and `blocks`. Raises BadFile."""
    ops = tuple(_op(item) for item in fields.subs("ops"))
    if not ops:
        raise fields.bad("field ops is empty; a network has operators")
    held = tuple(Held(_extent(item, "positions"), item.integer("width")) for item in fields.subs("held"))
    return Network(fields.text("name"), ops, fields.integer("blocks", default=1, high=MAX_LAYERS), held)


def written_autoencoder(fields: Fields) -> Autoencoder:
    """The two networks of a table with `encoder`, `decoder`, `side`, `stride` and `channels`. Raises BadFile."""
    halves = [fields.sub(name) for name in ("encoder", "decoder")]
    if halves[0] is None or halves[1] is None:
        raise fields.bad("fields encoder and decoder must both be groups of fields")
    return Autoencoder(
        written_network(halves[0]),
        written_network(halves[1]),
        fields.integer("side", high=1024),
        fields.integer("stride", low=0, high=1024),
        fields.integer("channels"),
        upcast=fields.flag("upcast"),
    )


def _op(fields: Fields) -> Op:
    kind = fields.text("op")
    if kind not in KINDS:
        raise fields.bad(f"field op is {kind[:40]!r}; it must be one of {', '.join(KINDS)}")
    made = KINDS[kind]
    values: dict[str, object] = {}
    for field in dataclass_fields(made):
        if not fields.has(field.name):
            continue
        if field.name in EXTENTS:
            values[field.name] = _extent(fields, field.name)
        elif field.type == "str":
            values[field.name] = fields.text(field.name)
        elif field.type == "bool":
            values[field.name] = fields.flag(field.name)
        elif field.type == "int":
            values[field.name] = fields.integer(field.name, low=0, high=MAX_POSITIONS)
        else:
            values[field.name] = fields.number(field.name, high=MOST)
    try:
        return made(**values)  # type: ignore[arg-type]
    except TypeError:
        missing = [f.name for f in dataclass_fields(made) if f.name not in values and f.default is f.default_factory]
        raise fields.bad(f"an operator {kind} needs {', '.join(missing)}") from None


def _extent(fields: Fields, name: str) -> Extent:
    value = fields.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Extent(fixed=fields.number(name, high=MOST))
    table = fields.sub(name)
    if table is None:
        raise fields.bad(f"field {name} is missing")
    numbers = {key: table.number(key, high=MOST) for key in ("fixed", "prompt", "share") if table.has(key)}
    found = Extent(
        **numbers, side=table.integer("side", default=0, low=0, high=4096), stride=table.integer("stride", default=0, low=0, high=4096),
        later=table.flag("later"),
    )  # fmt: skip
    if found.share and not (found.side or found.stride):
        raise table.bad("a share of a grid needs its side or stride")
    return found


def written(network: Network) -> dict[str, object]:
    """A network as the table that `written_network` reads: fields that differ from their defaults."""
    table: dict[str, object] = {"name": network.name, "blocks": network.blocks}
    if network.held:
        table["held"] = [{"positions": _written_extent(item.positions), "width": item.width} for item in network.held]
    table["ops"] = [_written_op(op) for op in network.ops]
    return table


def _written_op(op: Op) -> dict[str, object]:
    kind = next(name for name, made in KINDS.items() if isinstance(op, made))
    table: dict[str, object] = {"op": kind}
    for field in dataclass_fields(op):
        value = getattr(op, field.name)
        if value != field.default:
            table[field.name] = _written_extent(value) if isinstance(value, Extent) else value
    return table


def _written_extent(extent: Extent) -> object:
    if not extent.prompt and not extent.share:
        return extent.fixed
    names = ("fixed", "prompt", "share", "side", "stride", "later")
    return {name: getattr(extent, name) for name in names if getattr(extent, name)}
