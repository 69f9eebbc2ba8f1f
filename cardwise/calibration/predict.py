"""A case -> the number that its metric asks for, by the one simulation."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from cardwise.budget import MemoryBudget
from cardwise.calibration.attributes import TOOLS_WITHOUT_FRONT
from cardwise.calibration.cases import Case
from cardwise.calibration.setup import Disaggregation, Setup
from cardwise.catalogue.engine_memory import memory_constants
from cardwise.catalogue.links import link
from cardwise.efficiency import Efficiency
from cardwise.errors import NotSupported
from cardwise.laws.memory import memory_budget
from cardwise.layout import Layout
from cardwise.passes.step import EngineStep
from cardwise.serving.limits import Limits
from cardwise.serving.metrics import Distribution, Served
from cardwise.serving.serve import BUNDLES, serve
from cardwise.serving.two_stages import Prefill, held_by, waits
from cardwise.workload import Lengths, Workload

SPEED_METRICS = frozenset(
    {"decode_tok_s", "prefill_tok_s", "output_tok_s", "total_tok_s", "request_s", "ttft_ms", "tpot_ms", "e2e_s"},
)
MANY_SEQUENCES = 1e5
CACHE_AT_LEAST = 0.06
"""Share of a card that the cache of a layout that was measured had at least, whatever the budget says: people raise the memory share
of a model that barely fits until it serves."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one replica served, and how many such shares the whole is. `first_token_s` is the part of TTFT outside the steps."""

    served: Served
    shares: float
    workload: Workload
    first_token_s: float


def limits_of(setup: Setup, budget: MemoryBudget, efficiency: Efficiency, layout: Layout, ran: bool = False) -> Limits:
    """The bounds of the simulator's batch from the engine's rules and the memory budget. `ran`: it is known to have served the load.

    Cache tokens are those of requests of the load's mean length, so that windows and recurrent states count as they do there.
    """
    rules, lengths = setup.rules, setup.workload.lengths
    length = lengths.mean_input + lengths.mean_output
    held = budget.running_concurrency(length)
    if ran:
        held = max(held, CACHE_AT_LEAST * budget.usable_bytes / max(budget.plan.sequence_bytes(length), 1.0))
    longest = lengths.input_tokens + lengths.output_tokens + 1.0
    return Limits(
        scheduler=rules.scheduler,
        max_num_seqs=rules.max_num_seqs * layout.data_parallel,
        max_num_batched_tokens=rules.max_num_batched_tokens * layout.data_parallel,
        kv_tokens=max(min(held, MANY_SEQUENCES) * length * layout.data_parallel, longest),
        lanes=layout.pipeline_parallel,
        reserve=rules.engine == "tensorrt-llm" or rules.scheduler in ("static", "slots"),
        pipeline_efficiency=efficiency.pipeline,
    )


def budget_of(setup: Setup, layout: Layout) -> MemoryBudget:
    """The memory budget of one replica of `layout`; sized for the load's own lengths where no maximum is stated.

    An engine that allocates the cache at start gets a context for as many requests at once as it runs, the load asks for and the
    card holds.
    """
    lengths, rules = setup.workload.lengths, setup.rules
    longest = setup.max_model_len or math.ceil(lengths.input_tokens + lengths.output_tokens)

    def of(requests: int) -> MemoryBudget:
        return memory_budget(
            setup.architecture,
            layout,
            setup.accelerator,
            rules,
            setup.weights,
            setup.cache,
            memory_constants(rules),
            max_model_len=longest * requests,
            max_num_seqs=rules.max_num_seqs,
            max_num_batched_tokens=rules.max_num_batched_tokens,
            memory_share=setup.memory_share,
        )

    found = next((budget for requests in range(slots(setup), 1, -1) if (budget := of(requests)).fits), None) or of(1)
    return replace(found, max_model_len=longest)


