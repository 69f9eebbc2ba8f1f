"""How long a person waits, and how much is installed: `make bench`.

Commands run in fresh processes from start to exit, one after the other; the median of `--repeat` runs counts, the fastest and the slowest
stand beside it. The simulator runs in this process on one core. AIConfigurator, a search for NVIDIA data-centre cards, is timed in the
same run when its command is installed. Times of a shared machine are noisy: compare ratios of one run.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

THREE_CARDS = "RTX 4090, A100 SXM 80GB, H100 SXM"
PEER = "aiconfigurator"
# The same question for both: one card type, eight cards, a 70B model, prompts of 3840 and answers of 256 tokens.
PEER_QUESTION = "meta-llama/Meta-Llama-3.1-70B --total-gpus 8 --system h100_sxm --backend vllm --isl 3840 --osl 256 --ttft 20000 --tpot 200"
OWN_QUESTION = ("plan", "llama-3.1-70b", "--cards", "8x H100 SXM", "--concurrency", "8", "--input", "3840", "--output", "256")
PEER_LIMIT_S = 300.0


@dataclass(frozen=True)
class Result:
    """One line: a value in a unit with its range, the bar it has to keep (None: none), or why there is no value."""

    name: str
    value: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    bar: float | None = None
    note: str = ""

    @property
    def kept(self) -> bool | None:
        return None if self.value is None or self.bar is None else self.value <= self.bar


@dataclass(frozen=True)
class Settings:
    repeat: int
    rows: int
    requests: int
    peer: bool


def own_command() -> list[str]:
    """The `cardwise` beside this interpreter, else the module."""
    script = Path(sys.executable).with_name("cardwise")
    return [str(script)] if script.exists() else [sys.executable, "-m", "cardwise.cli"]


def wall(command: Sequence[str], timeout_s: float = 120.0) -> float:
    """Seconds of a fresh process from start to exit. Raises RuntimeError with its last line when it fails."""
    start = time.perf_counter()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"took more than {timeout_s:.0f} s") from None
    seconds = time.perf_counter() - start
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
        raise RuntimeError(f"exit code {done.returncode}: {lines[-1][:160]}")
    return seconds


def timed(name: str, arguments: Sequence[str], repeat: int, bar: float | None = None) -> Result:
    """Median wall time of a command of Cardwise."""
    try:
        times = sorted(wall([*own_command(), *arguments]) for _ in range(repeat))
    except RuntimeError as error:
        return Result(name, None, "s", bar=bar, note=str(error))
    return Result(name, statistics.median(times), "s", times[0], times[-1], bar, f"median of {repeat} fresh processes")


def commands(settings: Settings) -> list[Result]:
    """What a person types."""
    return [
        timed("start alone (--version)", ["--version"], settings.repeat),
        timed("plan, three cards", ["plan", "llama-2-70b", "--cards", THREE_CARDS], settings.repeat, 1.0),
        timed("plan, all cards", ["plan", "llama-2-70b", "--cards", "all"], settings.repeat, 5.0),
        timed("plan of images, three cards", ["plan", "sdxl", "--cards", THREE_CARDS], settings.repeat, 1.5),
        timed("plan of video, eight cards", ["plan", "wan2.2-t2v-a14b", "--cards", "8x H100 SXM"], settings.repeat, 1.5),
        timed("plan of training, three cards", ["plan", "llama-2-7b", "--train", "--cards", THREE_CARDS], settings.repeat, 3.0),
        timed("explain, one layout", ["explain", "llama-2-70b", "--cards", "8x RTX 4090", "--concurrency", "8"], settings.repeat),
    ]


def validate(settings: Settings) -> list[Result]:
    """Rows a second of `validate`, on the shipped evidence; the bar is 16,000 rows in 60 s on two cores."""
    from cardwise.calibration.evidence import measured_rows

    rows = list(measured_rows())
    rows = rows[:: max(1, len(rows) // settings.rows)][: settings.rows] if settings.rows else rows
    with tempfile.TemporaryDirectory() as folder:
        cases, out = Path(folder) / "cases.csv", Path(folder) / "predictions.csv"
        with cases.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        try:
            seconds = wall([*own_command(), "validate", str(cases), "--out", str(out)], 600.0)
            with out.open(encoding="utf-8", newline="") as file:
                answered = sum(row["status"] == "ok" for row in csv.DictReader(file))
        except RuntimeError as error:
            return [Result("validate", None, "s", note=str(error))]
    bar = 60.0 * len(rows) / 16_000 if len(rows) >= 16_000 else None
    note = f"{answered:,} of {len(rows):,} rows answered, {os.cpu_count()} cores"
    return [
        Result("validate", seconds, "s", bar=bar, note=note),
        Result("validate, rates", len(rows) / seconds, "rows/s", note="start included"),
    ]


def simulator(settings: Settings) -> list[Result]:
    """Requests a second of the simulator on one core: chat lengths, arrivals above what the card serves, every request by itself."""
    from cardwise.calibration.cases import Case
    from cardwise.calibration.effects import efficiency
    from cardwise.calibration.predict import budget_of, limits_of, step_of
    from cardwise.calibration.setup import setup
    from cardwise.serving.serve import run
    from cardwise.workload import Lengths, Workload

    made = setup(
        Case("bench", "meta-llama/Meta-Llama-3-8B", "H100 SXM", "vllm", "output_tok_s", weights="bf16", load="concurrency", batch=64)
    )
    factors = efficiency(made.context)
    step, limits = step_of(made, made.layout, factors), limits_of(made, budget_of(made, made.layout), factors, made.layout)
    lengths = Lengths(217.0, 202.0, spread=0.7)
    found = []
    for name, bundles in (("simulator, every request", settings.requests), ("simulator, in bundles", 400)):
        load = Workload("rate", lengths, requests_per_s=100.0, requests=settings.requests)
        start = time.process_time()
        trace = run(step, limits, load, bundles)
        seconds = time.process_time() - start
        busy = trace.busy_s / trace.duration_s
        note = f"{settings.requests:,} requests in {seconds:.2f} s of one core, engine busy {busy:.0%}"
        found.append(Result(name, settings.requests / seconds, "requests/s", note=note))
    return found


def install(_: Settings) -> list[Result]:
    """Bytes on disk of the package and of what it needs to run, without extras."""
    sizes: dict[str, int] = {}
    pending = ["cardwise"]
    while pending:
        name = pending.pop()
        if name in sizes:
            continue
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            if name == "cardwise":
                sizes[name] = tree_bytes(Path(__file__).parent.parent / "cardwise")
                pending += ["numpy", "pydantic", "rich", "typer"]
            continue
        files = [Path(str(found.locate_file(file))) for file in found.files or ()]
        own = tree_bytes(Path(__file__).parent.parent / "cardwise") if name == "cardwise" else 0
        sizes[name] = own or sum(path.stat().st_size for path in files if path.is_file())
        needs = [line for line in found.requires or () if "extra ==" not in line.replace('"', "'")]
        pending += [re.split(r"[ ;<>=!~\[(]", line, maxsplit=1)[0].lower() for line in needs]
    total, own = sum(sizes.values()), sizes.get("cardwise", 0)
    largest = ", ".join(f"{name} {size / 1e6:.1f}" for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:4])
    return [Result("core install", total / 1e6, "MB", bar=150.0, note=f"Cardwise itself {own / 1e6:.1f} MB; largest: {largest}")]


def tree_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def peer(settings: Settings) -> list[Result]:
    """AIConfigurator's search of one card type beside ours of the same question, in this run."""
    if not settings.peer or not shutil.which(PEER):
        return [
            Result(PEER, None, "s", note="not installed: pip install aiconfigurator, then run this again" if settings.peer else "left out")
        ]
    mine = timed("plan, 8x H100, as below", OWN_QUESTION, settings.repeat)
    try:
        times = sorted(
            wall([PEER, "cli", "default", "--model-path", *PEER_QUESTION.split()], PEER_LIMIT_S) for _ in range(min(3, settings.repeat))
        )
    except RuntimeError as error:
        return [mine, Result(PEER, None, "s", note=str(error))]
    note = f"cli default --model-path {PEER_QUESTION}; it sweeps batch sizes and disaggregated layouts besides"
    found = Result(PEER, statistics.median(times), "s", times[0], times[-1], note=note)
    ratio = [] if mine.value is None or found.value is None else [Result(f"{PEER} / plan", found.value / mine.value, "x")]
    return [mine, found, *ratio]


