"""What a request may say: the options of the library by their names, checked for kind and size before anything is computed.

Limits of values are the library's; its line about a value is the one that the command line prints. Paths and the hub are not among the
fields, so that no request can name either.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

MOST_TEXT = 4000
Text = Annotated[str, Field(max_length=MOST_TEXT)]
Name = Annotated[str, Field(max_length=200)]
Whole = Annotated[int, Field(ge=-(10**12), le=10**12)]
Number = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
OWN = ("model", "described", "cards", "trace", "picture", "training", "rank", "charts", "option", "lang", "theme", "width", "by")
"""Fields that are no options of the library."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=False, protected_namespaces=())


class Described(Strict):
    """A model that no catalogue knows: what /api/read said of its files."""

    name: Name
    fields: dict[str, Any] = Field(description="Fields of its config.json.")
    quantization: dict[str, Any] | None = Field(None, description="Fields of its hf_quant_config.json.")
    weight_format: Name = ""
    file_bytes: Annotated[float, Field(gt=0, lt=2**60, allow_inf_nan=False)] | None = None
    elements: Annotated[int, Field(gt=0, lt=2**60)] | None = None


class Picture(Strict):
    """What a pipeline makes; for models of images and video."""

    width: Whole | None = Field(None, description="Width in pixels. Default: the model's own.")
    height: Whole | None = Field(None, description="Height in pixels. Default: the model's own.")
    steps: Whole | None = Field(None, description="Denoising steps. Default: the model's own.")
    scheduler: Name | None = Field(None, description="euler, heun, dpm++2m, lcm, ...: evaluations of a step.")
    images: Whole | None = Field(None, description="Images or clips in all. Default: 1.")
    frames: Whole | None = Field(None, description="Frames of a clip. Default: the model's own.")
    guidance: Number | None = Field(None, description="Guidance scale; at most 1 takes one network pass a step.")
    offload: Name | None = Field(None, description="Weights that wait on the host: none, model, sequential. Default: as needed.")
    tiling: bool | None = Field(None, description="Decode in tiles. Default: as needed.")


class Training(Strict):
    """What is trained, and how; said at all, even empty, it makes the question one about training (docs/training.md)."""

    tokens: Name | None = Field(None, description="Tokens of the run: 300B, 15T. Default: 1T.")
    method: Name | None = Field(None, description="full, lora or qlora. Default: full.")
    zero: Whole | None = Field(None, description="ZeRO stage 0 to 3 (3: FSDP). Default: the fastest that fits.")
    recompute: Name | None = Field(None, description="none, selective or full. Default: the least that fits.")
    sequence: Whole | None = Field(None, description="Tokens of a sequence. Default: 4096.")
    global_batch: Whole | None = Field(None, description="Sequences of a step. Default: about 4 M tokens.")
    micro_batch: Whole | None = Field(None, description="Sequences that a replica computes at once. Default: the fastest that fits.")
    optimizer: Name | None = Field(None, description="adamw, adamw8bit, adamw-bf16, sgd, lion, adafactor, muon. Default: adamw.")
    precision: Name | None = Field(None, description="Of the products: bf16, fp16 or fp8. Default: bf16.")
    adapter_rank: Whole | None = Field(None, description="Rank of LoRA adapters. Default: 16.")
    offload_states: bool | None = Field(None, description="States may lie in the host's memory. Default: no.")


def one_model(model: str | None, described: Described | None) -> None:
    """Raises ValueError unless exactly one of both is said."""
    if (model is None) == (described is None):
        raise ValueError("say either model or described")


