"""The benchmark program starts, measures what needs no minutes, and says what it lacks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parent.parent / "benchmarks" / "bench.py"


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(BENCH), *arguments], capture_output=True, text=True, cwd=BENCH.parent.parent, timeout=60)


def test_a_tiny_run_writes_its_results(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    done = bench("--only", "install,peer", "--no-peer", "--json", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    results = {result["name"]: result for result in json.loads(out.read_text())["results"]}
    assert 20 < results["core install"]["value"] < 150
    assert results["aiconfigurator"]["note"] == "left out"


def test_an_unknown_part_is_refused() -> None:
    done = bench("--only", "plans")
    assert done.returncode == 2 and "unknown part 'plans'" in done.stderr
