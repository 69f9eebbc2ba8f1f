"""A measured training run -> a priced step -> tokens/s of a card or MFU. Sees no value.

What a row leaves unsaid is what its framework does by default, and what its memory allows: the least recomputation and offload that fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cardwise.answer import Estimate
from cardwise.calibration.cases import Case
from cardwise.calibration.training_intervals import interval
from cardwise.calibration.training_settings import number, says, training_settings
from cardwise.catalogue.accelerators import accelerator
from cardwise.catalogue.links import host_bytes_per_s, link, node
from cardwise.catalogue.training import Framework, framework, memory_rules, optimizer, training_efficiency, training_facts
from cardwise.errors import BadInput, NotSupported
from cardwise.hardware import Accelerator
from cardwise.laws import training as law
from cardwise.laws.training_choice import first_fitting
from cardwise.model import Architecture
from cardwise.passes.architectures import architecture
from cardwise.passes.training import Machines, TrainingStep
from cardwise.training import Kernels, Method, Recipe, Recompute, TrainingEfficiency, TrainingLayout, TrainingMemory

TASK = "train"
METRICS = ("train_tok_s_gpu", "mfu")
PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """What a row describes, settled: everything that a step needs but the fitted constants. `fits`: by our memory; a measured run ran."""

    architecture: Architecture
    recipe: Recipe
    layout: TrainingLayout
    memory: TrainingMemory
    accelerator: Accelerator
    machines: Machines
    framework: Framework

    def step(self, efficiency: TrainingEfficiency) -> TrainingStep:
        return TrainingStep(self.architecture, self.recipe, self.layout, self.accelerator, self.machines, efficiency)

    def efficiency(self, effects: dict[tuple[str, str], float] | None = None) -> TrainingEfficiency:
        return training_efficiency(self.accelerator, self.recipe.kernels, effects)


def predict(case: Case, configs: Path | None = None) -> Estimate:
    """The number of one row with its interval, in the metric's unit. Raises CardwiseError."""
    if case.metric not in METRICS:
        raise NotSupported(f"metric {case.metric!r} of task {TASK!r} is not answered; ask for one of {', '.join(METRICS)}")
    run = training_run(case, configs)
    value = value_of(case.metric, run, run.step(run.efficiency()))
    return interval(value, run.accelerator, run.recipe.kernels)


def value_of(metric: str, run: TrainingRun, step: TrainingStep) -> float:
    """Tokens/s of a card, or MFU in percent. With frozen weights the products of a token are two thirds."""
    rate = step.tokens_per_s_per_card()
    needed = law.needed_share(run.recipe.method == "full")
    return rate if metric == "train_tok_s_gpu" else PERCENT * rate * needed * peak_seconds(run)


def peak_seconds(run: TrainingRun) -> float:
    """Seconds that a token takes at peak, by the framework's count of what is necessary."""
    sixteen = run.accelerator.peak("bf16", "fp16", "fp32")
    eight = run.accelerator.peaks.get("fp8", sixteen) if run.recipe.precision == "fp8" else sixteen
    if run.framework.mfu != "necessary":
        return law.model_flops(run.architecture, run.recipe.sequence) / eight
    model = run.architecture
    head = 6.0 * model.vocabulary * model.hidden
    layers = 6.0 * model.active_parameters - head
    attention = 3.0 * sum(law.layer_attention_flops(layer, run.recipe.sequence) * layer.count for layer in model.layers)
    return layers / eight + (head + attention / run.recipe.sequence) / sixteen


