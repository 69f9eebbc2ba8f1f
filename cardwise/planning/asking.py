"""From what a person says, in words and numbers, to a checked Question. Every refusal is one line: the value, the limit, the next step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict, Unpack

from cardwise.catalogue.accelerators import parse_cards
from cardwise.catalogue.costs import cost_assumptions
from cardwise.catalogue.engines import engine_info, newest_known
from cardwise.catalogue.formats import cache_format, weight_format
from cardwise.catalogue.links import SAID as LINKS
from cardwise.economics import CostAssumptions
from cardwise.errors import BadFile, BadInput, NotSupported
from cardwise.model import Architecture
from cardwise.passes.architectures import architecture
from cardwise.planning.question import Question
from cardwise.workload import MAX_TOKENS, Lengths, Slo, Workload

POPULAR = "RTX 4090, RTX 5090, L40S, A100 SXM 80GB, H100 SXM, H200 SXM, B200, MI300X"
"""What is compared when nobody names a card; with a budget all are."""
MOST_REQUESTS, MOST_USERS = 100_000, 20_000
"""Requests and users of one simulation."""
PERCENTILES = (50.0, 90.0, 95.0, 99.0)
RENTS = ("on_demand", "spot", "reserved")
LOADS = ("concurrency", "rate", "batch", "offline", "requests")
NOT_ANSWERED = {
    "speculative": "speculative decoding is not predicted by this version; ask without --speculative, which is the speed without it",
    "lora": "LoRA adapters are not predicted by this version; ask without --lora, which is the speed of the base model",
    "prefix_cache_hit": "hits in a prefix cache are not predicted by this version; take them off --input, which is what is still computed",
}


class SharedOptions(TypedDict, total=False):
    """What every question may say of links, money and models that the catalogue lacks; see `Options`."""

    link: str
    rent: str
    price: float | None
    electricity: float | None
    pue: float | None
    years: float | None
    utilization: float | None
    cny: float | None
    configs: str | Path | None
    online: bool


class Options(SharedOptions, total=False):
    """Everything that may be said besides the model and the cards; each has a default.

    input, output: tokens of a request (1024, 256). concurrency: users at once (1), or rate: requests/s, or batch: a static batch,
    or offline: all `requests` at once. ttft, tpot: limits in milliseconds at `percentile` (95). engine, engine_version, weights
    (several with commas, or auto), kv. max_model_len: tokens that one request may have. memory_share: of the card, for the engine.
    tensor_parallel, pipeline_parallel: only these. link: nvlink, pcie, pcie-p2p, xgmi, ethernet. power_limit: watts a card.
    budget_usd_per_hour: rent at most. rent: on_demand, spot or reserved. price: dollars per card and hour instead of the catalogue's.
    electricity: dollars per kWh. pue, years, utilization, cny: see CostAssumptions. configs: folder of configurations of models that
    the catalogue lacks. online: the hub may be asked.
    """

    input: int
    output: int
    concurrency: int | None
    rate: float | None
    batch: int | None
    offline: bool
    requests: int | None
    ttft: float | None
    tpot: float | None
    percentile: float
    engine: str
    engine_version: str
    weights: str
    kv: str
    max_model_len: int | None
    memory_share: float | None
    tensor_parallel: int | None
    pipeline_parallel: int | None
    power_limit: float | None
    budget_usd_per_hour: float | None
    speculative: bool
    lora: bool
    prefix_cache_hit: float | None


def question(model: str | Architecture, cards: str | None = None, **options: Unpack[Options]) -> Question:
    """What is asked, checked. Raises CardwiseError in one line: the value, the limit, the next step."""
    _refuse(options)
    percentile = _number("percentile", options.get("percentile", 95.0), 0.0, 100.0)
    if percentile not in PERCENTILES:
        raise BadInput(f"percentile is {percentile:g}; it must be one of {', '.join(f'{p:g}' for p in PERCENTILES)}")
    engine = options.get("engine", "auto")
    words = options.get("weights", "auto")
    weights = () if words in ("", "auto") else tuple(part.strip() for part in words.lower().split(",") if part.strip())
    for word in weights:
        weight_format(word)
    kv = options.get("kv", "auto").strip().lower() or "auto"
    if kv != "auto":
        cache_format(kv)
    rent = options.get("rent", "on_demand").replace("-", "_")
    if rent not in RENTS:
        raise BadInput(f"rent is {rent!r}; it must be one of {', '.join(RENTS)}")
    wire = options.get("link", "")
    if wire not in LINKS:
        raise BadInput(f"link is {wire!r}; it must be one of {', '.join(filter(None, LINKS))}")
    load = workload(**options)
    longest = _whole("max model length", options.get("max_model_len"), MAX_TOKENS)
    needed = math.ceil(load.lengths.input_tokens + load.lengths.output_tokens)
    if longest is not None and longest < needed:
        raise BadInput(
            f"max model length is {longest:,}; a request has {needed:,} tokens, input and output; raise it or shorten the request"
        )
    limits = (_milliseconds("ttft", options.get("ttft")), _milliseconds("tpot", options.get("tpot")))
    found = model if isinstance(model, Architecture) else read_model(model, options.get("configs"), options.get("online", False))
    version = options.get("engine_version", "").strip()
    return Question(
        architecture=found,
        cards=tuple(parse_cards(cards if cards is not None else "all" if options.get("budget_usd_per_hour") else POPULAR)),
        workload=load,
        assumptions=assumptions(**options),
        engine=engine if engine == "auto" else engine_info(engine).name,
        engine_version=version,
        weights=weights,
        kv=kv,
        slo=Slo(*limits, percentile) if any(limits) else None,
        percentile=percentile,
        budget_usd_per_hour=_optional("budget", options.get("budget_usd_per_hour"), 0.0, 1e6),
        max_model_len=longest,
        memory_share=_optional("memory share", options.get("memory_share"), 0.0, 1.0),
        tensor_parallel=_whole("tensor parallel", options.get("tensor_parallel"), 1024),
        pipeline_parallel=_whole("pipeline parallel", options.get("pipeline_parallel"), 1024),
        rent=rent,
        link=wire,
        power_limit_w=_optional("power limit", options.get("power_limit"), 1.0, 1e5),
        price_usd_per_card_hour=_optional("price", options.get("price"), 0.0, 1e5),
        notes=tuple(filter(None, (found.notes, *_remarks(found, longest or needed, engine, version)))),
    )


def _remarks(model: Architecture, tokens: int, engine: str, version: str) -> Iterator[str]:
    """What a person should know of the question itself. Raises BadInput for a version without an engine, or one that is none."""
    if version and engine == "auto":
        raise BadInput(f"engine version {version} is said without an engine; say --engine too")
    if version and (newest := newest_known(engine, version)):
        yield f"{engine} {version} is newer than the catalogue: predicted as {newest}"
    if 0 < model.max_positions < tokens:
        yield f"a request of {tokens:,} tokens is longer than the {model.max_positions:,} that the model was made for: engines refuse it"


def workload(**options: Unpack[Options]) -> Workload:
    """The load: one of concurrency, rate, batch and offline. Raises BadInput."""
    said = [name for name in ("concurrency", "rate", "batch") if options.get(name) is not None]
    said += ["offline"] if options.get("offline") else []
    if len(said) > 1:
        raise BadInput(f"{' and '.join(said)} are loads that exclude each other; say one of them")
    if "batch" in said and options.get("requests") is not None:
        raise BadInput("a static batch is as many requests as it has places; say batch or requests")
    for name in ("input", "output"):
        if options.get(name) == 0:
            raise BadInput(f"{name} tokens is 0; an engine takes one at least and makes one at least: say 1")
    lengths = Lengths(float(options.get("input", 1024)), float(options.get("output", 256)))
    requests = _whole("number of requests", options.get("requests"), MOST_REQUESTS)
    if "rate" in said:
        return Workload("rate", lengths, requests_per_s=_number("rate", options["rate"], 0.0, 1e6), requests=requests)
    if "batch" in said:
        return Workload("batch", lengths, users=_whole("batch", options["batch"], MOST_USERS) or 1)
    if "offline" in said:
        return Workload("offline", lengths, requests=requests or 1000)
    users = _whole("concurrency", options.get("concurrency"), MOST_USERS) or 1
    return Workload("concurrency" if users > 1 else "single", lengths, users=users, requests=requests)


def assumptions(**options: Unpack[Options]) -> CostAssumptions:
    """The catalogue's cost assumptions with what the person said instead. Raises BadInput."""
    names = {"electricity": "electricity_usd_per_kwh", "pue": "pue", "years": "years", "utilization": "utilization", "cny": "cny_per_usd"}
    said = {field: float(value) for name, field in names.items() if (value := options.get(name)) is not None}  # type: ignore[arg-type]
    return cost_assumptions().with_user(**said) if said else cost_assumptions()


