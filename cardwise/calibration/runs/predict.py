"""Predictions of cases of images and video: seconds, rates, peak memory, whether it fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from cardwise.calibration.cases import Case
from cardwise.calibration.effects import Effect, Slot, read_effects, read_slots, slot_values
from cardwise.calibration.runs.setup import RunSetup, element_bytes
from cardwise.catalogue.accelerators import accelerators, named
from cardwise.catalogue.diffusion_engines import pipeline_engine, process_memory
from cardwise.catalogue.load import read_toml
from cardwise.errors import NotSupported
from cardwise.execution import Execution
from cardwise.laws.pipeline_memory import MemoryRules, StageMemory, peak, stage_memory
from cardwise.network_efficiency import SLOTS, NetworkEfficiency
from cardwise.passes.diffusion import PipelineRun, decoder_precision
from cardwise.passes.network import WIDTHS
from cardwise.pipeline import Pipeline
from cardwise.quantities import GIB

RATES = frozenset({"images_per_s", "it_s"})
SPEED = frozenset({"image_s", "video_s"}) | RATES
MEMORY = frozenset({"peak_mem_gib", "fits"})
METRICS = SPEED | MEMORY


@lru_cache(maxsize=1)
def run_slots() -> tuple[Slot, ...]:
    """Priors of the slots of images and video, in the order of `network_efficiency.SLOTS`."""
    return read_slots("calibration/run_priors.toml", SLOTS)


@lru_cache(maxsize=1)
def fitted_runs() -> Mapping[tuple[str, str], Effect]:
    """Fitted effects of images and video by (slot, key)."""
    return read_effects("calibration/run_effects.csv")


@lru_cache(maxsize=1)
def _fitted() -> dict[tuple[str, str], float]:
    return {pair: effect.log_factor for pair, effect in fitted_runs().items()}


@lru_cache(maxsize=1024)
def run_efficiency(context: tuple[tuple[str, str], ...]) -> NetworkEfficiency:
    """Slot values of a run from the shipped fit."""
    return NetworkEfficiency(**slot_values(run_slots(), dict(context), _fitted()))


def run_of(setup: RunSetup) -> PipelineRun:
    """The run of a setup, ready to be priced."""
    return PipelineRun(setup.pipeline, setup.job, setup.execution, setup.accelerator, setup.stored, setup.link)


def speed_of(case: Case, setup: RunSetup, run: PipelineRun, efficiency: NetworkEfficiency) -> float:
    """The metric of a case in its own unit. An it_s is of the denoising loop, unless it is said to be of the whole run."""
    if case.metric == "it_s" and "end-to-end rate" not in setup.words:
        return 1.0 / run.step_seconds(efficiency)
    seconds = run.seconds(efficiency)
    return {"image_s": seconds, "video_s": seconds, "images_per_s": setup.job.batch / seconds, "it_s": setup.job.steps / seconds}[
        case.metric
    ]


@lru_cache(maxsize=1)
def _constants() -> dict[str, float]:
    return {name: float(entry["value"]) for name, entry in read_toml("calibration/run_memory.toml")["constant"].items()}


def memory_rules(
    found: Pipeline, execution: Execution, measure: str = "allocated", constants: dict[str, float] | None = None
) -> MemoryRules:
    """How a run keeps its tensors. `measure`: bytes that tensors take (allocated), that the allocator holds (reserved), or that are gone
    from the card (card).
    """
    values = constants or _constants()
    width = WIDTHS[execution.precision]
    seen = measure != "allocated"
    other = (values["reserved_bytes"] if seen else 0.0) + (process_memory().context_bytes if measure == "card" else 0.0)
    return MemoryRules(
        width=WIDTHS["fp32"] if pipeline_engine(execution.engine).keeps_checkpoint else width,
        decoder_width=WIDTHS[decoder_precision(found, execution)],
        kept_width=WIDTHS[execution.kept or execution.precision],
        denoiser_bytes=element_bytes(execution.weights),
        encoder_bytes=element_bytes(execution.encoder_weights),
        activation_factor=values["activation_factor"],
        reserved=values["reserved"] if seen else 1.0,
        other_bytes=other,
        score_copies=values["score_copies_before_processors" if _before_processors(execution.version) else "score_copies"],
        tile_pixels=process_memory().tile_pixels,
        large_encoder=process_memory().large_encoder,
    )


def _before_processors(version: str) -> bool:
    """Whether diffusers is older than 0.12."""
    parts = version.split(".")
    return parts[0] == "0" and len(parts) > 1 and parts[1].isdigit() and int(parts[1]) < 12


def measure_of(words: tuple[str, ...]) -> str:
    """What a row's memory is of: of tensors, of the allocator, or of the card."""
    if "allocated memory" in words:
        return "allocated"
    return "card" if "memory of the card" in words else "reserved"


def memory_of(setup: RunSetup, measure: str) -> tuple[StageMemory, ...]:
    """Bytes by stage on one card."""
    rules = replace(memory_rules(setup.pipeline, setup.execution, measure), loaded_whole=quantised_on_card(setup.words))
    return stage_memory(setup.pipeline, setup.job, setup.execution, rules)


def quantised_on_card(words: tuple[str, ...]) -> bool:
    """Whether a run quantises a pipeline that is on the card already, as torchao's quantize_ does; loading it quantised takes the encoder
    with it.
    """
    return bool({"weight-only", "dynamic activation"} & set(words)) and "encoder quantised" not in words


def memory_value(case: Case, setup: RunSetup) -> float:
    """peak_mem_gib, or 1 where the run fits on every card that the name may mean and 0 where not."""
    if case.metric == "peak_mem_gib":
        return peak(memory_of(setup, measure_of(setup.words))).total_bytes / GIB
    smallest = min(accelerators()[name].usable_bytes for name in named(case.accelerator))
    return float(peak(memory_of(setup, "card")).total_bytes <= smallest)


def check_metric(case: Case) -> None:
    """Raises NotSupported for a metric that is not of images or video."""
    if case.metric not in METRICS:
        raise NotSupported(f"metric {case.metric!r} is not one of images and video: {', '.join(sorted(METRICS))}")
