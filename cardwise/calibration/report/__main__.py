"""`python -m cardwise.calibration.report [FOLDER]`: writes accuracy.md and plots/*.svg to FOLDER, the working copy's docs when not said."""

from __future__ import annotations

import sys
from pathlib import Path

from cardwise.calibration.report.page import page
from cardwise.calibration.report.plots import plots
from cardwise.calibration.residuals import residuals
from cardwise.errors import CardwiseError

DOCS = Path(__file__).parents[3] / "docs"


def write(folder: Path) -> None:
    """All files of the page; whatever stood in their place is replaced."""
    items = residuals()
    files = {"accuracy.md": page(items), **{f"plots/{name}": text for name, text in plots(items).items()}}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main(arguments: list[str]) -> int:
    try:
        write(Path(arguments[0]) if arguments else DOCS)
    except (CardwiseError, OSError) as error:
        print(f"cardwise: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
