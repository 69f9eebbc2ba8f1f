"""The catalogue of models: names, ambiguity, facts of a user, and that every entry can be read."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from cardwise.catalogue import formats, models
from cardwise.catalogue.load import use_facts
from cardwise.errors import AmbiguousName, BadFile, CardwiseError, NotSupported, UnknownName
from cardwise.passes.architectures import architecture


@pytest.fixture
def facts(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Writes user facts and takes them back afterwards."""

    def use(text: str) -> Path:
        path = tmp_path / f"facts{len(files)}.toml"
        path.write_text(text, encoding="utf-8")
        files.append(path)
        use_facts(files)
        return path

    files: list[Path] = []
    yield use
    use_facts([])


def test_every_model_is_read_and_counts_as_the_index_says() -> None:
    listed = models.listed()
    assert len(listed) >= 500
    for entry in listed:
        read = architecture(entry.id)
        assert read.parameters == entry.parameters, entry.id
        assert read.source and read.layers and read.hidden and read.vocabulary, entry.id
        assert formats.weight_format(read.weight_format)
        for _, kind in read.quantization:
            assert formats.weight_format(kind)


def test_published_totals_are_the_counted_ones_or_the_difference_is_explained() -> None:
    """At most scales of quantised files, a tied embedding stored twice, stored buffers, or packed weights lie between the two."""
    for entry in models.listed():
        read = architecture(entry.id)
        if read.published_parameters is None or read.weight_format != "bf16":
            continue
        surplus = read.published_parameters - read.parameters
        table = read.vocabulary * read.hidden if read.tied_embeddings else 0
        assert surplus in (0, table) or abs(surplus - table) <= 4096 or abs(surplus) <= 8192 or "buffers" in read.notes, entry.id


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("llama-2-70b", "meta-llama/Llama-2-70b-hf"),
        ("llama2-70b", "meta-llama/Llama-2-70b-hf"),
        ("llama-3.1-8b", "meta-llama/Meta-Llama-3.1-8B"),
        ("LLAMA-3.1-70B", "meta-llama/Meta-Llama-3.1-70B"),
        ("meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"),
        ("qwen3-32b", "Qwen/Qwen3-32B"),
        ("deepseek-r1", "deepseek-ai/DeepSeek-R1"),
        ("deepseek-r1-0528", "deepseek-ai/DeepSeek-R1-0528"),
        ("deepseek-v3", "deepseek-ai/DeepSeek-V3"),
        ("gemma-3-27b", "google/gemma-3-27b-it"),
        ("mistral-7b", "mistralai/Mistral-7B-v0.1"),
        ("mixtral-8x7b", "mistralai/Mixtral-8x7B-v0.1"),
        ("gpt-oss-120b", "openai/gpt-oss-120b"),
        ("kimi-k2", "moonshotai/Kimi-K2-Instruct"),
        ("someone/Qwen3-8B", "Qwen/Qwen3-8B"),
        ("llama-4-scout", "meta-llama/Llama-4-Scout-17B-16E-Instruct"),
    ],
)
def test_names(name: str, id: str) -> None:
    assert models.model_id(name) == id


def test_no_alias_means_two_models() -> None:
    seen: dict[str, str] = {}
    for entry in models.listed():
        for alias in entry.aliases:
            assert seen.setdefault(alias, entry.id) == entry.id


def test_a_part_of_a_name_is_no_name() -> None:
    for name in ("deepseek-r1-distill", "qwen3", "llama", "gemma-3", "70b", ""):
        with pytest.raises(UnknownName):
            models.model_id(name)


def test_unknown_names_list_the_nearest_in_one_line() -> None:
    with pytest.raises(UnknownName) as caught:
        architecture("qwen3-33b")
    assert "Qwen/Qwen3-32B" in caught.value.nearest
    assert "\n" not in caught.value.message


def test_ambiguous_names_list_all_candidates() -> None:
    with pytest.raises(AmbiguousName) as caught:
        models.model_id("glm-4-9b-chat")
    assert set(caught.value.candidates) == {"THUDM/glm-4-9b-chat", "THUDM/glm-4-9b-chat-hf"}


def test_variants_keep_the_shape_and_state_their_own_format() -> None:
    base, variant = architecture("meta-llama/Llama-3.1-8B"), architecture("nvidia/Llama-3.1-8B-Instruct-FP8")
    assert base.layers == variant.layers
    assert (base.weight_format, variant.weight_format) == ("bf16", "fp8")
    assert dict(variant.quantization)["head"] == "bf16"
    assert architecture("mlx-community/Qwen3-8B-4bit").weight_format == "mlx-4bit"


