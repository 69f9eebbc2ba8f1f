"""How long a person waits for the page: from opening it to the verdict, and from a change to the next one.

Starts `cardwise serve` anew for every visit, as somebody does who has just typed it, and opens the page in a Chromium of the system. Needs
the extra `serve`, Playwright for Python and Chromium. The median of `--repeat` visits counts, the fastest and the slowest stand beside it.
Times of a shared machine are noisy: compare only what was measured in one run.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
QUESTION = "/?lang=en&model=llama-3.1-8b&cards=RTX+4090,+L40S&input=512&output=64&concurrency=4"
TRAINING = "/?lang=en&train=1&tokens=1T"
# What a visit waits for, as the browser sees it: seconds since it was told to go there.
SETTLED = "() => document.querySelector('.verdict h1') && !document.querySelector('#result').ariaBusy"


@contextmanager
def served() -> Iterator[str]:
    """The address of a fresh server."""
    command = [sys.executable, "-m", "cardwise.cli", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        found = re.search(r"http://[\d.]+:\d+", server.stdout.readline())
        try:
            assert found
            yield found[0]
        finally:
            server.terminate()


def seconds(page: Any, act: Any) -> float:
    start = time.perf_counter()
    act()
    page.wait_for_function(SETTLED, timeout=60_000, polling=5)
    return time.perf_counter() - start


def visit(browser: Any, rest_s: float) -> dict[str, float]:
    """One visit to a fresh server that had `rest_s` to itself."""
    found = {}
    with served() as address:
        time.sleep(rest_s)
        page = browser.new_context(base_url=address, viewport={"width": 1280, "height": 900}).new_page()
        found["first visit: the usual question"] = seconds(page, lambda: page.goto("/?lang=en", wait_until="commit"))
        page.wait_for_timeout(4000)
        again = browser.new_context(base_url=address, viewport={"width": 1280, "height": 900}).new_page()
        found["second visit: another question"] = seconds(again, lambda: again.goto(QUESTION, wait_until="commit"))
        again.wait_for_timeout(4000)
        found["a change of the load"] = changed(again, "input[name=concurrency]", "32")
        again.wait_for_timeout(2500)
        found["training"] = seconds(again, lambda: again.goto(TRAINING, wait_until="commit"))
        again.wait_for_timeout(4000)
        found["a change of the tokens"] = changed(again, "input[name=tokens]", "2T")
        paints = page.evaluate("() => performance.getEntriesByName('first-contentful-paint')[0].startTime")
        found["first content"] = paints / 1e3
    return found


def changed(page: Any, field: str, value: str) -> float:
    """From the keystroke to the verdict that follows it."""
    box = page.locator(field)
    box.fill(value)
    start = time.perf_counter()
    box.press("Tab")
    page.wait_for_function("() => document.querySelector('#result').ariaBusy === 'true'", timeout=60_000, polling=5)
    page.wait_for_function(SETTLED, timeout=60_000, polling=5)
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5, help="visits (5)")
    parser.add_argument("--rest", type=float, default=3.0, help="seconds between the start of the server and the visit (3)")
    given = parser.parse_args()
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CARDWISE_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}: a busy machine is slower")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        visits = [visit(browser, given.rest) for _ in range(given.repeat)]
        browser.close()
    for name in visits[0]:
        times = sorted(one[name] for one in visits)
        print(f"{name:<34} {statistics.median(times):6.2f} s   {times[0]:.2f} to {times[-1]:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
