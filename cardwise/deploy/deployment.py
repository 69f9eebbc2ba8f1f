"""The commands of one layout, from the flags that the catalogue knows of its engine (`data/engines/*.toml`, `arguments`)."""

from __future__ import annotations

import shlex

from cardwise.budget import MemoryBudget
from cardwise.catalogue.engines import EngineInfo, engine_info
from cardwise.catalogue.formats import weight_format
from cardwise.deploy.check import FIRST_PORT, check_command
from cardwise.deployment import Deployment
from cardwise.layout import Layout
from cardwise.model import Architecture
from cardwise.workload import Workload

SERVED = ("vllm", "sglang", "tensorrt-llm", "llama.cpp", "ik_llama.cpp", "mlx", "lmdeploy", "tgi")
"""Engines whose commands are known."""
ONLINE = {("vllm", "fp8"): "fp8", ("sglang", "fp8"): "fp8"}
"""Formats to which an engine quantises a 16-bit checkpoint as it loads it."""
DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}
CACHE_NAMES = {
    ("vllm", "int8"): "int8_per_token_head",
    ("sglang", "fp8"): "fp8_e4m3",
    ("llama.cpp", "fp16"): "f16",
    ("llama.cpp", "fp32"): "f32",
}
"""Cache formats that an engine names otherwise than the catalogue."""
CACHE_ENGINES = ("vllm", "sglang", "llama.cpp")
"""Engines that take the format of the cache on their command line."""
SIXTEEN = ("auto", "fp16", "bf16")
VISIBLE = {"NVIDIA": "CUDA_VISIBLE_DEVICES", "AMD": "HIP_VISIBLE_DEVICES", "Intel": "ZE_AFFINITY_MASK"}
ALL_LAYERS = 999
"""llama.cpp: more layers than any model has, so that all of them go to the cards."""
MOST_COPIES = 16
"""Copies whose commands are written out."""


def deployment(
    architecture: Architecture,
    layout: Layout,
    budget: MemoryBudget,
    workload: Workload,
    vendor: str = "NVIDIA",
    memory_share: float | None = None,
) -> Deployment | None:
    """The commands of a layout that runs; None for an engine whose commands are not known. `memory_share`: where the person fixed it."""
    info = engine_info(layout.engine)
    if info.name not in SERVED:
        return None
    model, checkpoint = served_model(architecture, layout, info)
    copies = 1 if in_one_process(architecture, layout, info) else layout.replicas
    options = [*parallel(architecture, layout, info), *lengths(layout, budget, workload, info), *formats(architecture, layout, info)]
    if memory_share is not None and "memory_share" in info.arguments:
        options.append(f"{info.arguments['memory_share']} {memory_share:g}")
    named = f"{info.arguments['model']} {shlex.quote(model)}" if "model" in info.arguments else shlex.quote(model)
    run = tuple(
        process(f"{info.command} {named}", options, layout, info, vendor, index, copies) for index in range(min(copies, MOST_COPIES))
    )
    return Deployment(
        run, check_command(info.name, model, layout, budget, workload, copies), copies, checkpoint, model, unsaid(layout, info)
    )


def served_model(architecture: Architecture, layout: Layout, info: EngineInfo) -> tuple[str, str]:
    """The model's name in the commands, and the format of the checkpoint that has to be found or made; empty for the model's own."""
    own, wanted = architecture.weight_format, layout.weights
    sixteen = own in DTYPES and wanted in DTYPES
    gguf = weight_format(wanted, info.name).kernel.startswith("gguf")
    if not gguf and (own == wanted or sixteen or ((info.name, wanted) in ONLINE and own in DTYPES)):
        return architecture.name, ""
    short = architecture.name.rstrip("/").rsplit("/", 1)[-1] or "model"
    return f"{short}-{wanted}{'.gguf' if gguf else ''}", f"GGUF {wanted}" if gguf else wanted


def in_one_process(architecture: Architecture, layout: Layout, info: EngineInfo) -> bool:
    """Whether the engine itself starts the replicas: vLLM where no experts would be spread over them, SGLang with its own router."""
    if layout.replicas == 1:
        return True
    alone = layout.data_parallel == 1
    return alone and (info.name == "sglang" or (info.name == "vllm" and not architecture.has_experts))


