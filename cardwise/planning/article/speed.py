"""Claims on speed: the ranking of cards (A5) and the work of a request, with what limits it (A6)."""

from __future__ import annotations

from cardwise.answer import Option
from cardwise.catalogue.accelerators import accelerators
from cardwise.catalogue.article import article
from cardwise.laws import article as law
from cardwise.laws.operators import attention_flops, causal_pairs, product_flops
from cardwise.laws.roofline import Amount
from cardwise.model import Architecture
from cardwise.planning.article.ask import article_plan, ask, cards, fastest, model
from cardwise.planning.article.cells import interval, layout_name, number, table
from cardwise.planning.article.claim import Found, Row, Table
from cardwise.quantities import GIB, GIGA, TERA

SHOWN = 15
SIXTEEN_BIT = ("bf16", "fp16")


def per_usd(option: Option) -> float | None:
    """Output tokens per rented dollar while the load runs all the time."""
    rent = option.cost.rent
    return option.performance.output_tokens_per_s.likely * 3600 / rent.total if rent is not None and rent.total else None


def per_watt(option: Option) -> float | None:
    watts = option.cost.watts
    return option.performance.output_tokens_per_s.likely / watts if watts else None


def ranked(values: dict[str, float | None]) -> dict[str, int]:
    """Places by value, 1 for the largest; cards without a value have none."""
    order = sorted((name for name, value in values.items() if value is not None), key=lambda name: (-(values[name] or 0.0), name))
    return {name: place for place, name in enumerate(order, 1)}


def inference_ranking(best: dict[str, Option]) -> tuple[Table, dict[str, dict[str, int]]]:
    """All cards alone by tokens/s, with their places by tokens per dollar and per watt."""
    places = {
        "speed": ranked({name: option.performance.output_tokens_per_s.likely for name, option in best.items()}),
        "usd": ranked({name: per_usd(option) for name, option in best.items()}),
        "watt": ranked({name: per_watt(option) for name, option in best.items()}),
    }
    named = {card.name for card in cards()} | {article()["cards"]["export"]}
    rows: list[Row] = []
    for name, place in sorted(places["speed"].items(), key=lambda item: item[1]):
        firsts = min(place, places["usd"].get(name, SHOWN + 1), places["watt"].get(name, SHOWN + 1))
        if place > SHOWN and name not in named and firsts > 3:
            continue
        option = best[name]
        tokens = number(None if (usd := per_usd(option)) is None else usd / 1e6)
        rows.append(
            (
                str(place),
                name,
                option.layout.engine,
                interval(option.performance.output_tokens_per_s),
                tokens,
                str(places["usd"].get(name, "-")),
                number(per_watt(option)),
                str(places["watt"].get(name, "-")),
                option.basis.knowledge,
            )
        )
    header = ("place", "card", "engine", "tok/s", "M tokens per $ rented", "place", "tok/s per W", "place", "known by")
    header_zh = ("名次", "显卡", "引擎", "tok/s", "每美元百万 token(租用)", "名次", "每瓦 tok/s", "名次", "依据")
    return table("Inference, one card", "推理,单卡", header, header_zh, rows), places


def training_ranking() -> tuple[Table, dict[str, int]]:
    """All cards by dense 16-bit rate with FP32 sums: an upper bound of training; memory decides what fits."""
    rates = {name: next((card.peaks[key] for key in SIXTEEN_BIT if card.peaks.get(key)), None) for name, card in accelerators().items()}
    places = ranked(rates)
    named = {card.name for card in cards()} | {article()["cards"]["export"]}
    rows = [
        (str(place), name, number((rates[name] or 0.0) / TERA, 4), number(accelerators()[name].usable_bytes / GIB), _link_rate(name))
        for name, place in sorted(places.items(), key=lambda item: item[1])
        if place <= SHOWN or name in named
    ]
    header = ("place", "card", "dense 16-bit TFLOP/s", "usable GiB", "link GB/s both ways")
    header_zh = ("名次", "显卡", "16 位稠密 TFLOP/s", "可用 GiB", "互联 GB/s(双向)")
    return table("Training, by specification alone", "训练,仅按规格", header, header_zh, rows), places


def _link_rate(name: str) -> str:
    rate = accelerators()[name].interconnect_bytes_per_s
    return number(None if rate is None else rate / GIGA)


