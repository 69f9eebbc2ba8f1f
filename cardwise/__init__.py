"""Which card, how many of them, how fast, at what cost: predictions for serving and training a model.

    import cardwise

    answer = cardwise.plan("llama-2-70b", "RTX 4090, A100 SXM 80GB, H100 SXM", concurrency=8, input=3840)
    answer.verdict, answer.options[answer.by_cost[0]].performance.tpot_s

Names are loaded when they are first used, so that `import cardwise` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cardwise.answer import Answer, Estimate, Option, Refusal
    from cardwise.catalogue.accelerators import accelerator, accelerators
    from cardwise.errors import CardwiseError
    from cardwise.planning.asking import read_model as architecture
    from cardwise.planning.facade import compare_cards, explain, plan_training, simulate, use_facts, validate
    from cardwise.planning.shapes import known_models
    from cardwise.reports.notebook import plan

__version__ = "0.1.0"

# Public name -> where it is, and its name there.
_PUBLIC = {
    "Answer": ("cardwise.answer", "Answer"),
    "CardwiseError": ("cardwise.errors", "CardwiseError"),
    "Estimate": ("cardwise.answer", "Estimate"),
    "Option": ("cardwise.answer", "Option"),
    "Refusal": ("cardwise.answer", "Refusal"),
    "accelerator": ("cardwise.catalogue.accelerators", "accelerator"),
    "accelerators": ("cardwise.catalogue.accelerators", "accelerators"),
    "architecture": ("cardwise.planning.asking", "read_model"),
    "compare_cards": ("cardwise.planning.facade", "compare_cards"),
    "explain": ("cardwise.planning.facade", "explain"),
    "known_models": ("cardwise.planning.shapes", "known_models"),
    "plan": ("cardwise.reports.notebook", "plan"),
    "plan_training": ("cardwise.planning.facade", "plan_training"),
    "simulate": ("cardwise.planning.facade", "simulate"),
    "use_facts": ("cardwise.planning.facade", "use_facts"),
    "validate": ("cardwise.planning.facade", "validate"),
}

__all__ = [
    "Answer",
    "CardwiseError",
    "Estimate",
    "Option",
    "Refusal",
    "__version__",
    "accelerator",
    "accelerators",
    "architecture",
    "compare_cards",
    "explain",
    "known_models",
    "plan",
    "plan_training",
    "simulate",
    "use_facts",
    "validate",
]


def __getattr__(name: str) -> Any:
    """A public name, loaded on first use (PEP 562)."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'cardwise' has no attribute {name!r}")
    module, there = _PUBLIC[name]
    found = getattr(import_module(module), there)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
