"""Networks written down: how numbers depend on the canvas, calls to operators, a traced file read back. Nothing here needs torch."""

from __future__ import annotations

import importlib.util
import json
import tomllib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from cardwise.catalogue.load import use_facts
from cardwise.cli import run
from cardwise.errors import BadFile, NotSupported, UnknownName
from cardwise.laws.network import launches, network_flops
from cardwise.network import ONE, PROMPT, Attention, Autoencoder, Canvas, Convolution, Extent, Held, Linear, Network, Pointwise, grid
from cardwise.passes.pipelines import pipeline
from cardwise.readers.diffusion.written import written, written_network
from cardwise.readers.fields import Fields
from cardwise.tracing.calls import AttentionCall, Call, ConvolutionCall, MatrixCall, PointwiseCall, ProductCall, part_name
from cardwise.tracing.extents import extent, nearest, solve
from cardwise.tracing.facts import component_table, facts_text
from cardwise.tracing.network import Traced, network_of
from cardwise.tracing.pipeline import source_of, traced

TRACED = Path(__file__).parent / "golden" / "traced.toml"
SQUARES = (Canvas(512, 512, 1, 64), Canvas(1024, 640, 1, 96), Canvas(640, 768, 1, 96), Canvas(896, 512, 1, 64))
CLIPS = (Canvas(512, 512, 25, 64), Canvas(1024, 640, 25, 96), Canvas(640, 768, 49, 96), Canvas(896, 512, 49, 64))

# What a number is, and the canvases that show it.
FORMS: list[tuple[Extent, tuple[Canvas, ...]]] = [
    (Extent(fixed=257.0), SQUARES),
    (PROMPT, SQUARES),
    (Extent(prompt=2048.0), SQUARES),
    (grid(8), SQUARES),
    (grid(16), SQUARES),
    (PROMPT + grid(16), SQUARES),
    (Extent(fixed=1.0) + grid(16), SQUARES),
    (Extent(fixed=4.0, prompt=1.0) + grid(8), SQUARES),
    (Extent(fixed=34.0) + PROMPT, SQUARES),
    (grid(16, 4), CLIPS),
    (PROMPT + grid(16, 4), CLIPS),
    (grid(0, 4), CLIPS),
    (grid(1, 1), CLIPS),
    (grid(4, 2), CLIPS),
    (grid(32, 8), CLIPS),
    (Extent(share=1.0, side=4, stride=2, later=True), CLIPS),
]


@pytest.mark.parametrize(("true", "canvases"), FORMS)
def test_the_form_of_a_number_is_found_again(true: Extent, canvases: tuple[Canvas, ...]) -> None:
    """As it is, or as another that is the same wherever sizes are multiples of 128 pixels and 24 frames."""
    found = extent([int(true.at(canvas)) for canvas in canvases], canvases)
    assert found is not None
    for other in (Canvas(1280, 896, 1 if canvases == SQUARES else 97, 300), Canvas(128, 2048, 1 if canvases == SQUARES else 25, 1)):
        assert found.at(other) == true.at(other)
    assert found == true or true.later


def test_a_number_of_another_form_is_none() -> None:
    squared = [int(grid(8).at(canvas)) ** 2 for canvas in SQUARES]
    assert extent(squared, SQUARES) is None
    assert extent([1, 2, 3, 5], SQUARES) is None


def test_prompts_of_one_length_are_constants() -> None:
    canvases = tuple(Canvas(c.width, c.height, 1, 226) for c in SQUARES)
    values = [int((PROMPT + grid(16)).at(canvas)) for canvas in canvases]
    assert extent(values, canvases) == Extent(fixed=226.0) + grid(16)


def test_what_only_pads_a_grid_is_near_it() -> None:
    padded = [(canvas.width + 1) * (canvas.height + 1) for canvas in SQUARES]
    found = nearest(padded, SQUARES)
    assert found is not None and found.at(Canvas(2048, 1024)) == pytest.approx(2049 * 1025, rel=0.01)
    assert nearest([1, 2, 3, 5], SQUARES) is None


