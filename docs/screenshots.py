"""Pictures of the page for the documents: `python docs/screenshots.py` writes docs/images/*.png.

Starts a `cardwise serve` of its own and looks at it with a Chromium of the system through Playwright, which is in the extra `dev`. With
Pillow installed the files are a third as large.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import expect, sync_playwright

FOLDER = Path(__file__).parent / "images"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
QUESTION = "model=llama-2-70b&cards=RTX+4090,+A100+SXM+80GB,+H100+SXM&input=3840&output=256&concurrency=8"


@dataclass(frozen=True)
class Shot:
    """One picture: `part` is what is shown of the page, all that is in view when empty."""

    name: str
    path: str
    width: int = 1280
    height: int = 860
    scheme: str = "light"
    part: str = ""


SHOTS = (
    Shot("plan", f"/?lang=en&{QUESTION}"),
    Shot("plan-zh-dark", f"/?lang=zh&{QUESTION}", scheme="dark"),
    Shot("layout", f"/?lang=en&{QUESTION}", width=1440, part="#depth .charts"),
    Shot("pareto", f"/?lang=en&{QUESTION}", part="#pareto"),
    Shot("refused", "/?lang=en&model=llama-2-70b&cards=1x+RTX+4090&concurrency=8", height=620),
    Shot("phone", f"/?lang=en&{QUESTION}", width=390, height=800),
    Shot("images", "/?lang=en&model=sdxl&cards=RTX+4090,+RTX+3060+12GB"),
    Shot("cards", "/cards?lang=en&find=RTX+4090"),
    Shot("article", "/article?lang=en"),
    Shot("accuracy", "/accuracy?lang=en&by=engine"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"which ({', '.join(shot.name for shot in SHOTS)}); all without")
    wanted = parser.parse_args(arguments).names
    chromium = os.environ.get("CARDWISE_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        parser.error("no Chromium on this machine; apt-get install chromium")
    FOLDER.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "cardwise.cli", "serve", "--port", "0", "--no-warm"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server, sync_playwright() as playwright:
        assert server.stdout is not None
        found = re.search(r"http://\S+?:\d+", server.stdout.readline())
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        try:
            assert found, "the server did not start"
            for shot in SHOTS:
                if not wanted or shot.name in wanted:
                    take(browser, found[0], shot)
        finally:
            browser.close()
            server.terminate()
    return 0


def smaller(file: Path) -> None:
    """At most 256 colours, which a page of text and bars does not miss."""
    try:
        from PIL import Image
    except ImportError:
        return
    with Image.open(file) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)


def take(browser: Any, address: str, shot: Shot) -> None:
    context = browser.new_context(viewport={"width": shot.width, "height": shot.height}, color_scheme=shot.scheme)
    page = context.new_page()
    page.goto(address + shot.path)
    page.locator(".verdict, .claim, td").first.wait_for(timeout=60_000)
    expect(page.locator("[aria-busy]")).to_have_count(0, timeout=60_000)
    page.evaluate("() => { document.querySelector('.top').style.position = 'static'; }")  # it would lie over a part
    time.sleep(0.2)  # the last chart is drawn
    file = FOLDER / f"{shot.name}.png"
    target = page.locator(shot.part).first if shot.part else page
    target.screenshot(path=str(file))
    context.close()
    smaller(file)
    print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    sys.exit(main())
