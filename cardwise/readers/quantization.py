"""How a checkpoint stores its weights: the format of most of it, and the parts that are stored otherwise.

Read from `quantization_config` (config.json), `quantization` (MLX) or hf_quant_config.json. An unknown method is an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cardwise.readers.fields import Fields, short

DTYPES = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32", "half": "fp16", "float8_e4m3fn": "fp8"}
WEIGHTS = ("attention", "dense", "experts", "shared")  # parts that a method quantises unless it says otherwise
KEPT = ("router", "embedding", "head", "vision")  # parts that stay at 16 bits unless a method says otherwise
ALGORITHMS = {
    "FP8": "fp8", "FP8_PB_WO": "fp8", "FP8_PER_CHANNEL_PER_TOKEN": "fp8", "NVFP4": "nvfp4", "W4A16_NVFP4": "nvfp4", "NVFP4_AWQ": "nvfp4",
    "MXFP4": "mxfp4", "MXFP8": "fp8", "W4A16_MXFP4": "mxfp4", "W4A16_AWQ": "awq-int4", "W4A8_AWQ": "awq-int4", "INT4_AWQ": "awq-int4",
    "W8A8_SQ_PER_CHANNEL": "int8", "INT8_SQ": "int8", "W8A16": "w8a16",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stored:
    """`parts`: the parts whose format differs from `weight_format`."""

    weight_format: str
    parts: tuple[tuple[str, str], ...] = ()


def read(fields: Fields, quantization_file: Mapping[str, object] | None = None) -> Stored:
    """Formats of a checkpoint. The configuration itself counts before the file beside it. Raises BadFile for a method without a rule."""
    base = DTYPES.get(fields.text("torch_dtype", "dtype", default="bfloat16").removeprefix("torch."))
    if base is None:
        raise fields.bad(f"field torch_dtype is {short(fields.get('torch_dtype', 'dtype'))}; known are {', '.join(DTYPES)}")
    config = fields.sub("quantization_config")
    if config is None and quantization_file is not None:
        group = Fields(quantization_file, f"{fields.source} hf_quant_config.json").sub("quantization")
        if group is None:
            raise fields.bad("hf_quant_config.json has no field quantization")
        return _modelopt(group, base)
    if config is None:
        mlx = fields.sub("quantization")
        return _mlx(mlx) if mlx is not None else Stored(base)
    method = config.text("quant_method", default="modelopt" if config.has("quant_algo") else "")
    if method in ("modelopt", "modelopt_fp4") or config.has("quantized_layers"):
        return _modelopt(config, base)
    if method == "compressed-tensors":
        return _compressed_tensors(config, base)
    return _simple(fields, config, method, base)


def _simple(fields: Fields, config: Fields, method: str, base: str) -> Stored:
    """Methods with one format for all linear layers of the decoder and a list of what is left out."""
    if method in ("fp8", "fbgemm_fp8"):
        name = "fp8"
    elif method == "mxfp4":
        name = "mxfp4"
    elif method in ("awq", "gptq"):
        name = f"{method}-int{config.integer('bits', 'w_bit', default=4, high=16)}"
    elif method == "auto-round":
        name = f"int{config.integer('bits', default=4, high=16)}"
    elif method == "bitsandbytes":
        name = "nf4" if config.flag("load_in_4bit") or config.flag("_load_in_4bit") else "w8a16"
    elif method in ("exl2", "exl3"):
        name = f"{method}-{config.number('bits', high=16):.1f}bpw"
    elif method == "quark":
        name = _quark(config)
    else:
        raise config.bad(f"field quant_method is {method[:40]!r}, which no rule covers")
    left_out = config.texts("modules_to_not_convert", "ignored_layers", "exclude", "llm_int8_skip_modules") or ()
    formats = dict.fromkeys(WEIGHTS, name) | dict.fromkeys(KEPT, base) | dict.fromkeys(untouched(left_out, _layers(fields)), base)
    if fields.text("expert_dtype", default="") == "fp4":  # DeepSeek-V4: experts in FP4 with one power of two per 32 values
        formats["experts"] = name = "mxfp4"
    return _stored(name, formats)


def _quark(config: Fields) -> str:
    """AMD Quark states the element type of the weights."""
    group = config.sub("global_quant_config")
    weight = group.sub("weight") if group else None
    kind = weight.text("dtype", default="") if weight else ""
    names = {"fp4": "mxfp4", "fp8_e4m3": "fp8", "int8": "int8", "int4": "int4"}
    if kind not in names:
        raise config.bad(f"field weight.dtype is {kind[:40]!r}, which no rule covers")
    return names[kind]


def _compressed_tensors(config: Fields, base: str) -> Stored:
    groups = config.sub("config_groups")
    first = next((groups.sub(key) for key in groups.values), None) if groups else None
    weights = first.sub("weights") if first else None
    if weights is None:
        raise config.bad("field config_groups has no weights")
    layout = (first.text("format", default="") if first else "") or config.text("format", default="")
    bits, kind = weights.integer("num_bits", high=16), weights.text("type")
    if bits == 4 and kind == "float":
        name = "mxfp4" if layout.startswith("mxfp4") else "nvfp4"
    elif bits in (4, 8) and kind in ("int", "float"):
        name = "fp8" if kind == "float" else f"int{bits}"
        if name == "int8" and first is not None and not first.has("input_activations"):
            name = "w8a16"
    else:
        raise config.bad(f"weights of {bits} bits of type {kind[:20]!r} are not covered by a rule")
    left_out = config.texts("ignore") or ()
    formats = dict.fromkeys((*WEIGHTS, "head"), name) | dict.fromkeys(("router", "embedding", "vision"), base)
    return _stored(name, formats | dict.fromkeys(untouched(left_out, None), base))


def _modelopt(config: Fields, base: str) -> Stored:
    algorithm = config.text("quant_algo")
    mixed = config.sub("quantized_layers")
    left_out = config.texts("exclude_modules", "ignore") or ()
    if mixed is not None:
        named: dict[str, dict[str, int]] = {}
        for key, value in mixed.values.items():
            kind = part_of(key)
            if kind and isinstance(value, Mapping):
                count = named.setdefault(kind, {})
                one = _algorithm(config, str(value.get("quant_algo")))
                count[one] = count.get(one, 0) + 1
        majority = {part: max(counts, key=lambda item: counts[item]) for part, counts in named.items()}
        rest = "fp8" if config.text("quant_method", default="") == "fp8" else base  # experts in FP4 on top of an FP8 checkpoint
        formats = dict.fromkeys(WEIGHTS, rest) | dict.fromkeys(KEPT, base) | majority
        main = majority.get("experts") or majority.get("dense") or rest
        return _stored(main, formats)
    name = _algorithm(config, algorithm)
    formats = dict.fromkeys((*WEIGHTS, "head"), name) | dict.fromkeys(("router", "embedding", "vision"), base)
    return _stored(name, formats | dict.fromkeys(untouched(left_out, None), base))


def _algorithm(config: Fields, name: str) -> str:
    if name not in ALGORITHMS:
        raise config.bad(f"field quant_algo is {name[:40]!r}, which no rule covers")
    return ALGORITHMS[name]


def _mlx(config: Fields) -> Stored:
    """MLX quantises every matrix, the embedding too."""
    mode = config.text("mode", default="affine")
    return Stored(f"mlx-{config.integer('bits', high=16)}bit" if mode == "affine" else f"mlx-{mode}")


def _stored(name: str, formats: Mapping[str, str]) -> Stored:
    return Stored(name, tuple((part, kind) for part, kind in formats.items() if kind != name))


def _layers(fields: Fields) -> int | None:
    return fields.integer("num_hidden_layers", "n_layer", "num_layers", default=0, low=0) or None


def untouched(patterns: Iterable[str], layers: int | None) -> set[str]:
    """The parts that a list of left-out modules covers in at least half of the layers.

    One projection alone does not count: a part is left out when a pattern names the whole block, or several of its projections.
    """
    everywhere: set[str] = set()
    seen: dict[str, dict[int, set[str]]] = {}
    highest = 0
    for pattern in patterns:
        kind = part_of(pattern)
        if kind is None:
            continue
        number, module = _layer_of(pattern)
        if number is None:
            everywhere.add(kind)
        else:
            highest = max(highest, number + 1)
            seen.setdefault(kind, {}).setdefault(number, set()).add(module)
    for kind, by_layer in seen.items():
        whole = sum(1 for modules in by_layer.values() if len(modules) >= 2 or any("proj" not in module for module in modules))
        if whole * 2 >= (layers or highest):
            everywhere.add(kind)
    return everywhere


def _layer_of(pattern: str) -> tuple[int | None, str]:
    """The layer number in a module's name, and what follows it."""
    parts = pattern.replace("\\.", ".").split(".")
    for i, part in enumerate(parts):
        digits = part.rstrip("*")
        if digits.isascii() and digits.isdecimal() and len(digits) < 6:
            return int(digits), ".".join(parts[i + 1 :])
    return None, pattern


