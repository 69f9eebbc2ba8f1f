"""Number formats of weights and of the KV cache, by the names that people and files use. The facts are in data/formats.toml."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

from cardwise.engine import CacheFormat, WeightFormat
from cardwise.errors import UnknownName

DATA = Path(__file__).parent / "data" / "formats.toml"
GGUF_ARITHMETIC = ("fp16_acc16", "fp16", "bf16", "fp32")
FEED_FORWARD_PARTS = ("dense", "experts", "shared")
EXAMPLES = "give one such as bf16, fp8, awq-int4 or q4_k_m"


@lru_cache(maxsize=1)
def _data() -> dict[str, Any]:
    with DATA.open("rb") as file:
        return tomllib.load(file)


def weight_format(name: str, engine: str = "", native: str = "") -> WeightFormat:
    """The weight format called `name`.

    `engine`: engines that read GGUF or MLX files store `bf16` or `mxfp4` otherwise than a Hugging Face checkpoint.
    `native`: how the checkpoint itself is stored; a gpt-oss checkpoint asked for in `fp4` stays MXFP4 with 16-bit attention.
    Raises UnknownName with the nearest names.
    """
    data = _data()
    word = name.strip().lower()
    plain = _weight_aliases().get(word, word)
    rule = data["native"].get(_weight_aliases().get(native.strip().lower(), native.strip().lower()))
    if rule and plain in rule["words"]:
        plain = rule["format"]
    for variant in data["variants"].values():
        if engine in variant["engines"]:
            plain = variant["names"].get(plain, plain)
    return _weight_format(plain, name)


def stored_format(name: str, engine: str, native: str, parts: tuple[tuple[str, str], ...] = ()) -> WeightFormat:
    """The weight format called `name` for a checkpoint that is stored as `native`, of which `parts` are stored otherwise.

    `native` and `parts` are those of an Architecture (`weight_format`, `quantization`). When the word means the checkpoint as it is
    (`fp4` for a gpt-oss file, `int4` for Kimi-K2.5, `fp8` for DeepSeek-V4 with its FP4 experts), every part has the bits that it states.
    GGUF files of an MXFP4 checkpoint keep its experts as they are (llama.cpp convert_hf_to_gguf).
    """
    asked = weight_format(name or native, engine, native)
    if asked.kernel.startswith("gguf") and native == "mxfp4" and asked.bits_of("experts") > _data()["blocks"]["mxfp4"]:
        return replace(asked, bits=tuple({**dict(asked.bits), "experts": _data()["blocks"]["mxfp4"]}.items()))
    if asked.kernel.startswith(("gguf", "mlx", "exl")) or not native:
        return asked
    kept = dict(parts)
    own = weight_format("int4-experts" if native == "int4" and kept.get("attention") in ("bf16", "fp16") else native, engine)
    same = asked.name == own.name or (asked.kernel == own.kernel != "f16")
    mixed = asked.kernel == "fp8" and "fp8" in kept.values()
    if not (same or mixed):
        return asked
    bits = {**dict(own.bits), **{part: weight_format(stored).bits_of(part) for part, stored in kept.items()}}
    if "attention" in kept or ("latent" in bits and parts):
        bits["latent"] = bits["attention"]
    return replace(own, name=asked.name, bits=tuple(bits.items()))


@lru_cache(maxsize=512)
def _weight_format(plain: str, asked: str) -> WeightFormat:
    data = _data()
    if plain in data["formats"]:
        return _checkpoint_format(plain)
    found = _pattern_format(plain) or _gguf_format(plain)
    if found:
        return found
    names = [*weight_formats(), *_weight_aliases()]
    near = get_close_matches(plain, names, 4, 0.5) or get_close_matches(plain, names, 4, 0.3)
    raise UnknownName("weight format", asked, near, "" if near else EXAMPLES)


def weight_formats() -> tuple[str, ...]:
    """Every weight format with a fixed name, in the order of the file. Patterns such as `exl3-4.0bpw` are not listed."""
    data = _data()
    dynamic = [f"ud-{name}" for name in data["gguf"]["dynamic"] if name != "source"]
    return (*data["formats"], *data["gguf"]["files"], *dynamic)


def cache_format(name: str) -> CacheFormat:
    """The KV cache format called `name`; an empty name or `auto` is 16 bit. Raises UnknownName with the nearest names."""
    entries: dict[str, Any] = _data()["cache"]
    word = name.strip().lower()
    for key, entry in entries.items():
        if word == key or word in entry.get("aliases", ()):
            return CacheFormat(key, entry["bits"], entry["source"], tuple(entry.get("aliases", ())))
    raise UnknownName("KV cache format", name, get_close_matches(word, list(entries), 4, 0.3), f"known: {', '.join(entries)}")


def cache_formats() -> tuple[str, ...]:
    """The names of all KV cache formats."""
    return tuple(_data()["cache"])


@lru_cache(maxsize=1)
def _weight_aliases() -> dict[str, str]:
    return {alias: name for name, entry in _data()["formats"].items() for alias in entry.get("aliases", ())}


def _checkpoint_format(name: str) -> WeightFormat:
    entry = _data()["formats"][name]
    return WeightFormat(
        name=name,
        bits=tuple(entry["bits"].items()),
        arithmetic=tuple(entry["arithmetic"]),
        kernel=entry["kernel"],
        weight_only=entry["weight_only"],
        tile=entry["tile"],
        source=entry["source"],
        aliases=tuple(entry.get("aliases", ())),
    )


def _pattern_format(name: str) -> WeightFormat | None:
    """`exl2-4.0bpw`, `exl3-6.0bpw`, `gguf-mix-4.02bpw`: the name states the bits."""
    stem, _, tail = name.rpartition("-")
    entry = _data()["patterns"].get(stem)
    if entry is None or not tail.endswith("bpw"):
        return None
    try:
        bits = float(tail.removesuffix("bpw"))
    except ValueError:
        return None
    if not 0.5 <= bits <= 32:
        return None
    parts = {**entry["bits"], "other": bits}
    return WeightFormat(
        name, tuple(parts.items()), tuple(entry["arithmetic"]), entry["kernel"], entry["weight_only"], entry["tile"], entry["source"]
    )


def _gguf_format(name: str) -> WeightFormat | None:
    """A GGUF file type or a dynamic (`ud-`) file: bits by part from the tensor types that the file type mixes."""
    gguf = _data()["gguf"]
    short = name.removeprefix("ud-").removeprefix("gguf-") if name not in gguf["files"] else name
    dynamic = gguf["dynamic"].get(short)
    file_type = dynamic["like"] if isinstance(dynamic, dict) else short
    if file_type not in gguf["files"]:
        return None
    scale = dynamic.get("scale", 1.0) if isinstance(dynamic, dict) else 1.0
    bits = {part: value * scale for part, value in _gguf_bits(gguf["files"][file_type]).items()}
    guessed = isinstance(dynamic, dict) or name.startswith("ud-")
    base = gguf["files"][file_type]["base"]
    return WeightFormat(
        name=name,
        bits=(*bits.items(), ("router", 32.0), ("vectors", 32.0), ("vision", 16.0)),
        arithmetic=("bf16", *GGUF_ARITHMETIC[1:2], "fp32") if base == "bf16" else GGUF_ARITHMETIC,
        kernel=_gguf_kernel(file_type),
        weight_only=base not in ("f16", "bf16", "f32"),
        tile=256 if "_k" in file_type or file_type.startswith("iq") else 32,
        source=gguf["dynamic"]["source"] if guessed else gguf["source"],
    )


def _gguf_bits(rules: dict[str, Any]) -> dict[str, float]:
    data = _data()
    blocks: dict[str, float] = data["blocks"]

    def tensor(role: str) -> float:
        kind = rules.get(role, rules["base"])
        return blocks[kind] if isinstance(kind, str) else sum(blocks[block] * share for block, share in kind.items())

    attention = sum(share * tensor(role) for role, share in data["roles"]["attention"].items())
    feed_forward = sum(share * tensor(role) for role, share in data["roles"]["feed_forward"].items())
    bits = {"attention": attention, "embedding": tensor("embedding"), "head": tensor("head"), "other": blocks[rules["base"]]}
    for part in FEED_FORWARD_PARTS:
        bits[part] = tensor(part) if part in rules else feed_forward
    return bits


def _gguf_kernel(file_type: str) -> str:
    if file_type in ("f16", "f32", "gguf-bf16"):
        return "gguf-f16"
    if file_type.startswith(("iq", "tq")):
        return "gguf-iq"
    return "gguf-k" if "_k" in file_type else "gguf-q"
