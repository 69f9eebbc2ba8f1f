"""Training: what is trained, how it lies on the cards, what takes their memory, how fast it runs. Frozen, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

from cardwise.errors import BadInput

Method = Literal["full", "lora", "qlora"]
Recompute = Literal["none", "selective", "full"]
Offload = Literal["none", "optimizer", "states", "all"]
Kernels = Literal["fused", "compiled", "eager"]

METHODS: tuple[Method, ...] = ("full", "lora", "qlora")
RECOMPUTES: tuple[Recompute, ...] = ("none", "selective", "full")
OFFLOADS: tuple[Offload, ...] = ("none", "optimizer", "states", "all")
ZEROS = (0, 1, 2, 3)
MAX_CARDS = 131_072


@dataclass(frozen=True, slots=True)
class Optimizer:
    """Bytes a trained parameter takes besides its working copy: `state_bytes` of moments, `master_bytes` of a wide copy of the weight,
    `gradient_bytes` of its gradient."""

    name: str
    state_bytes: float
    master_bytes: float
    gradient_bytes: float
    source: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is trained and with which arithmetic, whatever the layout.

    `precision`: bf16, fp16 or fp8, of the matrix products. `weight_bytes`: of the working copy of one parameter, of a frozen one in
    `frozen_bytes`. `sequence`: tokens of a sequence. `global_batch`: sequences of one optimiser step. `kernels`: how far the framework
    joins elementwise kernels. `rank` and `adapted`: of low-rank adapters, and the share of the layers' matrices that have one.
    `flash`: attention keeps no scores. `dropout`: masks are kept, as in Korthikanti et al. (2022).
    """

    method: Method
    optimizer: Optimizer
    sequence: int
    global_batch: int
    precision: str = "bf16"
    kernels: Kernels = "compiled"
    weight_bytes: float = 2.0
    frozen_bytes: float = 2.0
    rank: int = 16
    adapted: float = 1.0
    flash: bool = True
    dropout: bool = False

    def __post_init__(self) -> None:
        if self.sequence < 1 or self.global_batch < 1:
            raise BadInput(f"sequence {self.sequence:,}, global batch {self.global_batch:,}; both must be at least 1")

    @property
    def step_tokens(self) -> int:
        """Tokens of one optimiser step."""
        return self.sequence * self.global_batch