def ranking() -> Found:
    """A5."""
    load = article()["small_load"]
    users = load["ranking_users"]
    answer = ask(load["model"], "one of each", users, load["input_tokens"], load["output_tokens"], tuple(load["ranking_weights"]))
    best = {name: option for name in {o.layout.accelerator for o in answer.options} if (option := fastest(answer, name)) is not None}
    inference, places = inference_ranking(best)
    training, trained = training_ranking()
    values: dict[str, float | str] = {
        "users": float(users),
        "model": load["model"],
        "input_tokens": float(load["input_tokens"]),
        "output_tokens": float(load["output_tokens"]),
        "cards": float(len(best)),
        "refused": float(len(accelerators()) - len(best)),
    }
    for card, name in zip(cards(), ("rtx4090", "a100", "h100"), strict=True):
        values |= {f"{name}_{rank}": float(order.get(card.name, 0)) for rank, order in places.items()}
        values[f"{name}_training"] = float(trained[card.name])
    for rank, order in places.items():
        values[f"first_{rank}"] = min(order, key=lambda name: order[name])
    return Found("cannot be checked", values, (inference, training))


def request_flops(architecture: Architecture, input_tokens: int, output_tokens: int) -> dict[str, float]:
    """FLOPs of one request by part: products of the prompt and of the output, the head, attention of the prompt and of the output.

    The last output token is never put in, so `output_tokens` - 1 passes follow the prompt.
    """
    head = float(architecture.vocabulary * architecture.hidden)
    layers = architecture.active_parameters - head
    steps = output_tokens - 1
    prompt_pairs = causal_pairs(float(input_tokens), 0.0)
    later_pairs = causal_pairs(float(steps), float(input_tokens))

    def attention(pairs: Amount) -> float:
        layered = [(layer.count, layer.mixer) for layer in architecture.layers]
        return float(sum(count * attention_flops(pairs, mixer.heads, mixer.score_dim, mixer.value_dim) for count, mixer in layered))

    return {
        "prompt products": float(product_flops(float(input_tokens), layers)),
        "output products": float(product_flops(float(steps), layers)),
        "head": float(product_flops(float(output_tokens), head)),
        "prompt attention": attention(prompt_pairs),
        "output attention": attention(later_pairs),
    }


def work() -> Found:
    """A6: the law holds for a token; it leaves out prompt and attention, and says nothing of what limits the speed."""
    given, load, architecture = article()["claim"]["A6"]["inputs"], article()["load"], model()
    small, old, large = cards()
    said = law.inference_flops(load["output_tokens"], given["parameters"])
    parts = request_flops(architecture, load["input_tokens"], load["output_tokens"])
    whole = sum(parts.values())
    decode = parts["output products"] + parts["head"] + parts["output attention"]
    flops = table(
        "FLOPs of one request",
        "一个请求的计算量",
        ("part", "TFLOP", "share"),
        ("部分", "TFLOP", "占比"),
        [(name, number(value / TERA), f"{value / whole:.1%}") for name, value in parts.items()],
    )
    rows: list[Row] = []
    for users in (1, load["users"], *load["more_users"]):
        for card, count in ((small, 8), (old, 4), (large, 4)):
            option = fastest(article_plan(f"{count}x {card.name}", users=users), card.name)
            if option is not None:
                rows.append(
                    (str(users), layout_name(option), option.bound, option.prefill_bound, interval(option.performance.stream_tokens_per_s))
                )
    limits = table(
        "What limits a step",
        "单步的瓶颈",
        ("users", "fastest layout", "decode bound by", "prefill bound by", "tok/s a user"),
        ("用户数", "最快布局", "解码瓶颈", "预填充瓶颈", "每用户 tok/s"),
        rows,
    )
    values: dict[str, float | str] = {
        "parameters_b": given["parameters"] / GIGA,
        "input_tokens": float(load["input_tokens"]),
        "output_tokens": float(load["output_tokens"]),
        "recomputed_tflop": said / TERA,
        "whole_tflop": whole / TERA,
        "decode_tflop": decode / TERA,
        "factor": whole / said,
        "decode_factor": decode / said,
        "attention_percent": (parts["prompt attention"] + parts["output attention"]) / whole * 100,
    }
    return Found("roughly", values, (flops, limits), (architecture.source,))
