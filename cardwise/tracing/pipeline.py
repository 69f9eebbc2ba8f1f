"""`cardwise trace`: all components of a pipeline as they run, written down or compared with the readers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cardwise.catalogue import pipelines
from cardwise.errors import NotSupported
from cardwise.laws.network import launches, network_flops
from cardwise.network import Autoencoder, Canvas, Network
from cardwise.passes.pipelines import pipeline
from cardwise.readers.diffusion.directory import holds_pipeline, read_components, read_folder
from cardwise.readers.diffusion.pipeline import passes_of
from cardwise.readers.fields import Fields
from cardwise.tracing.build import check_installed, quiet, versions
from cardwise.tracing.facts import component_table, facts_text
from cardwise.tracing.inputs import Latent
from cardwise.tracing.trace import trace_autoencoder, trace_denoiser, trace_encoder

NOTE = "traced: tensors that are held beside an operator are not known, so that activations may take more memory than said"
CHECKED = ((1024, 768), (768, 1280))
"""Canvases of a comparison, other than those that extents are inferred from."""
CHECKED_FRAMES = 13  # fewer than the windows of any autoencoder, whose overlaps are not traced


@dataclass(frozen=True, slots=True)
class Source:
    """What is traced: components by name and class, and the rule of the pipeline's class."""

    id: str
    pipeline_class: str
    components: Mapping[str, Mapping[str, object]]
    rule: Mapping[str, object]

    @property
    def video(self) -> bool:
        return self.rule.get("task") == "video"

    @property
    def autoencoder(self) -> str:
        return str(self.rule.get("autoencoder", "vae"))


def source_of(name: str, like: str = "") -> Source:
    """A folder with model_index.json, a folder of components' configurations, or a pipeline of the catalogue.

    `like`: the class whose rule holds where the folder's own has none or none is said.
    """
    path = Path(name).expanduser()
    if holds_pipeline(path):
        folder = read_folder(path)
        return _ruled(path.parent if path.is_file() else path, like or folder.pipeline_class, folder.components)
    if path.is_dir():
        components = read_components(path)
        if components:
            return _ruled(path, like, components)
    facts = pipelines.pipeline_facts(name)
    return Source(facts.id, facts.pipeline_class, facts.components, facts.rule)


def _ruled(path: Path, name: str, components: Mapping[str, Fields]) -> Source:
    rule = pipelines.class_rule(name)
    if rule is None:
        said = f"no rule for the pipeline class {name[:60]}" if name else "no model_index.json says its class"
        classes = ", ".join(pipelines.known_classes())
        raise NotSupported(f"{path}: {said}; say --like with the class whose run is nearest: {classes}")
    return Source(path.resolve().name, name, {key: fields.values for key, fields in components.items()}, rule)


def traced(source: Source) -> Iterator[tuple[str, Network | Autoencoder]]:
    """Every component that runs, one after the other: the autoencoder first, which says what a latent stands for. Raises NotSupported."""
    check_installed()
    quiet()
    name = source.autoencoder
    decoder = trace_autoencoder(_fields(source, name), f"{source.id} {name}", source.video)
    yield name, decoder
    latent = Latent(decoder.side, decoder.stride, decoder.channels)
    for name in _names(source, "denoisers"):
        if name in source.components:
            yield name, trace_denoiser(_fields(source, name), latent, f"{source.id} {name}")
    for name in (*_names(source, "encoders"), *_names(source, "picture_encoders")):
        if name in source.components:
            yield name, trace_encoder(_fields(source, name), f"{source.id} {name}")


def _names(source: Source, key: str) -> tuple[str, ...]:
    listed = source.rule.get(key) or ()
    return tuple(listed) if isinstance(listed, (list, tuple, dict)) else ()


def _fields(source: Source, name: str) -> Mapping[str, object]:
    if name not in source.components:
        raise NotSupported(f"{source.id}: the component {name} is missing; give the whole folder of the pipeline")
    return source.components[name]