def test_linear_systems_are_solved_exactly() -> None:
    assert solve([(1, 1, 1), (1, 2, 4)], (Fraction(5), Fraction(7), Fraction(11))) == (3, 2)  # type: ignore[arg-type]
    assert solve([(1, 1, 1), (1, 2, 4)], (5, 7, 12)) is None
    assert solve([(2, 2), (1, 1)], (4, 4)) is None  # not independent


# Calls as a recorder notes them.


def calls(canvas: Canvas) -> tuple[Call, ...]:
    """A made-up transformer with one layer: patches, a projection of the prompt, joint attention of both, a layer used twice, a norm."""
    image, text = int(grid(16).at(canvas)), canvas.prompt_tokens
    joint = image + text
    return (
        ConvolutionCall("patch_embed.proj", "patch.weight", "patch.bias", image, 4 * image, 4, 32, 4, 1),
        MatrixCall("context_embedder", "context.weight", "context.bias", text, 16, 32),
        PointwiseCall("norm", "native_layer_norm", 32 * joint, 64 * joint, 32),
        MatrixCall("attn.to_q", "q.weight", "", joint, 32, 32),
        AttentionCall("attn", 1, 4, joint, joint, 8, 8),
        MatrixCall("shared", "s.weight", "s.bias", image, 32, 32),
        MatrixCall("shared", "s.weight", "s.bias", text, 32, 32),
        ProductCall("linear_attn", 4, 8, image, 8),
        PointwiseCall("norm", "add", 32 * joint, 96 * joint, 32),
        PointwiseCall("mask", "where", joint * joint, 2 * joint * joint, joint),
    )


PARAMETERS = {
    "patch.weight": 512, "patch.bias": 32, "context.weight": 512, "context.bias": 32, "q.weight": 1024, "s.weight": 1024, "s.bias": 32,
    "norm.weight": 64,
}  # fmt: skip


def test_calls_become_operators_with_every_parameter_once() -> None:
    network = network_of("Made", [Traced(canvas, calls(canvas)) for canvas in SQUARES], PARAMETERS, blocks=3)
    assert network.parameters == sum(PARAMETERS.values()) and network.blocks == 3
    joint = PROMPT + grid(16)
    assert Convolution("convolution", grid(16), 4, 32, 4, scale=4.0) in network.ops
    assert Attention("self-attention", joint, joint, 4, 8) in network.ops
    assert Linear("products", joint, 32, 32) in network.ops  # the shared layer's rows of both calls
    assert [op for op in network.ops if isinstance(op, Pointwise) and op.positions == joint] == [
        Pointwise("norms and activations", joint, 32, passes=5.0, launches=2)
    ]
    other = Canvas(2048, 1024, 1, 300)
    tokens = joint.at(other)
    flops = 2 * (8192 * 4 * 4 * 32 + 300 * 16 * 32 + tokens * 32 * 32 * 2 + 4 * tokens**2 * 16 + 4 * 8192 * 64)
    assert network_flops(network, other) == flops
    assert sum(launches(op) for op in network.ops) == 10 - 1  # the shared layer's two calls are one


def test_unfused_attention_of_two_products_costs_what_the_fused_one_does() -> None:
    def unfused(canvas: Canvas) -> tuple[Call, ...]:
        rows = int(grid(8).at(canvas))
        return (ProductCall("attn", 8, rows, 40, canvas.prompt_tokens), ProductCall("attn", 8, rows, canvas.prompt_tokens, 40))

    network = network_of("Made", [Traced(canvas, unfused(canvas)) for canvas in SQUARES], {})
    fused = Network("Made", (Attention("cross-attention", grid(8), PROMPT, 8, 40),))
    other = Canvas(1536, 1536, 1, 77)
    assert network_flops(network, other) == network_flops(fused, other)


def test_equal_windows_are_sequences_of_one_attention() -> None:
    def windows(canvas: Canvas) -> tuple[Call, ...]:
        return (AttentionCall("attn", 1, 2, 64, 64, 16, 16),) * int(canvas.positions(64, 0))

    network = network_of("Made", [Traced(canvas, windows(canvas)) for canvas in SQUARES], {})
    assert network.ops == (Attention("self-attention", Extent(fixed=64.0), Extent(fixed=64.0), 2, 16, sequences=grid(64)),)


