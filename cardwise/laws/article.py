"""The formulas of an article on serving a 70B model, as it uses them, to recompute its numbers: not what Cardwise predicts with.

UCloud, "Why the 4090 suits large-model inference better" (ucloud.cn/yun/131081.html, after 2023-12). Pure: its inputs come as arguments.
"""

from __future__ import annotations


def inference_flops(output_tokens: float, parameters: float) -> float:
    """2 x output tokens x parameters: a multiply and an add for each parameter and token; the prompt and the attention are left out."""
    return 2 * output_tokens * parameters


def weight_bytes(parameters: float, bytes_per_parameter: float) -> float:
    """Parameters x bytes of one."""
    return parameters * bytes_per_parameter


def hidden_bytes(batch: int, tokens: int, hidden: int, bytes_per_element: float) -> float:
    """Batch x tokens x hidden width x bytes: one hidden state of the whole batch, taken for all that a layer holds while it computes."""
    return batch * tokens * hidden * bytes_per_element


def whole_width_cache_bytes(layers: int, tokens: int, batch: int, hidden: int, bytes_per_element: float, sides: int) -> float:
    """Layers x tokens x batch x hidden width x bytes x sides: a cache as wide as the hidden state, every query head with keys of its own.

    `sides`: 2 for keys and values; with 1, one of them is forgotten.
    """
    return layers * tokens * batch * hidden * bytes_per_element * sides
