"""`python -m cardwise.planning.article > docs/article.md`: the claims as a page."""

from __future__ import annotations

import sys

from cardwise.planning.article import claims, essay_cases
from cardwise.planning.article.page import page

if __name__ == "__main__":
    sys.stdout.write(page(claims(), essay_cases()))
