"""From a case of images or video to everything that a run needs. What the row does not say is filled as the engine would."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cardwise.calibration.attributes import maturity
from cardwise.calibration.cases import Case
from cardwise.calibration.runs.words import clock_hz, degree, run_words, torch_version
from cardwise.catalogue.accelerators import accelerator
from cardwise.catalogue.diffusion_engines import PipelineEngine, Unpacking, pipeline_engine, process_memory, unpackings
from cardwise.catalogue.formats import weight_format
from cardwise.catalogue.links import host_bytes_per_s, link
from cardwise.errors import BadInput, MissingFact, NotSupported
from cardwise.execution import Execution, Split
from cardwise.hardware import Accelerator, Link
from cardwise.passes.diffusion import Stored
from cardwise.passes.pipelines import pipeline
from cardwise.pipeline import Job, Pipeline

PLAIN = frozenset({"fp32", "tf32", "fp16", "bf16"})
DESKTOP_FORMS = frozenset({"PCIe card", "laptop", "Workstation PCIe"})
"""Form factors whose hosts have few fast cores, where servers have many slow ones."""
UNSAID_STEPS = 20.0
"""Steps of a web user interface where nobody says: the default of stable-diffusion-webui."""
MOST_STEPS, MOST_PIXELS, MOST_FRAMES, MOST_BATCH = 1000, 16384, 4096, 4096


@dataclass(frozen=True, slots=True)
class RunSetup:
    """A case, resolved. `context`: the attributes that fitted effects are keyed by."""

    pipeline: Pipeline
    job: Job
    execution: Execution
    accelerator: Accelerator
    link: Link | None
    stored: Stored
    context: tuple[tuple[str, str], ...]
    words: tuple[str, ...]


def run_setup(case: Case) -> RunSetup:
    """Resolves `case`. Raises CardwiseError with a reason when something is unknown or unsaid and needed."""
    words = run_words(case.notes)
    card = at_clock(accelerator(case.accelerator, lenient=True), clock_hz(words))
    if "neural engine" in words:
        card = neural(card)
    found = pipeline(case.model)
    engine = pipeline_engine(case.engine)
    execution = execution_of(case, engine, words)
    if engine.keeps_checkpoint and "converted" not in words:
        execution = replace(execution, kept=found.checkpoint)
    cards = execution.split.cards
    return RunSetup(
        pipeline=found,
        job=job_of(case, found),
        execution=execution,
        accelerator=card,
        link=link(card, cards, said=case.link) if cards > 1 else None,
        stored=stored(execution, card),
        context=run_context(card, execution, torch_era(words, case.measured), maturity(card, case.measured)),
        words=words,
    )


def job_of(case: Case, found: Pipeline) -> Job:
    """The job of a case, with the pipeline's defaults. Raises BadInput for sizes that nothing can make."""
    steps = case.steps or (UNSAID_STEPS if case.engine == "a1111" else found.steps)
    numbers = {
        "width": (case.width or found.width, MOST_PIXELS),
        "height": (case.height or found.height, MOST_PIXELS),
        "frames": (case.frames or found.frames, MOST_FRAMES),
        "batch": (case.batch or 1, MOST_BATCH),
        "steps": (steps, MOST_STEPS),
    }
    for name, (value, most) in numbers.items():
        if not 1 <= value <= most or value != int(value):
            raise BadInput(f"{name} is {value:g}; it must be a whole number between 1 and {most:,}")
    width, height, frames, batch, count = (int(value) for value, _ in numbers.values())
    return Job(width, height, count, found.passes, frames, batch)


def execution_of(case: Case, engine: PipelineEngine, words: tuple[str, ...]) -> Execution:
    """How a case was run. Raises NotSupported for a split that is not predicted or not said."""
    if degree(words, "pp") > 1 or (case.pp or 1) > 1:
        raise NotSupported("PipeFusion (patches in a pipeline of blocks) is not predicted; give ulysses, ring or cfg degrees")
    weights = case.weights.lower() or engine.precision
    mode = "compiled" if engine.mode == "eager" and "compiled" in words else engine.mode
    unpacking = unpacking_of(weights, words)
    return Execution(
        engine=engine.name,
        version=case.engine_version,
        mode=mode,
        attention=attention_of(engine, words, case.measured),
        precision=precision_of(weights, engine, words),
        weights=weights,
        encoder_weights=weights if "encoder quantised" in words else "",
        unpacking="" if unpacking is None or unpacking.native else unpacking.name,
        offload=offload_of(words),
        encoders_on_host="encoders on host" in words,
        decoder="tiled" if {"tiled decoder", "memory optimizations"} & set(words) else "sliced" if "sliced decoder" in words else "whole",
        decoder_precision=engine.decoder_precision,
        split=split_of(case, engine, words),
    )


def precision_of(weights: str, engine: PipelineEngine, words: tuple[str, ...]) -> str:
    """Arithmetic of what is not quantised: as the weights are stored, else 16 bit."""
    if weights == "fp32" and "fp32 products in tf32" in words:
        return "tf32"
    return weights if weights in PLAIN else "bf16"


def attention_of(engine: PipelineEngine, words: tuple[str, ...], measured: str) -> str:
    """Unfused where it is said, or before the engine fused it by itself."""
    if "unfused attention" in words:
        return "unfused"
    if "xformers" in words or (torch_version(words) or (0,)) >= (2, 0):
        return "fused"
    old = (torch_version(words) or (9,)) < (2, 0) and engine.name in ("diffusers", "pytorch")
    return "unfused" if old or (measured and measured < engine.fused_since) else "fused"


