"""A claim of the article as bars: its figure beside the right one. Which figures stand for a claim is data (article.toml, `chart`):
a figure of the claim by name, or a value that the article prints."""

from __future__ import annotations

from typing import Any

from cardwise.catalogue.article import article
from cardwise.errors import BadInput
from cardwise.planning.article.claim import Claim
from cardwise.quantities import significant
from cardwise.reports.charts.pen import BLUE, GREY, NUMBER, ORANGE, Pen

WHO = (("article", ORANGE), ("right", BLUE), ("need", GREY))


def has_chart(claim: Claim) -> bool:
    """Whether the claim has figures that can be set side by side."""
    return bool(article()["claim"][claim.id].get("chart"))


def claim(one: Claim, pen: Pen) -> Any:
    """Bars in one unit. Raises BadInput for a claim without figures to compare."""
    if not has_chart(one):
        raise BadInput(f"claim {one.id} has no figures that could be drawn")
    alt, say = pen.alt, pen.say
    drawn = article()["claim"][one.id]["chart"]
    lang = "zh" if say.chinese else "en"
    rows = []
    for bar in drawn["bars"]:
        value = float(bar["value"]) if "value" in bar else one.figure(bar["figure"])
        rows.append({"label": bar[lang], "value": value, "text": significant(value), "who": say(f"chart_who_{bar['who']}")})
    names = [say(f"chart_who_{who}") for who, _ in WHO if any(bar["who"] == who for bar in drawn["bars"])]
    hues = [pen.color(hue) for who, hue in WHO if any(bar["who"] == who for bar in drawn["bars"])]
    color = alt.Color("who:N", title=None, scale=alt.Scale(domain=names, range=hues))
    top = max(row["value"] for row in rows)
    x = alt.X(
        "value:Q", title=drawn["unit"][lang], axis=alt.Axis(format=NUMBER, tickCount=5), scale=alt.Scale(domain=[0, top * 1.15], nice=False)
    )
    y = alt.Y("label:N", title=None, sort=None, axis=alt.Axis(ticks=False, domain=False, labelColor=pen.theme.ink, labelLimit=260))
    base = alt.Chart(alt.Data(values=rows))
    tips = [alt.Tooltip("label:N", title=""), alt.Tooltip("text:N", title=drawn["unit"][lang]), alt.Tooltip("who:N", title="")]
    layers = [
        base.mark_bar(height={"band": 0.7}).encode(x, y, color=color, tooltip=tips),
        base.mark_text(align="left", dx=5, fontWeight=600).encode(alt.X("value:Q"), y, text="text:N"),
    ]
    said = one.claim_zh if say.chinese else one.claim
    described = f"{said} " + ", ".join(f"{row['label']} ({row['who']}): {row['text']}" for row in rows)
    return alt.layer(*layers, title=pen.title(said), description=described).properties(width=pen.width, height=26 * len(rows))