class Asked(Strict):
    """A model, a load, how it may run, what hours cost. Names, units and defaults are those of the command line."""

    model: Name | None = Field(None, description="Model id or alias: llama-2-70b, Qwen/Qwen3-32B. A path is refused.")
    described: Described | None = Field(None, description="Instead of a name: a model from its own files.")
    input: Whole = Field(1024, description="Prompt tokens of a request.")
    output: Whole = Field(256, description="Output tokens of a request.")
    concurrency: Whole | None = Field(None, description="Users at once; each asks again when answered. Default: 1.")
    rate: Number | None = Field(None, description="Requests per second, arriving at random (Poisson).")
    batch: Whole | None = Field(None, description="A static batch of so many requests.")
    offline: bool = Field(False, description="All requests at once, as fast as possible.")
    requests: Whole | None = Field(None, description="Requests in all.")
    ttft: Number | None = Field(None, description="Limit of the time to first token, ms.")
    tpot: Number | None = Field(None, description="Limit of the time per output token, ms.")
    percentile: Number = Field(95.0, description="Percentile that keeps the limits: 50, 90, 95, 99.")
    engine: Name = Field("auto", description="vllm, sglang, tensorrt-llm, llama.cpp, ... or auto.")
    engine_version: Name = Field("", description="Version of the engine. Default: the newest known.")
    weights: Name = Field("auto", description="Weight formats to try, with commas: bf16, fp8, awq-int4, ... or auto.")
    kv: Name = Field("auto", description="KV cache format: fp16, fp8, ... or auto.")
    max_model_len: Whole | None = Field(None, description="Tokens that one request may have. Default: input + output.")
    memory_share: Number | None = Field(None, description="Share of the card that the engine takes.")
    tensor_parallel: Whole | None = Field(None, description="Only this tensor-parallel degree.")
    pipeline_parallel: Whole | None = Field(None, description="Only this pipeline-parallel degree.")
    link: Name = Field("", description="Link between the cards: nvlink, pcie, pcie-p2p, xgmi, ethernet.")
    power_limit: Number | None = Field(None, description="Power limit of a card, W.")
    rent: Name = Field("on_demand", description="Kind of rent: on_demand, spot, reserved.")
    price: Number | None = Field(None, description="Rent in $ per card and hour, instead of the catalogue's.")
    electricity: Number | None = Field(None, description="$ per kWh.")
    pue: Number | None = Field(None, description="Energy of the facility per energy of the machine.")
    years: Number | None = Field(None, description="Years over which a purchase is written off.")
    utilization: Number | None = Field(None, description="Share of the paid hours with load, 0 to 1.")
    cny: Number | None = Field(None, description="CNY per USD.")

    @model_validator(mode="after")
    def _one_model(self) -> Asked:
        one_model(self.model, self.described)
        return self

    def options(self) -> dict[str, Any]:
        """The library's arguments."""
        return {name: getattr(self, name) for name in type(self).model_fields if name not in OWN}


class PlanAsked(Asked):
    cards: Text | None = Field(None, description='Cards, with commas: "RTX 4090, 8x H100 SXM", or all. Default: eight popular ones.')
    budget_usd_per_hour: Number | None = Field(None, description="Rent at most.")
    picture: Picture | None = Field(None, description="For models of images and video.")
    training: Training | None = Field(None, description="Plan training instead of serving.")


class ExplainAsked(Asked):
    cards: Text = Field(description='One kind of card: "8x RTX 4090". Without a count, the smallest that fits.')
    picture: Picture | None = Field(None, description="For models of images and video.")


class SimulateAsked(Asked):
    cards: Text = Field(description='One kind of card: "8x RTX 4090". Without a count, the smallest that fits.')
    trace: Annotated[str, Field(max_length=900_000)] | None = Field(
        None, description="Requests as CSV: arrival_s, input_tokens, output_tokens."
    )


class CardsAsked(Asked):
    """Cards side by side; with `rank` ordered for a model and its load."""

    model: Name | None = "llama-3.1-8b"
    cards: Text = "all"
    rank: Name = Field("", description="decode, prefill, training, price-performance, perf-per-watt, images or rendering; empty: as named.")


CHARTS = Literal[
    "pareto", "memory", "decode", "prefill", "roofline", "load", "cost", "over-time", "run-pareto", "run-stages", "run-memory", "run-pass",
    "train-pareto", "train-memory", "train-step", "train-scaling", "ranking", "claims", "accuracy", "coverage",
]  # fmt: skip


class ChartsAsked(Asked):
    """Charts of one question as Vega-Lite specifications. `cards`, `rank`, `by`: as the routes take them that the charts belong to.

    `option`: which option of an answer about training `train-memory` and `train-step` show, by its place in `options`.
    """

    charts: Annotated[list[CHARTS], Field(min_length=1, max_length=12)]
    lang: Literal["en", "zh"] = "en"
    theme: Literal["light", "dark"] = "light"
    width: Annotated[int, Field(ge=160, le=1600)] = 620
    model: Name | None = "llama-3.1-8b"
    cards: Text | None = None
    budget_usd_per_hour: Number | None = None
    picture: Picture | None = None
    training: Training | None = None
    option: Annotated[int, Field(ge=0, le=10**6)] | None = Field(None, description="Default: the option of lowest cost.")
    rank: Name = ""
    by: Name = "source,metric"

    @model_validator(mode="after")
    def _one_model(self) -> ChartsAsked:
        if self.described is not None:
            self.model = None
        return self


class ModelAsked(Strict):
    """One model in depth."""

    model: Name | None = None
    described: Described | None = None
    weights: Name = "auto"
    kv: Name = "auto"

    @model_validator(mode="after")
    def _one_model(self) -> ModelAsked:
        one_model(self.model, self.described)
        return self


class ValidateAsked(Strict):
    cases: Annotated[str, Field(max_length=900_000, description="CSV of cases (docs/validate.md).")]
