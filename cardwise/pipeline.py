"""A pipeline that makes images or video: text encoders, a denoiser run over and over, an autoencoder. Frozen, no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from cardwise.network import Autoencoder, Canvas, Network


@dataclass(frozen=True, slots=True)
class Encoder:
    """What turns a prompt (or a first picture) into conditions, once a run. `tokens`: what it processes for one prompt.

    `name`: as the pipeline calls the component (text_encoder, text_encoder_2, image_encoder). `guided`: it runs for the empty prompt of
    classifier-free guidance too, as encoders of pictures do not.
    """

    name: str
    network: Network
    tokens: int
    guided: bool = True


@dataclass(frozen=True, slots=True)
class Denoiser:
    """The network that every step runs. `share`: the share of the steps that it does (two experts share them in some models)."""

    name: str
    network: Network
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One model as its library runs it. `task`: image or video.

    `prompt_tokens`: text tokens that the denoiser sees. `passes`: network passes a step (2 with classifier-free guidance, 1 where guidance
    is distilled into the network). `multiple`: pixels that width and height must be a multiple of. `frame_multiple`: frames must be
    1 + a multiple of it (0: one picture). `max_frames`: None where nothing states a limit. `checkpoint`: number type of the published
    weights of the denoiser where that is wider than what it is run in. `passes_apart`: the passes of a
    step run one after the other, not as one batch. Defaults are the library's or the model card's.
    """

    id: str
    task: str
    name: str
    encoders: tuple[Encoder, ...]
    denoisers: tuple[Denoiser, ...]
    autoencoder: Autoencoder
    prompt_tokens: int
    steps: int
    guidance: float
    passes: int
    width: int
    height: int
    frames: int = 1
    fps: float | None = None
    multiple: int = 8
    frame_multiple: int = 0
    max_frames: int | None = None
    source: str = ""
    notes: str = ""
    checkpoint: str = ""
    passes_apart: bool = False

    @property
    def parameters(self) -> int:
        """Elements of the weights of all components."""
        return (
            sum(e.network.parameters for e in self.encoders)
            + sum(d.network.parameters for d in self.denoisers)
            + self.autoencoder.parameters
        )


@dataclass(frozen=True, slots=True)
class Job:
    """One run of a pipeline: `batch` pictures or videos of `width` x `height` pixels and `frames` frames at once, in `steps` steps of
    `passes` network passes each. `evaluations`: of the network in all, as the scheduler makes them of the steps (0: one a step).
    """

    width: int
    height: int
    steps: int
    passes: int
    frames: int = 1
    batch: int = 1
    evaluations: int = 0

    @property
    def evaluated(self) -> int:
        """Times that the denoiser is asked."""
        return self.evaluations or self.steps

    def canvas(self, prompt_tokens: int = 0) -> Canvas:
        """What a network with a prompt of so many tokens sees."""
        return Canvas(self.width, self.height, self.frames, prompt_tokens)
