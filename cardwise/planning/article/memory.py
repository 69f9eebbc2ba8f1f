"""Claims on memory: activations (A7), weights (A8), KV cache (A9), two or three H100 (A10), eight 4090 (A11)."""

from __future__ import annotations

from cardwise.answer import Answer, Option, Refusal
from cardwise.catalogue.accelerators import parse_cards
from cardwise.catalogue.article import article
from cardwise.catalogue.costs import cost_assumptions
from cardwise.catalogue.engine_memory import memory_constants
from cardwise.catalogue.formats import cache_format, weight_format
from cardwise.laws import article as law
from cardwise.laws.memory import kv_bytes_per_token
from cardwise.laws.memory_activation import token_bytes
from cardwise.layout import Layout
from cardwise.model import KeyValueCache
from cardwise.planning.article.ask import article_plan, cards, fastest, link_shares, model, option_load, option_of
from cardwise.planning.article.cells import SPEED_HEADER, SPEED_HEADER_ZH, in_gib, layout_name, speed_row, table
from cardwise.planning.article.claim import Found, Row, Table
from cardwise.planning.layouts import rules_for
from cardwise.planning.question import Question
from cardwise.quantities import GIB, GIGA

BUDGET_HEADER = (
    "layout",
    "engine",
    "usable",
    "weights",
    "activation",
    "graphs",
    "links",
    "runtime",
    "left out",
    "KV cache",
    "tokens",
    "sequences",
)
BUDGET_HEADER_ZH = ("布局", "引擎", "可用", "权重", "激活", "CUDA 图", "通信", "运行时", "未使用", "KV 缓存", "token 数", "序列数")
LINK_HEADER = ("link, decode", "link, prefill")
LINK_HEADER_ZH = ("互联占解码", "互联占预填充")
CLOSE, NEAR = 0.02, 0.25
"""A figure within 2 % is right, within 25 % roughly so."""


def inputs(id: str) -> dict[str, float]:
    """The numbers that the article puts into its formula."""
    found: dict[str, float] = article()["claim"][id]["inputs"]
    return found


def activations() -> Found:
    """A7: one hidden state of the batch, against the peak that an engine reserves a card."""
    given, architecture, load = inputs("A7"), model(), article()["load"]
    small, _, large = cards()
    one = law.hidden_bytes(int(given["batch"]), int(given["tokens"]), int(given["hidden"]), given["bytes_per_element"])
    eight = option_of(article_plan(f"8x {small.name}"), small.name, 8, "TP8")
    two = option_of(article_plan(f"2x {large.name}"), large.name, 2, "TP2")
    question = article_question(f"8x {small.name}")
    constants = memory_constants(rules_for(question, small, "vllm", 8))
    whole = token_bytes(architecture, Layout(small.name), constants.hidden_copies) * given["batch"] * given["tokens"]
    return Found(
        "roughly",
        {
            **given,
            "recomputed_gb": one / GIGA,
            "recomputed_gib": one / GIB,
            "whole_prompts_gb": whole / GIGA,
            "small_peak_gib": eight.budget.activation_bytes / GIB,
            "large_peak_gib": two.budget.activation_bytes / GIB,
            "vocabulary": float(architecture.vocabulary),
            "step_tokens": float(rules_for(question, small, "vllm", 8).max_num_batched_tokens),
            "users": float(load["users"]),
        },
    )


def article_question(wanted: str) -> Question:
    """The article's question without its answer, for the rules that an engine would take."""
    return Question(model(), tuple(parse_cards(wanted)), option_load(), cost_assumptions(), weights=(article()["load"]["weights"],))


def weights() -> Found:
    """A8: 70e9 x 2 bytes, against the parameters of the checkpoint."""
    given, architecture = inputs("A8"), model()
    said = law.weight_bytes(given["parameters"], given["bytes_per_parameter"])
    real = law.weight_bytes(architecture.parameters, weight_format(article()["load"]["weights"]).bits_of("dense") / 8)
    error = said / real - 1
    verdict = "right" if abs(error) <= CLOSE else "roughly" if abs(error) <= NEAR else "wrong"
    rows = [(name, f"{count:,}") for name, count in architecture.parts.items() if count]
    parts = table(
        "Parameters by part", "各部分的参数量", ("part", "parameters"), ("部分", "参数量"), [*rows, ("all", f"{architecture.parameters:,}")]
    )
    values: dict[str, float | str] = {
        **given,
        "said_b": given["parameters"] / GIGA,
        "recomputed_gb": said / GIGA,
        "parameters_b": architecture.parameters / GIGA,
        "weights_gb": real / GIGA,
        "weights_gib": real / GIB,
        "error_percent": error * 100,
    }
    return Found(verdict, values, (parts,), (architecture.source,))  # type: ignore[arg-type]


