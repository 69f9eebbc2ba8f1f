"""The claims of an article and what is needed to answer them, from data/article.toml: words in two languages, inputs, loads, sources."""

from __future__ import annotations

from functools import lru_cache

from cardwise.catalogue.load import Table, read_toml


@lru_cache(maxsize=1)
def article() -> Table:
    """Nested tables: `source`, `load`, `measured`, and `claim` by id with its sentences and inputs."""
    return read_toml("article.toml")
