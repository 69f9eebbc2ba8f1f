"""StableCascadeUNet of diffusers: the prior and the decoder of Stable Cascade.

Source of the structure: diffusers/models/unets/unet_stable_cascade.py, version 0.42.1. The prior's latent is 1/42.67 of the picture each
way, rounded up (resolution_multiple of its pipeline): for multiples of 128 pixels a position every 43. The decoder's is 1/4; what tells it
is the field effnet_in_channels, the prior's result that it works from.
"""

from __future__ import annotations

from collections.abc import Callable

from cardwise.errors import NotSupported
from cardwise.network import ONE, PROMPT, Convolution, Extent, Held, Linear, Network, Op, grid
from cardwise.readers.diffusion import per_block
from cardwise.readers.diffusion.cascade_blocks import ATTENTION, RES, TIME, CascadeLevel
from cardwise.readers.diffusion.convolutional import NORMS, RESAMPLING, Piece, convolution, pointwise, residual
from cardwise.readers.diffusion.stages import Stage, build
from cardwise.readers.fields import MAX_LAYERS, Fields, short

PRIOR_SIDE, DECODER_SIDE = 43, 4
CHANNELS, DOWN_LAYERS, UP_LAYERS, HEADS = (2048, 2048), (8, 24), (24, 8), (32, 32)  # defaults of the class
CONDITIONS = ("sca", "crp")
PIXELS = Extent(fixed=64.0)  # the 8 x 8 zeros that stand for a picture to work from


def stable_cascade_unet(fields: Fields) -> Network:
    """One pass of StableCascadeUNet. Raises BadFile for fields that contradict each other, NotSupported for blocks that are not known."""
    levels = _levels(fields, per_block.widths(fields, "block_out_channels", CHANNELS))
    count, switched = len(levels), fields.has("switch_level")
    down = per_block.integers(fields, "down_num_layers_per_block", count, DOWN_LAYERS, high=MAX_LAYERS)
    up = per_block.integers(fields, "up_num_layers_per_block", count, UP_LAYERS, high=MAX_LAYERS)[::-1]
    down_repeats = per_block.integers(fields, "down_blocks_repeat_mappers", count, 1, high=64)
    up_repeats = per_block.integers(fields, "up_blocks_repeat_mappers", count, 1, high=64)[::-1]
    stages = [Stage((Piece(tuple(_before(fields, levels[0]))),), block=False)]
    kept: tuple[Held, ...] = (Held(levels[0].at, levels[0].width),)  # what the first level is given
    for i, level in enumerate(levels):
        ops = _down(levels[i - 1], level, switched) if i else []
        stages.append(_stage([*ops, *level.blocks(down[i], down_repeats[i])], level, 0, kept))
        kept = (*kept, Held(level.at, level.width))
    for i, level in reversed(list(enumerate(levels))):
        skip = level.width if i + 1 < count else 0
        ops = _up(level, levels[i - 1], switched) if i else []
        stages.append(_stage([*level.blocks(up[i], up_repeats[i], skip), *ops], level, skip, kept))
    return build("StableCascadeUNet", [*stages, Stage((Piece(tuple(_after(fields, levels[0]))),), block=False)])


def _stage(ops: list[Op], level: CascadeLevel, skip: int, kept: tuple[Held, ...]) -> Stage:
    """A block. Held where the global response norm sums up: the skip around it, its normed input, and 4 widths of the three it sums."""
    return Stage((Piece(tuple(ops), (Held(level.at, 6 * level.width + skip),)),), kept)


def _levels(fields: Fields, channels: tuple[int, ...]) -> list[CascadeLevel]:
    count = len(channels)
    side = DECODER_SIDE if fields.has("effnet_in_channels") else PRIOR_SIDE
    sides = [side * fields.integer("patch_size", default=1, high=16)]
    halved = fields.integers("switch_level", low=0, high=1) or (1,) * (count - 1)
    if len(halved) != count - 1:
        raise fields.bad(f"field switch_level has {len(halved)} entries; it must have {count - 1}, one between two levels")
    for twice in halved:
        sides.append(sides[-1] * (2 if twice else 1))
    heads, kinds = per_block.integers(fields, "num_attention_heads", count, HEADS, low=-1), _kinds(fields, count)
    own = per_block.integers(fields, "self_attn", count, 1, low=0, high=1) if _is_list(fields, "self_attn") else ()
    alone = fields.flag("self_attn", default=True) if not own else False
    conditions = fields.texts("timestep_conditioning_type")
    times = 1 + len(CONDITIONS if conditions is None else conditions)
    found = []
    for i, width in enumerate(channels):
        if ATTENTION in kinds[i] and not 1 <= heads[i] <= width:
            raise fields.bad(f"field num_attention_heads is {heads[i]} for a block of {width} channels with attention")
        found.append(
            CascadeLevel(
                at=grid(sides[i]),
                width=width,
                heads=heads[i],
                kinds=kinds[i],
                states=_states(fields),
                context=fields.integer("conditioning_dim", default=2048),
                self_attention=bool(own[i]) if own else alone,
                times=times,
                time_width=fields.integer("timestep_ratio_embedding_dim", default=64),
                taps=fields.integer("kernel_size", default=3, high=15) ** 2,
            )
        )
    return found


