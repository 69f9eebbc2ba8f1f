"""Text and image encoders against transformers 5.24 with torch 2.13 on the meta device: parameters to the digit, FLOPs, kernels.

FLOPs are FlopCounterMode's. Kernels are the ATen operations that are no views, with scaled_dot_product_attention taken out, which is one
more in every layer on a card; those of T5 and of language models in bf16. Gemma 2 caps its scores and has no fused attention: all of its.
"""

from __future__ import annotations

from typing import Any

import pytest

from cardwise.errors import BadFile
from cardwise.laws.network import launches, network_flops
from cardwise.network import Canvas
from cardwise.readers.diffusion.text_encoders import TEXT_ENCODERS
from cardwise.readers.fields import Fields

CLIP_L = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "projection_dim": 768}
CLIP_H = {"hidden_act": "gelu", "hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 23}
BIG_G = {
    "hidden_act": "gelu",
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_attention_heads": 20,
    "num_hidden_layers": 32,
    "projection_dim": 1280,
}
VISION_L = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_attention_heads": 16,
    "num_hidden_layers": 24,
    "patch_size": 14,
    "projection_dim": 768,
}
T5_XXL = {"d_model": 4096, "d_ff": 10240, "num_heads": 64, "num_layers": 24, "dense_act_fn": "gelu_pytorch_tanh", "is_gated_act": True}
MT5_XL = {"d_model": 2048, "d_ff": 5120, "num_heads": 32, "num_layers": 24, "feed_forward_proj": "gated-gelu", "vocab_size": 250112}
UMT5_XXL = {"d_model": 4096, "d_ff": 10240, "num_heads": 64, "num_layers": 24, "feed_forward_proj": "gated-gelu", "vocab_size": 256384}
BERT = {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 24, "vocab_size": 47020}
GLM3 = {
    "model_type": "chatglm",
    "add_qkv_bias": True,
    "ffn_hidden_size": 13696,
    "hidden_size": 4096,
    "kv_channels": 128,
    "multi_query_attention": True,
    "multi_query_group_num": 2,
    "num_attention_heads": 32,
    "num_layers": 28,
    "padded_vocab_size": 65024,
}
GEMMA2 = {
    "model_type": "gemma2",
    "head_dim": 256,
    "hidden_size": 2304,
    "intermediate_size": 9216,
    "num_attention_heads": 8,
    "num_hidden_layers": 26,
    "num_key_value_heads": 4,
    "sliding_window": 4096,
    "vocab_size": 256000,
}
QWEN3_4B = {
    "model_type": "qwen3",
    "head_dim": 128,
    "hidden_size": 2560,
    "intermediate_size": 9728,
    "num_attention_heads": 32,
    "num_hidden_layers": 36,
    "num_key_value_heads": 8,
    "tie_word_embeddings": True,
    "vocab_size": 151936,
}
QWEN3_8B = QWEN3_4B | {"hidden_size": 4096, "intermediate_size": 12288, "tie_word_embeddings": False}
LLAMA3 = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
}
# (class, fields, tokens, parameters, FLOPs, ATen kernels outside attention, layers)
RUNS: list[Any] = [
    ("CLIPTextModel", CLIP_L, 77, 123_060_480, 13_298_503_680, 164, 12),
    ("CLIPTextModel", CLIP_H, 77, 340_387_840, 45_127_233_536, 261, 23),
    ("CLIPTextModelWithProjection", CLIP_L, 77, 123_650_304, 13_299_683_328, 165, 12),
    ("CLIPTextModelWithProjection", BIG_G, 77, 694_659_840, 97_863_106_560, 361, 32),
    ("CLIPVisionModel", VISION_L, 0, 303_179_776, 162_023_964_672, 318, 24),
    ("CLIPVisionModelWithProjection", VISION_L, 0, 303_966_208, 162_025_537_536, 319, 24),
    ("T5EncoderModel", T5_XXL, 256, 4_762_310_656, 2_396_591_751_168, 703, 24),
    ("T5EncoderModel", T5_XXL, 512, 4_762_310_656, 4_844_723_109_888, 703, 24),
    ("T5EncoderModel", MT5_XL, 256, 1_669_958_656, 605_590_388_736, 871, 24),
    ("UMT5EncoderModel", UMT5_XXL, 512, 5_680_910_336, 4_844_723_109_888, 1377, 24),
    ("BertModel", BERT, 77, 352_035_840, 47_091_384_320, 273, 24),
    ("Gemma2Model", GEMMA2, 300, 2_614_341_888, 1_233_734_860_800, 1922, 26),
    ("LlamaModel", LLAMA3, 351, 7_504_924_672, 4_964_076_748_800, 1269, 32),
    ("Qwen3Model", QWEN3_4B, 512, 4_022_468_096, 3_875_134_242_816, 2001, 36),
    ("Qwen3ForCausalLM", QWEN3_8B, 512, 8_190_735_360, 7_904_350_437_376, 2002, 36),
]


@pytest.mark.parametrize(("name", "fields", "tokens", "parameters", "flops", "kernels", "layers"), RUNS)
def test_encoders_are_those_of_the_library(
    name: str, fields: dict[str, Any], tokens: int, parameters: int, flops: int, kernels: int, layers: int
) -> None:
    network = TEXT_ENCODERS[name](Fields(fields, name))
    assert network.name == name and network.blocks == layers
    assert network.parameters == parameters
    assert network_flops(network, Canvas(prompt_tokens=tokens)) == flops
    assert sum(launches(op) for op in network.ops) == pytest.approx(kernels + layers, rel=0.15)


def test_the_encoder_of_kolors_keeps_its_head_and_does_not_run_it() -> None:
    """Parameters of the class of diffusers, and the 32 frequencies of the rotary embedding that its file stores too."""
    network = TEXT_ENCODERS["ChatGLMModel"](Fields(GLM3, "kolors"))
    assert network.parameters == 6_243_584_000 + 32
    assert network_flops(network, Canvas(prompt_tokens=256)) < 2 * 256 * 5_977_245_696


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("CLIPTextModel", {"hidden_size": 770}, "no multiple"),
        ("CLIPVisionModel", {"patch_size": 500}, "larger than image_size"),
        ("T5EncoderModel", {"num_layers": "many"}, "whole number"),
        ("LlamaModel", {"hidden_size": None}, "hidden_size"),
    ],
)
def test_nonsense_is_one_line(name: str, change: dict[str, object], said: str) -> None:
    with pytest.raises(BadFile, match=said):
        TEXT_ENCODERS[name](Fields(CLIP_L | change, "config.json"))