STRANGE: list[tuple[Callable[[Canvas], tuple[Call, ...]], str]] = [
    (lambda c: (MatrixCall("a.b", "w", "", c.width * c.width, 2, 2),), "a.b has 262,144, .* no extent says how"),
    (lambda c: (MatrixCall("a.b", "w", "", 4, 2, 2),) if c.width > 600 else (), "w of a.b runs at some sizes only"),
    (lambda c: (ProductCall("a", 1, c.width, c.height, c.width),), "grows in 3 directions"),
    (lambda c: (ProductCall("a", 1, 4, 4, 4),) * (c.width // 128), "differ in number between canvases"),
]


@pytest.mark.parametrize(("made", "said"), STRANGE)
def test_what_no_list_of_operators_can_say_is_refused(made: Callable[[Canvas], tuple[Call, ...]], said: str) -> None:
    with pytest.raises(NotSupported, match=said):
        network_of("Made", [Traced(canvas, made(canvas)) for canvas in SQUARES], {})


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q", "attention projections"),
        ("transformer_blocks.3.ff.net.0.proj", "feed-forward"),
        ("encoder.block.0.layer.1.DenseReluDense.wi_0", "feed-forward"),
        ("time_embedding.linear_1", "embeddings"),
        ("mid_block.attentions.0.norm", "norms and activations"),
        ("up_blocks.0.upsamplers.0", "resampling"),
        ("proj_out", "other"),
    ],
)
def test_modules_belong_to_parts(path: str, part: str) -> None:
    assert part_name(path, "other") == part


# Written and read back.

NETWORK = Network(
    "Made",
    (
        Linear("mixture of experts", PROMPT + grid(16, 4), 8, 16, count=3, bias=False, experts=4),
        Convolution("convolution", Extent(share=1.0, side=4, stride=2, later=True), 8, 8, 27, groups=2, scale=4.0, stored=False),
        Attention("self-attention", grid(16), Extent(fixed=257.0), 4, 8, sequences=grid(0, 4), value_dim=16, causal=True),
        Pointwise("norms", ONE, 8, count=2, passes=2.5, launches=3, parameters_each=16),
    ),
    blocks=5,
    held=(Held(grid(8), 320),),
)


def test_a_network_is_read_back_as_it_was_written() -> None:
    assert written_network(Fields(written(NETWORK), "x")) == NETWORK


def test_a_file_of_facts_is_valid_and_read_back(tmp_path: Path) -> None:
    half = Autoencoder(NETWORK, NETWORK, side=8, stride=0, channels=4)
    rule = {
        "task": "image",
        "denoisers": {"net": 1.0},
        "prompt_tokens": 7,
        "passes": 2,
        "steps": 3,
        "guidance": 4.5,
        "width": 64,
        "source": 'a "b"',
    }
    tables = {name: component_table(part, "Made", "here") for name, part in (("net", NETWORK), ("vae", half))}
    text = facts_text("me/made up", rule, tables, "Two\nlines")
    assert tomllib.loads(text)["pipelines"]["me/made up"]["source"] == 'a "b"'
    file = tmp_path / "facts.toml"
    file.write_text(text, encoding="utf-8")
    use_facts([file])
    try:
        found = pipeline("me/made up")
    finally:
        use_facts([])
    assert found.denoisers[0].network == NETWORK and found.autoencoder == half and found.passes == 2 and found.steps == 3


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"name": "x", "ops": []}, "ops is empty"),
    ({"name": "x", "ops": [{"op": "matrix"}]}, "op is 'matrix'"),
    ({"name": "x", "ops": [{"op": "linear", "name": "a", "rows": 4}]}, "an operator linear needs inputs, outputs"),
    ({"name": "x", "ops": [{"op": "linear", "name": "a", "rows": "all", "inputs": 1, "outputs": 1}]}, "rows is 'all'"),
    ({"name": "x", "ops": [{"op": "linear", "name": "a", "rows": {"share": 1}, "inputs": 1, "outputs": 1}]}, "needs its side or stride"),
    ({"name": "x", "ops": [{"op": "linear", "name": "a", "rows": -1, "inputs": 1, "outputs": 1}]}, "rows is -1"),
    ({"name": "x", "ops": [3]}, "must be a group of fields"),
    ({"ops": [{"op": "pointwise", "name": "a", "positions": 1, "width": 1}]}, "name is missing"),
]