def _is_list(fields: Fields, name: str) -> bool:
    return isinstance(fields.get(name), (list, tuple))


def _kinds(fields: Fields, count: int) -> list[tuple[str, ...]]:
    """The kinds of blocks of each level."""
    entries = fields.sequence("block_types_per_layer") or ((RES, TIME, ATTENTION),) * 2
    if len(entries) != count:
        raise fields.bad(f"field block_types_per_layer has {len(entries)} entries; it must have {count}, one a block")
    found = [Fields({"block_types_per_layer": entry}, fields.source).texts("block_types_per_layer") or () for entry in entries]
    for kind in (kind for kinds in found for kind in kinds):
        if kind not in (RES, TIME, ATTENTION):
            raise NotSupported(
                f"{fields.source}: block_types_per_layer {short(kind)} is not read yet; known are {RES}, {TIME}, {ATTENTION}"
            )
    return found


def _states(fields: Fields) -> Extent:
    """Tokens of the conditions: of the pooled prompt, and in the prior of the prompt and of a picture."""
    tokens = fields.integer("clip_seq", default=4)
    return PROMPT + Extent(fixed=2.0 * tokens) if _with_text(fields) else Extent(fixed=float(tokens))


def _with_text(fields: Fields) -> bool:
    text, picture = fields.has("clip_text_in_channels"), fields.has("clip_image_in_channels")
    if text != picture:
        raise fields.bad("fields clip_text_in_channels and clip_image_in_channels must both be numbers or both be null")
    return text


def _before(fields: Fields, level: CascadeLevel) -> list[Op]:
    """What makes the embeddings, the conditions and the first tensor."""
    name, at, width = "embeddings", level.at, level.width
    tokens = fields.integer("clip_seq", default=4) * level.context
    ops: list[Op] = [pointwise(name, ONE, level.time_width, passes=12.0, launches=12, count=level.times)]
    ops.append(Linear(name, ONE, fields.integer("clip_text_pooled_in_channels", default=1280), tokens))
    if _with_text(fields):
        ops.append(Linear(name, PROMPT, fields.integer("clip_text_in_channels"), level.context))
        ops.append(Linear(name, ONE, fields.integer("clip_image_in_channels"), tokens))
        ops.append(pointwise(name, level.states, level.context))
    ops.append(pointwise(NORMS, level.states, level.context))
    inputs = fields.integer("in_channels", default=16) * fields.integer("patch_size", default=1, high=16) ** 2
    ops += [pointwise(RESAMPLING, at, inputs), convolution(at, inputs, width, 1), pointwise(NORMS, at, width)]
    if fields.has("effnet_in_channels"):
        effnet = fields.integer("effnet_in_channels")
        ops += [pointwise(RESAMPLING, at, effnet), *_mapper(at, effnet, width), residual(at, width)]
    if fields.has("pixel_mapper_in_channels"):
        ops += _mapper(PIXELS, fields.integer("pixel_mapper_in_channels"), width)
        ops += [pointwise(RESAMPLING, at, width, passes=1.0), residual(at, width)]
    return ops


def _mapper(at: Extent, inputs: int, width: int) -> list[Op]:
    """Two 1 x 1 convolutions with an activation between them and a norm after them."""
    inner = 4 * width
    return [convolution(at, inputs, inner, 1), pointwise(NORMS, at, inner), convolution(at, inner, width, 1), pointwise(NORMS, at, width)]


def _down(fine: CascadeLevel, coarse: CascadeLevel, switched: bool) -> list[Op]:
    """The way to the next level: a convolution of 2 x 2, or one of 1 x 1 and, if the level is coarser, an interpolation."""
    norm: Op = pointwise(NORMS, fine.at, fine.width)
    if not switched:
        return [norm, Convolution("convolution", coarse.at, fine.width, coarse.width, 4, scale=4.0)]
    ops = [norm, convolution(fine.at, fine.width, coarse.width, 1)]
    return ops if fine.at == coarse.at else [*ops, pointwise(RESAMPLING, coarse.at, coarse.width, passes=5.0)]


def _up(coarse: CascadeLevel, fine: CascadeLevel, switched: bool) -> list[Op]:
    """The way back: a transposed convolution of 2 x 2, which is a product to 4 outputs an input, or an interpolation and one of 1 x 1."""
    norm: Op = pointwise(NORMS, coarse.at, coarse.width)
    if not switched:
        bias = pointwise("convolution", ONE, fine.width, passes=0.0, launches=0, parameters=fine.width)
        return [norm, convolution(coarse.at, coarse.width, 4 * fine.width, 1, bias=False), bias]
    ops: list[Op] = [convolution(fine.at, coarse.width, fine.width, 1)]
    return [norm, *ops] if fine.at == coarse.at else [norm, pointwise(RESAMPLING, fine.at, coarse.width, passes=1.25), *ops]


def _after(fields: Fields, level: CascadeLevel) -> list[Op]:
    outputs = fields.integer("out_channels", default=16) * fields.integer("patch_size", default=1, high=16) ** 2
    at, width = level.at, level.width
    return [pointwise(NORMS, at, width), convolution(at, width, outputs, 1), pointwise(RESAMPLING, at, outputs)]


UNETS: dict[str, Callable[[Fields], Network]] = {"StableCascadeUNet": stable_cascade_unet}