def slots(setup: Setup) -> int:
    """Requests that share the context of llama.cpp's server: as many as it runs and the load asks for; 1 for engines that page."""
    rules, load = setup.rules, setup.workload
    if rules.scheduler != "slots" or load.load == "single":
        return 1
    asked = {"rate": rules.max_num_seqs, "offline": load.requests or 1}.get(load.load, load.users)
    return max(1, min(asked, rules.max_num_seqs))


def step_of(setup: Setup, layout: Layout, efficiency: Efficiency) -> EngineStep:
    same = layout.cards_per_replica == setup.layout.cards_per_replica
    wire = setup.link if same else link(setup.accelerator, max(layout.cards_per_replica, 1))
    return EngineStep(
        setup.architecture,
        layout,
        setup.accelerator,
        wire,
        setup.weights,
        setup.cache,
        efficiency,
        setup.power_limit_w,
        memory_constants(setup.rules).state_bits,
        setup.rules.fused_attention,
    )


def outcome(setup: Setup, efficiency: Efficiency, bundles: int = BUNDLES) -> Outcome:
    """Simulates the case. A case that was measured ran, so its budget is taken to hold a few requests at least."""
    if setup.disaggregation is not None:
        return _disaggregated(setup, setup.disaggregation, efficiency, bundles)
    layout = replace(setup.layout, replicas=1)
    limits = limits_of(setup, budget_of(setup, layout), efficiency, layout, ran=True)
    step = step_of(setup, layout, efficiency)
    before = first_token_seconds(setup, efficiency, step)
    served = serve(step, limits, setup.workload, before, bundles=bundles)
    return Outcome(served, setup.shares, setup.workload, before)


def waits_for_steps(setup: Setup) -> bool:
    """Engines that take up prompts only every few steps: TensorRT-LLM with attention data parallelism holds them back until every rank has
    one or a number of steps has passed; SGLang looks for requests every `--scheduler-recv-interval` steps.
    """
    return setup.rules.engine == "sglang" or (setup.rules.engine == "tensorrt-llm" and setup.layout.data_parallel > 1)


def first_token_seconds(setup: Setup, efficiency: Efficiency, step: EngineStep) -> float:
    """What passes before a prompt's first step, or beside it: the front end, and the steps until the engine takes it up."""
    if not waits_for_steps(setup):
        return efficiency.first_token_seconds
    users, lengths = float(max(setup.workload.users, 1)), setup.workload.lengths
    each = step.seconds(users, users * (lengths.mean_input + lengths.mean_output / 2))
    return efficiency.first_token_seconds + efficiency.waiting_steps * each


class DecodeOnly:
    """A decode worker: prompts come with their cache from elsewhere and cost it nothing."""

    def __init__(self, step: EngineStep) -> None:
        self._step = step
        self.decode_line = step.decode_line

    def seconds(self, decodes: float, context: float, prefill: float = 0.0, pairs: float = 0.0, ends: float = 0.0) -> float:
        return self._step.seconds(decodes, context) if decodes else 0.0