def written_facts(source: Source, told: Callable[[str], None] = lambda _: None) -> str:
    """The traced pipeline as a file of facts. `told`: hears of each component when it is done."""
    check_installed()
    where = f"traced without weights: {versions()}"
    tables: dict[str, Mapping[str, object]] = {}
    latent = 1
    for name, part in traced(source):
        latent = part.side if isinstance(part, Autoencoder) else latent
        tables[name] = component_table(part, str(source.components[name]["_class_name"]), where)
        told(f"{name}: {part.parameters:,} parameters")
    head = f"{source.id} as its components run on torch's meta device: cardwise --facts reads it. Numbers of the run may be edited."
    run = {"class": source.pipeline_class, **_run_of(source, latent), "source": where, "notes": NOTE}
    return facts_text(source.id, run, tables, head)


def _run_of(source: Source, latent: int) -> dict[str, object]:
    """The rule with numbers in place of references to fields, which a list of operators does not have. `latent`: pixels of a latent."""
    rule, places = Fields(source.rule, source.id), {name: Fields(values, name) for name, values in source.components.items()}
    found = {key: value for key, value in source.rule.items() if key not in ("source", "notes", "one_pass_where")}
    found["passes"] = passes_of(rule, places, rule.number("guidance"))
    for key, scale in (("width", latent), ("height", latent), ("frames", 1)):
        value = source.rule.get(key)
        if isinstance(value, str):
            component, _, field = value.partition(".")
            stated = source.components.get(component, {}).get(field)
            found[key] = scale * stated if isinstance(stated, int) else rule.integer(f"{key}_else")
    for name in ("model_index", "scheduler"):
        found |= {key: places[name].get(key) for key in ("boundary_ratio", "flow_shift") if name in places and places[name].has(key)}
    return found


@dataclass(frozen=True, slots=True)
class Compared:
    """One network: what was read and what was traced; parameters of an autoencoder's halves are those of both, since a codebook belongs to
    neither. `flops`: traced and read on each canvas; `kernels`: in all.
    """

    component: str
    read_parameters: int
    traced_parameters: int
    flops: tuple[tuple[float, float], ...]
    kernels: tuple[float, float]

    @property
    def equal(self) -> bool:
        """Parameters to the digit, FLOPs within half a percent."""
        return self.read_parameters == self.traced_parameters and all(abs(t - r) <= 0.005 * r for t, r in self.flops)


def compared(name: str) -> Iterator[Compared]:
    """The readers' networks of a pipeline beside the traced ones."""
    source, read = source_of(name), pipeline(name)
    frames = CHECKED_FRAMES if source.video else 1
    made = {denoiser.name: denoiser.network for denoiser in read.denoisers}
    tokens = {encoder.name: encoder.tokens for encoder in read.encoders}
    made |= {encoder.name: encoder.network for encoder in read.encoders}
    for component, part in traced(source):
        if isinstance(part, Autoencoder):
            halves = ((part.encoder, read.autoencoder.encoder), (part.decoder, read.autoencoder.decoder))
            for half, (mine, other) in zip(("encoder", "decoder"), halves, strict=True):
                found = _compare(f"{component} {half}", mine, other, frames)
                yield replace(found, read_parameters=read.autoencoder.parameters, traced_parameters=part.parameters)
        else:
            yield _compare(component, part, made[component], frames, tokens.get(component, read.prompt_tokens))


def _compare(component: str, found: Network, read: Network, frames: int, tokens: int = 0) -> Compared:
    places = [Canvas(width, height, frames, tokens) for width, height in CHECKED]
    flops = tuple((network_flops(found, place), network_flops(read, place)) for place in places)
    kernels = tuple(sum(launches(op) for op in network.ops) for network in (found, read))
    return Compared(component, read.parameters, found.parameters, flops, (kernels[0], kernels[1]))
