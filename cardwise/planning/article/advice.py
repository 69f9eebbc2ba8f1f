"""What follows: which card for which model and load (A13, R4), and a small model on one 4090 (R3)."""

from __future__ import annotations

from cardwise.answer import Answer, Option
from cardwise.catalogue.article import article
from cardwise.planning.article import training
from cardwise.planning.article.ask import ask, cards, usd_per_million
from cardwise.planning.article.cells import SPEED_HEADER, SPEED_HEADER_ZH, in_gib, layout_name, number, speed_row, table
from cardwise.planning.article.claim import Found, Row, Table, Verdict
from cardwise.quantities import significant

Load = tuple[str, int, int, int]
"""Model, users, input tokens, output tokens."""


def loads() -> list[Load]:
    """Models x workloads of the verdict table."""
    asked = article()["verdict"]
    return [(name, load["users"], load["input_tokens"], load["output_tokens"]) for name in asked["models"] for load in asked["loads"]]


def cell(option: Option) -> str:
    """`2x RTX 4090 TP2 awq-int4: 45 tok/s a user, $0.9`."""
    usd = usd_per_million(option)
    price = "" if usd is None else f", ${significant(usd, 2)}"
    return f"{layout_name(option)} {option.layout.weights}: {significant(option.performance.stream_tokens_per_s.likely, 2)} tok/s{price}"


def verdicts(names: tuple[str, ...], found: list[tuple[Load, Answer]]) -> Table:
    """The best layout of the cards by cost, by latency, by simplicity, for each load."""
    rows: list[Row] = []
    for (name, users, tokens_in, tokens_out), answer in found:
        best = [cell(answer.options[order[0]]) if order else "-" for order in (answer.by_cost, answer.by_speed, answer.by_simplicity)]
        rows.append((name, f"{users} x ({tokens_in} + {tokens_out})", *best))
    header = ("model", "users x (in + out)", "least cost", "least latency", "fewest cards")
    header_zh = ("模型", "用户 x(输入 + 输出)", "成本最低", "延迟最低", "用卡最少")
    kinds = ", ".join(names)
    title = f"Best of {kinds}; tok/s of one user, $ per million output tokens rented"
    return table(title, f"{kinds} 中的最优;单用户 tok/s,租用每百万输出 token 美元", header, header_zh, rows)


def answers(names: tuple[str, ...]) -> list[tuple[Load, Answer]]:
    return [(load, ask(load[0], ", ".join(names), *load[1:])) for load in loads()]


def winner(answer: Answer, order: tuple[int, ...]) -> str:
    return answer.options[order[0]].layout.accelerator if order else ""


def inference_and_training() -> Found:
    """A13: which card for inference and which for training, each as a table."""
    names = tuple(card.name for card in cards())
    found = answers(names)
    small, _, large = names
    values: dict[str, float | str] = {
        "rows": float(len(found)),
        "rtx4090_cheapest": float(sum(winner(answer, answer.by_cost) == small for _, answer in found)),
        "h100_fastest": float(sum(winner(answer, answer.by_speed) == large for _, answer in found)),
        "rtx4090_simplest": float(sum(winner(answer, answer.by_simplicity) == small for _, answer in found)),
    }
    trained = training.cases()
    values |= training.values(trained)
    inference = 2 * float(values["rtx4090_cheapest"]) > len(found)
    apart = values["rtx4090_training_cheapest"] == 0 and values["h100_training_fastest"] == len(trained)
    verdict: Verdict = "right" if inference and apart else "roughly" if inference or apart else "wrong"
    return Found(verdict, values, (verdicts(names, found), training.verdict_table(trained)))


