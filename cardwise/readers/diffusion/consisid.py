"""ConsisIDTransformer3DModel of diffusers -> `Network`: CogVideoX whose blocks look at a face, too.

Every pass makes 32 tokens of a face from five layers of a vision transformer and an identity vector; every second block attends to them.
Both attentions are written out: scaling of queries and keys, scores, softmax in float32. Source: diffusers 0.42.1,
consisid_transformer_3d.py.
"""

from __future__ import annotations

from dataclasses import replace

from cardwise.network import ONE, Attention, Extent, Linear, Network, Op, Pointwise, grid
from cardwise.readers.diffusion.cogvideox import read_cogvideox_transformer
from cardwise.readers.diffusion.video_blocks import NORMS, weights
from cardwise.readers.fields import Fields

FACE = "face"
CROSS = "cross-attention"
VIT_TOKENS = 577  # of EVA02-CLIP-L-14-336, whose features the pipeline gives: (336 / 14)^2 patches and one for the whole


def read_consisid_transformer(fields: Fields, side: int, stride: int) -> Network:
    """The transformer; without `is_train_face` it is CogVideoX's."""
    base = read_cogvideox_transformer(fields, side, stride)
    if not fields.flag("is_train_face"):
        return replace(base, name="ConsisIDTransformer3DModel")
    width = fields.integer("num_attention_heads", default=30) * fields.integer("attention_head_dim", default=64)
    video = grid(side * fields.integer("patch_size", default=2), stride)
    ops = (*base.ops, *_extractor(fields), *_looks(fields, video, width))
    return replace(base, name="ConsisIDTransformer3DModel", ops=ops)


def _looks(fields: Fields, video: Extent, width: int) -> tuple[Op, ...]:
    """The video's cross-attention to the face's tokens, as often as blocks are visited, and all of it that is stored."""
    layers, every = fields.integer("num_layers", default=30, high=4096), fields.integer("cross_attn_interval", default=2, high=4096)
    heads, head_dim = fields.integer("cross_attn_num_heads", default=16), fields.integer("cross_attn_dim_head", default=128)
    tokens, keyed, inner = Extent(fixed=float(fields.integer("LFE_num_querie", default=32))), width * 2 // 3, heads * head_dim
    times = layers // every
    if -(-layers // every) != times:
        raise fields.bad(f"cross_attn_interval {every} does not divide the {layers} layers")
    return (
        Pointwise(NORMS, tokens, keyed, times, parameters_each=2 * keyed),
        Pointwise(NORMS, video, width, times, parameters_each=2 * width),
        Linear(f"{CROSS} projections", video, width, inner, times, bias=False),
        Linear(f"{CROSS} projections", tokens, keyed, 2 * inner, times, bias=False),
        Attention(CROSS, video, tokens, heads, head_dim, times),
        *_written_out(video, inner, times),
        Linear(f"{CROSS} projections", video, inner, width, times, bias=False),
        Pointwise(NORMS, video, width, times, passes=5.0, launches=2),
    )


def _written_out(queries: Extent, inner: int, times: int) -> tuple[Op, ...]:
    """Kernels of attention that are not its products: queries scaled and laid out, scores to float32 and back, the output laid out."""
    return (Pointwise(CROSS, queries, inner, times, passes=6.0, launches=7),)


def _extractor(fields: Fields) -> tuple[Op, ...]:
    """LocalFacialExtractor: an identity vector as tokens beside learned ones, which attend to five maps of features in turn."""
    width, identity = fields.integer("LFE_vit_dim", default=1024), fields.integer("LFE_id_dim", default=1280)
    depth, scales = fields.integer("LFE_depth", default=10, high=4096), fields.integer("LFE_num_scale", default=5, high=4096)
    heads, head_dim = fields.integer("LFE_num_heads", default=16), fields.integer("LFE_dim_head", default=64)
    asked, given = fields.integer("LFE_num_querie", default=32), fields.integer("LFE_num_id_token", default=5)
    inner, hidden, out = heads * head_dim, width * fields.integer("LFE_ff_mult", default=4), fields.integer("LFE_output_dim", default=2048)
    latents, context = Extent(fixed=float(asked + given)), Extent(fixed=float(given + VIT_TOKENS))
    return (
        weights(FACE, asked * width),
        *_mapping(ONE, identity, width, given * width, 1),
        *_mapping(Extent(fixed=float(VIT_TOKENS)), width, width, width, scales),
        Pointwise(FACE, context, width, depth, parameters_each=2 * width),
        Pointwise(FACE, latents, width, depth, parameters_each=2 * width),
        Linear(FACE, latents, width, inner, depth, bias=False),
        Pointwise(FACE, context + latents, width, depth),
        Linear(FACE, context + latents, width, 2 * inner, depth, bias=False),
        Attention(FACE, latents, context + latents, heads, head_dim, depth),
        *_written_out(latents, inner, depth),
        Linear(FACE, latents, inner, width, depth, bias=False),
        Pointwise(FACE, latents, width, depth, parameters_each=2 * width),
        Linear(FACE, latents, width, hidden, depth, bias=False),
        Pointwise(FACE, latents, hidden, depth),
        Linear(FACE, latents, hidden, width, depth, bias=False),
        Pointwise(FACE, latents, width, 2 * depth, passes=3.0),
        Linear(FACE, Extent(fixed=float(asked)), width, out, bias=False),
    )


def _mapping(rows: Extent, inputs: int, width: int, outputs: int, count: int) -> tuple[Op, ...]:
    """Three products, a norm and a leaky ReLU after the first two."""
    return (
        Linear(FACE, rows, inputs, width, count),
        Linear(FACE, rows, width, width, count),
        Linear(FACE, rows, width, outputs, count),
        Pointwise(FACE, rows, width, 2 * count, parameters_each=2 * width),
        Pointwise(FACE, rows, width, 2 * count),
    )
