"""A chart as SVG text or PNG, made to be read alone or inside a page: with a name for screen readers and the colours of both themes."""

from __future__ import annotations

import re
from html import escape

from cardwise.reports.charts.pen import THEMES, module

CLIPS = re.compile(r'(id="|url\(#)(clip\d+)')
NAMESPACES = re.compile(r' xmlns(?::xlink)?="[^"]*"| version="1.1"')


def inline(svg: str, description: str, name: str) -> str:
    """SVG for the inside of an HTML page: one image with a text of its own and no namespaces. `name`: of this picture alone in its page,
    whose pictures would share ids otherwise."""
    head, _, rest = svg.partition(">")
    rest = CLIPS.sub(rf"\1{name}-\2", rest)
    return f'{NAMESPACES.sub("", head)} role="img" aria-label="{escape(description)}">{rest}'


def alone(svg: str, description: str) -> str:
    """SVG as a file: named, and in dark colours where the reader's scheme is dark."""
    head, _, rest = svg.partition(">")
    style = f"<style>@media (prefers-color-scheme:dark){{{recoloured('')}}}</style>"
    return (
        f'{head} role="img" style="overflow:visible" aria-label="{escape(description)}"><title>{escape(description)}</title>{style}{rest}\n'
    )


def recoloured(scope: str) -> str:
    """Rules that turn the light theme's colours of drawn marks into the dark theme's, inside `scope` (a selector, or empty)."""
    light, dark = THEMES["light"], THEMES["dark"]
    pairs = [
        *((getattr(light, name), getattr(dark, name)) for name in ("ink", "muted", "grid", "paper", "empty")),
        *zip(light.series, dark.series, strict=True),
    ]
    prefix = f"{scope} " if scope else ""
    return "".join(f'{prefix}[{what}="{old}"]{{{what}:{new}}}' for old, new in pairs for what in ("fill", "stroke"))


def png(made: dict[str, object], scale: float = 2.0) -> bytes:
    """A specification as PNG, `scale` pixels for each of its own."""
    image: bytes = module("vl_convert").vegalite_to_png(made, scale=scale)
    return image


def svg(made: dict[str, object]) -> str:
    """A specification as SVG text as vl-convert draws it. It reaches for nothing outside it."""
    text: str = module("vl_convert").vegalite_to_svg(made)
    return text
