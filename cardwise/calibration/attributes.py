"""What a stack is made of, as the attributes that fitted effects are keyed by. None of them names a model or a source."""

from __future__ import annotations

from cardwise.calibration.settings import says
from cardwise.catalogue.engine_versions import days_between
from cardwise.engine import EngineRules, WeightFormat
from cardwise.hardware import Accelerator, Link
from cardwise.passes.batch import arithmetic

TOOLS_WITHOUT_FRONT = frozenset({"llama.cpp", "ik_llama.cpp", "mlx"})
"""Engines whose own benchmark times the prompt inside the process, without a server in front."""
LLAMA_ENGINES = frozenset({"llama.cpp", "ik_llama.cpp", "ollama"})
NEW_INSTRUCTIONS = frozenset({"hopper", "blackwell-dc"})
OLDER_KERNELS = frozenset({"gguf-f16", "gguf-q", "gguf-k", "gguf-iq", "w4a16", "w8a16", "exl"})
"""Kernels written for the matrix instructions of Ampere; Hopper and data-centre Blackwell reach their peaks with newer ones only."""
YOUNG_DAYS = 210
HIPBLASLT_SINCE = "2026"


def context(
    card: Accelerator, weights: WeightFormat, rules: EngineRules, wire: Link, load: str, settings: str = "", measured: str = ""
) -> tuple[tuple[str, str], ...]:
    """Attributes of a stack that fitted effects are keyed by, sorted. None of them is the name of a model or of a source.

    `settings`: words of `settings_of`, of which the backend of llama.cpp on AMD cards matters.
    """
    kernel = arithmetic(weights, card)[1]
    llama = llama_flags(card, rules, settings, measured)
    attributes = {
        "vendor": card.vendor.lower(),
        "generation": card.generation,
        "engine": rules.engine,
        "era": rules.era,
        "kernel": kernel,
        "isa": "older" if card.generation in NEW_INSTRUCTIONS and kernel in OLDER_KERNELS else "",
        "link": ("rows-" if llama and not rules.layer_split else "")
        + wire.kind
        + ("-p2p" if wire.kind == "pcie" and wire.peer_to_peer else ""),
        "maturity": maturity(card, measured),
        "blocks": "128" if kernel == "fp8" and weights.tile >= 128 else "",
        "front": front_of(rules, load),
        **llama,
    }
    return tuple(sorted(attributes.items()))


def llama_flags(card: Accelerator, rules: EngineRules, settings: str, measured: str) -> dict[str, str]:
    """Backend of a llama.cpp build, and on AMD cards its matrix library, driver and attention kernels; empty for other engines."""
    if rules.engine not in LLAMA_ENGINES:
        return {}
    backend = next((word for word in ("vulkan", "rocm", "sycl") if says(settings, word)), "")
    backend = backend or {"NVIDIA": "cuda", "Apple": "metal"}.get(card.vendor, "unsaid")
    if card.vendor != "AMD":
        return {"backend": backend}
    wmma = says(settings, "rocwmma")
    backend = "rocm" if wmma else backend
    return {
        "backend": backend,
        "blas": blas_of(backend, settings, measured),
        "driver": next((word for word in ("amdvlk", "radv") if says(settings, word)), ""),
        "flash": f"{'rocwmma' if wmma else backend}-{'on' if says(settings, 'flash attention') else 'off'}",
    }


def maturity(card: Accelerator, measured: str) -> str:
    """young: measured in the first half year of a card, whose engines are not yet tuned for it; empty else, or where a date is missing."""
    if not card.launch or not measured:
        return ""
    return "young" if 0 <= days_between(card.launch, measured) < YOUNG_DAYS else ""


def blas_of(backend: str, settings: str, measured: str) -> str:
    """The matrix library of a ROCm build: hipBLASLt where it is said, and in builds of 2026 on, where ROCm 7 takes it by itself."""
    if backend == "vulkan":
        return ""
    return "hipblaslt" if says(settings, "hipblaslt") or measured >= HIPBLASLT_SINCE else "rocblas"


def front_of(rules: EngineRules, load: str) -> str:
    """What stands between the clock and the first step: a server, a script around the engine, or a tool in its own process."""
    if rules.engine in TOOLS_WITHOUT_FRONT:
        return "tool" if load == "single" else "server"
    return "script" if rules.scheduler == "static" or load in ("batch", "offline") else "server"
