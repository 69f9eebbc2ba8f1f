"""Language models that encode prompts -> Network, from the same readers of configurations as language models that are served.

Every matrix of their layers is a product over the prompt's tokens. Heads run where the class has one and its pipeline does not skip it;
vision towers are loaded and do not run for a prompt of text. Source of the kernels: transformers 5.24, models/llama, gemma2, qwen3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cardwise.model import Architecture, Layer
from cardwise.network import ONE, PROMPT, Attention, Extent, Held, Linear, Network, Op, Pointwise
from cardwise.readers.config import read_config
from cardwise.readers.fields import Fields

NORMS = "norms and activations"
PARTS = {"attention": "self-attention projections", "dense": "feed-forward", "shared": "feed-forward"}


NORM = 8
"""Kernels of RMSNorm written out: to float32, square, mean, + epsilon, 1 / root, product, back, times the weights."""
GEMMA_NORM, GEMMA_ATTENTION = 10, 9
"""Gemma casts weights and adds 1 to them too; its scores are capped by tanh between two products, nine kernels more than the fused one."""


def _norm(width: int, count: int, kernels: int, parameters: int = 0) -> Pointwise:
    return Pointwise(NORMS, PROMPT, width, count, passes=17.0, launches=kernels, parameters_each=parameters)


def _layer(layer: Layer, grouped: bool, kernels: int) -> list[Op]:
    """One layer, `count` times. `grouped`: keys and values of fewer heads are repeated for all.

    Norms are those that its vectors show: whole multiples of the width beside it, one a head for queries and keys (Qwen3).
    """
    mixer, part, times = layer.mixer, layer.feed_forward, layer.count
    width, heads = mixer.matrices[0].inputs, mixer.heads * mixer.score_dim
    vectors = layer.vector_parameters + mixer.vector_parameters + part.vector_parameters
    inner = part.matrices[0].outputs if part.matrices else width
    ops: list[Op] = [_product(matrix.part, matrix.inputs, matrix.outputs, matrix.copies, part.top_k, times) for matrix in mixer.matrices]
    ops += [_product(matrix.part, matrix.inputs, matrix.outputs, matrix.copies, part.top_k, times) for matrix in part.matrices]
    ops += [_norm(width, times, kernels, vectors), _norm(width, times * (layer.vector_parameters // width - 1), kernels)]
    if mixer.vector_parameters == 2 * mixer.score_dim:
        ops.append(_norm(heads, 2 * times, kernels))
    if kernels == GEMMA_NORM:
        ops.append(Pointwise("self-attention", ONE, 1, times, launches=GEMMA_ATTENTION))
    if grouped:
        ops.append(Pointwise("self-attention", PROMPT, heads, 2 * times, passes=1.5))
    return [
        *ops,
        Attention("self-attention", PROMPT, PROMPT, mixer.heads, mixer.score_dim, times, value_dim=mixer.value_dim),
        Pointwise("rotary embeddings", PROMPT, heads, 2 * times, passes=13.0, launches=5),
        Pointwise(NORMS, PROMPT, inner, times, passes=5.0, launches=2),
        Pointwise(NORMS, PROMPT, width, 2 * times, passes=3.0),
    ]


def _product(part: str, inputs: int, outputs: int, copies: int, used: int, times: int) -> Linear:
    name = PARTS.get(part, "mixture of experts")
    if part == "experts":
        return Linear(name, Extent(prompt=float(used)), inputs, outputs, times, bias=False, experts=copies)
    return Linear(name, PROMPT, inputs, outputs, copies * times, bias=False)


def _network(name: str, read: Architecture, *, head: str) -> Network:
    """`head`: run, kept (stored but not run), or none."""
    kernels = GEMMA_NORM if read.family.startswith("gemma") else NORM
    vectors = read.parts["vectors"] - sum(
        layer.count * (layer.vector_parameters + layer.mixer.vector_parameters + layer.feed_forward.vector_parameters)
        for layer in read.layers
    )
    ops: list[Op] = [
        Pointwise("embeddings", PROMPT, read.hidden, parameters_each=read.parts["embedding"]),
        *(op for layer in read.layers for op in _layer(layer, read.kv_heads < read.heads, kernels)),
        _norm(read.hidden, 1, kernels, vectors),
    ]
    if head == "run":
        ops.append(Linear("head", PROMPT, read.hidden, read.vocabulary, bias=read.head_bias, stored=not read.tied_embeddings))
    elif head == "kept":
        ops.append(Pointwise("head", ONE, 1, passes=0, launches=0, parameters_each=read.parts["head"]))
    for extra, count in read.extra_parameters:
        ops.append(Pointwise(extra, ONE, 1, passes=0, launches=0, parameters_each=count))
    inner = max((matrix.outputs for matrix, _ in read.matrices()), default=0)
    return Network(name, tuple(ops), read.layer_count, (Held(PROMPT, read.hidden + inner),))


def _encoder(name: str, *, head: str, model_type: str = "") -> Callable[[Fields], Network]:
    """Reads a class. `model_type`: of configurations that leave it out."""

    def read(fields: Fields) -> Network:
        values: Mapping[str, object] = fields.values if fields.has("model_type") else {**fields.values, "model_type": model_type}
        return _network(name, read_config(values, name=name, source=fields.source), head=head)

    return read


LANGUAGE_ENCODERS: dict[str, Callable[[Fields], Network]] = {
    "LlamaModel": _encoder("LlamaModel", head="none", model_type="llama"),
    "LlamaForCausalLM": _encoder("LlamaForCausalLM", head="run", model_type="llama"),
    "Gemma2Model": _encoder("Gemma2Model", head="none", model_type="gemma2"),
    "Gemma2ForCausalLM": _encoder("Gemma2ForCausalLM", head="run", model_type="gemma2"),
    "ChatGLMModel": _encoder("ChatGLMModel", head="kept", model_type="chatglm"),
    "Qwen2_5_VLForConditionalGeneration": _encoder("Qwen2_5_VLForConditionalGeneration", head="run", model_type="qwen2_5_vl"),
    "Mistral3ForConditionalGeneration": _encoder("Mistral3ForConditionalGeneration", head="run", model_type="mistral3"),
    "Qwen3Model": _encoder("Qwen3Model", head="none", model_type="qwen3"),
    "Qwen3ForCausalLM": _encoder("Qwen3ForCausalLM", head="run", model_type="qwen3"),
}
