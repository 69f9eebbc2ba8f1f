"""One run of a pipeline: encode the prompt, denoise in steps, decode. Stages of seconds by operator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cardwise.execution import Execution
from cardwise.hardware import Accelerator, Link
from cardwise.laws.network_memory import stored_bytes
from cardwise.laws.pipeline_memory import samples
from cardwise.laws.roofline import smooth_maximum
from cardwise.laws.work import Operator, Work
from cardwise.network_efficiency import NetworkEfficiency
from cardwise.passes.network import WIDTHS, NetworkWork, Rates, network_work, operators, pass_time, rates
from cardwise.pipeline import Job, Pipeline


@dataclass(frozen=True, slots=True)
class Stored:
    """How weights are kept: bytes an element of the denoiser's and of the large encoder's matrices (0: as wide as activations), and bytes
    moved per element and pass to unpack the denoiser's. `host_flops_per_s`: of encoders that stay on the host; `host_bytes_per_s`: between
    host and card. `large_encoder`: parameters beyond which a text encoder counts as large.
    """

    denoiser_bytes: float = 0.0
    encoder_bytes: float = 0.0
    unpacked_bytes: float = 0.0
    host_flops_per_s: float = 0.0
    host_bytes_per_s: float = 0.0
    large_encoder: int = 0


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a run: `repeats` equal passes of `operators`, whose seconds are of one of them."""

    name: str
    component: str
    repeats: float
    operators: tuple[Operator, ...]

    @property
    def pass_s(self) -> float:
        return float(sum(operator.seconds for operator in self.operators))

    @property
    def seconds(self) -> float:
        """Seconds of the stage."""
        return self.repeats * self.pass_s


@dataclass(frozen=True, slots=True)
class _Part:
    """A stage before it is priced."""

    name: str
    component: str
    repeats: float
    work: NetworkWork
    rate: Rates
    execution: Execution
    moved_bytes: float = 0.0
    gathered_bytes: float = 0.0
    on_host: bool = False


class PipelineRun:
    """Prices runs of one job on one kind of card. Building it does all that efficiencies do not change."""

    def __init__(
        self, pipeline: Pipeline, job: Job, execution: Execution, accelerator: Accelerator, stored: Stored, link: Link | None = None
    ) -> None:
        self.pipeline, self.job, self.execution, self.link = pipeline, job, execution, link
        self._accelerator, self._stored = accelerator, stored
        self._parts = [*self._encoders(), *self._denoisers(), self._decoder()]

    def stages(self, efficiency: NetworkEfficiency) -> list[Stage]:
        """All stages in order; the overhead of a run is one of them."""
        found = [self._priced(part, efficiency) for part in self._parts]
        overhead = Operator("host", Work(), efficiency.run_seconds, launch_seconds=efficiency.run_seconds)
        return [*found, Stage("overhead", "", 1.0, (overhead,))]

    def seconds(self, efficiency: NetworkEfficiency) -> float:
        """Seconds of the whole run."""
        return sum(stage.seconds for stage in self.stages(efficiency))

    def step_seconds(self, efficiency: NetworkEfficiency) -> float:
        """Mean seconds of a denoising step."""
        return sum(stage.seconds for stage in self.stages(efficiency) if stage.name == "denoise") / self.job.steps

    def _priced(self, part: _Part, efficiency: NetworkEfficiency) -> Stage:
        if part.on_host:
            seconds = float(part.work.flops.sum()) / self._stored.host_flops_per_s
            return Stage(part.name, part.component, part.repeats, (Operator("host processor", Work(), seconds, seconds),))
        time = pass_time(part.work, part.rate, efficiency, part.execution, self.link)
        listed = operators(part.work, time)
        total = time.total_s
        if part.gathered_bytes and self.link is not None:  # gathered while the block before computes
            wait = float(smooth_maximum(total, part.gathered_bytes / (self.link.bytes_per_s * efficiency.link_share))) - total
            listed.append(Operator("gather of weights", Work(message_bytes=part.gathered_bytes), wait, link_seconds=wait))
        if part.moved_bytes:
            moved = part.moved_bytes / (self._stored.host_bytes_per_s * efficiency.offload_share)
            listed.append(Operator("offload", Work(message_bytes=part.moved_bytes), moved, link_seconds=moved))
        if part.name == "denoise" and efficiency.step_seconds:
            each = efficiency.step_seconds / samples(self.pipeline, self.job, self.execution)[1]
            listed.append(Operator("scheduler", Work(), each, launch_seconds=each))
        return Stage(part.name, part.component, part.repeats, tuple(listed))

    def _encoders(self) -> Iterator[_Part]:
        whole = replace(
            self.execution, split=replace(self.execution.split, guidance=1, ulysses=1, ring=1), mode=_uncompiled(self.execution)
        )
        stored = self._stored.encoder_bytes
        for encoder in self.pipeline.encoders:
            batch = self.job.batch * (min(self.job.passes, 2) if encoder.guided else 1)
            large = encoder.network.parameters > self._stored.large_encoder
            work = network_work(encoder.network, self.job.canvas(encoder.tokens), batch, whole, stored if large else 0.0)
            weights = stored_bytes(encoder.network, WIDTHS[whole.precision], stored if large else 0.0)
            on_host = self.execution.encoders_on_host and large
            moved = weights if self.execution.offload != "none" and not on_host else 0.0
            yield _Part("encode", encoder.name, 1.0, work, rates(self._accelerator, whole), whole, moved, on_host=on_host)

    def _denoisers(self) -> Iterator[_Part]:
        execution, job, stored = self.execution, self.job, self._stored
        batch, times = samples(self.pipeline, job, execution)
        canvas = job.canvas(self.pipeline.prompt_tokens)
        quantised = bool(stored.denoiser_bytes)
        for denoiser in self.pipeline.denoisers:
            work = network_work(denoiser.network, canvas, batch, execution, stored.denoiser_bytes, stored.unpacked_bytes)
            weights = stored_bytes(denoiser.network, WIDTHS[execution.kept or execution.precision], stored.denoiser_bytes)
            steps = job.evaluated * denoiser.share * times
            moved = {"none": 0.0, "model": weights / steps, "sequential": weights}[execution.offload]
            cards = execution.split.cards
            gathered = weights * (cards - 1) / cards if execution.split.sharded and cards > 1 else 0.0
            yield _Part("denoise", denoiser.name, steps, work, rates(self._accelerator, execution, quantised), execution, moved, gathered)

    def _decoder(self) -> _Part:
        autoencoder = self.pipeline.autoencoder
        precision = decoder_precision(self.pipeline, self.execution)
        alone = replace(self.execution.split, guidance=1, ulysses=1, ring=1)
        execution = replace(self.execution, split=alone, precision=precision, mode=_uncompiled(self.execution))
        work = network_work(autoencoder.decoder, self.job.canvas(), self.job.batch, execution)
        moved = autoencoder.parameters * WIDTHS[precision] if self.execution.offload != "none" else 0.0
        return _Part("decode", "vae", 1.0, work, rates(self._accelerator, execution), execution, moved)


def decoder_precision(pipeline: Pipeline, execution: Execution) -> str:
    """Arithmetic of the autoencoder: its engine's own, FP32 where FP16 would overflow, else that of the run."""
    if execution.decoder_precision:
        return execution.decoder_precision
    return "fp32" if pipeline.autoencoder.upcast and execution.precision == "fp16" else execution.precision


def _uncompiled(execution: Execution) -> str:
    """Text encoders and the autoencoder are compiled only where everything is built ahead."""
    return execution.mode if execution.mode == "built" else "eager"
