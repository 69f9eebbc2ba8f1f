"""All ways of making the pictures that are asked for, on all cards asked for: what runs, what does not and why, best first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from cardwise.answer import Estimate
from cardwise.calibration.run_intervals import run_basis, run_estimate, run_knowledge
from cardwise.calibration.run_predict import memory_rules, run_efficiency
from cardwise.calibration.run_setup import PLAIN, run_context, stored, unpacking_of
from cardwise.catalogue.accelerators import accelerators
from cardwise.catalogue.diffusion_engines import PipelineEngine, pipeline_engine
from cardwise.catalogue.links import link
from cardwise.errors import CardwiseError
from cardwise.execution import Execution, Split
from cardwise.hardware import Accelerator
from cardwise.laws.pipeline_memory import StageMemory, peak, stage_memory
from cardwise.laws.work import Operator
from cardwise.network import Attention
from cardwise.passes.diffusion import PipelineRun, Stage
from cardwise.pipeline import Job
from cardwise.planning.run_costs import run_cost
from cardwise.planning.run_question import LISTED, RunQuestion
from cardwise.planning.run_verdict import verdict, verdict_zh
from cardwise.quantities import GIB, HOUR
from cardwise.run_answer import MemoryNeed, RunAnswer, RunOption, RunRefusal, StagePeak, StageTime

WAYS = (("none", "whole"), ("none", "tiled"), ("model", "whole"), ("model", "tiled"), ("sequential", "tiled"))
"""Where weights wait and how the decoder works, from the fastest to the least in memory."""
USUAL = ("diffusers", "compiled-diffusers")
LARGEST_BATCH = 64
WORTH_IT = 0.98
"""A larger batch is taken when it makes all pictures at least 2 % sooner: it costs memory."""


def plan_run(question: RunQuestion, progress: Callable[[int, int], None] | None = None) -> RunAnswer:
    """The answer to a question. `progress`: cards done, cards in all.

    Raises CardwiseError when no card asked for could be reckoned with at all."""
    options: list[RunOption] = []
    refusals: list[RunRefusal] = []
    for done, (count, card) in enumerate(question.cards):
        if progress is not None:
            progress(done, len(question.cards))
        made = [best(question, card, execution, replicas) for execution, replicas in ways(question, card, count or 1)]
        options += useful([found for found in made if isinstance(found, RunOption)], question)
        refusals += [found for found in made if isinstance(found, RunRefusal)]
    if question.budget_usd_per_hour is not None:
        options = [o for o in options if o.cost.rent is not None and o.cost.rent.total <= question.budget_usd_per_hour]
    answer = RunAnswer(
        model=question.pipeline.id,
        name=question.pipeline.name,
        task=question.pipeline.task,
        parameters=question.pipeline.parameters,
        components=components(question),
        job=question.job,
        images=question.images,
        options=tuple(options),
        refusals=tuple(refusals),
        needs=tuple(needs(question)),
        by_cost=tuple(sorted(range(len(options)), key=lambda i: (_cost_key(options[i]), options[i].all_s.likely))),
        by_speed=tuple(sorted(range(len(options)), key=lambda i: (options[i].all_s.likely, options[i].cards, _cost_key(options[i])))),
        verdict="",
        notes=question.notes,
        source=question.pipeline.source,
        assumptions=question.assumptions,
    )
    return replace(answer, verdict=verdict(answer), verdict_zh=verdict_zh(answer))


def useful(made: list[RunOption], question: RunQuestion) -> list[RunOption]:
    """Options of one card without quantised ones that nobody asked for and that are no faster than 16 bit spread alike."""
    if question.weights:
        return made
    plain: dict[int, float] = {}
    for one in made:
        if one.execution.weights in PLAIN:
            plain[one.replicas] = min(plain.get(one.replicas, float("inf")), one.all_s.likely)
    worth = (plain.get(one.replicas, float("inf")) * WORTH_IT for one in made)
    return [one for one, limit in zip(made, worth, strict=True) if one.execution.weights in PLAIN or one.all_s.likely < limit]


def _cost_key(option: RunOption) -> float:
    return option.cost.per_thousand_usd if option.cost.per_thousand_usd is not None else float("inf")


def components(question: RunQuestion) -> tuple[tuple[str, int], ...]:
    """Parameters of every component."""
    made = question.pipeline
    return (
        *((e.name, e.network.parameters) for e in made.encoders),
        *((d.name, d.network.parameters) for d in made.denoisers),
        ("vae", made.autoencoder.parameters),
    )


def ways(question: RunQuestion, card: Accelerator, cards: int) -> Iterator[tuple[Execution, int]]:
    """Executions to try on `cards` of a card, each with the number of copies that run side by side."""
    engines = (question.engine,) if question.engine is not None else tuple(pipeline_engine(name) for name in USUAL)
    for engine in engines:
        if question.offload and question.offload not in engine.offloads and question.engine is None:
            continue
        for weights in question.weights or usual_weights(card):
            base = execution(engine, weights)
            yield base, cards
            if cards > 1:
                split = sequence_split(question, cards)
                if split is not None and (question.engine is None or engine.splits):
                    yield replace(base, split=split), 1


def usual_weights(card: Accelerator) -> tuple[str, ...]:
    """Formats that are tried when nobody says: 16 bit, and FP8 where the card multiplies it, else NF4 for its size."""
    plain = "bf16" if card.peaks.get("bf16") else "fp16"
    return (plain, "fp8") if card.peaks.get("fp8") else (plain, "nf4")


def execution(engine: PipelineEngine, weights: str) -> Execution:
    """A run with the engine's defaults. Formats that are multiplied as stored need a compiled run; eager ones unpack them."""
    words = ("weight-only",) if weights in ("fp8", "int8") and engine.mode == "eager" else ()
    unpacking = unpacking_of(weights, words)
    return Execution(
        engine=engine.name,
        mode=engine.mode,
        attention="fused" if engine.fused_since < "9" else "unfused",
        precision=weights if weights in PLAIN else "bf16",
        weights=weights,
        encoder_weights=weights if weights not in PLAIN else "",
        unpacking="" if unpacking is None or unpacking.native else unpacking.name,
    )


