"""The command line, whole outputs: numbers masked, since facts and laws may move them; words, order and layout as they are.

CARDWISE_GOLDEN=write python -m pytest tests/test_cli.py writes the files anew; read the difference before committing it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pinned import forget, pin

from cardwise.cli import run

GOLDEN = Path(__file__).parent / "golden"
ROOT = Path(__file__).parent.parent
THREE = "RTX 4090, A100 SXM 80GB, H100 SXM"
SIMULATED = ["simulate", "llama-3.1-8b", "--cards", "1x RTX 4090", "--weights", "bf16", "--rate", "3", "--requests", "60"]
RENDERED = ["RTX 4090", "RTX 4090 Laptop", "A100 SXM 40GB", "V100 SXM2 16GB", "TITAN V", "RTX 3060 12GB", "TPU v5e"]
OUTPUTS = {
    "plan": ["plan", "llama-2-70b", "--cards", THREE, "--concurrency", "8", "--input", "3840"],
    "plan-zh": ["plan", "llama-2-70b", "--cards", THREE, "--concurrency", "8", "--input", "3840", "--lang", "zh"],
    "plan-limits": ["plan", "llama-3.1-8b", "--cards", "RTX 4090", "--rate", "12", "--ttft", "1000", "--tpot", "50", "--weights", "bf16"],
    "plan-chart": ["plan", "llama-3.1-8b", "--cards", "RTX 4090, H100 SXM", "--concurrency", "8", "--weights", "bf16", "--chart"],
    "plan-refused": ["plan", "llama-2-70b", "--cards", "1x RTX 4090", "--weights", "bf16"],
    "explain": ["explain", "llama-3.1-8b", "--cards", "2x RTX 4090", "--tp", "2", "--weights", "bf16", "--concurrency", "8"],
    "explain-zh": [
        "explain",
        "llama-3.1-8b",
        "--cards",
        "2x RTX 4090",
        "--tp",
        "2",
        "--weights",
        "bf16",
        "--concurrency",
        "8",
        "--lang",
        "zh",
    ],
    "explain-refused": ["explain", "llama-2-70b", "--cards", "1x RTX 4090", "--lang", "zh"],
    "simulate": [*SIMULATED, "--ttft", "500"],
    "simulate-chart": [*SIMULATED, "--chart"],
    "train": ["plan", "llama-2-7b", "--train", "--cards", THREE],
    "train-zh": ["plan", "llama-2-7b", "--train", "--cards", "RTX 4090, 8x H100 SXM", "--tokens", "300B", "--lang", "zh"],
    "train-chart": ["plan", "llama-2-7b", "--train", "--cards", "RTX 4090, 8x H100 SXM", "--chart", "--lang", "zh"],
    "train-lora": ["plan", "llama-3.1-8b", "--train", "--method", "qlora", "--cards", "RTX 4090", "--tokens", "100M", "--sequence", "2048"],
    "train-refused": ["plan", "llama-2-70b", "--train", "--cards", "8x RTX 4090, 1x H100 SXM", "--zero", "1"],
    "run": ["plan", "sdxl", "--cards", "RTX 4090, A100 SXM 80GB", "--width", "888", "--height", "1280", "--images", "8"],
    "run-video": ["plan", "wan2.1-t2v-14b", "--cards", "RTX 4090, 4x H100 SXM"],
    "run-zh": ["plan", "flux-dev", "--cards", "RTX 4090", "--weights", "fp8", "--lang", "zh"],
    "run-refused": ["plan", "flux-dev", "--cards", "RTX 3060", "--offload", "none", "--weights", "bf16"],
    "run_explain-zh": ["explain", "sd15", "--cards", "RTX 4090", "--lang", "zh"],
    "run-refused-zh": ["plan", "flux-dev", "--cards", "RTX 3060", "--offload", "none", "--weights", "bf16", "--lang", "zh"],
    "run_explain": ["explain", "sd15", "--cards", "RTX 4090"],
    "pipeline": ["model", "wan2.2-t2v-a14b"],
    "models-pipelines": ["models", "flux"],
    "cards": ["cards", "RTX 4090", "H100 SXM"],
    "cards-rank-zh": ["cards", "RTX 4090", "GTX 1050 Ti", "TPU v5e", "--rank", "decode", "--weights", "bf16", "--lang", "zh"],
    "cards-rank": ["cards", "RTX 4090", "H100 SXM", "GTX 1050 Ti", "--rank", "decode", "--model", "llama-3.1-8b", "--weights", "bf16"],
    "cards-images": ["cards", "RTX 4090", "A100 SXM 80GB", "TPU v5e", "--rank", "images"],
    "cards-rendering": ["cards", *RENDERED, "--rank", "rendering"],
    "cards-rendering-zh": ["cards", *RENDERED, "--rank", "rendering", "--lang", "zh"],
    "models": ["models", "llama-2"],
    "model": ["model", "deepseek-v3"],
    "accuracy": ["accuracy"],
}


@pytest.fixture(autouse=True)
def _pinned(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A fit of the tests' own, and a terminal so wide that no number moves a line's end."""
    pin(monkeypatch)
    monkeypatch.setenv("COLUMNS", "500")
    yield
    forget()


