"""Section of docs/accuracy.md: other predictors of serving speed beside Cardwise."""

from __future__ import annotations

from collections.abc import Sequence

from cardwise.calibration.groups import SMALLEST_GROUP
from cardwise.calibration.peers import Beside, PeerSummary, beside, peer_groups, summaries
from cardwise.calibration.report.markdown import SHORT, errors, table, three
from cardwise.calibration.residuals import Scored

SHOWN = ("fitted", "card_out", "source_out")
CAVEATS = (
    "aiconfigurator: *measured kernels* is its own promise; *some kernels by formula* fills a missing kernel; *card from its datasheet* is "
    "a card that it has no data of, an upper bound that it does not vouch for. Its kernels are of newer engines than most rows. The table "
    "behind aic-silicon ships with it, the friendliest test that there is.",
    "llmfit answers for one stream alone; cards were given the names that its own table has.",
    "GenZ was run at an efficiency of 0.8 (its default of 1 is a roofline), on three sources.",
    "LLM-Viewer has no experts, no MLA and no tensor parallelism; cards that it lacks were given from their datasheets.",
    "None of them has a queue: a closed loop of n clients was asked as a batch of n. Short open-loop runs (iog-4090-h100) are mostly ramp "
    "and drain, which only a simulation of the requests can see.",
)


def peers(items: Sequence[Scored]) -> list[str]:
    """Peers' errors on the sources, metrics and cards of the evidence, in one line each and in full."""
    groups = peer_groups()
    compared = beside(groups, items)
    days = sorted({group.run_on for group in groups})
    headings = tuple(f"Cardwise {SHORT[kind]}" for kind in SHOWN)
    return [
        "## Beside other tools",
        "",
        f"The peers' figures come from runs of the named versions on {' and '.join(days)} on the rows of the same sources, by the same",
        "measure. A peer's figure covers the rows that it answered, Cardwise's all rows of those groups that ship with it, which are",
        "not always as many; both are medians by card, averaged with the peer's rows as weights. Cardwise was fitted to these rows, so",
        "compare the peers with the columns left out.",
        "",
        f"Means over the groups of a source and a metric with at least {SMALLEST_GROUP} rows on both sides. `nearer`: groups in which the",
        "peer was nearer than Cardwise without the source.",
        "",
        *table(("peer",), ("groups", "peer", *headings, "nearer"), [_summary_row(found) for found in summaries(compared)]),
        *(f"- {caveat}" for caveat in CAVEATS),
        "",
        "`rows`: the peer's / Cardwise's.",
        "",
        *table(("peer", "source", "metric"), ("cards", "rows", "peer", *headings), [_row(found) for found in compared]),
    ]


def peer_name(peer: tuple[str, str, str]) -> str:
    """`aiconfigurator 0.12.0, measured kernels`."""
    name, version, mode = peer
    return f"{name} {version}" + (f", {mode}" if mode else "")


def _summary_row(found: PeerSummary) -> tuple[str, ...]:
    return (peer_name(found.peer), str(found.groups), three(found.error), *errors(found.errors, SHOWN), str(found.nearer))


def _row(found: Beside) -> tuple[str, ...]:
    counts = (str(found.cards), f"{found.cases} / {found.own_cases}")
    return (peer_name(found.peer), found.source, found.metric, *counts, three(found.error), *errors(found.errors, SHOWN))
