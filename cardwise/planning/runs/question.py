"""What a person asks about images or video, in words and numbers, as a checked question. Every refusal is one line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Unpack

from cardwise.catalogue.accelerators import parse_cards
from cardwise.catalogue.diffusion_engines import PipelineEngine, pipeline_engine
from cardwise.catalogue.formats import weight_format
from cardwise.catalogue.links import SAID as LINKS
from cardwise.catalogue.schedulers import scheduler
from cardwise.economics import CostAssumptions
from cardwise.errors import BadInput
from cardwise.execution import OFFLOADS
from cardwise.hardware import Accelerator
from cardwise.passes.pipelines import pipeline
from cardwise.pipeline import Job, Pipeline
from cardwise.planning.asking import POPULAR, RENTS, SharedOptions, assumptions

MOST_PIXELS, MOST_STEPS, MOST_IMAGES, MOST_FRAMES = 8192, 1000, 100_000, 2048
QUANTISED = ("fp8", "int8", "nf4", "q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_0")
"""Formats of a denoiser's matrices that are asked for by name, besides fp32, fp16 and bf16."""
LISTED = ("fp32", "fp16", "bf16", "fp8", "int8", "nf4", "q8_0", "q4_k_m")
"""Formats whose memory every answer lists."""


class RunOptions(SharedOptions, total=False):
    """Everything that may be said besides the model and the cards; each has a default, mostly the pipeline's own.

    width, height: pixels. steps: denoising steps. scheduler: euler, heun, dpm++2m ...; it sets the evaluations of a step. images: pictures
    or clips in all (1). frames: of a clip. guidance: scale; at most 1 runs one pass a step. batch: pictures at once; the best when not
    said. engine: diffusers, compiled-diffusers, tensorrt ... or auto. weights: fp16, bf16, fp32, fp8, int8, nf4, q8_0 ... with commas, or
    auto. offload: none, model, sequential or auto. tiling: the decoder works in tiles. rent, price, electricity, pue, years, utilization,
    cny: as for language models. link: between cards.
    """

    width: int | None
    height: int | None
    steps: int | None
    scheduler: str
    images: int
    frames: int | None
    guidance: float | None
    batch: int | None
    engine: str
    weights: str
    offload: str
    tiling: bool | None
    budget_usd_per_hour: float | None


@dataclass(frozen=True, slots=True)
class RunQuestion:
    """`job` is one picture; `images` how many in all. `engine`, `offload`, `weights`: None or empty where the planner chooses."""

    pipeline: Pipeline
    job: Job
    images: int
    cards: tuple[tuple[int | None, Accelerator], ...]
    assumptions: CostAssumptions
    batch: int | None = None
    engine: PipelineEngine | None = None
    weights: tuple[str, ...] = ()
    offload: str = ""
    tiling: bool | None = None
    rent: str = "on_demand"
    price_usd_per_card_hour: float | None = None
    link: str = ""
    budget_usd_per_hour: float | None = None
    notes: tuple[str, ...] = ()


def run_question(model: str, cards: str | None = None, **options: Unpack[RunOptions]) -> RunQuestion:
    """What is asked, checked. Raises CardwiseError in one line: the value, the limit, the next step."""
    found = pipeline(model)
    rent = options.get("rent", "on_demand").replace("-", "_")
    if rent not in RENTS:
        raise BadInput(f"rent is {rent!r}; it must be one of {', '.join(RENTS)}")
    wire = options.get("link", "")
    if wire not in LINKS:
        raise BadInput(f"link is {wire!r}; it must be one of {', '.join(filter(None, LINKS))}")
    offload = options.get("offload", "auto").strip().lower()
    if offload not in (*OFFLOADS, "auto", ""):
        raise BadInput(f"offload is {offload!r}; it must be one of {', '.join(OFFLOADS)} or auto")
    engine = options.get("engine", "auto").strip().lower()
    batch = whole("batch", options.get("batch"), MOST_IMAGES)
    images = whole("images", options.get("images", batch or 1), MOST_IMAGES) or 1
    if batch is not None and batch > images:
        raise BadInput(f"batch is {batch}; only {images} images are asked for: raise --images, or leave one of them out")
    budget = options.get("budget_usd_per_hour")
    job, notes = job_of(found, options)
    return RunQuestion(
        pipeline=found,
        job=job,
        images=images,
        cards=tuple(parse_cards(cards if cards is not None else "all" if budget else POPULAR)),
        assumptions=assumptions(
            electricity=options.get("electricity"),
            pue=options.get("pue"),
            years=options.get("years"),
            utilization=options.get("utilization"),
            cny=options.get("cny"),
        ),
        batch=batch,
        engine=None if engine in ("auto", "") else pipeline_engine(engine),
        weights=formats(options.get("weights", "auto")),
        offload="" if offload == "auto" else offload,
        tiling=options.get("tiling"),
        rent=rent,
        price_usd_per_card_hour=positive("price", options.get("price")),
        link=wire,
        budget_usd_per_hour=positive("budget", budget),
        notes=tuple(filter(None, (found.notes, *notes))),
    )