def sequence_split(question: RunQuestion, cards: int) -> Split | None:
    """One picture over all cards: the two passes of guidance apart, the sequence over the rest where its heads divide."""
    guidance = 2 if question.job.passes == 2 and cards % 2 == 0 else 1
    rest = cards // guidance
    heads = {op.heads for d in question.pipeline.denoisers for op in d.network.ops if isinstance(op, Attention)}
    return Split(guidance=guidance, ulysses=rest) if all(count % rest == 0 for count in heads) else None


def best(question: RunQuestion, card: Accelerator, base: Execution, replicas: int) -> RunOption | RunRefusal:
    """The fastest batch of the first way that fits, or why none does."""
    tried = [way for way in WAYS if _allowed(question, base, way)]
    short: tuple[float, StageMemory] | None = None
    for offload, decoder in tried:
        made = replace(base, offload=offload, decoder=decoder)
        stages = memory(question, made, question.batch or 1)
        lacking = peak(stages).total_bytes - card.usable_bytes
        if lacking <= 0:
            try:
                return option(question, card, made, replicas)
            except CardwiseError as error:
                return RunRefusal(card.name, replicas * base.split.cards, base.weights, offload, error.message, "")
        if short is None or lacking < short[0]:
            short = (lacking, peak(stages))
    if short is None:
        reason = f"{base.engine} keeps its weights on the card{'s of a split' if base.split.cards > 1 else ''}"
        return RunRefusal(card.name, replicas * base.split.cards, base.weights, question.offload, reason, "leave --offload out")
    return refusal(question, card, base, replicas, *short)


def _allowed(question: RunQuestion, base: Execution, way: tuple[str, str]) -> bool:
    offload, decoder = way
    if question.offload and offload != question.offload:
        return False
    if question.tiling is not None and (decoder == "tiled") != question.tiling:
        return False
    return offload == "none" or (base.split.cards == 1 and offload in pipeline_engine(base.engine).offloads)


def memory(question: RunQuestion, made: Execution, batch: int) -> tuple[StageMemory, ...]:
    """Bytes by stage on one card, with those of the process."""
    return stage_memory(question.pipeline, replace(question.job, batch=batch), made, memory_rules(question.pipeline, made, "card"))


def refusal(question: RunQuestion, card: Accelerator, base: Execution, replicas: int, lacking: float, stage: StageMemory) -> RunRefusal:
    """What is missing where it is least, and the nearest change that runs."""
    reason = (
        f"{stage.name} needs {stage.total_bytes / GIB:.1f} GiB ({stage.weights_bytes / GIB:.1f} of weights), the card has "
        f"{card.usable_bytes / GIB:.1f}"
    )
    return RunRefusal(
        card.name, replicas * base.split.cards, base.weights, question.offload or "any", reason, fix_of(question, card, base), lacking
    )


def fix_of(question: RunQuestion, card: Accelerator, base: Execution) -> str:
    """The first change that fits: another way of keeping weights, fewer bits, a smaller batch, else the smallest card."""
    for weights in dict.fromkeys((base.weights, "fp8", "nf4", "q4_k_m")):
        for engine in dict.fromkeys((base.engine, "diffusers")):
            candidate = execution(pipeline_engine(engine), weights)
            for offload, decoder in WAYS:
                if offload not in pipeline_engine(engine).offloads:
                    continue
                made = replace(candidate, offload=offload, decoder=decoder)
                if peak(memory(question, made, 1)).total_bytes <= card.usable_bytes:
                    said = [f"--weights {weights}", f"--offload {offload}", *(["--tiling"] if decoder == "tiled" else [])]
                    return f"runs with {' '.join(said)}" + (" --batch 1" if (question.batch or 1) > 1 else "")
    need = smallest(question, replace(base, offload="none", decoder="tiled"))
    return f"the smallest card that holds it is {need[0]}" if need[0] else "make the picture smaller"


