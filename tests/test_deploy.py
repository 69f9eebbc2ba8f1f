"""The commands of a layout: engine by engine, against the options that their servers have."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest

from cardwise.catalogue.accelerators import accelerator
from cardwise.catalogue.engines import engine_info
from cardwise.catalogue.formats import weight_format, weight_formats
from cardwise.deploy.deployment import SERVED, deployment
from cardwise.deployment import Deployment
from cardwise.errors import CardwiseError
from cardwise.layout import Layout
from cardwise.passes.architectures import architecture
from cardwise.planning.asking import question
from cardwise.planning.evaluate import budget_for, setup_of
from cardwise.planning.explain import candidate_of


def commands(model: str, layout: Layout, **options: Any) -> Deployment | None:
    """As the report makes them."""
    asked = question(model, layout.accelerator, engine=layout.engine, **options)
    card = accelerator(layout.accelerator)
    candidate = candidate_of(asked, card, layout)
    budget = budget_for(asked, candidate, setup_of(asked, candidate))
    return deployment(architecture(model), layout, budget, asked.workload, card.vendor, asked.memory_share)


def words(text: str) -> str:
    return " ".join(text.replace("\\\n", " ").split())


RUN = [
    # one card, the checkpoint's own format: nothing is said that is the engine's default
    (("llama-3.1-8b", Layout("RTX 4090")), {}, "vllm serve meta-llama/Meta-Llama-3.1-8B --max-model-len 1280"),
    (
        ("llama-2-70b", Layout("H100 SXM", tensor_parallel=2, weights="fp8", kv="fp8")),
        {"input": 3840, "memory_share": 0.85, "kv": "fp8"},
        "vllm serve meta-llama/Llama-2-70b-hf --tensor-parallel-size 2 --max-model-len 4096 --quantization fp8 --kv-cache-dtype fp8 "
        "--gpu-memory-utilization 0.85",
    ),
    (
        ("llama-3.1-8b", Layout("RTX 4090", replicas=4, kv="fp8")),
        {"max_model_len": 8192},
        "vllm serve meta-llama/Meta-Llama-3.1-8B --data-parallel-size 4 --max-model-len 8192 --kv-cache-dtype fp8",
    ),
    (
        ("llama-2-70b", Layout("RTX 4090", tensor_parallel=4, pipeline_parallel=2, weights="awq-int4")),
        {},
        "vllm serve Llama-2-70b-hf-awq-int4 --tensor-parallel-size 4 --pipeline-parallel-size 2 --max-model-len 1280",
    ),
    (
        ("deepseek-v3", Layout("H200 SXM", tensor_parallel=8, expert_parallel=8, data_parallel=8, weights="fp8")),
        {},
        "vllm serve deepseek-ai/DeepSeek-V3 --data-parallel-size 8 --enable-expert-parallel --max-model-len 1280",
    ),
    (
        ("deepseek-v3", Layout("H200 SXM", 8, expert_parallel=8, data_parallel=8, weights="fp8", engine="sglang", kv="fp8")),
        {},
        "python -m sglang.launch_server --model-path deepseek-ai/DeepSeek-V3 --enable-dp-attention --tp-size 8 --dp-size 8 --ep-size 8 "
        "--context-length 1280 --kv-cache-dtype fp8_e4m3",
    ),
    (
        ("llama-3.1-8b", Layout("RTX 4090", tensor_parallel=2, weights="q4_k_m", engine="llama.cpp", kv="q8_0")),
        {},
        "llama-server --model Meta-Llama-3.1-8B-q4_k_m.gguf --split-mode row --ctx-size 1280 --parallel 1 --n-gpu-layers 999 "
        "--cache-type-k q8_0 --cache-type-v q8_0",
    ),
    (
        ("llama-3.1-8b", Layout("H100 SXM", tensor_parallel=2, engine="tensorrt-llm")),
        {},
        "trtllm-serve meta-llama/Meta-Llama-3.1-8B --tp_size 2 --max_seq_len 1280",
    ),
    (("llama-3.1-8b", Layout("RTX 4090", tensor_parallel=2, engine="tgi")), {},
     "text-generation-launcher --model-id meta-llama/Meta-Llama-3.1-8B --num-shard 2 --max-total-tokens 1280"),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "options", "expected"), RUN, ids=[f"{row[0][1].engine} {row[0][1].degrees()}" for row in RUN])
def test_the_command_that_serves(asked: tuple[str, Layout], options: dict[str, Any], expected: str) -> None:
    made = commands(*asked, **options)
    assert made is not None and made.copies == 1
    assert words(made.run[0]) == expected


CHECKS = [
    ("vllm", {"concurrency": 8}, "vllm bench serve --backend openai --model meta-llama/Meta-Llama-3.1-8B --dataset-name random "
     "--ignore-eos --random-input-len 1024 --random-output-len 256 --max-concurrency 8 --num-prompts 80 "
     "--percentile-metrics ttft,tpot,e2el "
     "--metric-percentiles 50,95,99"),
    ("vllm", {"offline": True, "requests": 500}, "vllm bench throughput --model meta-llama/Meta-Llama-3.1-8B --tensor-parallel-size 1 "
     "--pipeline-parallel-size 1 --input-len 1024 --output-len 256 --num-prompts 500"),
    ("vllm", {"batch": 16}, "vllm bench latency --model meta-llama/Meta-Llama-3.1-8B --tensor-parallel-size 1 --pipeline-parallel-size 1 "
     "--input-len 1024 --output-len 256 --batch-size 16"),
    ("sglang", {"rate": 2.5}, "python -m sglang.bench_serving --backend sglang --model meta-llama/Meta-Llama-3.1-8B "
     "--dataset-name random-ids "
     "--random-input-len 1024 --random-output-len 256 --random-range-ratio 1 --request-rate 2.5 --num-prompts 1000"),
]  # fmt: skip


@pytest.mark.parametrize(("engine", "load", "expected"), CHECKS)
def test_the_command_that_checks(engine: str, load: dict[str, Any], expected: str) -> None:
    made = commands("llama-3.1-8b", Layout("RTX 4090", engine=engine), **load)
    assert made is not None and words(made.check) == expected


def test_llama_cpp_measures_one_stream_and_several() -> None:
    layout = Layout("RTX 4090", weights="q4_k_m", engine="llama.cpp")
    alone, several = commands("llama-3.1-8b", layout), commands("llama-3.1-8b", layout, concurrency=4)
    assert alone is not None and words(alone.check).startswith(
        "llama-bench --model Meta-Llama-3.1-8B-q4_k_m.gguf --n-prompt 1024 --n-gen 256"
    )
    assert several is not None and "llama-batched-bench" in several.check and "-npp 1024 -ntg 256" in several.check
    assert alone.checkpoint == "GGUF q4_k_m"


def test_copies_that_the_engine_does_not_start_are_processes_with_cards_and_ports_of_their_own() -> None:
    layout = Layout("RTX 4090", pipeline_parallel=2, replicas=3, weights="q4_k_m", engine="llama.cpp")
    made = commands("llama-3.1-8b", layout, concurrency=6)
    assert made is not None and made.copies == 3
    assert [run.split()[0] for run in made.run] == [f"CUDA_VISIBLE_DEVICES={cards}" for cards in ("0,1", "2,3", "4,5")]
    assert [run.split()[-1] for run in made.run] == ["8000", "8001", "8002"]


def test_a_copy_is_checked_where_it_listens() -> None:
    for engine, listens, asks in (
        ("lmdeploy", "--server-port 8000", "http://localhost:8000"),
        ("tgi", "--port 8000", "http://localhost:8000"),
    ):
        made = commands("llama-3.1-8b", Layout("RTX 4090", replicas=2, engine=engine), concurrency=4)
        assert made is not None and listens in made.run[0] and asks in made.check
    experts = Layout("H200 SXM", 8, expert_parallel=8, data_parallel=8, replicas=2, weights="fp8", engine="sglang")
    made = commands("deepseek-v3", experts, concurrency=4)
    assert made is not None and "--port 8000" in made.run[0] and words(made.check).endswith("--port 8000")


OPTIONS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("engine_options.toml").read_text(encoding="utf-8"))
UNREAD = OPTIONS.pop("unread")
SPLITS = (
    ("llama-3.1-8b", {}),
    ("llama-3.1-8b", {"tensor_parallel": 2, "pipeline_parallel": 2}),
    ("llama-3.1-8b", {"replicas": 3}),
    ("deepseek-v3", {"tensor_parallel": 8, "expert_parallel": 8, "data_parallel": 8, "weights": "fp8"}),
    ("deepseek-v3", {"tensor_parallel": 8, "expert_parallel": 8, "data_parallel": 8, "weights": "fp8", "replicas": 2}),
)
GGUF = ("q4_k_m", "q8_0", "f16")
LOADS: tuple[dict[str, Any], ...] = ({}, {"concurrency": 8}, {"rate": 2.0, "ttft": 500.0}, {"batch": 4}, {"offline": True, "requests": 20})


def printed(engine: str) -> Iterator[str]:
    """Every command that can be printed of an engine: splits, formats of weights and cache, loads, a share of the memory."""
    info = engine_info(engine)
    card = "M2 Ultra 76-core" if engine == "mlx" else "H200 SXM"
    weights = [name for name in (*weight_formats(), *GGUF) if weight_format(name, engine).kernel in info.kernels]
    for (model, split), load in product(SPLITS, LOADS):
        yield from said_by(model, Layout(card, engine=engine, **{"weights": weights[0], **split}), {**load, "memory_share": 0.8})
    for weight, cache in product(weights, info.caches or ("fp16",)):
        yield from said_by("llama-3.1-8b", Layout(card, weights=weight, kv=cache, engine=engine), {})


def said_by(model: str, layout: Layout, options: dict[str, Any]) -> Iterator[str]:
    try:
        made = commands(model, layout, **options)
    except CardwiseError:  # a split or a format that this engine does not have
        return
    assert made is not None
    yield from (words(line) for line in (*made.run, made.check) if line)


@pytest.mark.parametrize("engine", SERVED)
def test_every_option_of_every_command_is_one_of_the_program(engine: str) -> None:
    """Against what the published packages declare (engine_options.toml), the values of lists included."""
    lines = set(printed(engine))
    for line in lines:
        parts = [part for part in shlex.split(line) if "VISIBLE_DEVICES=" not in part and "ZE_AFFINITY" not in part]
        program = next((name for name in (*OPTIONS, *UNREAD) if parts[: len(name.split())] == name.split()), None)
        assert program is not None, line
        if program in UNREAD:
            continue
        for option, value in pairwise([*parts[len(program.split()) :], ""]):
            if re.match(r"--?[a-z]", option):
                assert option in OPTIONS[program]["options"], line
                allowed = OPTIONS[program].get("values", {}).get(option)
                assert allowed is None or value in allowed, line
    assert len(lines) > 5


def test_what_a_command_does_not_say_is_named() -> None:
    layout = Layout("H100 SXM", tensor_parallel=8, expert_parallel=8, data_parallel=8, weights="fp8", engine="tensorrt-llm", kv="fp8")
    made = commands("qwen3-235b-a22b", layout)
    assert made is not None and made.unsaid == ("KV fp8", "DP8") and made.checkpoint == "fp8"


def test_an_engine_without_known_commands_has_none() -> None:
    assert commands("llama-2-7b", Layout("RTX 4090", engine="deepspeed")) is None
