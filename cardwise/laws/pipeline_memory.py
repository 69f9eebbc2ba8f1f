"""Memory of a run of a pipeline on one card: weights that stay there and activations, stage by stage. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cardwise.execution import Execution
from cardwise.laws.network_memory import largest_layer_bytes, peak_elements, stored_bytes
from cardwise.network import Canvas, Network
from cardwise.pipeline import Job, Pipeline


@dataclass(frozen=True, slots=True)
class StageMemory:
    """Bytes on one card while a stage runs: weights of all components that are there, its activations, and the rest of the process."""

    name: str
    weights_bytes: float
    activation_bytes: float
    other_bytes: float = 0.0

    @property
    def total_bytes(self) -> float:
        return self.weights_bytes + self.activation_bytes + self.other_bytes


@dataclass(frozen=True, slots=True)
class MemoryRules:
    """How a run keeps its tensors. Bytes of an element: of activations (`width`), of the denoiser's unquantised weights (`kept_width`, 0:
    the same), of quantised matrices of denoiser and large encoder (0: not quantised), of the decoder (`decoder_width`).
    `activation_factor`: bytes alive per byte of the largest operator's tensors; `reserved`: what the allocator holds of activations per
    byte in use; `other_bytes`: what it and the context hold besides. `score_copies`: tensors of scores that unfused attention keeps at
    once. `large_encoder`: parameters beyond which a text encoder counts as large. `loaded_whole`: weights are on the card in `width`
    before they are quantised there. `tile_pixels`: each side of a tile of a decoder that states none.
    """

    width: float
    decoder_width: float
    kept_width: float = 0.0
    denoiser_bytes: float = 0.0
    encoder_bytes: float = 0.0
    large_encoder: int = 0
    activation_factor: float = 1.0
    reserved: float = 1.0
    other_bytes: float = 0.0
    score_copies: float = 2.0
    tile_pixels: int = 512
    loaded_whole: bool = False


@dataclass(frozen=True, slots=True)
class _Component:
    stage: str
    weights_bytes: float
    layer_bytes: float
    activation_bytes: float


def stage_memory(pipeline: Pipeline, job: Job, execution: Execution, rules: MemoryRules) -> tuple[StageMemory, ...]:
    """The stages encode, denoise and decode, each with the most that it takes.

    Offload none: all weights stay. model: those of the component that runs. sequential: those of its largest layer.
    """
    components = list(_components(pipeline, job, execution, rules))
    everything = sum(c.weights_bytes for c in components)
    stages: dict[str, StageMemory] = {}
    for c in components:
        kept = {"none": everything, "model": c.weights_bytes, "sequential": c.layer_bytes}[execution.offload]
        found = StageMemory(c.stage, kept, c.activation_bytes * rules.reserved, rules.other_bytes)
        if c.stage not in stages or found.total_bytes > stages[c.stage].total_bytes:
            stages[c.stage] = found
    if rules.loaded_whole:
        whole = stage_memory(pipeline, job, execution, replace(rules, denoiser_bytes=0.0, encoder_bytes=0.0, loaded_whole=False))
        stages["load"] = StageMemory("load", whole[0].weights_bytes, 0.0, rules.other_bytes)
    return tuple(stages.values())


def samples(pipeline: Pipeline, job: Job, execution: Execution) -> tuple[float, float]:
    """Samples that one card denoises at once, and passes one after the other that a step takes."""
    passes = job.passes / min(execution.split.guidance, job.passes)
    return (float(job.batch), passes) if pipeline.passes_apart else (job.batch * passes, 1.0)


def peak(stages: tuple[StageMemory, ...]) -> StageMemory:
    """The stage that takes most."""
    return max(stages, key=lambda stage: stage.total_bytes)


def _components(pipeline: Pipeline, job: Job, execution: Execution, rules: MemoryRules) -> Iterator[_Component]:
    fused = execution.attention == "fused"
    split = execution.split
    shards = split.cards if split.sharded else 1
    for encoder in pipeline.encoders:
        large = encoder.network.parameters > rules.large_encoder
        if execution.encoders_on_host and large:
            continue
        weights = stored_bytes(encoder.network, rules.width, rules.encoder_bytes if large else 0.0) / (shards if large else 1)
        canvas, batch = job.canvas(encoder.tokens), job.batch * (min(job.passes, 2) if encoder.guided else 1)
        layer = largest_layer_bytes(encoder.network, rules.width, rules.encoder_bytes if large else 0.0)
        yield _Component("encode", weights, layer, _alive(encoder.network, canvas, batch, fused, rules.width, rules))
    together = samples(pipeline, job, execution)[0] / split.sequence
    for denoiser in pipeline.denoisers:
        weights = stored_bytes(denoiser.network, rules.kept_width or rules.width, rules.denoiser_bytes) / shards
        alive = _alive(denoiser.network, job.canvas(pipeline.prompt_tokens), together, fused, rules.width, rules)
        layer = largest_layer_bytes(denoiser.network, rules.kept_width or rules.width, rules.denoiser_bytes)
        yield _Component("denoise", weights, layer, alive)
    yield _decoder(pipeline, job, execution, rules, fused)


def _decoder(pipeline: Pipeline, job: Job, execution: Execution, rules: MemoryRules, fused: bool) -> _Component:
    autoencoder, canvas = pipeline.autoencoder, job.canvas()
    batch = job.batch if execution.decoder == "whole" else 1
    if execution.decoder == "sliced" and not autoencoder.tiles:
        canvas = replace(canvas, frames=1)  # decode_chunk_size of Stable Video Diffusion
    if execution.decoder == "tiled":
        width, height = (side or rules.tile_pixels for side in autoencoder.tile)
        canvas = replace(canvas, width=min(canvas.width, width), height=min(canvas.height, height))
    alive = _alive(autoencoder.decoder, canvas, batch, fused, rules.decoder_width, rules)
    pixels = 3.0 * job.width * job.height * job.frames * job.batch * rules.decoder_width
    layer = largest_layer_bytes(autoencoder.decoder, rules.decoder_width)
    return _Component("decode", autoencoder.parameters * rules.decoder_width, layer, alive + pixels)


def _alive(network: Network, canvas: Canvas, batch: float, fused: bool, width: float, rules: MemoryRules) -> float:
    copies = 0.0 if fused else rules.score_copies
    return peak_elements(network, canvas, batch, score_copies=copies) * width * rules.activation_factor
