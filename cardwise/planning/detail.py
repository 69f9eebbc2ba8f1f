"""The layouts of an answer that a person looks at in depth: each explained, under more and more load, and what it costs by use."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Unpack

from cardwise.answer import Answer, Option
from cardwise.errors import CardwiseError
from cardwise.planning.asking import Options, question
from cardwise.planning.cost_curve import CostCurve, cost_curve
from cardwise.planning.explain import Explanation, explained
from cardwise.planning.facade import check_split, finished
from cardwise.planning.load_curve import LoadCurve, load_curve
from cardwise.planning.question import Question
from cardwise.planning.search import plan as search


@dataclass(frozen=True, slots=True)
class Detail:
    """One layout. `load`: None when the layout does not run; `cost`: None without prices."""

    explanation: Explanation
    load: LoadCurve | None
    cost: CostCurve | None


@dataclass(frozen=True, slots=True)
class Report:
    """An answer with the layouts that its verdict names in depth, that of least cost first."""

    answer: Answer
    details: tuple[Detail, ...]


def report(model: str, cards: str | None = None, **options: Unpack[Options]) -> Report:
    """What `plan` answers, and its best layouts in depth. Raises CardwiseError."""
    asked = question(model, cards, **options)
    answer = search(asked)
    check_split(answer, asked)
    whole = finished(answer, asked)
    return Report(whole, tuple(detail(asked, whole, option) for option in tops(whole)))


def explained_report(explanation: Explanation) -> Detail:
    """The same depth for what `explain` answered."""
    asked = explanation.question
    return detail_of(explanation, asked, finished(explanation.answer, replace(asked, evidence=False)))


def tops(answer: Answer) -> list[Option]:
    """The options of lowest cost, of highest speed and of fewest cards, each once."""
    orders = (answer.by_cost, answer.by_speed, answer.by_simplicity)
    return [answer.options[index] for index in dict.fromkeys(order[0] for order in orders if order)]


def detail(asked: Question, answer: Answer, option: Option) -> Detail:
    """One option in depth, as if its card alone had been asked for."""
    count, card = next((count, card) for count, card in asked.cards if card.name == option.layout.accelerator)
    one = replace(asked, cards=((count, card),))
    return detail_of(explained(one, answer, card, option), one, answer)


def detail_of(explanation: Explanation, asked: Question, answer: Answer) -> Detail:
    option = explanation.option
    if option is None:
        return Detail(explanation, None, None)
    costs = cost_curve(answer, option)
    return Detail(explanation, loaded(asked, option), costs if costs is not None and costs.known else None)


def loaded(asked: Question, option: Option) -> LoadCurve | None:
    """The curve; None when the simulator cannot run the layout under other loads."""
    try:
        return load_curve(asked, option)
    except CardwiseError:
        return None
