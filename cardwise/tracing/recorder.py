"""Runs a module of torch on the meta device and notes every kernel. The one place that looks into torch's dispatch.

Fused attention is noted where it is called, since on the meta device torch decomposes it. Stored tensors are known by their storage, which
a transposed view shares.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from cardwise.tracing.calls import AttentionCall, Call, ConvolutionCall, MatrixCall, PointwiseCall, ProductCall

NO_KERNEL = frozenset({
    "_unsafe_view", "_reshape_alias", "detach", "detach_", "empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided",
    "lift_fresh", "sym_size", "is_same_size", "_local_scalar_dense", "set_", "resize_", "squeeze", "unsqueeze", "alias", "copy_meta",
})  # fmt: skip


class Recorder(TorchDispatchMode):
    """Notes the calls of the kernels that run while it is entered, and of the modules of `module` that they run in."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self._path: list[str] = []
        self._names: dict[int, str] = {storage(tensor): name for name, tensor in [*module.named_buffers(), *module.named_parameters()]}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func._schema.name.partition("::")[2]
        if not (func.is_view or name in NO_KERNEL):
            self._note(name, args, out)
        return out

    @property
    def path(self) -> str:
        return self._path[-1] if self._path else ""

    def _note(self, name: str, args: Any, out: Any) -> None:
        if name in ("mm", "addmm", "addmv", "mv", "dot"):
            self._matrix(name, args)
        elif name in ("bmm", "baddbmm"):
            left, right = args[-2:]
            self.calls.append(ProductCall(self.path, left.shape[0], left.shape[1], left.shape[2], right.shape[2]))
        elif name in ("convolution", "_convolution", "convolution_overrideable", "cudnn_convolution"):
            self._convolution(args, out)
        else:
            self._pointwise(name, args, out)

    def _matrix(self, name: str, args: Any) -> None:
        left, right = args[-2:]
        weight = self._stored(right)
        columns = right.shape[1] if right.dim() > 1 else 1
        rows = left.shape[0] if left.dim() > 1 else 1
        if weight:
            bias = self._stored(args[0]) if name.startswith("addm") else ""
            self.calls.append(MatrixCall(self.path, weight, bias, rows, left.shape[-1], columns))
        else:
            self.calls.append(ProductCall(self.path, 1, rows, left.shape[-1], columns))

    def _convolution(self, args: Any, out: Any) -> None:
        given, weight, bias = args[:3]
        transposed, groups = bool(args[6]), int(args[8])
        taps = math.prod(weight.shape[2:])
        channels = (given.shape[1], out.shape[1])
        read, made = (given.numel() // channels[0], out.numel() // channels[1])
        if transposed:  # one product for every input position
            made, read = read, made
        self.calls.append(
            ConvolutionCall(
                self.path, self._stored(weight), "" if bias is None else self._stored(bias), made, read, *channels, taps, groups
            )
        )  # fmt: skip

    def _pointwise(self, name: str, args: Any, out: Any) -> None:
        outputs = [tensor for tensor in _tensors(out) if tensor.numel()]
        if not outputs:
            return
        written = outputs[0].numel()
        read = sum(tensor.numel() for tensor in _tensors(args) if not self._stored(tensor))
        self.calls.append(PointwiseCall(self.path, name, written, written + read, _width(outputs[0])))

    def _stored(self, tensor: torch.Tensor) -> str:
        return self._names.get(storage(tensor), "")

    def attention(self, query: Any, key: Any, value: Any) -> None:
        """Notes one fused attention over (..., heads, positions, head size)."""
        lead = query.shape[:-2]
        heads = lead[-1] if len(lead) > 1 else 1
        sequences = math.prod(lead) // heads
        self.calls.append(AttentionCall(self.path, sequences, heads, query.shape[-2], key.shape[-2], query.shape[-1], value.shape[-1]))

    def moves(self, kernel: str, tensor: torch.Tensor) -> None:
        """Notes a kernel that reads and writes a tensor."""
        self.calls.append(PointwiseCall(self.path, kernel, tensor.numel(), 2 * tensor.numel(), _width(tensor)))

    def enter(self, path: str) -> Callable[..., None]:
        return lambda *_: self._path.append(path)

    def leave(self) -> Callable[..., None]:
        def left(*_: object) -> None:
            self._path.pop()

        return left


def storage(tensor: torch.Tensor) -> int:
    """What a tensor and its views share."""
    return int(tensor.untyped_storage()._cdata)


def _width(tensor: torch.Tensor) -> int:
    """Channels of a picture or video, else elements of the last dimension."""
    return int(tensor.shape[1 if tensor.dim() > 3 else -1]) if tensor.dim() else 1


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)


def record(module: torch.nn.Module, run: Callable[[], object]) -> tuple[Call, ...]:
    """The kernels of `run`, which calls `module` or a method of it."""
    recorder = Recorder(module)
    hooks = []
    for path, part in module.named_modules():
        hooks.append(part.register_forward_pre_hook(recorder.enter(path)))
        hooks.append(part.register_forward_hook(recorder.leave(), always_call=True))
    try:
        with _fused(recorder), torch.device("meta"), recorder, torch.no_grad():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    return tuple(recorder.calls)


@contextmanager
def _fused(recorder: Recorder) -> Iterator[None]:
    """Attention and RMSNorm as the one kernel that they are on a card, where torch would decompose them on the meta device."""
    functional = torch.nn.functional
    before = functional.scaled_dot_product_attention, functional.rms_norm, torch.autocast

    def attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> Any:
        recorder.attention(query, key, value)
        if query.dim() < 4:
            return query.new_empty((*query.shape[:-1], value.shape[-1]))
        # laid out as fused kernels write it: heads beside their elements
        return query.new_empty((*query.shape[:-3], query.shape[-2], query.shape[-3], value.shape[-1])).transpose(-2, -3)

    def norm(given: Any, *_: Any, **__: Any) -> Any:
        recorder.moves("rms_norm", given)
        return torch.empty_like(given)

    functional.scaled_dot_product_attention, functional.rms_norm = attention, norm
    torch.autocast = lambda *_, **__: nullcontext()  # which the meta device does not know
    try:
        yield
    finally:
        functional.scaled_dot_product_attention, functional.rms_norm, torch.autocast = before
