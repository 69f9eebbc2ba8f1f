"""What the cards of one replica say to each other in a step: all-reduces, row splits, hand-overs between stages."""

from __future__ import annotations

from cardwise.efficiency import Efficiency
from cardwise.hardware import Link
from cardwise.laws.collectives import all_reduce_seconds, latency_growth, rate_growth, send_seconds
from cardwise.laws.roofline import Amount
from cardwise.laws.work import Operator, Work
from cardwise.layout import Layout
from cardwise.model import Architecture

ACTIVATION_BYTES = 2.0
ROW_SPLIT_ENGINES = frozenset({"llama.cpp", "ik_llama.cpp"})
ROW_SPLIT_BYTES = 4.0
ROW_SPLIT_CHAIN = 5.0
"""What a split product waits for whatever the number of cards, in copies: an event on the first card, the others that await it, their
kernels' start, and the first card that awaits them. Decode times of 2, 3, 4 and 6 cards on three rigs (3090, 4090, 4000 Ada) lie on a +
b (n - 1) with a / b = 2.2 to 2.6, and b is two copies."""


class Wires:
    """Prices a step's messages for one model in one layout. `rate`: bytes/s of an all-reduce, one direction of a card's link."""

    def __init__(self, architecture: Architecture, layout: Layout, link: Link, efficiency: Efficiency) -> None:
        self._architecture, self._layout = architecture, layout
        self._copy_seconds = efficiency.reduce_seconds
        self._latency = efficiency.reduce_seconds * latency_growth(link.kind, layout.tensor_parallel)
        self.rate = link.bytes_per_s * efficiency.reduce_share * rate_growth(link.kind, layout.tensor_parallel)
        self._stage_rate = (link.between or link).bytes_per_s * efficiency.reduce_share

    def operators(self, rows: Amount) -> list[Operator]:
        """Messages of a step of `rows` rows."""
        layout, architecture = self._layout, self._architecture
        message = rows * architecture.hidden * ACTIVATION_BYTES
        operators = []
        if layout.tensor_parallel > 1 and layout.engine in ROW_SPLIT_ENGINES:
            operators.append(self._row_split(rows))
        elif layout.tensor_parallel > 1:
            count = 2 * architecture.layer_count
            seconds = all_reduce_seconds(message, layout.tensor_parallel, self._latency, self.rate) * count * (rows > 0)
            operators.append(Operator("all-reduce", Work(message_bytes=message * count, launches=count), seconds, link_seconds=seconds))
        if layout.pipeline_parallel > 1:
            hops = layout.pipeline_parallel
            seconds = send_seconds(message, self._copy_seconds, self._stage_rate) * hops * (rows > 0)
            operators.append(Operator("pipeline send", Work(message_bytes=message * hops), seconds, link_seconds=seconds))
        return operators

    def _row_split(self, rows: Amount) -> Operator:
        """llama.cpp's row split: the first card sends every matrix's input to the others in FP32 and gathers its output from them, one
        matrix after the other, over its own link. Matrices that share an input (q, k, v; gate, up) count as one.
        """
        ranks = self._layout.tensor_parallel
        copies = elements = 0.0
        for layer in self._architecture.layers:
            for matrix in (*layer.mixer.matrices, *layer.feed_forward.matrices):
                if matrix.shard == "none":
                    continue
                active = layer.feed_forward.top_k if matrix.part == "experts" else 1
                copies += (2 * (ranks - 1) + ROW_SPLIT_CHAIN) * layer.count
                elements += (matrix.inputs * (ranks - 1) + matrix.outputs * (ranks - 1) / ranks) * active * layer.count
        message = rows * elements * ROW_SPLIT_BYTES
        seconds = (copies * self._copy_seconds + message / self.rate) * (rows > 0)
        return Operator("row split", Work(message_bytes=message, launches=copies), seconds, link_seconds=seconds)
