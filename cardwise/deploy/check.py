"""The command that measures on the real machine what was predicted, with the tool that comes with the engine."""

from __future__ import annotations

import math
import shlex

from cardwise.budget import MemoryBudget
from cardwise.layout import Layout
from cardwise.serving.requests import default_requests
from cardwise.workload import Workload

OPEN_API = ("tensorrt-llm", "lmdeploy", "tgi")
"""Engines without a bench of their own that speaks to a server, but with the interface that vLLM's speaks."""
PORTS = {"tensorrt-llm": 8000, "lmdeploy": 23333, "tgi": 3000}
"""Where a server listens that is not told where."""
FIRST_PORT = 8000
"""Where the first of several copies listens."""


def check_command(engine: str, model: str, layout: Layout, budget: MemoryBudget, workload: Workload, copies: int) -> str:
    """Against one of `copies` processes, with its share of the load; empty where no tool is known.

    vLLM: `vllm bench serve`, or `throughput` and `latency` without a server for offline runs and static batches. SGLang:
    `sglang.bench_serving`. llama.cpp: `llama-bench` for one stream, `llama-batched-bench` for several. MLX: `mlx_lm.benchmark`.
    """
    name = shlex.quote(model)
    if engine in ("llama.cpp", "ik_llama.cpp"):
        return llama(name, layout, budget, workload)
    if engine == "mlx":
        return lines(
            "mlx_lm.benchmark",
            f"--model {name}",
            f"--prompt-tokens {_input(workload)}",
            f"--generation-tokens {_output(workload)}",
            f"--batch-size {workload.users}",
        )
    if engine == "sglang":
        return lines(
            "python -m sglang.bench_serving --backend sglang", f"--model {name}", "--dataset-name random-ids",
            f"--random-input-len {_input(workload)} --random-output-len {_output(workload)} --random-range-ratio 1",
            *pace(workload, copies), f"--port {FIRST_PORT}" if copies > 1 else "",
        )  # fmt: skip
    if engine == "vllm" and workload.load in ("offline", "batch"):
        kind, count = (
            ("throughput", f"--num-prompts {_share(workload, copies)}")
            if workload.load == "offline"
            else ("latency", f"--batch-size {workload.users}")
        )
        split = f"--tensor-parallel-size {layout.tensor_parallel} --pipeline-parallel-size {layout.pipeline_parallel}"
        return lines(
            f"vllm bench {kind}", f"--model {name} {split}", f"--input-len {_input(workload)} --output-len {_output(workload)}", count
        )
    if engine == "vllm" or engine in OPEN_API:
        port = FIRST_PORT if copies > 1 else PORTS.get(engine)
        where = [f"--base-url http://localhost:{port}"] if engine in PORTS else []
        return lines(
            "vllm bench serve --backend openai", *where, f"--model {name}", "--dataset-name random --ignore-eos",
            f"--random-input-len {_input(workload)} --random-output-len {_output(workload)}", *pace(workload, copies),
            "--percentile-metrics ttft,tpot,e2el --metric-percentiles 50,95,99",
        )  # fmt: skip
    return ""


def pace(workload: Workload, copies: int) -> list[str]:
    """How requests come, and how many: to one of `copies`."""
    count = f"--num-prompts {_share(workload, copies)}"
    if workload.load == "rate":
        return [f"--request-rate {(workload.requests_per_s or 0.0) / copies:g} {count}"]
    if workload.load == "offline":
        return [count]
    users = math.ceil(workload.users / copies)
    return [f"--max-concurrency {users} {count}"]


def _share(workload: Workload, copies: int) -> int:
    """Requests of one copy: as many as the prediction took, and at least ten of a single stream, whose first is a warm-up."""
    whole = workload.requests or default_requests(workload)
    return max(10 if workload.load == "single" else 1, math.ceil(whole / copies))


def llama(name: str, layout: Layout, budget: MemoryBudget, workload: Workload) -> str:
    """llama.cpp measures in its own process; the split is that of the server."""
    split = "--split-mode row" if layout.tensor_parallel > 1 else ""
    if workload.load == "single":
        return lines(
            f"llama-bench --model {name}", f"--n-prompt {_input(workload)} --n-gen {_output(workload)}", "--n-gpu-layers 999", split
        )
    longest = max(workload.lengths.input_tokens + workload.lengths.output_tokens, 1.0)
    users = min(workload.users, max(1, int(budget.max_model_len // longest)))
    return lines(
        f"llama-batched-bench --model {name}", f"--ctx-size {budget.max_model_len}",
        f"-npp {_input(workload)} -ntg {_output(workload)} -npl {users}", "--n-gpu-layers 999", split,
    )  # fmt: skip


def _input(workload: Workload) -> str:
    return f"{workload.lengths.input_tokens:.0f}"


def _output(workload: Workload) -> str:
    return f"{workload.lengths.output_tokens:.0f}"


def lines(*parts: str) -> str:
    """One part on each line."""
    return " \\\n    ".join(part for part in parts if part)
