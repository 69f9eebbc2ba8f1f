"""The library's calls for one request, with its last answers at hand: a question mostly comes again at once, for its charts."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from cardwise.errors import BadInput, NotSupported
from cardwise.model import Architecture
from cardwise.planning import facade
from cardwise.readers.uploaded import Description, architecture_of

if TYPE_CHECKING:
    from cardwise.answer import Answer
    from cardwise.planning.article.claim import Claim
    from cardwise.planning.compare import Comparison
    from cardwise.planning.explain import Explanation
    from cardwise.planning.runs.explain import RunExplanation
    from cardwise.run_answer import RunAnswer
    from cardwise.training_answer import TrainingAnswer

T = TypeVar("T")
Said = Mapping[str, Any]
Progress = Callable[[int, int], None]
SHARED_WITH_PICTURES = frozenset(
    ("batch", "engine", "weights", "link", "rent", "price", "electricity", "pue", "years", "utilization", "cny", "budget_usd_per_hour")
)
"""Options of language models that pipelines of images and video have too."""
SHARED_WITH_TRAINING = frozenset(
    ("engine", "tensor_parallel", "pipeline_parallel", "link", "rent", "price", "electricity", "pue", "years", "utilization", "cny")
)
"""Options of serving that training has too."""

RECENT = 12
QUESTION = ("model", "described", "cards", "options", "picture", "training", "rank")
"""What of a request decides the library's answer."""
_recent: OrderedDict[str, Any] = OrderedDict()


def kept(kind: str, said: Said, make: Callable[[], T]) -> T:
    """The library's answer of this kind to this question: the one of a moment ago, or a new one."""
    key = f"{kind} {json.dumps([said.get(name) for name in QUESTION], sort_keys=True)}"
    found: T = _recent[key] if key in _recent else make()
    _recent[key] = found
    _recent.move_to_end(key)
    while len(_recent) > RECENT:
        _recent.popitem(last=False)
    return found


def model_of(said: Said) -> str | Architecture:
    described = said.get("described")
    return architecture_of(Description(**described)) if described else str(said["model"]).strip()


def pipeline_of(said: Said) -> str | None:
    """The name of a pipeline of images or video; None for a language model. Raises BadInput for options of the other kind."""
    from cardwise.passes.architectures import may_be_path

    model = said.get("model")
    if model is not None:
        may_be_path(model)  # refuses what looks like a path
    if model is None or not facade.is_pipeline(model):
        if said.get("picture"):
            raise BadInput(f"{next(iter(said['picture']))} is for models of images and video; {model or 'this'} is a language model")
        return None
    if is_training(said):
        raise NotSupported(f"training is predicted for language models; {model} makes pictures: leave training out")
    return str(model)


def run_options(said: Said) -> dict[str, Any]:
    """The arguments for a pipeline. Raises BadInput for an option that only language models have."""
    misplaced = [name for name in said["options"] if name not in SHARED_WITH_PICTURES]
    if misplaced:
        raise BadInput(f"{misplaced[0]} is for language models; {said['model']} makes pictures: leave it out")
    return {**said.get("picture", {}), **said["options"]}


def is_training(said: Said) -> bool:
    return said.get("training") is not None


def training_options(said: Said) -> dict[str, Any]:
    """The arguments of training. Raises BadInput for an option that only serving or pictures have."""
    if said.get("picture"):
        raise BadInput("picture and training exclude each other; say one of them")
    misplaced = [name for name in said["options"] if name not in SHARED_WITH_TRAINING]
    if misplaced:
        raise BadInput(f"{misplaced[0]} belongs to serving; leave it out with training")
    own = {name: value for name, value in said["training"].items() if value is not None}
    shared = dict(said["options"])
    engine = shared.pop("engine", "auto")
    return {**shared, **renamed(own, offload="offload_states"), "framework": "" if engine == "auto" else engine}


def renamed(values: Mapping[str, Any], **names: str) -> dict[str, Any]:
    """The values with the names that the library gives them: `library=said`."""
    library = {said: name for name, said in names.items()}
    return {library.get(name, name): value for name, value in values.items()}


def trained(said: Said, progress: Progress) -> TrainingAnswer:
    return kept("train", said, lambda: facade.plan_training(model_of(said), said.get("cards"), progress, **training_options(said)))


def planned_run(name: str, said: Said, progress: Progress) -> RunAnswer:
    return kept("run", said, lambda: facade.plan_run(name, said.get("cards"), progress, **run_options(said)))


def planned(said: Said, progress: Progress) -> Answer:
    return kept("plan", said, lambda: facade.plan(model_of(said), said.get("cards"), progress, **said["options"]))


def explained_run(name: str, said: Said) -> RunExplanation:
    return kept("explain-run", said, lambda: facade.explain_run(name, said["cards"], **run_options(said)))


def explained(said: Said) -> Explanation:
    return kept("explain", said, lambda: facade.explain(model_of(said), said["cards"], **said["options"]))


def compared(said: Said, progress: Progress) -> Comparison:
    return kept("cards", said, lambda: facade.compare_cards(said["cards"], said["rank"], model_of(said), progress, **said["options"]))


def claims() -> tuple[Claim, ...]:
    from cardwise.planning import article

    return kept("article", {}, lambda: tuple(article.claims()))
