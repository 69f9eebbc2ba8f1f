"""docs/accuracy.md: what the fit was off by, as a page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from cardwise.calibration.effects import slots
from cardwise.calibration.groups import SMALLEST_GROUP, Group, grouped, macro_error
from cardwise.calibration.report.beside import peers
from cardwise.calibration.report.constants import constants, coverage, intervals, number_of_constants
from cardwise.calibration.report.markdown import FIGURES, SHORT, figures, percent, table, three
from cardwise.calibration.residuals import KINDS, Scored
from cardwise.catalogue.load import read_toml

BAD = 0.5  # a median error above this is explained below the table
REASONS = {
    "ttft_ms": "waiting under load: warm-up and compilation inside the means of short runs, prompts repeated into a prefix cache, "
    "queues at the edge of the cache, settings that the source does not say",
    "prefill_tok_s": "prompt rates of one chip differ up to fivefold by backend and flags, which the source does not always say",
    "decode_tok_s": "without its generation of llama.cpp or MLX a consumer chip has hardly a measurement left to learn from",
    "output_tok_s": "without its generation of llama.cpp or MLX a consumer chip has hardly a measurement left to learn from",
}
MEANING = {
    "fitted": "as fitted",
    "card_out": "every card family predicted by a fit that had not seen it",
    "source_out": "every source predicted by a fit that had not seen it",
    "model_out": "every model predicted by a fit that had not seen it",
    "version_out": "every engine version predicted by a fit that had not seen it",
}


def page(items: Sequence[Scored]) -> str:
    """The page in Markdown."""
    groups = grouped(items, ("source", "metric"))
    large = [group for group in groups if group.cases >= SMALLEST_GROUP]
    cards = grouped(items, ("generation", "card"))
    sections = (
        head(items, groups),
        by_source_and_metric(groups),
        where_it_is_bad(large, [group for group in cards if group.cases >= SMALLEST_GROUP]),
        by_metric(large),
        by_card(cards),
        by_engine(items),
        coverage(items, groups),
        peers(items),
        constants(),
        number_of_constants(len(items)),
        intervals(),
    )
    return "\n".join(line for section in sections for line in section)


def head(items: Sequence[Scored], groups: Sequence[Group]) -> list[str]:
    """What the figures rest on, and the macro errors."""
    passport = read_toml("calibration/fit.toml")
    rows = [(MEANING[kind], three(macro_error(groups, kind))) for kind in KINDS]
    return [
        "# Accuracy",
        "",
        "Written by `python -m cardwise.calibration.report` from what `make fit` measured; do not edit.",
        "",
        f"Fitted on {passport['date']} to {len(items):,} published measurements "
        f"({passport['runs_fitted']} runs entered the fit, {passport['effects']} regularised effects over {len(slots())} slots).",
        "Error: the median of |predicted / measured - 1| of a group; macro: the mean over the groups of one source and metric with",
        f"at least {SMALLEST_GROUP} cases, so that no large source drowns the others.",
        "",
        *table(("",), ("macro error",), rows),
        "A fit without a group is the full fit moved by what leaving the group out moves the optimum of the linear problem at hand, with",
        "the effects that only the group supports at their prior; every prediction is simulated anew. Forms and priors were chosen while",
        "looking at these rows, and the spreads of levels are those of the full fit, so all figures flatter a little. A new source costs",
        "more than a new card, because what it leaves unsaid (version, flags, number of prompts) weighs more than the silicon.",
        "",
        "![Error by what the fit had not seen](plots/error-by-knowledge.svg)",
        "",
        "![Predicted against measured](plots/predicted-against-measured.svg)",
        "",
    ]


def by_source_and_metric(groups: Sequence[Group]) -> list[str]:
    """Every group, the small ones too."""
    rows = [(*group.names, *figures(group)) for group in groups]
    return [
        "## By source and metric",
        "",
        "`factor`: median of predicted / measured as fitted.",
        "",
        *table(("source", "metric"), FIGURES, rows),
    ]


def where_it_is_bad(large: Sequence[Group], cards: Sequence[Group]) -> list[str]:
    """Groups and cards that are off by more than BAD in the median, as fitted or left out, the worst first, with the reason."""
    lines = ["## Where it is bad", ""]
    for group in sorted(large, key=lambda group: -(group.errors["fitted"] or 0.0)):
        if said := bad_errors(group):
            lines.append(f"- {group.names[0]}, {group.names[1]}: in the median {said}: {REASONS.get(group.names[1], 'unexplained')}.")
    if len(lines) == 2:
        lines.append(f"No group of at least {SMALLEST_GROUP} cases is off by more than {BAD:.0%} in the median, as fitted or left out.")
    lines += [f"- All that was measured on {card.names[1]}: in the median {said}." for card in cards if (said := bad_errors(card))]
    lines += [
        "- A card of a vendor's new generation, or a software stack that was never measured: the engine's age weighs more than the chip "
        "(early AMD and Gaudi stacks, the first months of a new card).",
        "- Time to first token under load, everywhere: the interval is wide for that reason.",
        "",
    ]
    return lines


def bad_errors(group: Group) -> str:
    """`64% as fitted, 99% card out`: the median errors above BAD; empty when there is none."""
    return ", ".join(f"{percent(error)} {SHORT[kind]}" for kind in KINDS if (error := group.errors[kind]) is not None and error > BAD)


def by_metric(large: Sequence[Group]) -> list[str]:
    """Macro errors of the sources that measured one metric."""
    by: dict[str, list[Group]] = defaultdict(list)
    for group in large:
        by[group.names[1]].append(group)
    rows = [(metric, str(len(found)), *(three(macro_error(found, kind)) for kind in KINDS)) for metric, found in sorted(by.items())]
    return ["## By metric", "", *table(("metric",), ("groups", *(SHORT[kind] for kind in KINDS)), rows)]


def by_card(cards: Sequence[Group]) -> list[str]:
    """Every card that was measured, by generation."""
    rows = [(*group.names, *figures(group)) for group in cards]
    return [
        "## By card",
        "",
        "Medians over all cases of a card, whatever their source. Left out is the whole family of a chip, not the card alone.",
        "",
        *table(("generation", "card"), FIGURES, rows),
    ]


def by_engine(items: Sequence[Scored]) -> list[str]:
    """Every engine and era that was measured."""
    rows = [(*group.names, *figures(group)) for group in grouped(items, ("engine", "version"))]
    return [
        "## By engine and version",
        "",
        "`from version`: the first of those that behave alike; a version that nobody said is the newest on the day of the measurement.",
        "",
        *table(("engine", "from version"), FIGURES, rows),
    ]