def small_or_large() -> Found:
    """R4: the same table for a 4090 and an H100, and how much they differ."""
    small, _, large = cards()
    found = answers((small.name, large.name))
    rows: list[Row] = []
    dearer: list[float] = []
    faster: list[float] = []
    for (name, users, tokens_in, tokens_out), answer in found:
        cost = [least(answer, card.name) for card in (small, large)]
        speed = [quickest(answer, card.name) for card in (small, large)]
        if cost[0] and cost[1]:
            dearer.append(cost[1] / cost[0])
        if speed[0] and speed[1]:
            faster.append(speed[1] / speed[0])
        rows.append((name, f"{users} x ({tokens_in} + {tokens_out})", *map(number, (*cost, *speed))))
    header = ("model", "users x (in + out)", "4090 $ per M", "H100 $ per M", "4090 tok/s a user", "H100 tok/s a user")
    header_zh = ("模型", "用户 x(输入 + 输出)", "4090 每百万美元", "H100 每百万美元", "4090 每用户 tok/s", "H100 每用户 tok/s")
    beside = table("Least cost and least latency of each card", "每种卡的最低成本与最低延迟", header, header_zh, rows)
    cheaper = sum(ratio > 1 for ratio in dearer)
    values: dict[str, float | str] = {
        "rows": float(len(found)),
        "rtx4090_cheaper": float(cheaper),
        "h100_faster": float(sum(ratio > 1 for ratio in faster)),
        "least_ratio": min(dearer),
        "most_ratio": max(dearer),
        "least_faster": min(faster),
        "most_faster": max(faster),
    }
    verdict: Verdict = "roughly" if 2 * cheaper >= len(dearer) else "wrong"  # never right: the reason that it gives is not
    return Found(verdict, values, (verdicts((small.name, large.name), found), beside), (small.source, large.source))


def least(answer: Answer, card: str) -> float | None:
    """The lowest $ per million output tokens of a card, rented."""
    return min((usd for o in answer.options if o.layout.accelerator == card and (usd := usd_per_million(o)) is not None), default=None)


def quickest(answer: Answer, card: str) -> float | None:
    """The most tokens/s of one user on a card."""
    return max((o.performance.stream_tokens_per_s.likely for o in answer.options if o.layout.accelerator == card), default=None)


def one_small_card() -> Found:
    """R3: an 8B model on one 4090: memory, users, tokens/s."""
    small, load = cards()[0], article()["small_load"]
    rows: list[Row] = []
    first: Option | None = None
    last: Option | None = None
    for users in load["user_counts"]:
        answer = ask(load["model"], f"1x {small.name}", users, load["input_tokens"], load["output_tokens"], tuple(load["one_card_weights"]))
        for option in answer.options:
            rows.append((option.layout.weights, str(users), *speed_row(option), number(option.performance.users_at_max_length)))
        chosen = next((option for option in answer.options if option.layout.weights == load["weights"]), None)
        first, last = first or chosen, chosen or last
    if first is None or last is None:
        return Found("wrong", {"card": small.name}, (), (small.source,))
    budget = first.budget
    memory = table(
        "Memory of the card, GiB",
        "显存(GiB)",
        ("part", "GiB"),
        ("部分", "GiB"),
        [*((name, in_gib(value)) for name, value in budget.parts), ("usable", in_gib(budget.usable_bytes))],
    )
    speeds = table(
        f"{load['model']} on one {small.name}, {load['input_tokens']} tokens in, {load['output_tokens']} out",
        f"单张 {small.name} 上的 {load['model']},输入 {load['input_tokens']}、输出 {load['output_tokens']} token",
        ("weights", "users", *SPEED_HEADER, "sequences that fit"),
        ("权重", "用户数", *SPEED_HEADER_ZH, "可容纳序列数"),
        rows,
    )
    values: dict[str, float | str] = {
        "card": small.name,
        "weights_gib": budget.weight_bytes / 2**30,
        "kv_tokens": float(budget.kv_tokens),
        "sequences": first.performance.users_at_max_length,
        "request_tokens": float(load["input_tokens"] + load["output_tokens"]),
        "stream_tokens_per_s": first.performance.stream_tokens_per_s.likely,
        "users": float(load["user_counts"][-1]),
        "all_tokens_per_s": last.performance.output_tokens_per_s.likely,
        "many_stream_tokens_per_s": last.performance.stream_tokens_per_s.likely,
    }
    return Found("right", values, (speeds, memory), (small.source,))