@dataclass(frozen=True, slots=True)
class TrainingLayout:
    """data x tensor x pipeline cards. `zero`: what data-parallel ranks share out: nothing, optimiser, and gradients, and weights (FSDP).

    `micro_batch`: sequences that a replica computes at once; `accumulation`: micro-batches of a replica in one optimiser step.
    `gathers`: times that sharded weights are gathered in a micro-batch: 2 (for forward and for backward), 1 when they are kept between.
    `interleave`: pieces of the model that one pipeline stage holds (interleaved 1F1B; Narayanan et al. 2021), 1 for plain 1F1B.
    """

    accelerator: str
    data_parallel: int = 1
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    zero: int = 0
    micro_batch: int = 1
    accumulation: int = 1
    recompute: Recompute = "none"
    offload: Offload = "none"
    gathers: int = 2
    interleave: int = 1

    def __post_init__(self) -> None:
        for name in ("data_parallel", "tensor_parallel", "pipeline_parallel", "micro_batch", "accumulation", "interleave"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.zero not in ZEROS:
            raise BadInput(f"zero is {self.zero}; it must be one of 0, 1, 2, 3")
        if self.cards > MAX_CARDS:
            raise BadInput(f"the layout has {self.cards:,} cards; at most {MAX_CARDS:,} are modelled")

    @property
    def model_parallel(self) -> int:
        return self.tensor_parallel * self.pipeline_parallel

    @property
    def cards(self) -> int:
        return self.data_parallel * self.model_parallel

    def degrees(self) -> str:
        """`DP8 TP4 PP2v3 ZeRO-1`, the short name of the split; v: interleaved pieces of a stage."""
        named = (("DP", self.data_parallel), ("TP", self.tensor_parallel), ("PP", self.pipeline_parallel))
        parts = [f"{name}{value}" for name, value in named if value > 1]
        if self.interleave > 1:
            parts[-1] += f"v{self.interleave}"
        if self.zero and self.data_parallel > 1:
            parts.append("FSDP" if self.zero == 3 else f"ZeRO-{self.zero}")
        return " ".join(parts) or "one card"


@dataclass(frozen=True, slots=True)
class TrainingMemory:
    """Bytes of the fullest card by what takes them. `free` is what is left: negative when the rest does not fit; all sum to `usable`.

    `host_bytes`: what lies in the host's memory instead, per card (offload).
    """

    usable: float
    weights: float
    gradients: float
    optimizer: float
    activations: float
    buffers: float
    context: float
    host_bytes: float = 0.0

    @property
    def used(self) -> float:
        return self.weights + self.gradients + self.optimizer + self.activations + self.buffers + self.context

    @property
    def free(self) -> float:
        return self.usable - self.used

    @property
    def fits(self) -> bool:
        return self.free >= 0

    @property
    def shortfall_bytes(self) -> float:
        return max(0.0, -self.free)

    @property
    def parts(self) -> tuple[tuple[str, float], ...]:
        """Name and bytes of every part; they sum to `usable`."""
        names = ("weights", "gradients", "optimizer", "activations", "buffers", "context", "free")
        return tuple((name, getattr(self, name)) for name in names)


@dataclass(frozen=True, slots=True)
class MemoryRules:
    """What a framework takes besides the model. `context_bytes`: runtime and kernels; `collective_bytes`: as soon as ranks talk;
    `slack_share`: of the card, lost to fragments; `bucket_bytes`: gradients on their way (ZeRO 0 to 2); `gathered_layers`: layers whose
    weights are whole at once (FSDP); `logit_bytes`: a logit and what the loss makes of it, by kernels."""

    context_bytes: float
    collective_bytes: float
    slack_share: float
    bucket_bytes: float
    gathered_layers: float
    logit_bytes: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TrainingEfficiency:
    """Fitted constants of one stack, one value a slot. Shares are of the specified rate; seconds are per occurrence.

    gemm: share of the 16-bit peak of wide products. flops_per_joule: 16-bit FLOP that the card's power limit pays for, per joule.
    eight_bit: rate of 8-bit products relative to the ratio of the peaks. half_width: width of a matrix at which products reach half.
    half_rows: rows of a product at which they do. attention: share of the 16-bit peak, per causal FLOP of forward and backward.
    bandwidth: share of the memory bandwidth. passes: memory traffic between products relative to the count in laws/training.py.
    logit_traffic: bytes that a logit moves, forward and backward.
    cast_passes: reads and writes of a product's input that 8-bit scaling adds. adapter_passes: the same for low-rank adapters.
    layer_seconds: host time to launch one layer, forward and backward. step_seconds: host time of an optimiser step.
    nvlink, pcie, host_pcie, network: share of the link's bytes/s that collectives reach, by what carries them.
    exposed: share of sharded-data traffic that computing does not hide. tensor_exposed: the same of tensor-parallel all-reduces.
    hop_seconds: latency of one hop of a collective. straggling: step time lost per doubling of machines. offload: share of the host link.
    """

    gemm: float
    flops_per_joule: float
    eight_bit: float
    half_width: float
    half_rows: float
    attention: float
    bandwidth: float
    passes: float
    logit_traffic: float
    cast_passes: float
    adapter_passes: float
    layer_seconds: float
    step_seconds: float
    nvlink: float
    pcie: float
    host_pcie: float
    network: float
    exposed: float
    tensor_exposed: float
    hop_seconds: float
    straggling: float
    offload: float


SLOTS = tuple(field.name for field in fields(TrainingEfficiency))