def _refuse(options: Options) -> None:
    for name, reason in NOT_ANSWERED.items():
        if options.get(name):
            raise NotSupported(reason)


def _number(name: str, value: float | None, low: float, high: float) -> float:
    if value is None or not low < value <= high or math.isinf(value):
        raise BadInput(f"{name} is {value:g}; it must be more than {low:g} and at most {high:,.0f}")
    return float(value)


def _optional(name: str, value: float | None, low: float, high: float) -> float | None:
    return None if value is None else _number(name, value, low, high)


def _whole(name: str, value: int | None, high: int) -> int | None:
    if value is not None and not 1 <= value <= high:
        raise BadInput(f"{name} is {value}; it must lie between 1 and {high:,}")
    return value


def _milliseconds(name: str, value: float | None) -> float | None:
    return None if value is None else _number(f"{name} limit in ms", value, 0.0, 1e9) / 1e3


def read_model(name: str, configs: str | Path | None = None, online: bool = False) -> Architecture:
    """The architecture of a model id, an alias, or the path of a config.json, GGUF file, safetensors or folder. Raises CardwiseError."""
    folder = None if configs is None else Path(configs)
    if folder is not None and not folder.is_dir():
        raise BadInput(f"{folder} is not a directory; --configs takes a folder of <org>--<name>_config.json files")
    if not name.strip():
        raise BadInput("the model's name is empty; give an id such as llama-2-70b, or the path of a config.json")
    if "\0" in name:
        raise BadFile("the model's name holds a zero byte; give an id such as llama-2-70b, or the path of a config.json")
    return architecture(name, configs=folder, online=online)