def parallel(architecture: Architecture, layout: Layout, info: EngineInfo) -> list[str]:
    """Degrees of the split that are not 1."""
    flags, inside = info.arguments, in_one_process(architecture, layout, info)
    if info.one_machine:  # llama.cpp takes every card that it sees
        return [flags["tensor_parallel"]] if layout.tensor_parallel > 1 else []
    tensor, data = layout.tensor_parallel, layout.replicas if inside else 1
    found = []
    if layout.data_parallel > 1 and info.name == "vllm":
        tensor, data = layout.attention_tensor_parallel, layout.data_parallel
    if layout.data_parallel > 1 and info.name == "sglang":
        data = layout.data_parallel
        found.append("--enable-dp-attention")  # --attn-dp-size N replaces it from 0.5.23 on, which takes both; older ones lack it
    for name, degree in (("tensor_parallel", tensor), ("pipeline_parallel", layout.pipeline_parallel), ("data_parallel", data)):
        if degree > 1 and name in flags:
            found.append(f"{flags[name]} {degree}")
    if layout.expert_parallel > 1 and "expert_parallel" in flags:
        found.append(flags["expert_parallel"] if info.name == "vllm" else f"{flags['expert_parallel']} {layout.expert_parallel}")
    return found


def lengths(layout: Layout, budget: MemoryBudget, workload: Workload, info: EngineInfo) -> list[str]:
    """The longest request, and for llama.cpp its slots, the context of all of them and the layers on the cards."""
    flag = info.arguments.get("max_model_len", "")
    found = [f"{flag} {budget.max_model_len}"] if flag.startswith("--") else []
    if info.kv_at_start:
        found += [f"{info.arguments['max_num_seqs']} {slots(budget, workload)}", f"--n-gpu-layers {ALL_LAYERS}"]
    return found


def slots(budget: MemoryBudget, workload: Workload) -> int:
    """Requests at once for which the context of an engine that allocates it at start was sized."""
    longest = max(workload.lengths.input_tokens + workload.lengths.output_tokens, 1.0)
    return max(1, int(budget.max_model_len // longest))


def formats(architecture: Architecture, layout: Layout, info: EngineInfo) -> list[str]:
    """Weights that the engine converts as it loads, and the format of the cache where it is not the engine's own choice."""
    own, found = architecture.weight_format, []
    if (info.name, layout.weights) in ONLINE and own in DTYPES:
        found.append(f"{info.arguments['weight_format']} {ONLINE[info.name, layout.weights]}")
    elif own != layout.weights and own in DTYPES and layout.weights in DTYPES and info.name in ("vllm", "sglang"):
        found.append(f"--dtype {DTYPES[layout.weights]}")
    if info.name in CACHE_ENGINES and layout.kv not in SIXTEEN:
        named = CACHE_NAMES.get((info.name, layout.kv), layout.kv)
        found += [f"{flag} {named}" for flag in info.arguments["cache_format"].split("/")]
    return found


def unsaid(layout: Layout, info: EngineInfo) -> tuple[str, ...]:
    """What the layout has and the command line of the engine does not say: it belongs into the engine's own configuration."""
    found = [f"KV {layout.kv}"] if layout.kv not in SIXTEEN and info.name not in CACHE_ENGINES else []
    found += [f"EP{layout.expert_parallel}"] if layout.expert_parallel > 1 and "expert_parallel" not in info.arguments else []
    found += [f"DP{layout.data_parallel}"] if layout.data_parallel > 1 and info.name not in ("vllm", "sglang") else []
    return tuple(found)


def process(command: str, options: list[str], layout: Layout, info: EngineInfo, vendor: str, index: int, copies: int) -> str:
    """The command of one copy in lines; of several, each has cards and a port of its own."""
    if copies == 1:
        return joined(command, options)
    first = index * layout.cards_per_replica
    seen = ",".join(str(first + card) for card in range(layout.cards_per_replica))
    named = f"{VISIBLE[vendor]}={seen} " if vendor in VISIBLE else ""
    return joined(f"{named}{command}", [*options, f"{info.arguments.get('port', '--port')} {FIRST_PORT + index}"])


def joined(command: str, options: list[str]) -> str:
    """One option on each line."""
    return " \\\n    ".join([command, *options])
