"""The options of the commands, each said once: a group is a frozen record whose fields are the options.

`takes` turns a function of groups into a command whose parameters are the fields of its groups. Fields have the names of the library's
arguments (`cardwise.planning.asking.Options`), so that a group passes on as it is.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

MODEL = typer.Argument(
    help="Model id (llama-2-70b, Qwen/Qwen3-32B), or the path of a config.json, .gguf or checkpoint folder.", show_default=False
)
LOAD, LIMITS, LAYOUT, PICTURE, TRAINING = "Load", "Limits", "Layout", "Images and video", "Training"
COST, FACTS, OUTPUT = "Cost", "Facts", "Output"


LANG_HELP = "Language: en or zh."


def _said(name: str, text: str, panel: str, *more: str, **settings: Any) -> Any:
    return typer.Option(name, *more, help=text, rich_help_panel=panel, show_default=settings.pop("show_default", False), **settings)


@dataclass(frozen=True, slots=True)
class Load:
    """What the users ask of the engine."""

    input: Annotated[int, _said("--input", "Prompt tokens of a request.", LOAD, show_default=True)] = 1024
    output: Annotated[int, _said("--output", "Output tokens of a request.", LOAD, show_default=True)] = 256
    concurrency: Annotated[int | None, _said("--concurrency", "Users at once; each asks again when answered. Default: 1.", LOAD)] = None
    rate: Annotated[float | None, _said("--rate", "Requests per second, arriving at random (Poisson).", LOAD)] = None
    batch: Annotated[int | None, _said("--batch", "A static batch of so many requests.", LOAD)] = None
    offline: Annotated[bool, _said("--offline", "All requests at once, as fast as possible.", LOAD)] = False
    requests: Annotated[int | None, _said("--requests", "Requests in all. Default: 10 a user, 1000 at a rate or offline.", LOAD)] = None
    ttft: Annotated[float | None, _said("--ttft", "Limit of the time to first token, ms.", LIMITS)] = None
    tpot: Annotated[float | None, _said("--tpot", "Limit of the time per output token, ms.", LIMITS)] = None
    percentile: Annotated[float, _said("--percentile", "Percentile that keeps the limits: 50, 90, 95, 99.", LIMITS, show_default=True)] = (
        95.0
    )


@dataclass(frozen=True, slots=True)
class Choice:
    """How the model may run."""

    engine: Annotated[str, _said("--engine", "vllm, sglang, tensorrt-llm, llama.cpp, ... or auto.", LAYOUT, show_default=True)] = "auto"
    engine_version: Annotated[str, _said("--engine-version", "Version of the engine. Default: the newest known.", LAYOUT)] = ""
    weights: Annotated[
        str, _said("--weights", "Weight formats to try, with commas: bf16, fp8, awq-int4, q4_k_m, ... or auto.", LAYOUT, show_default=True)
    ] = "auto"
    kv: Annotated[str, _said("--kv", "KV cache format: fp16, fp8, ... or auto.", LAYOUT, show_default=True)] = "auto"
    max_model_len: Annotated[int | None, _said("--max-model-len", "Tokens that one request may have. Default: input + output.", LAYOUT)] = (
        None
    )
    memory_share: Annotated[float | None, _said("--memory-share", "Share of the card that the engine takes (0.9).", LAYOUT)] = None
    tensor_parallel: Annotated[int | None, _said("--tensor-parallel", "Only this tensor-parallel degree.", LAYOUT, "--tp")] = None
    pipeline_parallel: Annotated[int | None, _said("--pipeline-parallel", "Only this pipeline-parallel degree.", LAYOUT, "--pp")] = None
    link: Annotated[str, _said("--link", "Link between the cards: nvlink, pcie, pcie-p2p, xgmi, ethernet. Default: the usual.", LAYOUT)] = (
        ""
    )
    power_limit: Annotated[float | None, _said("--power-limit", "Power limit of a card, W.", LAYOUT)] = None
    speculative: Annotated[bool, _said("--speculative", "Not answered by this version.", LAYOUT, hidden=True)] = False
    lora: Annotated[bool, _said("--lora", "Not answered by this version.", LAYOUT, hidden=True)] = False
    prefix_cache_hit: Annotated[float | None, _said("--prefix-cache-hit", "Not answered by this version.", LAYOUT, hidden=True)] = None


@dataclass(frozen=True, slots=True)
class Picture:
    """What a pipeline makes; for models of images and video."""

    width: Annotated[int | None, _said("--width", "Width in pixels. Default: the model's own.", PICTURE)] = None
    height: Annotated[int | None, _said("--height", "Height in pixels. Default: the model's own.", PICTURE)] = None
    steps: Annotated[int | None, _said("--steps", "Denoising steps. Default: the model's own.", PICTURE)] = None
    scheduler: Annotated[str | None, _said("--scheduler", "euler, heun, dpm++2m, lcm, ...: evaluations of a step.", PICTURE)] = None
    images: Annotated[int | None, _said("--images", "Images or clips in all. Default: 1.", PICTURE)] = None
    frames: Annotated[int | None, _said("--frames", "Frames of a clip. Default: the model's own.", PICTURE)] = None
    guidance: Annotated[float | None, _said("--guidance", "Guidance scale; at most 1 takes one network pass a step.", PICTURE)] = None
    offload: Annotated[
        str | None, _said("--offload", "Weights that wait on the host: none, model, sequential. Default: as needed.", PICTURE)
    ] = None
    tiling: Annotated[bool | None, _said("--tiling/--no-tiling", "Decode in tiles. Default: as needed.", PICTURE)] = None


@dataclass(frozen=True, slots=True)
class Training:
    """What is trained, and how (docs/training.md)."""

    train: Annotated[bool, _said("--train", "Plan training instead of serving.", TRAINING)] = False
    tokens: Annotated[str, _said("--tokens", "Tokens of the run: 300B, 15T. Default: 1T.", TRAINING)] = ""
    method: Annotated[str, _said("--method", "full, lora or qlora. Default: full.", TRAINING)] = ""
    zero: Annotated[int | None, _said("--zero", "ZeRO stage 0 to 3 (3: FSDP). Default: the fastest that fits.", TRAINING)] = None
    recompute: Annotated[str, _said("--recompute", "none, selective or full. Default: the least that fits.", TRAINING)] = ""
    sequence: Annotated[int | None, _said("--sequence", "Tokens of a sequence. Default: 4096.", TRAINING)] = None
    global_batch: Annotated[int | None, _said("--global-batch", "Sequences of a step. Default: about 4 M tokens.", TRAINING)] = None
    micro_batch: Annotated[int | None, _said("--micro-batch", "Sequences that a replica computes at once.", TRAINING)] = None
    optimizer: Annotated[str, _said("--optimizer", "adamw, adamw8bit, adamw-bf16, sgd, lion, adafactor, muon.", TRAINING)] = ""
    precision: Annotated[str, _said("--precision", "Of the products: bf16, fp16 or fp8. Default: bf16.", TRAINING)] = ""
    adapter_rank: Annotated[int | None, _said("--adapter-rank", "Rank of LoRA adapters. Default: 16.", TRAINING)] = None
    offload_states: Annotated[bool, _said("--offload-states", "States may lie in the host's memory.", TRAINING)] = False


@dataclass(frozen=True, slots=True)
class Money:
    """What hours and watts cost."""

    rent: Annotated[str, _said("--rent", "Kind of rent: on_demand, spot, reserved.", COST, show_default=True)] = "on_demand"
    price: Annotated[float | None, _said("--price", "Rent in $ per card and hour, instead of the catalogue's.", COST)] = None
    electricity: Annotated[float | None, _said("--electricity", "$ per kWh.", COST)] = None
    pue: Annotated[float | None, _said("--pue", "Energy of the facility per energy of the machine.", COST)] = None
    years: Annotated[float | None, _said("--years", "Years over which a purchase is written off.", COST)] = None
    utilization: Annotated[float | None, _said("--utilization", "Share of the paid hours with load, 0 to 1.", COST)] = None
    cny: Annotated[float | None, _said("--cny", "CNY per USD.", COST)] = None


@dataclass(frozen=True, slots=True)
class Sources:
    """Where facts come from besides the catalogue."""

    facts: Annotated[list[Path] | None, _said("--facts", "Own cards, prices, models (TOML or CSV); may be repeated.", FACTS)] = None
    configs: Annotated[
        Path | None, _said("--configs", "Folder of <org>--<name>_config.json for models that the catalogue lacks.", FACTS, "--config-dir")
    ] = None
    online: Annotated[
        bool, _said("--online", "Ask the Hugging Face hub for a model that is not known. Else nothing is fetched.", FACTS)
    ] = False


@dataclass(frozen=True, slots=True)
class Form:
    """How the answer is printed."""

    json: Annotated[bool, _said("--json", "Print JSON (docs/json.md).", OUTPUT)] = False
    lang: Annotated[str, _said("--lang", LANG_HELP, OUTPUT, show_default=True)] = "en"


@dataclass(frozen=True, slots=True)
class Files:
    """Files that the answer is written to besides."""

    html: Annotated[Path | None, _said("--html", "Write a report that opens offline (docs/reports.md).", OUTPUT)] = None
    svg: Annotated[Path | None, _said("--svg", "Write the charts as SVG.", OUTPUT)] = None
    png: Annotated[Path | None, _said("--png", "Write the charts as PNG.", OUTPUT)] = None


def given(*groups: Any) -> dict[str, Any]:
    """The options of the groups by name, without where facts come from: the library's arguments."""
    return {item.name: getattr(group, item.name) for group in groups for item in fields(group) if item.name != "facts"}


