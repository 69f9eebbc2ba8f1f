"""Classes of diffusers and transformers on torch's meta device: shapes without weights."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Mapping
from typing import Any

from cardwise.errors import NotSupported

NEEDS = ("torch", "diffusers", "transformers")
ELSEWHERE = {
    "ChatGLMModel": "diffusers.pipelines.kolors.text_encoder",
    "PaellaVQModel": "diffusers.pipelines.deprecated.wuerstchen.modeling_paella_vq_model",
}
"""Modules of classes that their library does not export."""
CONFIGS = {"ChatGLMModel": ("diffusers.pipelines.kolors.text_encoder", "ChatGLMConfig")}


def check_installed() -> None:
    """Raises NotSupported in one line when the libraries that are traced are not there."""
    missing = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise NotSupported(f"tracing needs {', '.join(missing)}: pip install 'cardwise[trace]'; everything else works without")


def versions() -> str:
    """What is traced, for a `source`."""
    return ", ".join(f"{name} {importlib.import_module(name).__version__}" for name in NEEDS)


def build(fields: Mapping[str, object], place: str) -> Any:
    """The module that a component's configuration describes, in bfloat16, without weights. Raises NotSupported when its class or the
    class's libraries do not know it or refuse its fields.
    """
    import torch

    name = fields.get("_class_name")
    found = _find(name) if isinstance(name, str) else None
    if found is None:
        raise NotSupported(f"{place}: neither diffusers nor transformers has the class {str(name)[:60]}")
    try:
        with warnings.catch_warnings(), torch.device("meta"):
            warnings.simplefilter("ignore")
            made = _made(found, str(name), fields).eval()
            return made.to(device="meta", dtype=torch.bfloat16)
    except Exception as error:  # whatever a library says of fields that it cannot use
        raise NotSupported(f"{place}: {name} cannot be built: {type(error).__name__}: {str(error)[:200]}") from error


def _find(name: str) -> Any:
    places = [ELSEWHERE[name]] if name in ELSEWHERE else ["diffusers", "transformers"]
    for place in places:
        found = getattr(importlib.import_module(place), name, None)
        if found is not None:
            return found
    return None


def _made(found: Any, name: str, fields: Mapping[str, object]) -> Any:
    values = {key: value for key, value in fields.items() if not key.startswith("_")}
    if hasattr(found, "from_config") and hasattr(found, "load_config"):
        return found.from_config(values)
    values = {key: value for key, value in values.items() if key not in ("architectures", "auto_map", "torch_dtype", "dtype")}
    if name in CONFIGS:
        config: Any = getattr(importlib.import_module(CONFIGS[name][0]), CONFIGS[name][1])
    else:
        config = found.config_class
    return found(config(**values))


def parameters(module: Any) -> dict[str, int]:
    """Elements of every stored parameter by name; tied ones once."""
    return {name: tensor.numel() for name, tensor in module.named_parameters()}


def block_count(module: Any) -> int:
    """Length of the longest list of blocks."""
    import torch

    return max((len(part) for part in module.modules() if isinstance(part, torch.nn.ModuleList)), default=1)


def quiet() -> None:
    """Keeps the libraries' own messages off the terminal, and takes every element of a mask as set, whose contents nothing knows."""
    config: Any = importlib.import_module("torch.fx.experimental._config")
    config.meta_nonzero_assume_all_nonzero = True
    warnings.simplefilter("ignore")
    for name in ("diffusers", "transformers"):
        importlib.import_module(f"{name}.utils.logging").set_verbosity_error()