PARTS: dict[str, Callable[[Settings], list[Result]]] = {
    "commands": commands,
    "validate": validate,
    "simulator": simulator,
    "install": install,
    "peer": peer,
}


def part(name: str, settings: Settings) -> list[Result]:
    """The results of one part; a part that breaks is a result without a value, and the others go on."""
    try:
        return PARTS[name](settings)
    except Exception as error:  # whatever breaks in a part, the others are still worth their time
        return [Result(name, None, "", note=f"{type(error).__name__}: {str(error)[:160]}")]


def line(result: Result) -> str:
    value = "-" if result.value is None else f"{result.value:,.3g}" if result.value < 1000 else f"{result.value:,.0f}"
    spread = "" if result.low is None else f"{result.low:.2f} to {result.high:.2f}"
    kept = {True: " kept", False: " MISSED", None: ""}[result.kept]
    bar = "" if result.bar is None else f"<= {result.bar:g}{kept}"
    return f"{result.name:<26} {value:>9} {result.unit:<11} {spread:<14} {bar:<14} {result.note}".rstrip()


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 when everything ran, 1 when a part has no value or a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5, help="fresh processes a command (5)")
    parser.add_argument("--rows", type=int, default=0, help="rows of the evidence for validate; 0: all (0)")
    parser.add_argument("--requests", type=int, default=100_000, help="requests for the simulator (100,000)")
    parser.add_argument("--only", default=",".join(PARTS), help=f"parts with commas ({', '.join(PARTS)})")
    parser.add_argument("--no-peer", action="store_true", help=f"do not time {PEER}")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    given = parser.parse_args(arguments)
    wanted = [name.strip() for name in given.only.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in PARTS]
    if unknown or given.repeat < 1 or given.requests < 1 or given.rows < 0:
        parser.error(f"unknown part {unknown[0]!r}" if unknown else "--repeat and --requests must be at least 1, --rows at least 0")
    settings = Settings(given.repeat, given.rows, given.requests, not given.no_peer)
    load = os.getloadavg()[0]
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, load {load:.1f}: a busy machine is slower")
    results = []
    for name in wanted:
        for result in part(name, settings):
            results.append(result)
            print(line(result), flush=True)
    if given.json:
        machine = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count(), "load": load}
        text = json.dumps({"machine": machine, "results": [asdict(result) for result in results]}, indent=2)
        given.json.write_text(text + "\n", encoding="utf-8")
    failed = [result for result in results if result.kept is False or (result.value is None and result.name != PEER)]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
