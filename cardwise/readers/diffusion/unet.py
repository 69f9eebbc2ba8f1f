"""UNet2DConditionModel of diffusers: Stable Diffusion 1 and 2, SDXL, its refiner and turbo, Kolors, Playground and their kin.

Source of the structure: diffusers/models/unets/unet_2d_condition.py and unet_2d_blocks.py, version 0.42.1. The latent is 1/8 of the
picture each way. What one pass leaves out: control networks, image adapters, gligen boxes; they are refused where a field asks for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cardwise.errors import NotSupported
from cardwise.network import ONE, PROMPT, Linear, Network, Op, Pointwise
from cardwise.readers.diffusion import per_block
from cardwise.readers.diffusion.convolutional import (
    Level,
    Piece,
    activation,
    convolution,
    group_norm,
    pointwise,
    resnet,
    sinusoids,
    spatial_transformer,
    time_embedding,
)
from cardwise.readers.diffusion.stages import Stage, build
from cardwise.readers.diffusion.u_shape import Resnet, u_shape
from cardwise.readers.fields import Fields, short

LATENT = 8  # pixels each way of a latent position
CHANNELS = (320, 640, 1280, 1280)  # defaults of the class
DOWN = ("CrossAttnDownBlock2D", "DownBlock2D")
UP = ("CrossAttnUpBlock2D", "UpBlock2D")
MIDDLE = ("UNetMidBlock2DCrossAttn", "UNetMidBlock2D")
MAX_KERNEL = 15


def unet_2d_condition(fields: Fields) -> Network:
    """One pass of UNet2DConditionModel. Raises BadFile for fields that contradict each other, NotSupported for parts that are not known."""
    _refuse(fields)
    channels = per_block.widths(fields, "block_out_channels", CHANNELS)
    blocks = len(channels)
    levels = [Level(LATENT << i) for i in range(blocks)]
    layers = per_block.integers(fields, "layers_per_block", blocks, 2, high=64)
    attention = _Attention.of(fields, channels, layers)
    time, times = _embeddings(fields, channels[0])
    scale_shift = _one_of(fields, "resnet_time_scale_shift", "default", ("default", "scale_shift")) == "scale_shift"

    def block(level: Level, inputs: int, outputs: int) -> tuple[Piece, ...]:
        return resnet(level, inputs, outputs, time, scale_shift=scale_shift)

    middle = _middle(fields, levels[-1], channels[-1], block, attention)
    stages = u_shape(levels, channels, layers, block, attention.down, middle, attention.up)
    first = convolution(levels[0].at, fields.integer("in_channels", default=4), channels[0], _taps(fields, "conv_in_kernel"))
    last: list[Op] = [*group_norm(levels[0].at, channels[0]), activation(levels[0].at, channels[0])]
    last.append(convolution(levels[0].at, channels[0], fields.integer("out_channels", default=4), _taps(fields, "conv_out_kernel")))
    before = Stage((Piece((*times, first)),), block=False)
    return build("UNet2DConditionModel", [before, *stages, Stage((Piece(tuple(last)),), block=False)])


def _refuse(fields: Fields) -> None:
    if fields.has("num_attention_heads"):
        raise fields.bad("field num_attention_heads is set; diffusers takes the heads of this class from attention_head_dim")
    for name in ("dual_cross_attention", "only_cross_attention"):
        value = fields.get(name)
        if value is True or (isinstance(value, (list, tuple)) and any(value)):
            raise NotSupported(f"{fields.source}: {name} is not read yet")
    _one_of(fields, "attention_type", "default", ("default",))


def _one_of(fields: Fields, name: str, default: str, known: tuple[str, ...]) -> str:
    value = fields.text(name, default=default)
    if value not in known:
        raise NotSupported(f"{fields.source}: {name} {short(value)} is not read yet; known are {', '.join(known)}")
    return value


def _taps(fields: Fields, name: str) -> int:
    return fields.integer(name, default=3, high=MAX_KERNEL) ** 2


@dataclass(frozen=True, slots=True)
class _Attention:
    """The transformers of the blocks: which have them, their heads and layers, in the order of the blocks down."""

    channels: tuple[int, ...]
    heads: tuple[int, ...]
    contexts: tuple[int, ...]
    down_has: tuple[bool, ...]
    up_has: tuple[bool, ...]
    down_layers: tuple[tuple[int, ...], ...]
    up_layers: tuple[tuple[int, ...], ...]
    linear: bool

    @classmethod
    def of(cls, fields: Fields, channels: tuple[int, ...], layers: tuple[int, ...]) -> _Attention:
        blocks = len(channels)
        down = per_block.texts(fields, "down_block_types", blocks, (*DOWN[:1] * (blocks - 1), DOWN[1]), DOWN)
        up = per_block.texts(fields, "up_block_types", blocks, (UP[1], *UP[:1] * (blocks - 1)), UP)
        return cls(
            channels,
            per_block.heads(fields, "attention_head_dim", channels, 8),
            per_block.integers(fields, "cross_attention_dim", blocks, 1280),
            tuple(kind == DOWN[0] for kind in down),
            tuple(kind == UP[0] for kind in up),
            per_block.layers(fields, "transformer_layers_per_block", layers, 1),
            _up_layers(fields, layers),
            fields.flag("use_linear_projection"),
        )

    def at(self, level: Level, block: int, depth: int) -> tuple[Piece, ...]:
        linear, context = self.linear, self.contexts[block]
        return (spatial_transformer(level, self.channels[block], self.heads[block], depth, context, linear=linear),)

    def down(self, level: Level, block: int, layer: int) -> tuple[Piece, ...]:
        return self.at(level, block, self.down_layers[block][layer]) if self.down_has[block] else ()

    def up(self, level: Level, block: int, layer: int) -> tuple[Piece, ...]:
        return self.at(level, len(self.channels) - 1 - block, self.up_layers[block][layer]) if self.up_has[block] else ()


def _up_layers(fields: Fields, layers: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Transformer layers of each ResNet block of the blocks up, in the order in which they run."""
    counts = tuple(count + 1 for count in reversed(layers))
    if fields.has("reverse_transformer_layers_per_block"):
        return per_block.layers(fields, "reverse_transformer_layers_per_block", counts, 1)
    entries = fields.get("transformer_layers_per_block")
    if isinstance(entries, (list, tuple)):
        if any(isinstance(entry, (list, tuple)) for entry in entries):
            raise fields.bad("field reverse_transformer_layers_per_block is missing; transformer_layers_per_block states layers one by one")
        reverse = Fields({"transformer_layers_per_block": list(reversed(entries))}, fields.source)
        return per_block.layers(reverse, "transformer_layers_per_block", counts, 1)
    return per_block.layers(fields, "transformer_layers_per_block", counts, 1)