@pytest.mark.parametrize(("table", "said"), BROKEN)
def test_a_broken_list_of_operators_is_one_line(table: dict[str, Any], said: str) -> None:
    with pytest.raises(BadFile, match=said):
        written_network(Fields(table, "facts.toml"))


# A pipeline that was traced with torch 2.13 and diffusers 0.42.1, and the configurations that it was traced from.

SMALL: dict[str, dict[str, Any]] = {
    "unet": {
        "_class_name": "UNet2DConditionModel",
        "block_out_channels": [32, 64],
        "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
        "layers_per_block": 1,
        "cross_attention_dim": 64,
        "attention_head_dim": 8,
        "norm_num_groups": 8,
        "sample_size": 32,
    },
    "vae": {
        "_class_name": "AutoencoderKL",
        "block_out_channels": [16, 32],
        "down_block_types": ["DownEncoderBlock2D"] * 2,
        "up_block_types": ["UpDecoderBlock2D"] * 2,
        "layers_per_block": 1,
        "latent_channels": 4,
        "norm_num_groups": 8,
    },
    "text_encoder": {
        "architectures": ["CLIPTextModel"],
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "vocab_size": 1000,
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The configurations as a folder without an index."""
    for name, fields in SMALL.items():
        (tmp_path / "small" / name).mkdir(parents=True)
        (tmp_path / "small" / name / "config.json").write_text(json.dumps(fields))
    return tmp_path / "small"


@pytest.fixture
def indexed(folder: Path) -> Path:
    classes = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL", "text_encoder": "CLIPTextModel"}
    index = {"_class_name": "StableDiffusionPipeline", **{name: ["library", kind] for name, kind in classes.items()}}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


@pytest.fixture
def facts() -> Iterator[None]:
    use_facts([TRACED])
    yield
    use_facts([])


def test_a_traced_pipeline_is_the_one_that_is_read(facts: None, indexed: Path) -> None:
    """Latents are 1/2 of the picture here and not 1/8, as readers of UNets take them first."""
    found, read = pipeline("tiny"), pipeline(str(indexed))
    assert (found.width, found.steps, found.passes, found.prompt_tokens) == (64, 50, 2, 77)
    assert found.parameters == read.parameters == 1_107_163
    for canvas in (Canvas(64, 64, 1, 77), Canvas(320, 192, 1, 40)):
        for mine, other in ((found.autoencoder.decoder, read.autoencoder.decoder), (found.encoders[0].network, read.encoders[0].network)):
            assert network_flops(mine, canvas) == network_flops(other, canvas)
            assert sum(map(launches, mine.ops)) == pytest.approx(sum(map(launches, other.ops)), rel=0.15)
        assert network_flops(found.denoisers[0].network, canvas) == network_flops(read.denoisers[0].network, canvas)


def test_every_measured_operator_of_a_traced_file_is_named(facts: None) -> None:
    names = {op.name for op in pipeline("tiny").denoisers[0].network.ops}
    assert {"convolution", "self-attention", "cross-attention", "attention projections", "feed-forward", "embeddings"} <= names


def test_a_folder_of_components_needs_the_class_that_runs_them(folder: Path) -> None:
    with pytest.raises(NotSupported, match=r"no model_index.json says its class; say --like"):
        source_of(str(folder))
    found = source_of(str(folder), "StableDiffusionPipeline")
    assert found.components["text_encoder"]["_class_name"] == "CLIPTextModel" and not found.video
    with pytest.raises(NotSupported, match="no rule for the pipeline class Other; say --like"):
        source_of(str(folder), "Other")


def test_a_name_that_nothing_knows_cannot_be_traced() -> None:
    with pytest.raises(UnknownName):
        source_of("sdxll")


def test_without_torch_there_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NotSupported, match=r"pip install 'cardwise\[trace\]'"):
        next(traced(source_of("sd15")))
    assert run(["trace", "sd15"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "cardwise[trace]" in said


@pytest.mark.parametrize("arguments", [["sd15", "--check", "--out", "x.toml"], ["sd15", "--out", "nowhere/x.toml"]])
def test_options_that_contradict_each_other(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["trace", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1
