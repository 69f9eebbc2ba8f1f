"""One optimiser step of training: micro-batches of forward and backward, collectives, pipeline, optimiser -> operators -> seconds.

This is the only place where a training step is priced. The planner, the predictions of measured cases and the fit all read it.
"""

from __future__ import annotations

from dataclasses import dataclass

from cardwise.errors import CannotRun
from cardwise.hardware import Accelerator, Link
from cardwise.laws import training as law
from cardwise.laws.operators import product_flops
from cardwise.laws.roofline import smooth_maximum
from cardwise.laws.training_memory import GRADIENTS_OFF, adapter_parameters, trained_parameters
from cardwise.laws.work import Operator, Work
from cardwise.model import Architecture, Layer, Matrix
from cardwise.training import Recipe, TrainingEfficiency, TrainingLayout

BYTES = 2.0
SIXTEEN = ("bf16", "fp16", "fp32")
TENSOR_REDUCES = 2.0
"""All-reduces of a layer's forward under tensor parallelism; the backward has as many (Shoeybi et al. 2019, Megatron-LM)."""
SELECTIVE_SHARE = 0.5
"""Of the forward's elementwise traffic, that selective recomputation repeats: norms and activations, not residual sums and positions."""


@dataclass(frozen=True, slots=True)
class Machines:
    """What the cards talk over. `inside`: between cards of a machine; `network_bytes_per_s`: of one card between machines;
    `cards`: of a machine. `host_bytes_per_s`: of one card to the host's memory, one direction; None: nothing can lie there."""

    inside: Link
    cards: int
    network_bytes_per_s: float
    host_bytes_per_s: float | None