def part_of(module: str) -> str | None:
    """The part of the model that a module's name belongs to; None for norms, convolutions, and names of whole layers."""
    name = module.lower().replace("\\.", ".")
    last = name.rstrip("*$").rstrip(".").rsplit(".", 1)[-1]
    if any(word in name for word in ("vision", "visual", "mm_projector", "audio", "mtp", "nextn", "eh_proj")):
        return "vision" if not any(word in name for word in ("mtp", "nextn", "eh_proj")) else None
    if any(word in name for word in ("norm", "conv1d", "bias", "a_log", "index", "hc_")):
        return None
    if "lm_head" in name or last == "head":
        return "head"
    if "embed" in name:
        return "embedding"
    if last in ("gate", "router", "shared_expert_gate") or ".router" in name:
        return "router"
    if "shared_expert" in name or "latent_proj" in name:
        return "shared"
    if "experts" in name:
        return "experts"
    if any(
        word in name
        for word in ("attn", "attention", "mixer.in_proj", "mixer.out_proj", "mixer.q_proj", "mixer.k_proj", "mixer.v_proj", "mixer.o_proj")
    ):
        return "attention"
    return "dense" if any(word in name for word in ("mlp", "ffn", "feed_forward", "gate_proj", "up_proj", "down_proj")) else None
