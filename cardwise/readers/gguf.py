"""GGUF files (versions 2 and 3), alone or split: metadata and tensor descriptions, never the weights.

Layout (GGUF specification): magic, version, counts of tensors and of metadata entries, the entries, the tensor descriptions, padding, the
data. Every length is checked against the bytes that are left before it is used; nothing is allocated by a number from the file.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

from cardwise.errors import BadFile

MAX_TENSORS, MAX_ENTRIES, MAX_NAME, MAX_KEPT = 1_000_000, 1_000_000, 65_535, 8192
Value = str | int | float | bool | list[int | float | bool]
# id: name, elements of a block, bytes of a block (llama.cpp gguf-py/gguf/constants.py, GGML_QUANT_SIZES)
TYPES: dict[int, tuple[str, int, int]] = {
    0: ("f32", 1, 4), 1: ("f16", 1, 2), 2: ("q4_0", 32, 18), 3: ("q4_1", 32, 20), 6: ("q5_0", 32, 22), 7: ("q5_1", 32, 24),
    8: ("q8_0", 32, 34), 9: ("q8_1", 32, 40), 10: ("q2_k", 256, 84), 11: ("q3_k", 256, 110), 12: ("q4_k", 256, 144), 13: ("q5_k", 256, 176),
    14: ("q6_k", 256, 210), 15: ("q8_k", 256, 292), 16: ("iq2_xxs", 256, 66), 17: ("iq2_xs", 256, 74),
    18: ("iq3_xxs", 256, 98), 19: ("iq1_s", 256, 50),
    20: ("iq4_nl", 32, 18), 21: ("iq3_s", 256, 110), 22: ("iq2_s", 256, 82), 23: ("iq4_xs", 256, 136), 24: ("i8", 1, 1), 25: ("i16", 1, 2),
    26: ("i32", 1, 4), 27: ("i64", 1, 8), 28: ("f64", 1, 8), 29: ("iq1_m", 256, 56), 30: ("bf16", 1, 2), 34: ("tq1_0", 256, 54),
    35: ("tq2_0", 256, 66), 39: ("mxfp4", 32, 17), 40: ("nvfp4", 64, 36), 41: ("q1_0", 128, 18),
}  # fmt: skip
# metadata value types: format of struct
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """One stored tensor, with the dimensions in the file's order (the first one is contiguous)."""

    name: str
    type: str
    shape: tuple[int, ...]
    bytes: int
    offset: int

    @property
    def elements(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True)
class GgufFile:
    """Metadata (arrays of texts as their length) and tensors of one model."""

    metadata: dict[str, Value]
    tensors: tuple[GgufTensor, ...]

    @property
    def total_bytes(self) -> int:
        return sum(tensor.bytes for tensor in self.tensors)

    @property
    def elements(self) -> int:
        return sum(tensor.elements for tensor in self.tensors)


class _Cursor:
    """Reads forward through the bytes of one file; every read is checked against what is left."""

    def __init__(self, data: mmap.mmap | bytes, path: Path | str, file_bytes: int | None = None) -> None:
        self.data, self.path, self.at, self.size = data, path, 0, len(data)
        self.file_bytes = self.size if file_bytes is None else file_bytes

    def bad(self, text: str) -> BadFile:
        return BadFile(f"{self.path}: {text}")

    def take(self, count: int) -> bytes:
        if count > self.size - self.at:
            raise self.bad(f"truncated: {count:,} bytes wanted at byte {self.at:,} of {self.size:,}")
        piece = self.data[self.at : self.at + count]
        self.at += count
        return piece

    def number(self, code: str) -> int | float | bool:
        value: int | float | bool = struct.unpack("<" + code, self.take(struct.calcsize(code)))[0]
        return value

    def count(self, code: str, limit: int, what: str) -> int:
        value = int(self.number(code))
        if value > limit:
            raise self.bad(f"{what} is {value:,}; at most {limit:,} are read")
        return value

    def text(self, limit: int) -> str:
        length = int(self.number("Q"))
        if length > limit:
            raise self.bad(f"text of {length:,} bytes at byte {self.at:,}; at most {limit:,} are read")
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise self.bad(f"text before byte {self.at:,} is not UTF-8") from None

    def skip_text(self) -> None:
        length = int(self.number("Q"))
        if length > self.size - self.at:
            raise self.bad(f"truncated: text of {length:,} bytes at byte {self.at:,} of {self.size:,}")
        self.at += length


def read_file(path: str | Path) -> GgufFile:
    """One GGUF file, or all files of a split model when the path is one of them. Raises BadFile in one line."""
    place = Path(path)
    first = _read(place)
    pieces = first.metadata.get("split.count")
    if not isinstance(pieces, int) or isinstance(pieces, bool) or pieces <= 1:
        return first
    return _joined(place, first, pieces)


