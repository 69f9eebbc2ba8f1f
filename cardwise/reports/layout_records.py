"""One layout as JSON: its explanation and its simulation (docs/json.md)."""

from __future__ import annotations

from cardwise.planning.changes import Change
from cardwise.planning.explain import Explanation, SlotValue, StepTime
from cardwise.planning.simulate import Simulated
from cardwise.reports.records import Record, document, evidence, layout, limits, memory, option, refusal, workload
from cardwise.serving.metrics import Distribution


def explain_record(e: Explanation) -> Record:
    """cardwise.explain/1"""
    body = {
        "model": e.model,
        "workload": workload(e.question.workload),
        "limits": limits(e.question.slo),
        "layout": layout(e.layout),
        "link": e.link,
        "runs": e.option is not None,
        "refusal": None if e.refusal is None else refusal(e.refusal),
        "option": None if e.option is None else option(e.option),
        "memory": memory(e.budget),
        "limit": e.limit,
        "limit_phase": e.limit_phase,
        "sequences_wanted": e.wanted,
        "sequences_at_most": e.batch_limit,
        "steps": [step(one) for one in e.steps],
        "changes": [change(one) for one in e.changes],
        "efficiencies": [efficiency(one) for one in e.slots],
        "evidence": [evidence(one) for one in e.evidence],
    }
    return document("explain", 1, body)


def step(value: StepTime) -> Record:
    names = ("group", "seconds", "flops", "weight_bytes", "activation_bytes", "kv_bytes", "message_bytes", "launches", "bound")
    return {
        "kind": value.kind,
        "sequences": value.sequences,
        "tokens": value.tokens,
        "seconds": value.seconds,
        "bound": value.bound,
        "operators": [{name: getattr(operator, name) for name in names} for operator in value.operators],
    }


def change(value: Change) -> Record:
    return {"kind": value.kind, "to": value.to, "factor": value.factor, "passes": value.passes, "option": option(value.option)}


def efficiency(value: SlotValue) -> Record:
    return {
        "name": value.name,
        "value": value.value,
        "unit": value.unit,
        "prior": value.prior,
        "source": value.source,
        "fitted": [{"key": key, "factor": factor, "cases": cases} for key, factor, cases in value.moved],
    }


def simulate_record(s: Simulated) -> Record:
    """cardwise.simulate/1"""
    served = s.served
    body = {
        "model": s.model,
        "workload": workload(s.question.workload),
        "trace": s.source,
        "limits": limits(s.question.slo),
        "layout": layout(s.option.layout),
        "requests": served.requests,
        "duration_s": served.duration_s,
        "ttft_s": distribution(served.ttft_s),
        "tpot_s": distribution(served.tpot_s),
        "e2e_s": distribution(served.e2e_s),
        "output_tokens_per_s": served.output_tokens_per_s,
        "input_tokens_per_s": served.input_tokens_per_s,
        "requests_per_s": served.requests_per_s,
        "goodput_share": served.goodput_share,
        "goodput_requests_per_s": s.goodput_requests_per_s,
        "preemptions": served.preemptions,
        "busy_share": served.busy_share,
        "prefill_share": served.prefill_share,
        "peak_running": served.peak_running,
        "points": [
            {"time_s": p.time_s, "running": p.running, "waiting": p.waiting, "kv_share": p.kv_share, "preemptions": p.preemptions}
            for p in s.points
        ],
    }
    return document("simulate", 1, body)


def distribution(value: Distribution) -> Record:
    return {"mean": value.mean, "p50": value.median, "p90": value.p90, "p95": value.p95, "p99": value.p99}