class TrainingStep:
    """Prices a step of one model in one layout. Seconds are of a card of the slowest stage; work is per card."""

    def __init__(
        self,
        architecture: Architecture,
        recipe: Recipe,
        layout: TrainingLayout,
        accelerator: Accelerator,
        machines: Machines,
        efficiency: TrainingEfficiency,
    ) -> None:
        self.architecture, self.recipe, self.layout, self.machines = architecture, recipe, layout, machines
        self.efficiency, self.accelerator = efficiency, accelerator
        self.rows = float(layout.micro_batch * recipe.sequence)
        sixteen = accelerator.peak(*SIXTEEN)
        self.sixteen_rate = law.limited_rate(sixteen * efficiency.gemm, accelerator.tdp_w, efficiency.flops_per_joule)
        self.product_rate = self.sixteen_rate
        if recipe.precision == "fp8" and "fp8" in accelerator.peaks:
            self.product_rate *= accelerator.peaks["fp8"] / sixteen * efficiency.eight_bit
        self.attention_rate = law.limited_rate(sixteen * efficiency.attention, accelerator.tdp_w, efficiency.flops_per_joule)
        self.memory_rate = accelerator.bandwidth_bytes_per_s * efficiency.bandwidth
        self.inside_rate = machines.inside.bytes_per_s * self._link_share(machines.inside)
        self.network_rate = machines.network_bytes_per_s * efficiency.network
        if layout.offload != "none" and machines.host_bytes_per_s is None:
            raise CannotRun(f"{accelerator.name} has no memory of a host to offload to", "leave out --offload-states")
        self.host_rate = (machines.host_bytes_per_s or 1.0) * efficiency.offload

    def _link_share(self, link: Link) -> float:
        if link.kind == "pcie":
            return self.efficiency.pcie if link.peer_to_peer else self.efficiency.host_pcie
        return self.efficiency.network if link.kind == "ethernet" else self.efficiency.nvlink

    # --- one micro-batch on one stage --------------------------------------------------------------------------------

    def micro_operators(self) -> list[Operator]:
        """Forward and backward of one micro-batch on one stage. Their seconds sum to its time."""
        computing = [self._products(), self._attention(), self._elementwise(), self._head(), self._weights()]
        if self.recipe.method != "full":
            computing.append(self._adapters())
        computing = [operator for operator in computing if operator.seconds > 0]
        busy = sum(float(operator.seconds) for operator in computing)
        waiting = float(smooth_maximum(busy, self._host_seconds())) - busy
        operators = [*computing, Operator("host", Work(), waiting, launch_seconds=waiting)]
        if self.layout.tensor_parallel > 1:
            operators.append(self._tensor_reduces())
        for name, seconds, moved in (("sharded weights", *self._sharded()), ("offload", *self._streamed())):
            if seconds > 0:
                shown = float(smooth_maximum(busy, seconds)) - busy + self.efficiency.exposed * min(seconds, busy)
                operators.append(Operator(name, Work(message_bytes=moved), shown, link_seconds=shown))
        return operators

    @property
    def _recomputes(self) -> bool:
        return self.layout.recompute == "full"

    @property
    def _factor(self) -> float:
        return law.products_factor(self.recipe.method == "full", self._recomputes)

    def _matrices(self, layer: Layer) -> list[tuple[Matrix, float]]:
        """Matrices of a layer with the share of the rows that goes through each copy."""
        ff = layer.feed_forward
        found = [(matrix, 1.0) for matrix in layer.mixer.matrices]
        return found + [(m, ff.top_k / m.copies if m.part == "experts" else 1.0) for m in ff.matrices]

    def _products(self) -> Operator:
        ranks, stages, half = self.layout.tensor_parallel, self.layout.pipeline_parallel, self.efficiency
        flops = seconds = 0.0
        for layer in self.architecture.layers:
            for matrix, share in self._matrices(layer):
                cut = 1 if matrix.shard == "none" else ranks
                inputs = matrix.inputs / (cut if matrix.shard == "row" else 1)
                outputs = matrix.outputs / (cut if matrix.shard == "column" else 1)
                rows = self.rows * share
                work = product_flops(rows, matrix.parameters / cut) * layer.count * self._factor
                reached = law.width_share(inputs, outputs, half.half_width) * rows / (rows + half.half_rows)
                flops += float(work)
                seconds += float(work) / (self.product_rate * reached)
        return Operator("products", Work(flops=flops / stages), seconds / stages, compute_seconds=seconds / stages)

    def _attention(self) -> Operator:
        recipe, layout = self.recipe, self.layout
        forward = sum(law.layer_attention_flops(layer, recipe.sequence) * layer.count for layer in self.architecture.layers)
        recomputes = self._recomputes or (layout.recompute == "selective" and not recipe.flash)
        flops = forward * layout.micro_batch * law.attention_factor(recomputes) / layout.model_parallel
        seconds = flops / self.attention_rate
        return Operator("attention", Work(flops=flops), seconds, compute_seconds=seconds)

    def _elementwise(self) -> Operator:
        """Norms, residual sums, positions, activations; casts to 8 bit; with attention that keeps its scores, the scores."""
        recipe, layout, efficiency = self.recipe, self.layout, self.efficiency
        again = 1.0 if self._recomputes else SELECTIVE_SHARE if layout.recompute == "selective" else 0.0
        times = 1.0 + law.BACKWARD_TRAFFIC + again
        a_row = sum(law.layer_traffic(layer, self.architecture.hidden) * layer.count for layer in self.architecture.layers)
        moved = self.rows * a_row * times * efficiency.passes
        if recipe.precision == "fp8":
            widths = sum((m.inputs + m.outputs) * share * m.copies * layer.count
                         for layer in self.architecture.layers for m, share in self._matrices(layer))  # fmt: skip
            moved += self.rows * widths * BYTES * efficiency.cast_passes
        moved /= layout.model_parallel
        seconds = moved / self.memory_rate
        return Operator("elementwise", Work(activation_bytes=moved), seconds, memory_seconds=seconds)

    def _head(self) -> Operator:
        """Output head and loss, on the last stage; stages are balanced, so that each is charged its share of it."""
        layout, efficiency, model = self.layout, self.efficiency, self.architecture
        elements = model.hidden * model.vocabulary / layout.tensor_parallel
        factor = law.products_factor(self.recipe.method == "full", False)
        flops = float(product_flops(self.rows, elements)) * factor / layout.pipeline_parallel
        reached = law.width_share(model.hidden, model.vocabulary / layout.tensor_parallel, efficiency.half_width)
        arithmetic = flops / (self.sixteen_rate * reached)
        moved = self.rows * model.vocabulary * efficiency.logit_traffic / layout.model_parallel
        traffic = moved / self.memory_rate
        work = Work(flops=flops, activation_bytes=moved)
        return Operator("head and loss", work, arithmetic + traffic, compute_seconds=arithmetic, memory_seconds=traffic)

    def _weights(self) -> Operator:
        """Weights read and gradients added up, once a micro-batch; 4-bit weights are unpacked in every pass over them."""
        recipe = self.recipe
        held = self.architecture.parameters / self.layout.model_parallel
        a_weight = law.WEIGHT_BYTES_A_PASS if recipe.method == "full" else law.WEIGHT_BYTES_A_PASS / 2
        if recipe.method == "qlora":
            a_weight += self._factor * (recipe.frozen_bytes + 2 * BYTES)
        moved = held * a_weight
        return Operator("weights", Work(weight_bytes=moved), moved / self.memory_rate, memory_seconds=moved / self.memory_rate)

    def _adapters(self) -> Operator:
        """Low-rank products, full training of few parameters, and the traffic of their inputs and outputs."""
        recipe, layout, efficiency = self.recipe, self.layout, self.efficiency
        trained = adapter_parameters(self.architecture, recipe.rank, recipe.adapted)
        flops = float(product_flops(self.rows, trained)) * law.products_factor(True, self._recomputes) / layout.model_parallel
        widths = sum(
            (m.inputs + m.outputs) * share * m.copies * layer.count
            for layer in self.architecture.layers
            for m, share in self._matrices(layer)
        )
        moved = self.rows * widths * BYTES * recipe.adapted * efficiency.adapter_passes / layout.model_parallel
        arithmetic, traffic = flops / self.sixteen_rate, moved / self.memory_rate
        work = Work(flops=flops, activation_bytes=moved)
        return Operator("adapters", work, arithmetic + traffic, compute_seconds=arithmetic, memory_seconds=traffic)

    def _host_seconds(self) -> float:
        layers = self.architecture.layer_count / self.layout.pipeline_parallel
        return layers * self.efficiency.layer_seconds * (4 / 3 if self._recomputes else 1.0)

    # --- what the cards say to each other ----------------------------------------------------------------------------

    def _tensor_reduces(self) -> Operator:
        layout, efficiency = self.layout, self.efficiency
        times = TENSOR_REDUCES * (3.0 if self._recomputes else 2.0) * self.architecture.layer_count / layout.pipeline_parallel
        message = self.rows * self.architecture.hidden * BYTES
        one = 2 * law.gather_seconds(
            message, layout.tensor_parallel, self.machines.cards, self.inside_rate, self.network_rate, efficiency.hop_seconds
        )
        seconds = one * times * efficiency.tensor_exposed
        return Operator("tensor all-reduce", Work(message_bytes=message * times), seconds, link_seconds=seconds)

    def _data_gather(self, message: float, times: float = 1.0) -> float:
        """Seconds of `times` all-gathers or reduce-scatters over the data-parallel cards, one for each layer."""
        layout = self.layout
        members = max(1, self.machines.cards // layout.tensor_parallel)
        layers = self.architecture.layer_count / layout.pipeline_parallel
        one = law.gather_seconds(
            message / layers, layout.data_parallel, members, self.inside_rate, self.network_rate, self.efficiency.hop_seconds
        )
        return one * layers * times

    def _sharded(self) -> tuple[float, float]:
        """Seconds and bytes a micro-batch: weights gathered (stage 3), gradients scattered (2 and 3, or when the host holds them)."""
        layout, recipe = self.layout, self.recipe
        if layout.data_parallel == 1 or (layout.zero < 2 and layout.offload not in GRADIENTS_OFF):
            return 0.0, 0.0
        whole = self.architecture.parameters * BYTES / layout.model_parallel
        gradients = trained_parameters(self.architecture, recipe) * BYTES / layout.model_parallel
        frozen = whole * (recipe.frozen_bytes / BYTES if recipe.method != "full" else 1.0)
        gathers = layout.gathers if layout.zero == 3 else 0
        seconds = self._data_gather(frozen, gathers) + self._data_gather(gradients)
        return seconds, frozen * gathers + gradients

    def _streamed(self) -> tuple[float, float]:
        """Seconds and bytes a micro-batch over the host's link: gradients out and in, weights in for forward and backward."""
        if self.layout.offload not in GRADIENTS_OFF:
            return 0.0, 0.0
        held = self.architecture.parameters * BYTES / self.layout.model_parallel
        if self.layout.zero >= 2:
            held /= self.layout.data_parallel
        moved = held * (1.0 + (1.0 if self.layout.offload == "all" else 0.0))  # the directions overlap: the fuller one counts
        return moved / self.host_rate, moved

    def stage_operators(self) -> list[Operator]:
        """What the optimiser step adds to its micro-batches: pipeline, gradient exchange, optimiser, host."""
        layout, recipe, efficiency = self.layout, self.recipe, self.efficiency
        micro = sum(float(operator.seconds) for operator in self.micro_operators())
        operators = []
        if layout.pipeline_parallel > 1:
            slower = micro * self._imbalance() * layout.accumulation
            operators.append(Operator("pipeline imbalance", Work(), slower, launch_seconds=slower))
            micro *= 1 + self._imbalance()
            idle = micro * law.bubble(layout.pipeline_parallel, layout.accumulation, layout.interleave) * layout.accumulation
            operators.append(Operator("pipeline bubble", Work(), idle, launch_seconds=idle))
            message = self.rows * self.architecture.hidden * BYTES / layout.tensor_parallel
            sent = 2 * layout.accumulation * layout.interleave * (message / self._stage_rate() + efficiency.hop_seconds)
            operators.append(Operator("pipeline send", Work(message_bytes=message), sent, link_seconds=sent))
        trained = trained_parameters(self.architecture, recipe) / layout.model_parallel
        if layout.data_parallel > 1 and layout.zero < 3 and layout.offload not in GRADIENTS_OFF:
            gathers = 2.0 if layout.zero < 2 else 1.0  # scatter and gather of gradients, or the gather of new weights
            seconds = self._data_gather(trained * BYTES, gathers)
            shown = float(smooth_maximum(seconds, micro * 2 / 3)) - micro * 2 / 3 + efficiency.exposed * seconds
            operators.append(Operator("gradient exchange", Work(message_bytes=trained * BYTES * gathers), shown, link_seconds=shown))
        operators.append(self._optimizer(trained))
        operators.append(Operator("step", Work(), efficiency.step_seconds, launch_seconds=efficiency.step_seconds))
        return operators

    def _imbalance(self) -> float:
        """Time that the slowest stage takes beyond the mean: whole layers, and the head on the last."""
        head = float(self._head().seconds)
        layers = sum(float(operator.seconds) for operator in (self._products(), self._attention(), self._elementwise()))
        count = self.architecture.layer_count
        return law.imbalance(count, self.layout.pipeline_parallel, head / (layers / count)) - 1

    def _stage_rate(self) -> float:
        """Bytes/s of a card to its next stage. Stages are outermost (Megatron-LM's order: tensor, data, pipeline); where several share a
        machine, only the cards of one stage use its ports."""
        cards, together = self.machines.cards, self.layout.tensor_parallel * self.layout.data_parallel
        if self.layout.cards <= cards:
            return self.inside_rate
        return self.network_rate * max(1.0, cards / together)

    def _optimizer(self, trained: float) -> Operator:
        layout, optimizer = self.layout, self.recipe.optimizer
        share = trained / (layout.data_parallel if layout.zero >= 1 else 1)
        a_weight = law.optimizer_traffic(optimizer.state_bytes, optimizer.master_bytes, optimizer.gradient_bytes, self.recipe.weight_bytes)
        seconds = share * a_weight / self.memory_rate
        if layout.offload != "none":  # states come over the host's link and go back, both ways at once
            seconds = max(seconds, share * (optimizer.state_bytes + optimizer.master_bytes) / self.host_rate)
        return Operator("optimizer", Work(weight_bytes=share * a_weight), seconds, memory_seconds=seconds)

    # --- the step ----------------------------------------------------------------------------------------------------

    def operators(self) -> list[Operator]:
        """Operators of the whole step; their seconds sum to it."""
        times = float(self.layout.accumulation)
        found = [operator.repeated(times) for operator in self.micro_operators()] + self.stage_operators()
        total = sum(float(operator.seconds) for operator in found)
        machines = self.layout.cards / self.machines.cards
        if machines > 1:
            lost = total * law.straggling_share(machines, self.efficiency.straggling)
            found.append(Operator("stragglers", Work(), lost, launch_seconds=lost))
        return found

    def seconds(self) -> float:
        """Seconds of one optimiser step."""
        return sum(float(operator.seconds) for operator in self.operators())

    @property
    def step_tokens(self) -> float:
        """Tokens that the layout's own micro-batches make in a step."""
        return self.rows * self.layout.accumulation * self.layout.data_parallel

    def tokens_per_s_per_card(self) -> float:
        return self.step_tokens / self.seconds() / self.layout.cards