def masked(text: str) -> str:
    """Numbers that stand alone as `#`, runs of spaces and rules as one: what a small change of a number may move."""
    text = re.sub(r"\bx\d+\.\d+\b", "x#", re.sub(r"\b\d+\.\d+x", "#x", text))
    text = re.sub(r"(?<![\w.])(\d[\d,.]*\d|\d)(?![\w])", "#", text)
    text = re.sub(r"(_seconds = #|(?:先验|prior) #) [um]s", r"\1 s", text)
    text = re.sub(r"[▁▂▃▄▅▆▇█_]{3,}", "~", re.sub(r"(?<=\[)[WKAGCX. ]+(?=\])", "~", text))
    return re.sub(r"─{2,}", "─", re.sub(r" {2,}", "  ", text))


def compare(name: str, text: str) -> None:
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("CARDWISE_GOLDEN") == "write":
        file.write_text(masked(text), encoding="utf-8")
    assert masked(text) == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", OUTPUTS)
def test_whole_output(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(OUTPUTS[name]) == 0
    out = capsys.readouterr()
    assert out.err == ""
    compare(name, out.out)


@pytest.mark.parametrize("columns", [60, 80])
def test_no_line_is_wider_than_the_terminal(columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for name in ("plan", "plan-chart", "explain", "cards-rank", "simulate-chart", "train"):
        arguments = OUTPUTS[name]
        assert run(arguments) == 0
        text = capsys.readouterr().out
        assert max(len(line) for line in text.splitlines() if "http" not in line and "@" not in line) <= columns


def test_the_verdict_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(OUTPUTS["plan"]) == 0
    assert capsys.readouterr().out.startswith("Take ")


def paths(value: object, prefix: str = "") -> set[str]:
    """Every key of a document with where it stands; entries of a list count once."""
    if isinstance(value, dict):
        return {path for key, item in value.items() for path in {f"{prefix}{key}", *paths(item, f"{prefix}{key}.")}}
    return {path for item in value for path in paths(item, prefix)} if isinstance(value, list) else set()


FREE = (
    "parts_bytes",
    "weights_by_part_bytes",
    "parameters_by_part",
    "peak_flops_per_s",
    "sources",
    "assumptions",
    "fit",
    "figures",
    "components",
)


NOT_IN_JSON = ("plan-limits", "explain-refused", *(name for name in OUTPUTS if name.endswith("-zh")))


@pytest.mark.parametrize("name", [name for name in OUTPUTS if name not in NOT_IN_JSON])
def test_json_is_versioned_and_every_column_is_documented(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*OUTPUTS[name], "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    command = name.split("-")[0]
    assert record["schema"] == f"cardwise.{command}/1"
    documented = set(re.findall(r"`([a-z0-9_]+)`", (ROOT / "docs" / "json.md").read_text(encoding="utf-8")))
    for path in paths(record):
        parts = path.split(".")
        if not any(part in FREE for part in parts[:-1]):
            assert parts[-1] in documented, f"{path} is not in docs/json.md"


def test_json_keys_have_a_stable_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*OUTPUTS["plan"], "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert list(record)[:6] == ["schema", "model", "parameters", "kv_bytes_per_token", "model_source", "workload"]
    assert list(record["options"][0]) == [
        "name", "layout", "link", "memory", "performance", "cost", "decode_bound", "prefill_bound", "keeps_limits", "basis", "evidence",
    ]  # fmt: skip


@pytest.mark.parametrize("name", [name for name in OUTPUTS if "zh" in OUTPUTS[name]])
def test_chinese_outputs_hold_no_english_sentence(name: str) -> None:
    """No three words of small letters one after the other: names of cards, models, options and metrics are not that."""
    text = (GOLDEN / f"{name}.txt").read_text(encoding="utf-8").partition("\n来源\n")[0]  # what follows are titles of sources
    assert re.findall(r"(?:(?<![\w./-])[a-z]{2,}[ ,;:]+){2,}[a-z]{2,}(?![\w/-])", text) == []


def test_chinese_prices_are_in_yuan(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["plan", "llama-3.1-8b", "--cards", "1x RTX 4090", "--weights", "bf16", "--price", "1", "--cny", "7"]
    assert run([*asked, "--lang", "zh"]) == 0
    chinese = capsys.readouterr().out
    assert "租金" in chinese and re.search(r"\b7\.00\b", chinese)
    assert run(asked) == 0
    assert re.search(r"\b1\.00\b", capsys.readouterr().out)


def test_validate_writes_predictions_and_reports_broken_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases, out = tmp_path / "cases.csv", tmp_path / "out.csv"
    cases.write_text(
        "case_id,model,accelerator,engine,metric,load,batch,input_tokens,output_tokens,surprise\n"
        "a,llama-2-7b,RTX 4090,vllm,decode_tok_s,single,1,512,128,x\n"
        "b,llama-2-7b,RTX 4090\n"
        "c,llama-2-7b,No Such Card,vllm,decode_tok_s,single,1,512,128,x\n",
        encoding="utf-8",
    )
    assert run(["validate", str(cases), "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("1 of 3 rows answered, 1 broken")
    assert "line 3" in said.err and len(said.err.splitlines()) == 1
    lines = out.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "case_id,predicted,low,high,status,reason"
    assert [line.split(",")[0] for line in lines[1:]] == ["a", "b", "c"]
    assert ",ok," in lines[1] and "unsupported" in lines[2] and "No Such Card" in lines[3]


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["--help"], ["plan", "--help"], ["cards", "-h"]):
        assert run(arguments) == 0
        assert "Usage" in capsys.readouterr().out
    assert run(["--version"]) == 0
    assert re.fullmatch(r"cardwise \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m cardwise.cli cards | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_terminal_without_letters_is_no_error() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "cardwise.cli", "model", "llama-2-7b", "--lang", "zh"], capture_output=True, env=environment
    )
    assert (done.returncode, done.stderr) == (0, b"")
