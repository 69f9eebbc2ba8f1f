"""Components -> networks, by running each on a few canvases."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cardwise.errors import CardwiseError, NotSupported
from cardwise.network import Autoencoder, Canvas, Network
from cardwise.tracing.build import block_count, build, parameters
from cardwise.tracing.calls import ConvolutionCall, MatrixCall
from cardwise.tracing.extents import SIDES, STRIDES
from cardwise.tracing.inputs import Latent, denoiser_inputs, encoder_inputs, prompt_limit, zeros
from cardwise.tracing.network import Traced, network_of

UNITS = ((4, 4), (8, 5), (5, 6), (7, 4))
"""Sizes of the canvases in units of 16 latents, in no proportion to each other."""
FRAMES = (25, 25, 49, 49)
TOKENS = (64, 96, 96, 64)


PICTURES_AS_VIDEO = frozenset({"AutoencoderKLQwenImage"})
PROBE = Canvas(512, 512, 25)
"""Where an autoencoder is asked what its latents stand for."""


def canvases(latent: Latent, tokens: tuple[int, ...] = TOKENS) -> tuple[Canvas, ...]:
    """Where a network is run. Width, height, frames and prompt change independently."""
    unit = 16 * latent.side
    frames = FRAMES if latent.stride else (1,) * len(UNITS)
    return tuple(Canvas(w * unit, h * unit, f, p) for (w, h), f, p in zip(UNITS, frames, tokens, strict=True))


def trace_encoder(fields: Mapping[str, object], place: str) -> Network:
    """A text or image encoder, on prompts of several lengths."""
    module = build(fields, place)
    runs = [Canvas(prompt_tokens=tokens) for tokens in (64, 77, 48)]
    traces = [Traced(canvas, _run(module, module, encoder_inputs(module, canvas.prompt_tokens), place)) for canvas in runs]
    return network_of(type(module).__name__, traces, parameters(module), block_count(module))


def trace_denoiser(fields: Mapping[str, object], latent: Latent, place: str) -> Network:
    """A UNet or transformer."""
    module = build(fields, place)
    limit = prompt_limit(module.config)
    runs = canvases(latent, (limit,) * len(UNITS) if limit else TOKENS)
    traces = [Traced(canvas, _run(module, module, denoiser_inputs(module, canvas, latent), place)) for canvas in runs]
    return network_of(type(module).__name__, traces, parameters(module), block_count(module), *_grids(latent))


def _grids(latent: Latent) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Sides and strides in the order in which they are likely: those of the latents first."""
    sides = tuple(latent.side * factor for factor in (1, 2, 4, 8))
    return (*sides, *(s for s in SIDES if s not in sides)), tuple(dict.fromkeys((latent.stride, *STRIDES)))


def trace_autoencoder(fields: Mapping[str, object], place: str, video: bool) -> Autoencoder:
    """Both halves. What a latent stands for is read off the shapes that the encoder makes."""
    module = build(fields, place)
    name = type(module).__name__
    counted, blocks = parameters(module), block_count(module)
    for overlapping in ("use_framewise_encoding", "use_framewise_decoding"):  # windows of which no extent tells how they overlap
        if hasattr(module, overlapping):
            setattr(module, overlapping, False)
    latent = _latent(module, PROBE if video else replace(PROBE, frames=1), video, place)
    runs = canvases(latent)
    encoded = [Traced(canvas, _run(module, module.encode, _pixels(module, canvas, video), place)) for canvas in runs]
    decoded = [Traced(canvas, _run(module, module.decode, _latents(module, canvas, latent), place)) for canvas in runs]
    encoding = _children(encoded[0]) - _children(decoded[0])
    encoder_only = {key: count for key, count in counted.items() if key.partition(".")[0] in encoding}
    rest = {key: count for key, count in counted.items() if key not in encoder_only}
    sides, strides = (1, 2, 4, 8, 16, 32, 64, 0), tuple(dict.fromkeys((latent.stride, 1, *STRIDES)))
    encoder = network_of(f"{name} encoder", encoded, encoder_only, blocks, sides, strides)
    decoder = network_of(f"{name} decoder", decoded, rest, blocks, sides, strides)
    upcast = bool(module.config.get("force_upcast", False))
    return Autoencoder(encoder, decoder, latent.side, latent.stride, latent.channels, upcast=upcast)


def _children(trace: Traced) -> set[str]:
    """The parts of a module, by the first names of the stored tensors that a run multiplies with."""
    return {call.weight.partition(".")[0] for call in trace.calls if isinstance(call, (MatrixCall, ConvolutionCall))}


def _by_frame(module: Any) -> bool:
    """Whether a decoder takes frames as pictures of a batch, as that of Stable Video Diffusion does."""
    return "num_frames" in inspect.signature(module.decode).parameters


def _pixels(module: Any, canvas: Canvas, video: bool) -> dict[str, Any]:
    name = next(iter(inspect.signature(module.encode).parameters))
    if _by_frame(module):  # which encodes one picture
        return {name: zeros(1, 3, canvas.height, canvas.width)}
    return {name: zeros(1, 3, *([canvas.frames] if _deep(module, video) else []), canvas.height, canvas.width)}


def _deep(module: Any, video: bool) -> bool:
    """Whether an autoencoder takes frames beside height and width, as some do for single pictures, too."""
    return video or type(module).__name__ in PICTURES_AS_VIDEO


def _latents(module: Any, canvas: Canvas, latent: Latent) -> dict[str, Any]:
    name = next(iter(inspect.signature(module.decode).parameters))
    height, width = canvas.height // latent.side, canvas.width // latent.side
    if not latent.stride:
        one = [1] if _deep(module, False) else []
        return {name: zeros(1, latent.channels, *one, height, width)}
    frames = int(Canvas(frames=canvas.frames).positions(0, latent.stride))
    if _by_frame(module):
        return {name: zeros(frames, latent.channels, height, width), "num_frames": frames}
    return {name: zeros(1, latent.channels, frames, height, width)}


def _latent(module: Any, canvas: Canvas, video: bool, place: str) -> Latent:
    import torch

    try:
        with torch.no_grad(), torch.device("meta"):
            made = module.encode(**_pixels(module, canvas, video))
    except Exception as error:
        raise _refused(place, error) from error
    tensor = made.latent_dist.mean if hasattr(made, "latent_dist") else made.latents if hasattr(made, "latents") else made.latent
    side = canvas.width // tensor.shape[-1]
    if not video:
        return Latent(side, 0, tensor.shape[1])
    if _by_frame(module):
        return Latent(side, 1, tensor.shape[1])
    return Latent(side, (canvas.frames - 1) // max(tensor.shape[2] - 1, 1), tensor.shape[1])


def _run(module: Any, call: Any, inputs: Mapping[str, Any], place: str) -> Any:
    from cardwise.tracing.recorder import record

    try:
        return record(module, lambda: call(**inputs))
    except CardwiseError:
        raise
    except Exception as error:  # whatever a class says of inputs that it does not take
        raise _refused(place, error) from error


def _refused(place: str, error: Exception) -> NotSupported:
    return NotSupported(f"{place}: does not run without contents: {type(error).__name__}: {str(error)[:200]}")
