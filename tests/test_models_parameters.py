"""Parameter counts of the catalogue's models against the totals that their published weights state.

Source of the figures: the safetensors index of each model's repository on the hub, unless the comment says otherwise.
"""

from __future__ import annotations

import pytest

from cardwise.passes.architectures import architecture

EXACT = {
    "01-ai/Yi-1.5-34B": 34_388_917_248,
    "01-ai/Yi-1.5-9B": 8_829_407_232,
    "CohereLabs/c4ai-command-r-08-2024": 32_296_476_672,
    "CohereLabs/c4ai-command-a-03-2025": 111_057_580_032,
    "HuggingFaceTB/SmolLM3-3B": 3_075_098_624,
    "LGAI-EXAONE/EXAONE-3.5-7.8B-Instruct": 7_818_448_896,
    "LGAI-EXAONE/EXAONE-4.0-32B": 32_003_216_384,
    "LiquidAI/LFM2-1.2B": 1_170_340_608,
    "LiquidAI/LFM2.5-8B-A1B": 8_467_856_832,
    "MiniMaxAI/MiniMax-M3": 427_040_140_160,
    "Qwen/Qwen-7B": 7_721_324_544,
    "Qwen/Qwen1.5-MoE-A2.7B": 14_315_784_192,
    "Qwen/Qwen2-57B-A14B-Instruct": 57_408_658_944,
    "Qwen/Qwen2-VL-7B-Instruct": 8_291_375_616,
    "Qwen/Qwen2.5-0.5B": 494_032_768,
    "Qwen/Qwen2.5-72B": 72_706_203_648,
    "Qwen/Qwen2.5-VL-72B-Instruct": 73_410_777_344,
    "Qwen/Qwen2.5-VL-7B-Instruct": 8_292_166_656,
    "Qwen/Qwen3-235B-A22B": 235_093_634_560,
    "Qwen/Qwen3-30B-A3B": 30_532_122_624,
    "Qwen/Qwen3-4B": 4_022_468_096,
    "Qwen/Qwen3-8B": 8_190_735_360,
    "Qwen/Qwen3-Coder-480B-A35B-Instruct": 480_154_875_392,
    "Qwen/Qwen3-Coder-Next": 79_674_391_296,
    "Qwen/Qwen3-Next-80B-A3B-Instruct": 81_324_862_720,
    "Qwen/Qwen3-VL-235B-A22B-Instruct": 235_670_022_896,
    "Qwen/Qwen3-VL-2B-Instruct": 2_127_532_032,
    "Qwen/Qwen3.5-0.8B": 873_438_784,
    "Qwen/Qwen3.5-397B-A17B": 403_397_928_944,
    "Qwen/Qwen3.5-4B": 4_659_865_088,
    "Qwen/Qwen3.6-27B": 27_781_427_952,
    "Qwen/Qwen3.6-35B-A3B": 35_951_822_704,
    "THUDM/glm-4-9b-chat": 9_399_951_392,
    "TinyLlama/TinyLlama-1.1B-Chat-v1.0": 1_100_048_384,
    "allenai/OLMo-2-0325-32B": 32_234_279_936,
    "arcee-ai/AFM-4.5B": 4_619_189_760,
    "arcee-ai/Trinity-Mini": 26_123_974_400,
    "baidu/ERNIE-4.5-21B-A3B-PT": 21_948_655_808,
    "bigcode/starcoder2-7b": 7_173_923_840,
    "bigscience/bloom": 176_247_271_424,
    "codellama/CodeLlama-7b-hf": 6_738_546_688,
    "deepseek-ai/DeepSeek-R1-Distill-Llama-70B": 70_553_706_496,
    "deepseek-ai/DeepSeek-V2-Lite": 15_706_484_224,
    "google/gemma-2-27b-it": 27_227_128_320,
    "google/gemma-3-1b-it": 999_885_952,
    "google/gemma-3-27b-it": 27_432_406_640,
    "google/gemma-4-E2B-it": 5_123_178_051,
    "google/gemma-4-E4B-it": 7_996_156_490,
    "ibm-granite/granite-3.3-8b-instruct": 8_170_864_640,
    "ibm-granite/granite-4.0-h-small": 32_207_337_984,
    "internlm/internlm2_5-7b-chat": 7_737_708_544,
    "meituan-longcat/LongCat-Flash-Chat": 561_862_880_256,
    "meta-llama/Llama-2-70b-hf": 68_976_648_192,
    "meta-llama/Llama-3.2-11B-Vision-Instruct": 10_670_220_835,
    "meta-llama/Llama-3.2-90B-Vision-Instruct": 88_593_355_323,
    "meta-llama/Llama-3.2-1B-Instruct": 1_235_814_400,
    "meta-llama/Llama-4-Maverick-17B-128E-Instruct": 401_583_781_376,
    "meta-llama/Meta-Llama-3.1-405B": 405_853_388_800,
    "meta-llama/Meta-Llama-3.1-8B": 8_030_261_248,
    "microsoft/Phi-3.5-MoE-instruct": 41_873_153_344,
    "microsoft/Phi-3.5-mini-instruct": 3_821_079_552,
    "microsoft/phi-2": 2_779_683_840,
    "microsoft/phi-4": 14_659_507_200,
    "mistralai/Mistral-7B-v0.1": 7_241_732_096,
    "mistralai/Mistral-Large-Instruct-2407": 122_610_069_504,
    "mistralai/Mixtral-8x22B-Instruct-v0.1": 140_630_071_296,
    "mistralai/Mixtral-8x7B-v0.1": 46_702_792_704,
    "moonshotai/Kimi-Linear-48B-A3B-Instruct": 49_122_681_728,
    "nvidia/Llama-3_3-Nemotron-Super-49B-v1": 49_867_145_216,
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": 31_577_937_344,
    "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-BF16": 123_611_012_096,
    "nvidia/NVIDIA-Nemotron-Nano-9B-v2": 8_888_227_328,
    "rednote-hilab/dots.llm1.inst": 142_774_381_696,
    "stepfun-ai/Step-3.5-Flash": 199_384_301_376,
    "stepfun-ai/Step-3.7-Flash": 201_365_316_160,
    "swiss-ai/Apertus-8B-Instruct-2509": 8_053_338_176,
    "tencent/Hunyuan-4B-Instruct": 4_221_757_440,
    "tencent/Hunyuan-A13B-Instruct": 80_393_183_232,
    "tiiuae/Falcon-H1-34B-Instruct": 33_642_516_224,
    "tiiuae/Falcon3-7B-Instruct": 7_455_550_464,
    "zai-org/GLM-4.5": 358_337_791_296,
    "zai-org/GLM-4.5-Air": 110_468_824_832,
    "zai-org/GLM-4.6": 356_785_898_816,
    "zai-org/GLM-4.7-Flash": 31_221_488_576,
    "zai-org/GLM-5": 753_864_139_008,
    "mosaicml/mpt-7b": 6_649_286_656,  # model card
}
# files whose stated total counts a tied embedding twice
TWICE = {
    "Qwen/Qwen3-0.6B": 751_632_384,
    "Qwen/Qwen3-1.7B": 2_031_739_904,
    "Qwen/Qwen1.5-0.5B-Chat": 619_570_176,
    "tiiuae/falcon-7b": 7_217_189_760,
    "tiiuae/falcon-40b": 41_835_970_560,
    "tiiuae/falcon-180B": 179_522_565_120,
}
# FP8 files whose stated total also counts one scale per block of 128 x 128
WITH_SCALES = {"MiniMaxAI/MiniMax-M2": 228_703_644_928, "Qwen/Qwen3-235B-A22B-FP8": 235_107_904_512}
# active parameters as the model cards print them, in billions
ACTIVE = {
    "Qwen/Qwen3-30B-A3B": (3.0, 3.4),
    "Qwen/Qwen3-235B-A22B": (21, 22.5),
    "deepseek-ai/DeepSeek-V3": (36.5, 37.6),
    "openai/gpt-oss-120b": (5.0, 5.8),
    "openai/gpt-oss-20b": (3.5, 4.2),
    "mistralai/Mixtral-8x7B-v0.1": (12.5, 13.0),
    "moonshotai/Kimi-K2-Instruct": (31.5, 32.9),
    "meta-llama/Llama-4-Scout-17B-16E-Instruct": (16, 17.5),
    "google/gemma-4-26B-A4B-it": (3.5, 4.5),
    "meituan-longcat/LongCat-Flash-Chat": (26, 28),
}


