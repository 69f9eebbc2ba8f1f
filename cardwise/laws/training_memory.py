"""Memory of training on one card: states by ZeRO stage, activations by layer. Pure: facts come as arguments.

States: Rajbhandari et al., "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models" (2020), section 3 and figure 1.
Activations: Korthikanti et al., "Reducing Activation Recomputation in Large Transformer Models" (2022), sections 4 and 5, here summed
over the matrices of any architecture; for a GPT layer with dropout they give its 34 s b h and 5 a s^2 b.
"""

from __future__ import annotations

from dataclasses import dataclass

from cardwise.model import Architecture, Layer
from cardwise.training import MemoryRules, Recipe, TrainingLayout, TrainingMemory

BYTES = 2.0
"""Bytes of an activation and of a working gradient."""
SCORE_BYTES, SCORE_MASK_BYTES = 4.0, 1.0
"""Of attention without flash, per head, query and key: scores and their softmax in 16 bit, and a dropout mask."""
JOINED = {"qkv_proj": 3, "qkv_a_proj": 2, "gate_up_proj": 2}
"""Matrices of an architecture that stand for several of the model."""
GRADIENTS_OFF, WEIGHTS_OFF = ("states", "all"), ("all",)


@dataclass(frozen=True, slots=True)
class States:
    """Bytes on one card."""

    weights: float
    gradients: float
    optimizer: float

    @property
    def total(self) -> float:
        return self.weights + self.gradients + self.optimizer


def state_bytes(
    parameters: float, weight_bytes: float, gradient_bytes: float, optimizer_bytes: float, zero: int = 0, ranks: int = 1
) -> States:
    """Weights, gradients and optimiser of `parameters` on each of `ranks` data-parallel cards.

    Stage 1 shares out the optimiser, 2 the gradients too, 3 the weights too. In mixed precision with Adam 2 + 2 + 12 bytes a parameter.
    """
    return States(
        parameters * weight_bytes / (ranks if zero >= 3 else 1),
        parameters * gradient_bytes / (ranks if zero >= 2 else 1),
        parameters * optimizer_bytes / (ranks if zero >= 1 else 1),
    )


def adapter_parameters(architecture: Architecture, rank: int, adapted: float = 1.0) -> float:
    """Parameters of low-rank adapters: rank x (inputs + outputs) of each matrix of the layers (Hu et al. 2021), `adapted` of them.

    Matrices that are stored joined have an adapter for each of their parts; routers have none.
    """
    total = 0.0
    for matrix, count in architecture.matrices():
        if matrix.part != "router":
            parts = next((number for name, number in JOINED.items() if matrix.name.endswith(name)), 1)
            total += rank * (parts * matrix.inputs + matrix.outputs) * matrix.copies * count
    return adapted * total


def trained_parameters(architecture: Architecture, recipe: Recipe) -> float:
    """Parameters that have gradients."""
    return float(architecture.parameters) if recipe.method == "full" else adapter_parameters(architecture, recipe.rank, recipe.adapted)


def layer_elements(layer: Layer, hidden: int, recipe: Recipe, selective: bool = False) -> float:
    """16-bit elements that one layer keeps of one token for the backward pass.

    Inputs of the two norms and of the two blocks (4 h), queries, keys, values and the attention's output, the inputs of activation and
    down projection; an eager gate keeps its own output besides. A routed token is kept once for every expert that it goes to. Dropout keeps
    two masks of a byte a hidden value, attention without flash the scores. `selective` keeps no scores; where flash attention keeps none
    anyway, it keeps no outputs of norms and activations: both are cheap to make again.
    """
    mixer, ff = layer.mixer, layer.feed_forward
    lean = selective and recipe.flash
    elements = (2.0 if lean else 4.0) * hidden
    elements += sum(m.outputs * m.copies for m in mixer.matrices if m.shard != "row")
    elements += sum(m.inputs * m.copies for m in mixer.matrices if m.shard == "row")
    for matrix in ff.matrices:
        used = ff.top_k if matrix.part == "experts" else matrix.copies
        if matrix.shard != "row":
            elements += used * matrix.outputs
        elif not lean:
            elements += used * matrix.inputs * (2.0 if ff.gated and recipe.kernels == "eager" else 1.0)
        if matrix.part == "experts" and matrix.shard == "row":
            elements += 2.0 * used * hidden
    if recipe.dropout:
        elements += 2.0 * hidden / BYTES
    if mixer.heads and not recipe.flash and not selective:
        elements += mixer.heads * recipe.sequence * (SCORE_BYTES + (SCORE_MASK_BYTES if recipe.dropout else 0.0)) / BYTES
    return elements