def said(group: Any, without: tuple[str, ...] = ()) -> list[str]:
    """The options of a group that differ from their defaults, as they are written; not the fields named in `without`."""
    changed = [item.name for item in fields(group) if getattr(group, item.name) != item.default]
    return [f"--{name.replace('_', '-')}" for name in changed if name not in without]


def takes(**groups: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command whose parameters are its own and the fields of `groups`, which it gets as records by name."""

    def made(function: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(function)
        hints = get_type_hints(function, include_extras=True)
        listed = [p.replace(annotation=hints[p.name]) for p in own.parameters.values() if p.name not in groups]
        for group in groups.values():
            types = get_type_hints(group, include_extras=True)
            for item in fields(group):
                default = inspect.Parameter.empty if item.default is MISSING else item.default
                listed.append(inspect.Parameter(item.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=types[item.name]))

        def command(**values: Any) -> None:
            records = {name: group(**{item.name: values.pop(item.name) for item in fields(group)}) for name, group in groups.items()}
            function(**values, **records)

        command.__name__, command.__doc__ = function.__name__, function.__doc__
        command.__signature__ = own.replace(parameters=[p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in listed])  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in listed}
        return command

    return made


LANG = typer.Option("--lang", help=LANG_HELP)
"""For commands without the other options of output."""