def _disaggregated(setup: Setup, split: Disaggregation, efficiency: Efficiency, bundles: int) -> Outcome:
    """Prompts that the prefill workers cannot take wait before them, so that the decode workers hold no more users than they are sent."""
    load, users = setup.workload, max(setup.workload.users, 1)
    prefill, decode = replace(setup, layout=split.prefill), replace(setup, layout=split.decode)
    entry, decoder = step_of(prefill, split.prefill, efficiency), step_of(decode, split.decode, efficiency)
    room = limits_of(prefill, budget_of(prefill, split.prefill), efficiency, split.prefill, ran=True)
    alone = entry.seconds(0.0, 0.0, load.lengths.mean_input, load.lengths.mean_input**2 / 2, 1.0)
    many = max(room.max_num_batched_tokens / load.lengths.mean_input, 1.0)
    per_prompt = entry.seconds(0.0, 0.0, many * load.lengths.mean_input, many * load.lengths.mean_input**2 / 2, many) / many
    most = split.prefill_workers / per_prompt
    held = held_by(decoder, load.lengths, users / split.decode_workers, most / split.decode_workers)
    limits = limits_of(decode, budget_of(decode, split.decode), efficiency, split.decode, ran=True)
    decoding = serve(DecodeOnly(decoder), limits, replace(load, users=max(1, round(held)), requests=None), 0.0, bundles=bundles)
    queue = Prefill(split.prefill_workers, alone, per_prompt, many)
    ttft = waits(queue, users, decoding.e2e_s.mean, load.lengths)
    e2e = Distribution(*(getattr(ttft, n) + getattr(decoding.e2e_s, n) for n in ("mean", "median", "p90", "p95", "p99")))
    share = users / split.decode_workers / max(held, 1.0) * decoding.e2e_s.mean / e2e.mean
    served = replace(decoding, ttft_s=ttft, e2e_s=e2e, output_tokens_per_s=decoding.output_tokens_per_s * share)
    return Outcome(_later(served, efficiency.first_token_seconds), float(split.decode_workers), load, efficiency.first_token_seconds)


def _later(served: Served, seconds: float) -> Served:
    def shifted(d: Distribution) -> Distribution:
        return Distribution(d.mean + seconds, d.median + seconds, d.p90 + seconds, d.p95 + seconds, d.p99 + seconds)

    return replace(served, ttft_s=shifted(served.ttft_s), e2e_s=shifted(served.e2e_s))


def measuring(made: Setup, case: Case) -> Setup:
    """The setup with the load that the case's metric measures."""
    return replace(made, workload=_measured_load(case, made.workload))


def _measured_load(case: Case, workload: Workload) -> Workload:
    """The load that the metric measures: a decode rate needs tokens to decode, a prompt rate needs one token after the prompt."""
    lengths = workload.lengths
    if case.metric == "prefill_tok_s" or (case.metric == "ttft_ms" and lengths.output_tokens < 1):
        return replace(workload, lengths=replace(lengths, output_tokens=1.0, input_tokens=max(lengths.input_tokens, 1.0)))
    if case.metric in ("decode_tok_s", "tpot_ms") and lengths.output_tokens < 2:
        return replace(workload, lengths=replace(lengths, output_tokens=128.0))
    if lengths.output_tokens < 1 or lengths.input_tokens < 1:
        return replace(
            workload, lengths=Lengths(max(lengths.input_tokens, 1.0), max(lengths.output_tokens, 1.0), lengths.low, lengths.spread)
        )
    return workload


def value_of(case: Case, out: Outcome, engine: str) -> float:
    """The metric of `case` in its own unit. Conventions by metric and load are listed in docs/validate.md."""
    served, metric, statistic = out.served, case.metric, case.statistic or "mean"
    lengths = out.workload.lengths
    if metric == "decode_tok_s":
        return 1.0 / served.tpot_s.at(statistic)
    if metric == "prefill_tok_s":
        seconds = served.ttft_s.at(statistic) - (out.first_token_s if engine in TOOLS_WITHOUT_FRONT else 0.0)
        return lengths.input_tokens / seconds
    if metric == "output_tok_s":
        return served.output_tokens_per_s * out.shares
    if metric == "total_tok_s":
        return (served.output_tokens_per_s + served.input_tokens_per_s) * out.shares
    if metric == "request_s":
        return served.requests_per_s * out.shares
    if metric == "ttft_ms":
        return (served.e2e_s.mean if out.workload.load == "batch" and lengths.output_tokens <= 1 else served.ttft_s.at(statistic)) * 1e3
    if metric == "tpot_ms":
        return served.tpot_s.at(statistic) * 1e3
    if metric == "e2e_s":
        return served.e2e_s.at(statistic)
    raise NotSupported(f"metric {metric!r} of task {case.task!r} is not known here")