def offload_of(words: tuple[str, ...]) -> str:
    if "sequential offload" in words:
        return "sequential"
    return "model" if {"model offload", "memory optimizations"} & set(words) else "none"


def split_of(case: Case, engine: PipelineEngine, words: tuple[str, ...]) -> Split:
    """The split that the words name; engines that split by sequence alone take all cards for it."""
    count = int(case.count or 1)
    degrees = {name: degree(words, name) for name in ("cfg", "ulysses", "ring")}
    if count > 1 and all(value == 1 for value in degrees.values()):
        if "split over all" not in words and "ulysses" not in engine.splits:
            raise NotSupported(f"how the run was spread over {count} cards is not said; give ulysses, ring or cfg degrees in the notes")
        degrees["ulysses"] = count
    split = Split(degrees["cfg"], degrees["ulysses"], degrees["ring"], sharded="sharded" in words or (engine.sharded and count > 1))
    if split.cards != count:
        raise BadInput(f"cfg {split.guidance} x ulysses {split.ulysses} x ring {split.ring} is {split.cards} cards, the row has {count}")
    return split


def unpacking_of(weights: str, words: tuple[str, ...]) -> Unpacking | None:
    """How weights stored in 8 or 4 bit become operands; None where they are plain, or multiplied as they are stored."""
    if weights in PLAIN:
        return None
    known = unpackings()
    if weights.startswith("q") and weights[1:2].isdigit():
        return known["gguf-k" if "_k" in weights else "gguf"]
    said = next((item for item in known.values() if any(word in words for word in item.words)), None)
    if said is not None:
        return said
    return known["nf4"] if weights in ("nf4", "bnb-nf4", "int4") else None


def stored(execution: Execution, card: Accelerator) -> Stored:
    """How the weights of a run are kept."""
    unpacking = unpackings().get(execution.unpacking)
    moved = 0.0 if unpacking is None else unpacking.moved_bytes if execution.mode == "eager" else unpacking.replayed_bytes
    return Stored(
        denoiser_bytes=element_bytes(execution.weights),
        encoder_bytes=element_bytes(execution.encoder_weights),
        unpacked_bytes=moved,
        host_flops_per_s=process_memory().host_flops_per_s,
        host_bytes_per_s=_host_rate(execution, card),
        large_encoder=process_memory().large_encoder,
    )


def _host_rate(execution: Execution, card: Accelerator) -> float:
    """Bytes/s between host and card; of shared memory its own. Raises MissingFact when weights are to move and no source states it."""
    rate = card.bandwidth_bytes_per_s if card.unified_memory else host_bytes_per_s(card)
    if rate is None and execution.offload != "none":
        raise MissingFact(f'{card.name}: no source states how it is linked to its host; add pcie = "4.0 x16" with --facts')
    return rate or 0.0


def element_bytes(weights: str) -> float:
    """Bytes of an element of a quantised matrix with its scales; 0 where it is as wide as activations."""
    return 0.0 if weights in PLAIN or not weights else weight_format(weights).bits_of("dense") / 8


def at_clock(card: Accelerator, clock_hz: float | None) -> Accelerator:
    """The card with its arithmetic at a locked clock."""
    if clock_hz is None or not card.boost_hz or clock_hz >= card.boost_hz:
        return card
    return replace(card, peaks={name: rate * clock_hz / card.boost_hz for name, rate in card.peaks.items()})


def neural(card: Accelerator) -> Accelerator:
    """The card's neural engine in place of its GPU. Raises NotSupported where its rate is not stated."""
    rate = card.peaks.get("fp16_neural")
    if not rate:
        raise NotSupported(f"no source states the rate of the neural engine of {card.name}; ask for its GPU")
    return replace(card, peaks={**card.peaks, "fp16": rate})


def torch_era(words: tuple[str, ...], measured: str) -> str:
    """`torch1` or `torch2`: by the version where it is said, else by the date (2.0 came out in 2023-03)."""
    version = torch_version(words)
    if version:
        return "torch2" if version >= (2, 0) else "torch1"
    return "torch1" if measured and measured < "2023-03" else "torch2"


def run_context(card: Accelerator, execution: Execution, era: str = "torch2", age: str = "") -> tuple[tuple[str, str], ...]:
    """Attributes of a run that fitted effects are keyed by, sorted. None of them names a model or a source.

    `era`: of PyTorch. `age`: young where the card was measured in its first half year (cuDNN and CUDA came after the RTX 4090).
    """
    quantised = execution.weights not in PLAIN
    kernel = ("f32" if execution.precision in ("fp32", "tf32") else "f16") if not quantised or execution.unpacking else "8bit"
    attributes = {
        "vendor": card.vendor.lower(),
        "generation": card.generation,
        "engine": execution.engine,
        "mode": execution.mode,
        "kernel": kernel,
        "dynamic": f"{execution.weights}-{execution.mode}" if quantised and not execution.unpacking else "",
        "attention": execution.attention,
        "host": "desktop" if card.form_factor in DESKTOP_FORMS else "server",
        "era": era if execution.mode != "built" else "",
        "maturity": age,
        "split": "ring" if execution.split.ring > 1 else "ulysses" if execution.split.ulysses > 1 else "",
    }
    return tuple(sorted((name, value) for name, value in attributes.items() if value))