def _middle(fields: Fields, level: Level, width: int, block: Resnet, attention: _Attention) -> tuple[Piece, ...]:
    """The middle block: two ResNet blocks around a transformer, or one alone, or nothing where the field says null."""
    if "mid_block_type" in fields.values and fields.values["mid_block_type"] is None:
        return ()
    kind = _one_of(fields, "mid_block_type", MIDDLE[0], MIDDLE)
    one = block(level, width, width)
    if kind == MIDDLE[1]:
        return one
    depth = attention.down_layers[-1][0]
    return (*one, *attention.at(level, len(attention.channels) - 1, depth), *one)


def _embeddings(fields: Fields, width: int) -> tuple[int, list[Op]]:
    """Width of the time embedding that the blocks see, and what makes it from the step, the classes and the conditions."""
    if _one_of(fields, "time_embedding_type", "positional", ("positional", "fourier")) == "fourier":
        time = inputs = fields.integer("time_embedding_dim", default=2 * width)
        ops: list[Op] = [pointwise("embeddings", ONE, inputs, launches=6, parameters=0)]
    else:
        time, inputs = fields.integer("time_embedding_dim", default=4 * width), width
        ops = [sinusoids(ONE, inputs)]
    if fields.has("time_cond_proj_dim"):
        ops.append(Linear("embeddings", ONE, fields.integer("time_cond_proj_dim"), inputs, bias=False))
    ops += time_embedding(ONE, inputs, time)
    classes = _classes(fields, inputs, time)
    ops += [*classes, *_additions(fields, time), *_encoder_projection(fields)]
    if fields.has("time_embedding_act_fn"):
        ops.append(activation(ONE, time))
    return (2 * time if classes and fields.flag("class_embeddings_concat") else time), ops


def _classes(fields: Fields, inputs: int, time: int) -> list[Op]:
    """The class embedding and its sum with the time embedding, if there is one."""
    add: Op = pointwise("embeddings", ONE, time, passes=3.0)
    if not fields.has("class_embed_type"):
        if not fields.has("num_class_embeds"):
            return []
        return [pointwise("embeddings", ONE, time, parameters=fields.integer("num_class_embeds") * time), add]
    kind = _one_of(fields, "class_embed_type", "", ("timestep", "identity", "projection", "simple_projection"))
    if kind == "timestep":
        return [sinusoids(ONE, inputs), *time_embedding(ONE, inputs, time), add]
    if kind == "identity":
        return [add]
    width = fields.integer("projection_class_embeddings_input_dim")
    return [*time_embedding(ONE, width, time), add] if kind == "projection" else [Linear("embeddings", ONE, width, time), add]


def _additions(fields: Fields, time: int) -> list[Op]:
    """SDXL's pooled prompt and sizes (text_time)."""
    if not fields.has("addition_embed_type"):
        return []
    _one_of(fields, "addition_embed_type", "", ("text_time",))
    width = fields.integer("projection_class_embeddings_input_dim")
    sizes = sinusoids(ONE, fields.integer("addition_time_embed_dim"))
    return [sizes, pointwise("embeddings", ONE, width), *time_embedding(ONE, width, time), Pointwise("embeddings", ONE, time, passes=3.0)]


def _encoder_projection(fields: Fields) -> list[Op]:
    """The prompt's states brought to the width that the blocks attend to (Kolors)."""
    if not fields.has("encoder_hid_dim", "encoder_hid_dim_type"):
        return []
    _one_of(fields, "encoder_hid_dim_type", "text_proj", ("text_proj",))
    context = fields.integer("cross_attention_dim", default=1280)
    return [Linear("embeddings", PROMPT, fields.integer("encoder_hid_dim"), context)]


UNETS: dict[str, Callable[[Fields], Network]] = {"UNet2DConditionModel": unet_2d_condition}
