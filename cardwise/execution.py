"""How a pipeline is run: the software's mode, its number types, what is moved to the host, how it is split. Frozen, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field

OFFLOADS = ("none", "model", "sequential")


@dataclass(frozen=True, slots=True)
class Split:
    """How one run is spread over cards: their number is the product of the degrees.

    `guidance`: the two passes of classifier-free guidance on cards of their own. `ulysses` and `ring`: the sequence, by all-to-all or by
    passing keys and values on. `sharded`: weights are kept in shares and gathered block by block (FSDP).
    """

    guidance: int = 1
    ulysses: int = 1
    ring: int = 1
    sharded: bool = False

    @property
    def sequence(self) -> int:
        """Cards that share one sequence."""
        return self.ulysses * self.ring

    @property
    def cards(self) -> int:
        return self.guidance * self.sequence


@dataclass(frozen=True, slots=True)
class Execution:
    """One way to run a pipeline.

    `mode`: eager (the host launches every kernel), compiled (kernels are fused and replayed: torch.compile, stable-fast), built (an engine
    is built ahead: TensorRT, AITemplate, Core ML). `attention`: fused (never writes scores) or unfused. `precision`: arithmetic of all
    that is not quantised. `weights`: how the denoiser's matrices are stored, and `encoder_weights` the large text encoder's.
    `unpacking`: how stored weights become operands; empty: they are multiplied as they are. `offload`: components (model) or layers
    (sequential) wait in host memory. `decoder`: whole, sliced (one picture at a time) or tiled; `decoder_precision`: its own arithmetic
    where it has one. `kept`: number type in which unquantised weights stay where that is not the run's (runs under autocast).
    """

    engine: str
    version: str = ""
    mode: str = "eager"
    attention: str = "fused"
    precision: str = "fp16"
    weights: str = "fp16"
    encoder_weights: str = "fp16"
    unpacking: str = ""
    offload: str = "none"
    encoders_on_host: bool = False
    decoder: str = "whole"
    decoder_precision: str = ""
    kept: str = ""
    split: Split = field(default_factory=Split)