def read_head(data: bytes, file_bytes: int, name: str) -> GgufFile:
    """The model of a file of `file_bytes` whose first bytes are `data`: they hold the header, the weights need not be there.

    Raises BadFile when the header is longer than `data`, and for a part of a split model.
    """
    found = _parse(_Cursor(data, name, max(file_bytes, len(data))))
    pieces = found.metadata.get("split.count")
    if isinstance(pieces, int) and pieces > 1:
        raise BadFile(f"{name}: one of the {pieces:,} files of a split model; give the config.json that the model was made from")
    return found


def _joined(path: Path, first: GgufFile, pieces: int) -> GgufFile:
    stem, mark, _ = path.name.rpartition("-of-")
    if pieces > MAX_KEPT or not mark or len(stem) < 6 or not stem[-5:].isdecimal():
        raise BadFile(f"{path}: part of {pieces:,} files, but not named like model-00001-of-{pieces:05d}.gguf")
    names = [path.with_name(f"{stem[:-5]}{i:05d}-of-{pieces:05d}.gguf") for i in range(1, pieces + 1)]
    missing = [name.name for name in names if not name.is_file()]
    if missing:
        raise BadFile(f"{path}: {len(missing)} of {pieces:,} parts are missing, the first is {missing[0]}")
    parts = [first if name.name == path.name else _read(name) for name in names]
    return GgufFile(parts[0].metadata, tuple(tensor for part in parts for tensor in part.tensors))


def _read(path: Path) -> GgufFile:
    try:
        with path.open("rb") as file:
            if path.stat().st_size < 24:
                raise BadFile(f"{path}: {path.stat().st_size} bytes; a GGUF file has at least 24")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _parse(_Cursor(data, path))
    except OSError as error:
        raise BadFile(f"{path}: {error.strerror or type(error).__name__}") from None


def _parse(cursor: _Cursor) -> GgufFile:
    if cursor.take(4) != b"GGUF":
        raise cursor.bad("no GGUF file: it does not start with GGUF")
    version = int(cursor.number("I"))
    if version not in (2, 3):
        raise cursor.bad(f"GGUF version {version}; versions 2 and 3 are read, in little-endian order")
    tensors = cursor.count("Q", MAX_TENSORS, "the number of tensors")
    entries = cursor.count("Q", MAX_ENTRIES, "the number of metadata entries")
    metadata: dict[str, Value] = {}
    for _ in range(entries):
        key = cursor.text(MAX_NAME)
        metadata[key] = _value(cursor, int(cursor.number("I")))
    described = list(_tensors(cursor, tensors))
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or isinstance(alignment, bool) or not 1 <= alignment <= 2**20:
        raise cursor.bad("general.alignment must be between 1 and 1,048,576")
    start = -(-cursor.at // alignment) * alignment
    for tensor in described:
        if tensor.offset + tensor.bytes > cursor.file_bytes - start:
            over = start + tensor.offset + tensor.bytes - cursor.file_bytes
            raise cursor.bad(f"truncated: tensor {tensor.name[:60]!r} ends {over:,} bytes after the file")
    return GgufFile(metadata, tuple(described))


def _value(cursor: _Cursor, kind: int) -> Value:
    if kind in SCALARS:
        return cursor.number(SCALARS[kind])
    if kind == STRING:
        return cursor.text(2**24)
    if kind != ARRAY:
        raise cursor.bad(f"metadata value of unknown type {kind} at byte {cursor.at:,}")
    inner, length = int(cursor.number("I")), int(cursor.number("Q"))
    if inner in SCALARS:
        width = struct.calcsize(SCALARS[inner])
        if length * width > cursor.size - cursor.at:
            raise cursor.bad(f"truncated: list of {length:,} values at byte {cursor.at:,} of {cursor.size:,}")
        if length > MAX_KEPT:
            cursor.at += length * width
            return length
        return list(struct.unpack(f"<{length}{SCALARS[inner]}", cursor.take(length * width)))
    if inner != STRING:
        raise cursor.bad(f"list of values of type {inner} at byte {cursor.at:,}")
    if length * 8 > cursor.size - cursor.at:
        raise cursor.bad(f"truncated: list of {length:,} texts at byte {cursor.at:,} of {cursor.size:,}")
    for _ in range(length):
        cursor.skip_text()
    return length


def _tensors(cursor: _Cursor, count: int) -> Iterator[GgufTensor]:
    for _ in range(count):
        name = cursor.text(MAX_NAME)
        dimensions = cursor.count("I", 8, f"the number of dimensions of {name[:60]!r}")
        shape = tuple(int(cursor.number("Q")) for _ in range(dimensions))
        kind, offset = int(cursor.number("I")), int(cursor.number("Q"))
        if kind not in TYPES:
            raise cursor.bad(f"tensor {name[:60]!r} has unknown type {kind}")
        if max(shape, default=1) > 2**48 or prod(shape) > 2**56:
            raise cursor.bad(f"tensor {name[:60]!r} has an impossible shape")
        label, block, size = TYPES[kind]
        if shape and shape[0] % block:
            raise cursor.bad(f"tensor {name[:60]!r} of type {label} has rows of {shape[0]:,} elements, no multiple of {block}")
        yield GgufTensor(name, label, shape, prod(shape) // block * size, offset)