def training_run(case: Case, configs: Path | None = None) -> TrainingRun:
    """The settled run of a row. Raises CardwiseError for an unknown model or card and for degrees that do not divide."""
    settings = training_settings(case.notes)
    stack, card, model = framework(case.engine), accelerator(case.accelerator, lenient=True), architecture(case.model, configs=configs)
    count = int(case.count or 1)
    tensor, stages = int(case.tp or 1), int(case.pp or 1)
    if count % (tensor * stages):
        raise BadInput(f"tp {tensor} x pp {stages} does not divide the {count} cards of the row")
    ranks = count // (tensor * stages)
    sequence = int(case.input_tokens or stack.sequence or training_facts()["defaults"]["sequence"])
    micro, accumulation = batches(case, settings, ranks, sequence)
    recipe = Recipe(
        method=method_of(settings),
        optimizer=optimizer("adamw-bf16" if says(settings, "states bf16") else stack.optimizer),
        sequence=sequence,
        global_batch=micro * accumulation * ranks,
        precision="fp8" if case.weights.startswith("fp8") or says(settings, "fp8") else "bf16",
        kernels=kernels_of(settings, stack),
        frozen_bytes=training_facts()["defaults"]["frozen_qlora_bytes"] if says(settings, "qlora") else 2.0,
        rank=number(settings, "rank") or training_facts()["defaults"]["rank"],
    )
    zero, gathers = sharding(settings, stack, ranks, stages)
    layout = TrainingLayout(card.name, ranks, tensor, stages, zero, micro, accumulation, gathers=gathers)
    layout, memory = first_fitting(
        model,
        recipe,
        layout,
        card.usable_bytes,
        memory_rules(),
        recompute_of(settings),
        None if stack.offloads and host_bytes_per_s(card) else "none",
    )
    return TrainingRun(model, recipe, layout, memory, card, machines_of(card, count, case.link), stack)


def batches(case: Case, settings: str, ranks: int, sequence: int) -> tuple[int, int]:
    """(sequences of a micro-batch, micro-batches of a step). A batch is the whole step's where the notes say so or nothing, and it is
    a card's where they say that, or where it is less than one sequence a card."""
    batch = int(case.batch or 0)
    micro, accumulation = number(settings, "micro"), number(settings, "accumulation")
    own = says(settings, "batch of a card") or 0 < batch < ranks
    if micro is None:
        micro = batch if own else max(1, batch // (ranks * (accumulation or 1))) if batch else 1
    micro = max(1, micro)
    if accumulation is None:
        share = (
            batch / (ranks * micro)
            if batch and not own
            else training_facts()["defaults"]["smallest_step_tokens"] / (sequence * ranks * micro)
        )
        accumulation = max(1, round(share))
    return micro, max(1, accumulation)


def method_of(settings: str) -> Method:
    return "qlora" if says(settings, "qlora") else "lora" if says(settings, "lora") else "full"


def kernels_of(settings: str, stack: Framework) -> Kernels:
    return "compiled" if says(settings, "compiled") and stack.kernels == "eager" else stack.kernels


def recompute_of(settings: str) -> Recompute | None:
    kinds: tuple[Recompute, ...] = ("full", "selective", "none")
    return next((kind for kind in kinds if says(settings, f"recompute {kind}")), None)


def sharding(settings: str, stack: Framework, ranks: int, stages: int) -> tuple[int, int]:
    """(ZeRO stage, gathers a micro-batch). FSDP that keeps the gathered weights until the backward gathers once; a pipeline shares out the
    optimiser alone where nothing is said."""
    if ranks == 1 or says(settings, "no sharding"):
        return 0, 2
    if says(settings, "shard gradients"):
        return 3, 1
    stated = number(settings, "zero")
    if says(settings, "shard all") and stated is None:
        return 3, 2
    chosen = stated if stated is not None else 1 if stages > 1 else stack.zero
    return (1 if chosen is None else chosen), 2


def machines_of(card: Accelerator, spanned: int, said: str = "") -> Machines:
    """The link between cards of a machine, its network, and the host link of a card."""
    machine = node(card)
    words = {"nvlink", "pcie", "pcie-p2p", "xgmi", "unified", "ethernet"}
    inside = link(card, min(max(spanned, 1), machine.cards), said=said if said in words else "")
    return Machines(inside, machine.cards, machine.network_bytes_per_s, host_bytes_per_s(card))
