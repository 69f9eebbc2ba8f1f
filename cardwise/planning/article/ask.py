"""The questions behind the claims: the same search that answers a person, asked with the article's loads."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from cardwise.answer import Answer, Option
from cardwise.calibration.effects import efficiency
from cardwise.calibration.predict import step_of
from cardwise.catalogue.accelerators import accelerator, accelerators, parse_cards
from cardwise.catalogue.article import article
from cardwise.catalogue.costs import cost_assumptions
from cardwise.catalogue.engines import engine_info
from cardwise.catalogue.load import forgets
from cardwise.hardware import Accelerator
from cardwise.laws.work import Operator
from cardwise.model import Architecture
from cardwise.passes.architectures import architecture
from cardwise.passes.batch import Batch
from cardwise.planning.evaluate import setup_of
from cardwise.planning.layouts import Candidate, rules_for
from cardwise.planning.question import Question
from cardwise.planning.search import plan
from cardwise.workload import Lengths, Workload


def cards() -> tuple[Accelerator, Accelerator, Accelerator]:
    """The three cards that the article compares: its 4090, A100 and H100."""
    names = article()["cards"]
    return accelerator(names["small"]), accelerator(names["old"]), accelerator(names["large"])


def model() -> Architecture:
    """The article's 70B model."""
    return architecture(article()["load"]["model"])


def workload(users: int, input_tokens: int, output_tokens: int) -> Workload:
    return Workload("concurrency" if users > 1 else "single", Lengths(float(input_tokens), float(output_tokens)), users=users)


@lru_cache(maxsize=256)
def ask(
    name: str,
    wanted: str,
    users: int,
    input_tokens: int,
    output_tokens: int,
    weights: tuple[str, ...] = (),
    engine_version: str = "",
) -> Answer:
    """What `cardwise plan` answers: `name` on the cards `wanted` (`"8x RTX 4090"`) for so many users at once.

    `one of each`: every card of the catalogue alone.
    """
    chosen = tuple((1, card) for card in accelerators().values()) if wanted == "one of each" else tuple(parse_cards(wanted))
    question = Question(
        architecture=architecture(name),
        cards=chosen,
        workload=workload(users, input_tokens, output_tokens),
        assumptions=cost_assumptions(),
        weights=weights,
        engine_version=engine_version,
        evidence=False,
    )
    return plan(question)


forgets(ask.cache_clear)


def article_plan(wanted: str, users: int | None = None, engine_version: str = "") -> Answer:
    """The article's model in 16 bit at its load, or for other `users`."""
    load = article()["load"]
    return ask(
        load["model"], wanted, users or load["users"], load["input_tokens"], load["output_tokens"], (load["weights"],), engine_version
    )


def option_of(answer: Answer, card: str, count: int, degrees: str) -> Option:
    """The option of one split. Raises KeyError when it is not among the answer's."""
    for option in answer.options:
        if (option.layout.accelerator, option.layout.cards, option.layout.degrees()) == (card, count, degrees):
            return option
    raise KeyError(f"{count}x {card} {degrees}")


def fastest(answer: Answer, card: str) -> Option | None:
    """The option of one card with the most tokens/s; a replica without a user does not count."""
    users = answer.workload.users
    found = [option for option in answer.options if option.layout.accelerator == card and option.layout.replicas <= users]
    return max(found, key=lambda option: option.performance.output_tokens_per_s.likely, default=None)


def link_shares(option: Option) -> tuple[float, float]:
    """Shares of a decode step at the article's load, and of the prefill of one prompt, that go to the link."""
    load = article()["load"]
    question = Question(
        model(),
        ((option.layout.cards, accelerator(option.layout.accelerator)),),
        option_load(),
        cost_assumptions(),
        weights=(load["weights"],),
    )
    card = question.cards[0][1]
    layout = replace(option.layout, replicas=1)
    rules = rules_for(question, card, layout.engine, layout.tensor_parallel)
    made = setup_of(question, Candidate(layout, card, rules, engine_info(layout.engine)))
    step = step_of(made, made.layout, efficiency(made.context))
    prompt, users = float(load["input_tokens"]), float(load["users"])
    decode = step.operators(Batch(decodes=users, context=users * (prompt + load["output_tokens"] / 2), outputs=users))
    prefill = step.operators(Batch(prefill=prompt, pairs=prompt * prompt / 2, outputs=1.0))

    def share(operators: list[Operator]) -> float:
        return sum(float(o.link_seconds) for o in operators) / sum(float(o.seconds) for o in operators)

    return share(decode), share(prefill)


def option_load() -> Workload:
    """The article's load."""
    load = article()["load"]
    return workload(load["users"], load["input_tokens"], load["output_tokens"])


def usd_per_million(option: Option) -> float | None:
    """Rented, all cost on the output tokens, at the assumed utilization; None without a price."""
    cost = option.cost.rent_token
    return None if cost is None else cost.usd_per_million_output_alone
