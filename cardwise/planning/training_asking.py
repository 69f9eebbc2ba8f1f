"""From what a person says about training to a checked question. Every refusal is one line: the value, the limit, the next step."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Unpack, cast

from cardwise.catalogue.accelerators import parse_cards
from cardwise.catalogue.links import SAID as LINKS
from cardwise.catalogue.training import OTHER, Framework, framework, framework_names, optimizer, optimizer_names, training_facts
from cardwise.economics import CostAssumptions
from cardwise.errors import BadInput
from cardwise.hardware import Accelerator
from cardwise.model import Architecture
from cardwise.planning.asking import RENTS, SharedOptions, assumptions, read_model
from cardwise.training import METHODS, RECOMPUTES, ZEROS, Kernels, Method, Optimizer, Recompute

CARDS = "RTX 4090, A100 SXM 80GB, H100 SXM"
"""What is compared when nobody names a card."""
PRECISIONS = ("bf16", "fp16", "fp8")
MOST_TOKENS, MOST_SEQUENCE, MOST_BATCH = 1e18, 2**24, 2**24
SMALL_MODEL = 3e9
"""Parameters below which the smaller of the usual batches is taken."""
_TOKENS = re.compile(r"(\d+(?:\.\d+)?(?:e\d+)?)\s*([kmbt]?)", re.IGNORECASE)
_SCALE = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}


class TrainingOptions(SharedOptions, total=False):
    """Everything that may be said besides the model and the cards; each has a default.

    tokens: `1T`, `300B`, a number. method: full, lora, qlora. zero: 0 to 3, None: the best. recompute: none, selective, full, None: the
    least that fits. sequence: tokens. global_batch: sequences a step. micro_batch: sequences that a replica computes at once. optimizer.
    precision: bf16, fp16, fp8. adapter_rank. offload: states may move to the host. kernels: of the framework. tensor_parallel,
    pipeline_parallel: only these. link, rent, price, electricity, pue, years, utilization, cny, configs, online: as for `plan`.
    """

    tokens: str
    method: str
    zero: int | None
    recompute: str | None
    sequence: int | None
    global_batch: int | None
    micro_batch: int | None
    optimizer: str
    precision: str
    adapter_rank: int | None
    offload: bool
    framework: str
    tensor_parallel: int | None
    pipeline_parallel: int | None


@dataclass(frozen=True, slots=True)
class TrainingQuestion:
    """What is asked, checked. None: free to choose. `count` of a card None: find the smallest that holds the model.

    What layouts are made of is kept by question (planning/training_layouts.py), so it has a hash.
    """

    architecture: Architecture
    cards: tuple[tuple[int | None, Accelerator], ...] = field(hash=False)
    tokens: float
    method: Method
    optimizer: Optimizer
    precision: str
    kernels: Kernels
    sequence: int
    step_tokens: float
    assumptions: CostAssumptions = field(hash=False)
    zero: int | None = None
    recompute: Recompute | None = None
    global_batch: int | None = None
    micro_batch: int | None = None
    rank: int = 16
    offload: bool = False
    tensor_parallel: int | None = None
    pipeline_parallel: int | None = None
    link: str = ""
    rent: str = "on_demand"
    price_usd_per_card_hour: float | None = None
    notes: tuple[str, ...] = ()


def training_question(model: str | Architecture, cards: str | None = None, **options: Unpack[TrainingOptions]) -> TrainingQuestion:
    """What is asked, checked. Raises CardwiseError in one line."""
    defaults = training_facts()["defaults"]
    method = cast(Method, _one_of("method", options.get("method") or "full", METHODS))
    again = options.get("recompute")
    precision = _one_of("precision", options.get("precision") or "bf16", PRECISIONS)
    zero = options.get("zero")
    if zero is not None and zero not in ZEROS:
        raise BadInput(f"zero is {zero}; it must be one of 0, 1, 2, 3")
    rent = _one_of("rent", (options.get("rent") or "on_demand").replace("-", "_"), RENTS)
    wire = options.get("link") or ""
    if wire not in LINKS:
        raise BadInput(f"link is {wire!r}; it must be one of {', '.join(filter(None, LINKS))}")
    sequence = _whole("sequence", options.get("sequence"), MOST_SEQUENCE) or int(defaults["sequence"])
    batch = _whole("global batch", options.get("global_batch"), MOST_BATCH)
    micro = _whole("micro batch", options.get("micro_batch"), MOST_BATCH)
    if batch is not None and micro is not None and batch % micro:
        raise BadInput(f"global batch {batch:,} is no multiple of micro batch {micro:,}; make it one")
    price = options.get("price")
    if price is not None and not 0 < price <= 1e5:
        raise BadInput(f"price is {price:g}; it must be more than 0 and at most 100,000")
    name = (options.get("optimizer") or "adamw").lower()
    if name not in optimizer_names():
        raise BadInput(f"optimizer is {name!r}; it must be one of {', '.join(optimizer_names())}")
    rank = _whole("adapter rank", options.get("adapter_rank"), 4096) or int(defaults["rank"])
    tensor = _whole("tensor parallel", options.get("tensor_parallel"), 1024)
    stages = _whole("pipeline parallel", options.get("pipeline_parallel"), 1024)
    tokens = parse_tokens(options.get("tokens") or str(defaults["tokens"]))
    recompute = None if again in (None, "", "auto") else cast(Recompute, _one_of("recompute", again or "", RECOMPUTES))
    costs = {key: options.get(key) for key in ("electricity", "pue", "years", "utilization", "cny")}
    found = model if isinstance(model, Architecture) else read_model(model, options.get("configs"), options.get("online", False))
    small = method != "full" or found.parameters < SMALL_MODEL
    step_tokens = float(defaults["smallest_step_tokens" if small else "step_tokens"])
    return TrainingQuestion(
        architecture=found,
        cards=tuple(parse_cards(cards if cards is not None else CARDS)),
        tokens=tokens,
        method=method,
        optimizer=optimizer(name),
        precision=precision,
        kernels=_framework(options.get("framework") or "").kernels,
        sequence=sequence,
        step_tokens=step_tokens if batch is None else float(batch * sequence),
        assumptions=assumptions(**costs),  # type: ignore[arg-type]
        zero=zero,
        recompute=recompute,
        global_batch=batch,
        micro_batch=micro,
        rank=rank,
        offload=bool(options.get("offload")),
        tensor_parallel=tensor,
        pipeline_parallel=stages,
        link=wire,
        rent=rent,
        price_usd_per_card_hour=price,
        notes=tuple(_remarks(found, sequence)),
    )


def _remarks(found: Architecture, sequence: int) -> list[str]:
    notes = [found.notes] if found.notes else []
    if 0 < found.max_positions < sequence:
        notes.append(f"a sequence of {sequence:,} tokens is longer than the {found.max_positions:,} that the model was made for")
    return notes


def parse_tokens(text: str) -> float:
    """`1T`, `300B`, `15e12`, `2,000,000` as a number. Raises BadInput."""
    match = _TOKENS.fullmatch(text.strip().replace(",", "").replace("_", "").replace("+", ""))
    value = float(match.group(1)) * _SCALE[match.group(2).lower()] if match else math.nan
    if not 1 <= value <= MOST_TOKENS:
        raise BadInput(f"tokens is {text[:40]!r}; give a number from 1 to 1e18, or one such as 300B or 15T")
    return value


def _framework(name: str) -> Framework:
    found = framework(name or OTHER)
    if name and found.name == OTHER != name.strip().lower():
        raise BadInput(f"engine is {name[:40]!r}; training knows {', '.join(framework_names())}; leave it out for a compiled PyTorch stack")
    return found


def _one_of(name: str, word: str, known: tuple[str, ...]) -> str:
    if word.lower() not in known:
        raise BadInput(f"{name} is {word[:40]!r}; it must be one of {', '.join(known)}")
    return word.lower()


def _whole(name: str, value: int | None, high: int) -> int | None:
    if value is not None and not 1 <= value <= high:
        raise BadInput(f"{name} is {value}; it must lie between 1 and {high:,}")
    return value
