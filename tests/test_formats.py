"""Weight and cache formats against published file sizes and against every name that the evidence uses."""

from __future__ import annotations

import pytest

from cardwise.catalogue.formats import cache_format, cache_formats, weight_format, weight_formats
from cardwise.errors import UnknownName

# Llama-3.1-8B: 32 layers, hidden 4096, 8 KV heads, feed-forward 14336, vocabulary 128256; embedding and head not tied.
PARAMETERS = {
    "attention": 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024),
    "dense": 32 * 3 * 4096 * 14336,
    "embedding": 128256 * 4096,
    "head": 128256 * 4096,
    "vectors": 65 * 4096,
}

# Whole-file bits per weight of Llama-3.1-8B as printed by llama.cpp tools/quantize/README.md.
WHOLE_FILES = {
    "iq1_s": 2.0042, "iq1_m": 2.1460, "iq2_xxs": 2.3824, "iq2_xs": 2.5882, "iq2_s": 2.7403, "iq2_m": 2.9294, "iq3_xxs": 3.2548,
    "iq3_xs": 3.4977, "iq3_s": 3.6606, "iq3_m": 3.7628, "iq4_xs": 4.4597, "iq4_nl": 4.6818, "q2_k_s": 2.9697, "q2_k": 3.1593,
    "q3_k_s": 3.6429, "q3_k_m": 3.9960, "q3_k_l": 4.2979, "q4_k_s": 4.6672, "q4_k_m": 4.8944, "q5_k_s": 5.5704, "q5_k_m": 5.7036,
    "q6_k": 6.5633, "q8_0": 8.5008, "f16": 16.0005,
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE_FILES)
def test_gguf_file_types_reproduce_the_published_bits_per_weight(name: str) -> None:
    form = weight_format(name)
    bits = sum(count * form.bits_of(part) for part, count in PARAMETERS.items()) / sum(PARAMETERS.values())
    assert bits == pytest.approx(WHOLE_FILES[name], rel=0.005)


EVIDENCE_NAMES = """
fp32 fp16 bf16 fp8 int8 fp4 nvfp4 mxfp4 mxfp4_moe int4 awq-int4 gptq-int4 nf4 f16 q4_0 q4_1 q5_0 q5_1 q8_0 q2_k q2_k_m q3_k_m q4_k_s
q4_k_m q5_k_s q5_k_m q6_k q4_k_xl q2_k_xl q3_k_xl q8_k_xl iq2_xxs iq3_s iq4_xs iq4_nl ud-q4_k_xl ud-q2_k_xl ud-q3_k_xl ud-q5_k_xl
ud-q6_k_xl ud-q8_k_xl ud-q3_k_s ud-q4_k_m ud-iq2_xxs ud-iq3_xxs ud-iq2_m ud-iq4_nl mlx-4bit mlx-8bit mlx-mxfp4 mlx-nvfp4
exl2-4.0bpw exl2-2.5bpw exl3-6.0bpw gguf-mix-4.02bpw Q4_K_M BF16
""".split()  # noqa: SIM905


@pytest.mark.parametrize("name", EVIDENCE_NAMES)
def test_every_name_in_use_resolves_with_a_source(name: str) -> None:
    form = weight_format(name)
    assert form.source and form.arithmetic and form.kernel
    assert 1 < form.bits_of("dense") <= 32


@pytest.mark.parametrize("name", weight_formats())
def test_every_listed_format_resolves_to_itself(name: str) -> None:
    assert weight_format(name).name == name


@pytest.mark.parametrize(
    ("name", "part", "bits"),
    [
        ("nvfp4", "experts", 4.5), ("nvfp4", "latent", 16), ("mxfp4", "experts", 4.25), ("mxfp4", "attention", 16),
        ("awq-int4", "dense", 4.16), ("awq-int4", "head", 16), ("fp8", "dense", 8), ("fp8", "embedding", 16), ("fp8", "router", 16),
        ("mlx-4bit", "dense", 4.5), ("mlx-8bit", "embedding", 8.5), ("exl3-6.0bpw", "dense", 6.0), ("gguf-mix-4.02bpw", "experts", 4.02),
        ("q4_0", "dense", 4.5), ("q4_0", "head", 6.5625),
    ],
)  # fmt: skip
def test_bits_by_part(name: str, part: str, bits: float) -> None:
    assert weight_format(name).bits_of(part) == pytest.approx(bits, abs=0.01)


def test_one_word_means_the_store_of_the_engine() -> None:
    assert weight_format("bf16", "llama.cpp").kernel == "gguf-f16"
    assert weight_format("mxfp4", "llama.cpp").bits_of("attention") == 8.5
    assert weight_format("fp4", native="mxfp4").bits_of("attention") == 16
    assert weight_format("fp8", native="fp8-block").tile == 128


@pytest.mark.parametrize(("name", "bits"), [("", 16), ("auto", 16), ("fp8_e4m3", 8), ("q8_0", 8.5), ("q4_0", 4.5), ("iq4_nl", 4.5)])
def test_cache_formats(name: str, bits: float) -> None:
    assert cache_format(name).bits == bits
    assert len(cache_formats()) > 5


@pytest.mark.parametrize("name", ["q4_k_mm", "fp9", "", "exl3-xbpw", "exl3-99bpw", "ud-", "gguf-mix-bpw"])
def test_unknown_weight_formats_name_the_nearest(name: str) -> None:
    with pytest.raises(UnknownName) as caught:
        weight_format(name)
    assert "weight format" in caught.value.message
    if name == "q4_k_mm":
        assert "q4_k_m" in caught.value.message


def test_unknown_cache_format() -> None:
    with pytest.raises(UnknownName, match="KV cache format"):
        cache_format("fp7")