def option(question: RunQuestion, card: Accelerator, made: Execution, replicas: int) -> RunOption:
    """The option with the batch that makes all pictures soonest. Raises CardwiseError when the card lacks a needed fact."""
    share = -(-question.images // replicas)
    sizes = (question.batch,) if question.batch else batches(share)
    chosen: tuple[float, Job, PipelineRun] | None = None
    cards = made.split.cards
    wire = link(card, cards, said=question.link) if cards > 1 else None
    efficiency = run_efficiency(run_context(card, made))
    for size in sizes:
        if size > 1 and peak(memory(question, made, size)).total_bytes > card.usable_bytes:
            break
        job = replace(question.job, batch=size)
        run = PipelineRun(question.pipeline, job, made, card, stored(made, card), wire)
        total = run.seconds(efficiency) * -(-share // size)
        if chosen is None or total < chosen[0] * WORTH_IT:
            chosen = (total, job, run)
    assert chosen is not None
    total, job, run = chosen
    stages = run.stages(efficiency)
    seconds = sum(stage.seconds for stage in stages)
    knowledge = run_knowledge(card, made)

    def around(value: float) -> Estimate:
        return run_estimate(value, question.pipeline.task, knowledge)

    per_hour = around(HOUR / seconds * job.batch * replicas)
    return RunOption(
        accelerator=card.name,
        cards=cards * replicas,
        replicas=replicas,
        execution=made,
        job=job,
        run_s=around(seconds),
        each_s=around(seconds / job.batch),
        all_s=around(total),
        per_hour=Estimate(per_hour.likely, per_hour.likely**2 / per_hour.high, per_hour.likely**2 / per_hour.low),
        stages=tuple(time_of(stage) for stage in stages),
        memory=tuple(peak_of(stage) for stage in memory(question, made, job.batch)),
        usable_bytes=card.usable_bytes,
        cost=run_cost(question, card, cards * replicas, per_hour.likely),
        basis=run_basis(card, made, question.pipeline.task),
    )


def batches(images: int) -> tuple[int, ...]:
    """Batches worth trying: powers of two, and all at once."""
    sizes = [2**i for i in range(LARGEST_BATCH.bit_length()) if 2**i <= min(images, LARGEST_BATCH)]
    return tuple(sorted({*sizes, min(images, LARGEST_BATCH)}))


def time_of(stage: Stage) -> StageTime:
    return StageTime(stage.name, stage.component, stage.repeats, stage.seconds, bound_of(stage.operators))


def bound_of(operators: tuple[Operator, ...]) -> str:
    """The limit that the operators spend most time on."""
    spent = {"compute": 0.0, "memory": 0.0, "link": 0.0, "host": 0.0}
    for operator in operators:
        limits = {
            "compute": float(operator.compute_seconds),
            "memory": float(operator.memory_seconds),
            "link": float(operator.link_seconds),
            "host": float(operator.launch_seconds),
        }
        spent[max(limits, key=lambda name: limits[name])] += float(operator.seconds)
    return max(spent, key=lambda name: spent[name])


def peak_of(stage: StageMemory) -> StagePeak:
    return StagePeak(stage.name, stage.weights_bytes, stage.activation_bytes, stage.other_bytes)


def needs(question: RunQuestion) -> Iterator[MemoryNeed]:
    """What one picture takes at every precision and way of keeping weights, with the smallest card that holds it."""
    for weights in question.weights or LISTED:
        base = execution(pipeline_engine("diffusers"), weights)
        for offload, decoder in WAYS:
            made = replace(base, offload=offload, decoder=decoder)
            name, size = smallest(question, made)
            yield MemoryNeed(
                weights, offload, decoder, tuple(peak_of(stage) for stage in memory(question, made, question.batch or 1)), name, size
            )


def smallest(question: RunQuestion, made: Execution) -> tuple[str, float | None]:
    """The card of the catalogue with the least memory that holds a run, unified memory aside; of several the newest."""
    needed = peak(memory(question, made, question.batch or 1)).total_bytes
    holding = [card for card in accelerators().values() if card.usable_bytes >= needed and not card.unified_memory]
    if not holding:
        return "", None
    least = min(card.memory_bytes for card in holding)
    newest = max((card for card in holding if card.memory_bytes == least), key=lambda card: (card.launch, card.name))
    return newest.name, newest.usable_bytes
