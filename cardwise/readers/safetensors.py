"""Headers of safetensors files, alone or in shards: exact bytes and elements by part. The weights themselves are never read.

Layout (safetensors format 0.x): 8 bytes little-endian length of the header, the header as JSON, then the data; offsets count from the data.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path

from cardwise.errors import BadFile
from cardwise.readers.fields import short
from cardwise.readers.json_file import read_json
from cardwise.readers.quantization import part_of

MAX_HEADER_BYTES = 100_000_000
MAX_TENSORS = 2_000_000
MAX_SHARDS = 10_000
BITS = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "I64": 64, "I32": 32, "I16": 16, "I8": 8,
    "U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "C64": 64,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tensor:
    """One stored tensor: `elements` of `dtype`, as the header states them; packed formats hold several weights in one element."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int

    @property
    def elements(self) -> int:
        return prod(self.shape)

    @property
    def part(self) -> str:
        """The part of the model that the name belongs to; norms, biases and convolutions are `vectors`."""
        kind = part_of(self.name)
        return kind or "vectors"


@dataclass(frozen=True)
class Contents:
    """Everything that the headers of one model state."""

    tensors: tuple[Tensor, ...]

    @cached_property
    def total_bytes(self) -> int:
        return sum(tensor.bytes for tensor in self.tensors)

    @cached_property
    def elements(self) -> int:
        return sum(tensor.elements for tensor in self.tensors)

    def by_part(self) -> dict[str, tuple[int, int]]:
        """Bytes and elements of each part."""
        found: dict[str, tuple[int, int]] = {}
        for tensor in self.tensors:
            size, count = found.get(tensor.part, (0, 0))
            found[tensor.part] = size + tensor.bytes, count + tensor.elements
        return found

    @cached_property
    def main_dtype(self) -> str:
        """The element type that takes most of the bytes; empty without tensors."""
        sizes: dict[str, int] = {}
        for tensor in self.tensors:
            sizes[tensor.dtype] = sizes.get(tensor.dtype, 0) + tensor.bytes
        return max(sizes, key=lambda dtype: sizes[dtype]) if sizes else ""


def read_weights(path: str | Path) -> Contents:
    """The headers of a .safetensors file, or of all shards that a .safetensors.index.json names. Raises BadFile in one line."""
    place = Path(path)
    files = _shards(place) if place.name.endswith(".json") else [place]
    return Contents(tuple(tensor for file in files for tensor in read_header(file)))


def read_header(path: Path) -> tuple[Tensor, ...]:
    """The tensors of one file. Nothing beyond the stated header is read, and only after its size was checked against the file's."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            text = file.read(_header_bytes(path, file.read(8), size))
    except OSError as error:
        raise BadFile(f"{path}: {error.strerror or type(error).__name__}") from None
    return _described(path, text, size)


def read_head(data: bytes, file_bytes: int, name: str) -> tuple[Tensor, ...]:
    """The tensors of a file of `file_bytes` whose first bytes are `data`: they hold the header, the weights need not be there."""
    size = max(file_bytes, len(data))
    length = _header_bytes(name, data[:8], size)
    if length > len(data) - 8:
        raise BadFile(f"{name}: header of {length:,} bytes, of which {max(len(data) - 8, 0):,} came")
    return _described(name, data[8 : 8 + length], size)


def _header_bytes(path: Path | str, start: bytes, size: int) -> int:
    """The length that the first 8 bytes of a file of `size` state."""
    if len(start) < 8:
        raise BadFile(f"{path}: {size} bytes; a safetensors file has at least 8")
    length: int = struct.unpack("<Q", start)[0]
    if length > MAX_HEADER_BYTES:
        raise BadFile(f"{path}: header of {length:,} bytes; at most {MAX_HEADER_BYTES:,} are read")
    if length > size - 8:
        raise BadFile(f"{path}: truncated: header of {length:,} bytes in a file of {size:,}")
    return length


def _described(path: Path | str, text: bytes, size: int) -> tuple[Tensor, ...]:
    """The tensors that the header `text` of a file of `size` describes, checked against that size."""
    data_bytes = size - 8 - len(text)
    tensors = tuple(_tensors(path, _parsed(path, text), data_bytes))
    if sum(tensor.bytes for tensor in tensors) > data_bytes:
        raise BadFile(f"{path}: its tensors take more bytes than the file has; they overlap")
    return tensors


def _parsed(path: Path | str, text: bytes) -> dict[str, object]:
    try:
        header = json.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadFile(f"{path}: header is not UTF-8 at byte {error.start:,}") from None
    except (ValueError, RecursionError) as error:
        raise BadFile(f"{path}: header is not valid JSON: {str(error)[:80]}") from None
    if not isinstance(header, dict):
        raise BadFile(f"{path}: header holds no group of tensors")
    if len(header) > MAX_TENSORS:
        raise BadFile(f"{path}: header has {len(header):,} tensors; at most {MAX_TENSORS:,} are read")
    return header


def _tensors(path: Path | str, header: dict[str, object], data_bytes: int) -> Iterable[Tensor]:
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        label = f"{path}: tensor {short(name)}"
        if not isinstance(entry, dict):
            raise BadFile(f"{label} has no description")
        dtype, shape, offsets = entry.get("dtype"), _counts(entry.get("shape")), _counts(entry.get("data_offsets"))
        if not isinstance(dtype, str) or dtype not in BITS:
            raise BadFile(f"{label} has dtype {short(dtype)}, which is not known")
        if shape is None or offsets is None or len(offsets) != 2:
            raise BadFile(f"{label} needs a shape and two data_offsets, both lists of whole numbers")
        if len(shape) > 16 or max(shape, default=0) > 2**48:
            raise BadFile(f"{label} has an impossible shape")
        start, end = offsets
        if not start <= end <= data_bytes:
            raise BadFile(f"{label} lies at bytes {short(start)} to {short(end)} of {data_bytes:,}; the file is truncated or broken")
        if -(-prod(shape) * BITS[dtype] // 8) != end - start:
            raise BadFile(f"{label} takes {end - start:,} bytes, which is not what its shape and {dtype} say")
        yield Tensor(name, dtype, tuple(shape), end - start)


def _counts(value: object) -> list[int] | None:
    """A list of whole numbers of at least 0, None for anything else."""
    if not isinstance(value, list) or not all(isinstance(item, int) and not isinstance(item, bool) and item >= 0 for item in value):
        return None
    return value


def _shards(index: Path) -> list[Path]:
    weights = read_json(index).get("weight_map")
    if not isinstance(weights, dict) or not all(isinstance(file, str) for file in weights.values()):
        raise BadFile(f"{index}: field weight_map is missing or no table of file names")
    names = sorted(set(weights.values()))
    if len(names) > MAX_SHARDS:
        raise BadFile(f"{index}: names {len(names):,} files; at most {MAX_SHARDS:,} are read")
    for name in names:
        if Path(name).name != name:
            raise BadFile(f"{index}: names {short(name)}, which is not a file of this folder")
        if not (index.parent / name).is_file():
            raise BadFile(f"{index}: the shard {short(name)} is missing")
    return [index.parent / name for name in names]