def test_a_user_adds_models(facts) -> None:  # type: ignore[no-untyped-def]
    facts("""
[models."me/tuned"]
like = "Qwen/Qwen3-8B"
source = "my own"
aliases = ["mine"]
max_position_embeddings = 1000

[models."me/small"]
source = "my own"
model_type = "llama"
hidden_size = 64
intermediate_size = 128
num_hidden_layers = 2
num_attention_heads = 4
vocab_size = 100
""")
    assert architecture("mine").parameters == architecture("Qwen/Qwen3-8B").parameters
    assert architecture("mine").max_positions == 1000
    assert architecture("me/small").parameters == 2 * 100 * 64 + 2 * (4 * 64 * 64 + 3 * 64 * 128 + 2 * 64) + 64


@pytest.mark.parametrize(
    "text",
    [
        "[models.x]\nhidden_size = 3",
        "[models.x]\nlike = 'nobody'",
        "[models.x]\nlike = 'x'",
        "models = 3",
        "[models]\nx = 3",
        "not toml",
        "[models.x]\nsource='s'\naliases=3",
        "[models.x]\nsource='s'\nquantization=3",
        "[models.x]\nsource='s'\nmodel_type='llama'",
        "[models.x]\nsource='s'\nmodel_type='llama'\nhidden_size=-3",
        "[models.x]\nsource='s'\nmodel_type='nothing'",
    ],
)
def test_broken_facts_are_refused(facts, text: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(CardwiseError):
        facts(text)
        architecture("x")


def test_the_hub_is_asked_only_on_demand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stand-in for the client; without `online` it is never touched."""
    asked: list[str] = []
    config = tmp_path / "config.json"
    config.write_text(
        '{"model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,'
        ' "num_attention_heads": 4, "vocab_size": 100}',
        encoding="utf-8",
    )

    def download(name: str, file: str) -> str:
        asked.append(file)
        if file != "config.json" or name != "org/new":
            raise OSError("404")
        return str(config)

    class Api:
        def get_safetensors_metadata(self, name: str) -> object:
            tensor = SimpleNamespace(data_offsets=(0, 500))
            return SimpleNamespace(parameter_count={"BF16": 250}, files_metadata={"a": SimpleNamespace(tensors={"x": tensor})})

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(hf_hub_download=download, HfApi=Api))
    with pytest.raises(UnknownName):
        architecture("org/new")
    assert asked == []
    read = architecture("org/new", online=True)
    assert (read.layer_count, read.published_parameters, read.file_bytes) == (2, 250, 500.0)
    with pytest.raises(UnknownName):
        architecture("org/other", online=True)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(NotSupported):
        architecture("org/new", online=True)


def test_missing_file_of_facts() -> None:
    with pytest.raises(BadFile):
        use_facts(["/nowhere/facts.toml"])


def test_one_model_costs_one_family_file() -> None:
    models._index.cache_clear()
    models._keys.cache_clear()
    models._tables.cache_clear()
    start = time.perf_counter()
    models.model_facts("qwen3-32b")
    assert time.perf_counter() - start < 0.1  # about 7 ms on one slow core
    assert models._tables.cache_info().currsize == 1


@pytest.mark.parametrize(
    ("name", "of", "weights"),
    [
        ("unsloth/Llama-3.3-70B-Instruct-GGUF", "meta-llama/Llama-3.3-70B-Instruct", ""),
        ("TheBloke/Llama-2-7B-GGUF", "meta-llama/Llama-2-7b-hf", ""),
        ("Qwen/QwQ-32B-AWQ", "Qwen/QwQ-32B", "awq-int4"),
        ("RedHatAI/Qwen2.5-7B-Instruct-quantized.w8a8", "Qwen/Qwen2.5-7B-Instruct", "int8"),
        ("somebody/Qwen3-32B-FP8-dynamic", "Qwen/Qwen3-32B", "fp8"),
    ],
)
def test_a_repackaged_model_has_the_shape_of_what_it_packs(name: str, of: str, weights: str) -> None:
    packed, plain = models.model_facts(name), models.model_facts(of)
    assert packed.fields == plain.fields
    assert packed.weight_format == (weights or plain.weight_format)


@pytest.mark.parametrize("name", ["somebody/GGUF", "lmsys/vicuna-33b-GGUF", "deepseek-ai/DeepSeek-R9-FP8"])
def test_words_of_packaging_do_not_make_a_model(name: str) -> None:
    with pytest.raises(UnknownName):
        models.model_facts(name)
