"""A layout: which cards, how many, how the model is spread over them, in which formats, under which engine."""

from __future__ import annotations

from dataclasses import dataclass

from cardwise.errors import BadInput

MAX_CARDS = 16_384


@dataclass(frozen=True, slots=True)
class Layout:
    """The unit of every answer.

    `tensor_parallel` x `pipeline_parallel` cards hold one copy of the model; there are `replicas` copies.
    `expert_parallel`: experts are spread whole over this many ranks of the copy (1: they are cut by TP).
    `data_parallel`: attention is replicated over this many groups inside the copy (DP attention); 1 without.
    """

    accelerator: str
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    expert_parallel: int = 1
    data_parallel: int = 1
    replicas: int = 1
    weights: str = "bf16"
    kv: str = "auto"
    engine: str = "vllm"
    engine_version: str = ""

    def __post_init__(self) -> None:
        for name in ("tensor_parallel", "pipeline_parallel", "expert_parallel", "data_parallel", "replicas"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.cards > MAX_CARDS:
            raise BadInput(f"the layout has {self.cards} cards; at most {MAX_CARDS:,} are modelled")

    @property
    def cards_per_replica(self) -> int:
        return self.tensor_parallel * self.pipeline_parallel

    @property
    def cards(self) -> int:
        return self.cards_per_replica * self.replicas

    @property
    def attention_tensor_parallel(self) -> int:
        return max(1, self.tensor_parallel // self.data_parallel)

    def degrees(self) -> str:
        """`TP4 PP2 x2`, the short name of the split."""
        parts = [f"TP{self.tensor_parallel}"] if self.tensor_parallel > 1 else []
        if self.pipeline_parallel > 1:
            parts.append(f"PP{self.pipeline_parallel}")
        if self.expert_parallel > 1:
            parts.append(f"EP{self.expert_parallel}")
        if self.data_parallel > 1:
            parts.append(f"DP{self.data_parallel}")
        if self.replicas > 1:
            parts.append(f"x{self.replicas} replicas")
        return " ".join(parts) or "one card"