@pytest.mark.parametrize("name", EXACT)
def test_parameters_equal_the_published_total(name: str) -> None:
    assert architecture(name).parameters == EXACT[name]


@pytest.mark.parametrize("name", TWICE)
def test_a_tied_embedding_is_counted_once(name: str) -> None:
    read = architecture(name)
    assert read.tied_embeddings
    assert read.parameters + read.vocabulary * read.hidden == TWICE[name]


@pytest.mark.parametrize("name", WITH_SCALES)
def test_block_scales_are_no_parameters(name: str) -> None:
    read = architecture(name)
    kept = {part for part, _ in read.quantization}
    scales = sum(
        count * matrix.copies * -(-matrix.inputs // 128) * -(-matrix.outputs // 128)
        for matrix, count in read.matrices()
        if matrix.part not in kept
    )
    assert read.parameters + scales == WITH_SCALES[name]


@pytest.mark.parametrize("name", ACTIVE)
def test_active_parameters_are_those_of_the_model_card(name: str) -> None:
    low, high = ACTIVE[name]
    assert low * 1e9 <= architecture(name).active_parameters <= high * 1e9


def test_stored_scales_of_mxfp4_explain_the_published_total_of_gpt_oss() -> None:
    """The index of gpt-oss counts one scale per 32 expert weights as an element."""
    for name, published in (("openai/gpt-oss-120b", 120_412_337_472), ("openai/gpt-oss-20b", 21_511_953_984)):
        read = architecture(name)
        assert read.parameters + read.parts["experts"] // 32 == published


def test_parts_add_up_to_the_parameters() -> None:
    for name in ("deepseek-ai/DeepSeek-V3", "google/gemma-3n-E4B-it", "nvidia/Nemotron-H-56B-Base-8K", "moonshotai/Kimi-K2.5"):
        read = architecture(name)
        extras = sum(count for _, count in read.extra_parameters)
        assert read.language_parameters + extras == read.parameters == sum(read.parts.values())