def activation_bytes(
    architecture: Architecture, recipe: Recipe, layout: TrainingLayout, logit_bytes: float, in_flight: int | None = None
) -> float:
    """Bytes of activations on the first stage, or the last with its logits, whichever is more.

    With tensor parallelism all is cut by it (sequence parallelism). `none`: every layer keeps all. `selective`: see `layer_elements`.
    `full`: a layer keeps its input, and one layer at a time all. A stage holds up to `in_flight` micro-batches: as many as there are
    stages behind it (1F1B), and (p - 1) / (p v) more of them where a stage has v pieces (Korthikanti et al., section 4.2.3).
    """
    stages = layout.pipeline_parallel
    tokens = layout.micro_batch * recipe.sequence / layout.tensor_parallel
    held = float(min(stages, layout.accumulation) if in_flight is None else in_flight)
    if layout.interleave > 1:
        held *= 1 + (stages - 1) / (stages * layout.interleave)
    selective = layout.recompute == "selective"
    whole = {id(layer): layer_elements(layer, architecture.hidden, recipe, selective) for layer in architecture.layers}
    widest = max(whole.values())
    if layout.recompute == "full":
        kept = architecture.layer_count * architecture.hidden / stages
        working = widest
    else:
        kept = sum(whole[id(layer)] * layer.count for layer in architecture.layers) / stages
        working = 0.0
    logits = tokens * architecture.vocabulary * logit_bytes
    first = tokens * BYTES * (kept * held + working)
    last = tokens * BYTES * (kept + working) + logits
    return max(first, last) if stages > 1 else last


def training_memory(
    architecture: Architecture, recipe: Recipe, layout: TrainingLayout, usable_bytes: float, rules: MemoryRules
) -> TrainingMemory:
    """The fullest card. Parts sum to `usable_bytes`; `free` is negative when they do not fit."""
    cut = layout.model_parallel
    whole, trained = architecture.parameters / cut, trained_parameters(architecture, recipe) / cut
    optimizer = recipe.optimizer
    extra = optimizer.state_bytes + optimizer.master_bytes
    states = state_bytes(trained, recipe.weight_bytes, optimizer.gradient_bytes, extra, layout.zero, layout.data_parallel)
    if recipe.method != "full":
        frozen = state_bytes(whole, recipe.frozen_bytes, 0.0, 0.0, layout.zero, layout.data_parallel)
        states = States(states.weights + frozen.weights, states.gradients, states.optimizer)
    off_weights = states.weights if layout.offload in WEIGHTS_OFF else 0.0
    off_gradients = states.gradients if layout.offload in GRADIENTS_OFF else 0.0
    off_optimizer = states.optimizer if layout.offload != "none" else 0.0
    gathered = layout.offload in WEIGHTS_OFF or (layout.zero == 3 and layout.data_parallel > 1)
    buffers = usable_bytes * rules.slack_share
    if layout.cards > 1:
        buffers += rules.collective_bytes
    if gathered:
        buffers += rules.gathered_layers * layer_parameters(architecture) / layout.tensor_parallel * BYTES
    elif layout.data_parallel > 1:
        buffers += min(rules.bucket_bytes, trained * optimizer.gradient_bytes)
    return TrainingMemory(
        usable=usable_bytes,
        weights=states.weights - off_weights,
        gradients=states.gradients - off_gradients,
        optimizer=states.optimizer - off_optimizer,
        activations=activation_bytes(architecture, recipe, layout, rules.logit_bytes[recipe.kernels]),
        buffers=buffers,
        context=rules.context_bytes,
        host_bytes=off_weights + off_gradients + off_optimizer,
    )


def layer_parameters(architecture: Architecture) -> float:
    """Parameters of the largest layer, or of the embedding where that is larger: what a shard group makes whole at once."""
    layers = (sum(m.parameters for m in (*layer.mixer.matrices, *layer.feed_forward.matrices)) for layer in architecture.layers)
    return float(max(*layers, architecture.vocabulary * architecture.hidden))