def cache() -> Found:
    """A9: a cache as wide as the hidden state, with keys or values alone, against grouped-query attention."""
    given, architecture, load = inputs("A9"), model(), article()["load"]
    layers, tokens, batch, hidden = (int(given[name]) for name in ("layers", "tokens", "batch", "hidden"))
    half, whole = (law.whole_width_cache_bytes(layers, tokens, batch, hidden, given["bytes_per_element"], sides) for sides in (1, 2))
    small = cards()[0]
    rules = rules_for(article_question(small.name), small, "vllm")
    per_token = kv_bytes_per_token(architecture, cache_format("fp16"), Layout(small.name), rules)
    kept = architecture.layers[0].mixer.cache
    assert isinstance(kept, KeyValueCache)
    real = per_token * load["context_tokens"] * load["users"]
    error = given["figure_gb"] * GIGA / real - 1
    return Found(
        "right" if abs(error) <= CLOSE else "roughly" if abs(error) <= NEAR else "wrong",
        {
            **given,
            "half_gb": half / GIGA,
            "half_gib": half / GIB,
            "ungrouped_gb": whole / GIGA,
            "kv_bytes_per_token": per_token,
            "kv_gb": real / GIGA,
            "kv_gib": real / GIB,
            "heads": float(architecture.heads),
            "kv_heads": float(kept.kv_heads),
            "factor": given["figure_gb"] * GIGA / real,
        },
    )


def budget_row(option: Option, engine: str) -> Row:
    """The memory of one card of the layout, GiB, and what its cache holds."""
    budget, context = option.budget, article()["load"]["context_tokens"]
    parts = (budget.usable_bytes, budget.weight_bytes, budget.activation_bytes, budget.graph_bytes, budget.communication_bytes)
    rest = (budget.context_bytes, budget.outside_bytes, budget.kv_bytes)
    sequences = budget.max_concurrency(context) * option.layout.replicas
    return layout_name(option), engine, *map(in_gib, (*parts, *rest)), f"{budget.kv_tokens:,}", f"{sequences:.1f}"


def refused_row(refusal: Refusal, engine: str) -> Row:
    empty = ("-",) * (len(BUDGET_HEADER) - 3)
    return f"{refusal.cards}x {refusal.accelerator} {refusal.degrees}", engine, *empty, f"refused: {refusal.reason}"


def answers(card: str, counts: tuple[int, ...]) -> list[tuple[str, Answer]]:
    """The article's load under the engine of its time and under the newest, by the engine's name."""
    wanted = ", ".join(f"{count}x {card}" for count in counts)
    then = article()["load"]["engine_version"]
    return [(f"vLLM {then}", article_plan(wanted, engine_version=then)), ("vLLM, newest", article_plan(wanted))]


def budgets(title: str, title_zh: str, found: list[tuple[str, Answer]]) -> Table:
    rows = [budget_row(option, engine) for engine, answer in found for option in answer.options if option.layout.replicas == 1]
    rows += [refused_row(refusal, engine) for engine, answer in found[-1:] for refusal in answer.refusals]
    return table(title, title_zh, BUDGET_HEADER, BUDGET_HEADER_ZH, rows)


def sequences(found: list[tuple[str, Answer]], card: str, count: int) -> tuple[float, float]:
    """Sequences of the article's context that the best split holds, under the engine of its time and the newest."""
    context = article()["load"]["context_tokens"]

    def most(answer: Answer) -> float:
        same = [o for o in answer.options if (o.layout.accelerator, o.layout.cards, o.layout.replicas) == (card, count, 1)]
        return max(option.budget.max_concurrency(context) for option in same)

    return most(found[0][1]), most(found[1][1])


