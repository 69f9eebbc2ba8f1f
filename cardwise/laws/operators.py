"""Work of the operators of a transformer: FLOPs and bytes of products, experts, attention and recurrences. Pure; floats or arrays."""

from __future__ import annotations

import numpy as np

from cardwise.laws.roofline import Amount

FLOPS_PER_PARAMETER = 2.0
"""One multiply and one add."""


def product_flops(rows: Amount, parameters: float) -> Amount:
    """FLOPs of `rows` vectors through matrices of `parameters` elements: 2 x rows x parameters."""
    return FLOPS_PER_PARAMETER * rows * parameters


def padded_rows(rows: Amount, half_rows: float) -> Amount:
    """Rows that a product pays for: `rows` + `half_rows`, so that at `half_rows` it runs at half its rate.

    Tiles, waves and the pipeline's fill make thin products slow; the half-saturation form m / (m + m50) is the
    two-parameter summary of it that fits kernel timings of all generations.
    """
    return rows + half_rows


def experts_touched(experts: float, top_k: float, tokens: Amount, skew: float) -> Amount:
    """Distinct experts that a batch reads: E (1 - (1 - k/E)^(s t)), s = 1 for uniform routing, below 1 for skewed routing.

    Coupon-collector mean with independent tokens; the exponent stands for hot experts.
    """
    miss = max(1.0 - top_k / experts, 1e-12)
    touched = experts * (1.0 - miss ** np.maximum(skew * tokens, 1.0))
    distinct: Amount = np.minimum(np.maximum(touched, np.minimum(top_k, tokens * top_k)), experts)
    return distinct


def attention_flops(pairs: Amount, heads: Amount, score_dim: Amount, value_dim: Amount) -> Amount:
    """FLOPs of scores and weighted values over `pairs` of query and key: 2 x heads x (score_dim + value_dim) x pairs."""
    return 2.0 * heads * (score_dim + value_dim) * pairs


def causal_pairs(tokens: Amount, cached: Amount) -> Amount:
    """Query-key pairs of `tokens` new tokens after `cached` ones: t c + t (t + 1) / 2."""
    return tokens * cached + tokens * (tokens + 1.0) / 2.0


def recurrence_flops(tokens: Amount, state_elements: float) -> Amount:
    """FLOPs of updating and reading a recurrent state: decay, outer product, read = 6 per element and token."""
    return 6.0 * tokens * state_elements