def job_of(found: Pipeline, options: RunOptions) -> tuple[Job, tuple[str, ...]]:
    """One picture or clip as asked for, and what should be known of it. Raises BadInput for what the model does not take."""
    width = whole("width", options.get("width"), MOST_PIXELS) or found.width
    height = whole("height", options.get("height"), MOST_PIXELS) or found.height
    for name, value in (("width", width), ("height", height)):
        if value % found.multiple:
            below = max(value // found.multiple, 1) * found.multiple
            raise BadInput(
                f"{name} is {value}; {found.name} takes multiples of {found.multiple} pixels: say {below} or {below + found.multiple}"
            )
    steps = whole("steps", options.get("steps"), MOST_STEPS) or found.steps
    guidance = options.get("guidance")
    if guidance is not None and not 0 <= guidance <= 100:
        raise BadInput(f"guidance is {guidance:g}; it must lie between 0 and 100")
    passes = found.passes if guidance is None else 1 if guidance <= 1 or found.passes == 1 else found.passes
    notes = []
    if guidance is not None and guidance > 1 and found.passes == 1:
        notes.append(f"guidance of {found.name} is distilled into the network: one pass a step at any scale")
    named = options.get("scheduler", "")
    evaluations = scheduler(named).evaluations(steps) if named else 0
    return Job(width, height, steps, passes, _frames(found, options), evaluations=evaluations), tuple(notes)


def _frames(found: Pipeline, options: RunOptions) -> int:
    frames = whole("frames", options.get("frames"), MOST_FRAMES)
    if found.task == "image":
        if frames is not None and frames > 1:
            raise BadInput(f"frames is {frames}; {found.name} makes single pictures: leave --frames out, or say --images {frames}")
        return 1
    frames = frames or found.frames
    if found.max_frames is not None and frames > found.max_frames:
        raise BadInput(f"frames is {frames}; {found.name} makes at most {found.max_frames}: say fewer")
    if found.frame_multiple and (frames - 1) % found.frame_multiple:
        below = (frames - 1) // found.frame_multiple * found.frame_multiple + 1
        above = below + found.frame_multiple
        raise BadInput(f"frames is {frames}; {found.name} takes 1 + a multiple of {found.frame_multiple}: say {below} or {above}")
    return frames


def formats(words: str) -> tuple[str, ...]:
    """Weight formats by the names used for pipelines. Raises UnknownName, or BadInput for one that no engine of pipelines reads."""
    if words in ("", "auto"):
        return ()
    found = []
    for word in (part.strip().lower() for part in words.split(",") if part.strip()):
        plain = word if word in ("nf4", "tf32") else weight_format(word).name
        if plain not in (*LISTED, *QUANTISED):
            raise BadInput(
                f"weights are {word!r}; pipelines of images and video are run in {', '.join(dict.fromkeys((*LISTED, *QUANTISED)))}"
            )
        found.append(plain)
    return tuple(found)


def whole(name: str, value: int | None, most: int) -> int | None:
    if value is not None and not 1 <= value <= most:
        raise BadInput(f"{name} is {value}; it must lie between 1 and {most:,}")
    return value


def positive(name: str, value: float | None) -> float | None:
    if value is not None and not 0 < value <= 1e6:
        raise BadInput(f"{name} is {value:g}; it must be more than 0 and at most 1,000,000")
    return value
