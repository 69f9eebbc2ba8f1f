"""Layers that predict further tokens (multi-token prediction). Stored with the model, used only by speculative decoding."""

from __future__ import annotations

from cardwise.model import Layer
from cardwise.readers import latent
from cardwise.readers.blocks import dense, layer_parameters
from cardwise.readers.family import Traits
from cardwise.readers.fields import Fields
from cardwise.readers.transformer import Decoder, Shape, attention, dense_width, feed_forward


def count(fields: Fields, traits: Traits, decoder: Decoder) -> list[tuple[str, int]]:
    """Parameters of all such layers. Each has a decoder layer of the model's last kind, a joining projection of 2 hidden to hidden, norms.

    Traits: `joined` (no more than that), `deepseek` (also own copies of embedding and head, unless `mtp_copies` is false), or others.
    """
    number = fields.integer("num_nextn_predict_layers", "mtp_num_hidden_layers", default=0, low=0, high=64)
    if not number:
        return []
    hidden, table = decoder.hidden, decoder.vocabulary * decoder.hidden
    one = 2 * hidden * hidden + 3 * hidden
    if traits.mtp == "deepseek":
        one += layer_parameters(_last(fields, traits)) + (2 * table if fields.flag("mtp_copies", default=True) else 0)
    elif traits.mtp == "longcat":
        one += _longcat(fields, traits) + table
    elif traits.mtp == "plain":  # ERNIE-4.5: a dense layer, and no norm behind it
        one += _plain(fields, traits) - hidden
    elif traits.mtp == "step":
        from cardwise.readers.mixed import step_further

        one += step_further(fields, traits) + table
    elif traits.mtp == "deepseek_v4":
        from cardwise.readers.compressed import further_layer

        one += further_layer(fields, traits)
    elif traits.mtp == "mimo_v2":
        from cardwise.readers.mixed import mimo_v2_further

        one += mimo_v2_further(fields, traits)
    else:
        one += layer_parameters(_last(fields, traits))
    return [("mtp", number * one)]


def _plain(fields: Fields, traits: Traits) -> int:
    shape = Shape.read(fields, traits)
    part = dense(shape.hidden, dense_width(fields, traits, shape.hidden))
    return layer_parameters(Layer(attention(fields, traits, shape, "full", None), part, 1, 2 * shape.hidden))


def _longcat(fields: Fields, traits: Traits) -> int:
    """LongCat's is a plain layer: latent attention and a dense part."""
    shape = latent.shape_of(fields)
    part = dense(shape.hidden, fields.integer("ffn_hidden_size"))
    return layer_parameters(Layer(latent.mixer(fields, traits, shape), part, 1, 2 * shape.hidden))


def _last(fields: Fields, traits: Traits) -> Layer:
    """The decoder layer inside a further-token layer: full attention, and experts where the model has them."""
    if traits.builder == "latent":
        shape = latent.shape_of(fields)
        mixer = latent.mixer(fields, traits, shape)
    else:
        shape = Shape.read(fields, traits)
        mixer = attention(fields, traits, shape, "full", None)
    return Layer(mixer, feed_forward(fields, traits, shape.hidden, shape.layers - 1), 1, traits.norms * shape.hidden)
