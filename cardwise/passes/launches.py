"""Kernels that the layers of a step launch, counted in plain dense layers."""

from __future__ import annotations

from cardwise.model import Architecture, LatentCache, Layer, StateCache

LATENT_LAUNCHES, STATE_LAUNCHES = 1.3, 1.3
"""Kernels of a layer with latent attention (two more projections and norms) or a recurrent state (convolution, gates, norm), relative to
one with plain attention.
"""
ROUTED_LAUNCHES = 0.6
"""Kernels that routed experts add to a layer, relative to routed and shared ones: the shared expert's two products, their activation and
the sum are four of about ten."""


def launches(architecture: Architecture, expert_layer: float) -> float:
    """All layers of a model. `expert_layer`: one with routed and shared experts."""
    return sum(_of(layer, expert_layer) for layer in architecture.layers)


def _of(layer: Layer, expert_layer: float) -> float:
    kind = {LatentCache: LATENT_LAUNCHES, StateCache: STATE_LAUNCHES}.get(type(layer.mixer.cache), 1.0)
    if layer.feed_forward.kind != "experts":
        return layer.count * kind
    shared = any(matrix.part == "shared" for matrix in layer.feed_forward.matrices)
    return layer.count * (kind + (expert_layer - 1.0) * (1.0 if shared else ROUTED_LAUNCHES))
