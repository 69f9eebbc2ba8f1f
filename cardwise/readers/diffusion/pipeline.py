"""The components of a pipeline and what its class does around them -> Pipeline.

`rule` has what no component says: which of them encode, denoise and decode, tokens of a prompt, passes of a step, sizes, defaults. Sizes
and frames may be numbers or references such as `unet.sample_size`, in latents of that component's configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from cardwise.errors import BadFile
from cardwise.network import Autoencoder
from cardwise.pipeline import Denoiser, Encoder, Pipeline
from cardwise.readers.diffusion.changed import of_one_picture, unstored
from cardwise.readers.diffusion.components import NEXT, read_autoencoder, read_denoiser, read_encoder
from cardwise.readers.fields import Fields

TASKS = ("image", "video")
MOST_TOKENS, MOST_STEPS, MOST_PIXELS, MOST_FRAMES = 2**20, 10_000, 2**16, 2**16


def read_pipeline(id: str, components: Mapping[str, Fields], rule: Fields) -> Pipeline:
    """The pipeline whose `components` are given by the names that its class uses. Raises CardwiseError in one line."""
    task = rule.text("task")
    if task not in TASKS:
        raise rule.bad(f"field task is {task[:40]!r}; it must be image or video")
    autoencoder = _autoencoder(rule, components)
    denoisers = tuple(_denoisers(rule, components, autoencoder))
    guidance = rule.number("guidance", high=100)
    return Pipeline(
        id=id,
        task=task,
        name=rule.text("name", default=id.rsplit("/", 1)[-1]),
        encoders=tuple(_encoders(rule, components, autoencoder)),
        denoisers=denoisers,
        autoencoder=autoencoder,
        prompt_tokens=rule.integer("prompt_tokens", low=0, high=MOST_TOKENS),
        steps=rule.integer("steps", high=MOST_STEPS),
        guidance=guidance,
        passes=passes_of(rule, components, guidance),
        width=_size(rule, components, "width", autoencoder.side, MOST_PIXELS),
        height=_size(rule, components, "height" if rule.has("height") else "width", autoencoder.side, MOST_PIXELS),
        frames=_size(rule, components, "frames", 1, MOST_FRAMES) if task == "video" else 1,
        fps=rule.number("fps", high=1000) if rule.has("fps") else None,
        multiple=rule.integer("multiple", default=8, high=1024),
        frame_multiple=autoencoder.stride if task == "video" and autoencoder.stride > 1 else 0,
        max_frames=rule.integer("max_frames", high=MOST_FRAMES) if rule.has("max_frames") else None,
        source=rule.text("source", default=rule.source),
        notes=rule.text("notes", default=""),
        checkpoint=rule.text("checkpoint", default=""),
        passes_apart=rule.flag("passes_apart"),
    )


def needed(rule: Fields, name: str, components: Mapping[str, Fields]) -> Fields:
    """A component that the pipeline cannot do without."""
    if name not in components:
        raise BadFile(f"{rule.source}: the component {name} is missing; give all of the pipeline, or {NEXT}")
    return components[name]


def names(rule: Fields, key: str) -> Mapping[str, object]:
    """A table of `rule` that says something of components by name; empty without."""
    table = rule.sub(key)
    return table.values if table is not None else {}


def _autoencoder(rule: Fields, components: Mapping[str, Fields]) -> Autoencoder:
    """Its field force_upcast is obeyed by some classes only."""
    read = read_autoencoder(needed(rule, rule.text("autoencoder", default="vae"), components))
    return replace(read, upcast=read.upcast and rule.flag("upcasts"))


def _denoisers(rule: Fields, components: Mapping[str, Fields], autoencoder: Autoencoder) -> Iterator[Denoiser]:
    """The networks of the steps. A second one of two that share them may be absent (Wan 2.1 has one, 2.2 two)."""
    listed = rule.sub("denoisers")
    if listed is None:
        raise rule.bad("field denoisers is missing")
    present = [name for i, name in enumerate(listed.values) if not i or name in components]
    shares = _boundary(rule, components) if len(present) == 2 else None
    for i, name in enumerate(present):
        network = read_denoiser(needed(rule, name, components), autoencoder.side, autoencoder.stride)
        yield Denoiser(name, network, shares[i] if shares else listed.number(name, high=1.0))


def _boundary(rule: Fields, components: Mapping[str, Fields]) -> tuple[float, float] | None:
    """Shares of the steps of two experts: the first until the noise falls below `boundary_ratio` of the schedule.

    Noise after a shift s of the schedule is s t / (1 + (s - 1) t) for t from 1 to 0 in equal steps (diffusers,
    FlowMatchEulerDiscreteScheduler), so that it falls below b at t = b / (s - (s - 1) b).
    """
    places = [rule, *(components[name] for name in ("model_index", "scheduler") if name in components)]
    boundary = next((fields.number("boundary_ratio", high=1.0) for fields in places if fields.has("boundary_ratio")), None)
    if boundary is None:
        return None
    shift = next((fields.number("flow_shift", "shift", low=0.01) for fields in places if fields.has("flow_shift", "shift")), 1.0)
    low = boundary / (shift - (shift - 1.0) * boundary)
    return 1.0 - low, low


def _encoders(rule: Fields, components: Mapping[str, Fields], autoencoder: Autoencoder) -> Iterator[Encoder]:
    """Encoders of the prompt, of a first picture, and the autoencoder's own half where the pipeline starts from pixels."""
    listed = rule.sub("encoders")
    for name in listed.values if listed else ():
        if name in components and listed is not None:
            yield Encoder(name, read_encoder(components[name]), listed.integer(name, low=0, high=MOST_TOKENS))
    for name in rule.texts("picture_encoders") or ():
        if name in components:
            yield Encoder(name, read_encoder(components[name]), 0, guided=False)
    pixels = rule.text("encodes", default="")
    if pixels not in ("", "picture", "video"):
        raise rule.bad(f"field encodes is {pixels[:40]!r}; it must be picture or video")
    if pixels:
        half = unstored(autoencoder.encoder)
        yield Encoder("vae encoder", of_one_picture(half) if pixels == "picture" else half, 0, guided=False)


def passes_of(rule: Fields, components: Mapping[str, Fields], guidance: float) -> int:
    """Network passes a step: as `passes` says with guidance above `unguided`, one below, and one where a distilled model's field is set."""
    passes = rule.integer("passes", low=1, high=8)
    for reference in rule.texts("one_pass_where") or ():
        component, _, field = reference.partition(".")
        if component in components and components[component].get(field):
            return 1
    return passes if guidance > rule.number("unguided", default=1.0) else 1


def _size(rule: Fields, components: Mapping[str, Fields], name: str, scale: int, most: int) -> int:
    """A number of pixels or frames, or `scale` times a field of a component."""
    value = rule.get(name)
    if not isinstance(value, str):
        return rule.integer(name, high=most)
    component, _, field = value.partition(".")
    fields = needed(rule, component, components)
    if not fields.has(field) and rule.has(f"{name}_else"):
        return rule.integer(f"{name}_else", high=most)
    return scale * fields.integer(field, high=most)
