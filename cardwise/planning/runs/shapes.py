"""How a pipeline of images or video was read: components, parameters, work of one pass at its own size."""

from __future__ import annotations

from dataclasses import dataclass

from cardwise.catalogue.pipelines import listed_pipelines
from cardwise.laws.network import launches, network_flops
from cardwise.network import Network
from cardwise.passes.pipelines import pipeline
from cardwise.pipeline import Job, Pipeline


@dataclass(frozen=True, slots=True)
class ComponentShape:
    """One component: its class, parameters, FLOPs and kernels of one pass of one sample, and passes of a run at default settings."""

    name: str
    network: str
    parameters: int
    flops: float
    kernels: float
    passes: float


@dataclass(frozen=True, slots=True)
class PipelineShape:
    """A pipeline with its components in the order in which they run."""

    pipeline: Pipeline
    components: tuple[ComponentShape, ...]


@dataclass(frozen=True, slots=True)
class KnownPipeline:
    """One line of the list of pipelines."""

    id: str
    aliases: tuple[str, ...]
    task: str
    parameters: int
    width: int
    height: int
    frames: int
    steps: int


def pipeline_shape(name: str) -> PipelineShape:
    """The shape of a pipeline by name or path. Raises CardwiseError."""
    found = pipeline(name)
    job = Job(found.width, found.height, found.steps, found.passes, found.frames)
    guided = min(found.passes, 2)

    def component(name: str, network: Network, tokens: int, parameters: int, passes: float) -> ComponentShape:
        work = network_flops(network, job.canvas(tokens))
        return ComponentShape(name, network.name, parameters, work, sum(launches(op) for op in network.ops), passes)

    parts = [component(e.name, e.network, e.tokens, e.network.parameters, guided if e.guided else 1) for e in found.encoders]
    parts += [
        component(d.name, d.network, found.prompt_tokens, d.network.parameters, found.steps * found.passes * d.share)
        for d in found.denoisers
    ]
    parts.append(component("vae", found.autoencoder.decoder, 0, found.autoencoder.parameters, 1))
    return PipelineShape(found, tuple(parts))


def known_pipelines(query: str = "") -> tuple[KnownPipeline, ...]:
    """Pipelines of the catalogue whose id or alias has every word of `query`."""
    wanted = query.lower().split()
    found = []
    for entry in listed_pipelines():
        if not all(any(word in name.lower() for name in (entry.id, *entry.aliases)) for word in wanted):
            continue
        made = pipeline(entry.id)
        found.append(KnownPipeline(entry.id, entry.aliases, made.task, made.parameters, made.width, made.height, made.frames, made.steps))
    return tuple(found)