def two_or_three() -> Found:
    """A10: what two H100 hold, and why three are no tensor-parallel layout."""
    given = inputs("A10")
    _, _, large = cards()
    found = answers(large.name, (2, 3, 4))
    then, now = sequences(found, large.name, 2)
    refusal = next(r for r in found[-1][1].refusals if r.cards == 3)
    three = option_of(found[-1][1], large.name, 3, "PP3")
    two = fastest_of(found[-1][1], large.name, 2)
    holds = min(then, now) >= given["batch"]
    left = given["cards_gb"] * 2 - given["weights_gb"]
    values: dict[str, float | str] = {
        **given,
        "left_gb": left,
        "sequences_then": then,
        "sequences_now": now,
        "kv_gib": two.budget.kv_bytes / GIB,
        "weights_gib": two.budget.weight_bytes / GIB,
        "usable_gib": two.budget.usable_bytes / GIB,
        "refusal": refusal.reason,
        "three_sequences": three.budget.max_concurrency(article()["load"]["context_tokens"]),
        "card": large.name,
    }
    speeds = table(
        "Speed under the load",
        "负载下的速度",
        SPEED_HEADER,
        SPEED_HEADER_ZH,
        [speed_row(option) for option in found[-1][1].options if option.layout.replicas == 1],
    )
    budget = budgets("Memory of one card, GiB, and sequences of the article's context", "单卡显存(GiB)与可容纳的序列数", found)
    return Found("wrong" if holds else "right", values, (budget, speeds), (large.source,))


def fastest_of(answer: Answer, card: str, count: int) -> Option:
    same = [option for option in answer.options if (option.layout.accelerator, option.layout.cards) == (card, count)]
    return max(same, key=lambda option: option.performance.output_tokens_per_s.likely)


def eight_small() -> Found:
    """A11: what eight 4090 hold, and that the link and not the memory limits them."""
    given, facts = inputs("A11"), article()["measured"]["all_reduce"]
    small, _, large = cards()
    found = answers(small.name, (8,))
    then, now = sequences(found, small.name, 8)
    answer = found[-1][1]
    loads = [article_plan(f"8x {small.name}", users=users) for users in article()["load"]["more_users"]]
    single = [option for option in answer.options if option.layout.replicas == 1]
    shares = {option.layout.degrees(): link_shares(option) for option in single}
    rows = [(*speed_row(option), *(f"{share:.0%}" for share in shares[option.layout.degrees()])) for option in single]
    many = [speed_row(o) for busy in loads for o in busy.options if o.layout.replicas == 1]
    tensor = option_of(answer, small.name, 8, "TP8")
    best = fastest(answer, small.name)
    assert best is not None
    two = fastest_of(article_plan(f"2x {large.name}"), large.name, 2)
    values: dict[str, float | str] = {
        **given,
        "sum_gb": given["weights_gb"] + given["kv_gb"],
        "nominal_gb": given["card_gb"] * given["cards"],
        "usable_gib": small.usable_bytes / GIB,
        "weights_gib": tensor.budget.weight_bytes / GIB,
        "kv_gib": tensor.budget.kv_bytes / GIB,
        "sequences_then": then,
        "sequences_now": now,
        "link": tensor.link,
        "decode_percent": shares["TP8"][0] * 100,
        "prefill_percent": shares["TP8"][1] * 100,
        "best": best.layout.degrees(),
        "tokens_per_s": best.performance.output_tokens_per_s.likely,
        "h100_tokens_per_s": two.performance.output_tokens_per_s.likely,
        "latency_us": facts["latency_us"],
        "reached_gb_per_s": facts["gb_per_s"],
        "card": small.name,
        "large": large.name,
    }
    tables = (
        budgets("Memory of one card, GiB, and sequences of the article's context", "单卡显存(GiB)与可容纳的序列数", found),
        table("Splits under the load", "各种切分在该负载下", (*SPEED_HEADER, *LINK_HEADER), (*SPEED_HEADER_ZH, *LINK_HEADER_ZH), rows),
        table(
            f"Splits with {loads[0].workload.users} users",
            f"{loads[0].workload.users} 个用户时的各种切分",
            SPEED_HEADER,
            SPEED_HEADER_ZH,
            many,
        ),
    )
    fits = now >= given["batch"]
    return Found("roughly" if fits else "wrong", values, tables, (small.source, facts["source"]))
