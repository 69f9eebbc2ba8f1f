"""Whatever a person gets wrong is one line on stderr with exit code 2: the value, the limit, the next step. Never a traceback."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cardwise.cli import run

MODEL = "llama-3.1-8b"
CARD = ["--cards", "RTX 4090"]
WRONG = [
    (["nonsense"], "No such command"),
    (["plan"], "model"),
    (["plan", MODEL, "--no-such-option"], "--no-such-option"),
    (["plan", "llama-2-7O"], "nearest: "),
    (["plan", "no-such-model-at-all"], "config.json"),
    (["plan", ""], "empty"),
    (["plan", "a\0b"], "zero byte"),
    (["plan", "bad\nname"], "unknown model"),
    (["plan", MODEL, "--cards", "RTX 4091"], "nearest: "),
    (["plan", MODEL, "--cards", "A100"], "A100 SXM 80GB"),
    (["plan", MODEL, "--cards", ""], "no card is named"),
    (["plan", MODEL, "--cards", "0x RTX 4090"], "between 1 and"),
    (["plan", MODEL, "--cards", "99999999999x RTX 4090"], "between 1 and"),
    (["plan", MODEL, *CARD, "--input", "-5"], "-5"),
    (["plan", MODEL, *CARD, "--input", "0", "--output", "0"], "input tokens is 0"),
    (["plan", MODEL, *CARD, "--output", "0"], "output tokens is 0"),
    (["plan", MODEL, "--cards", "RTX 9999"], "unknown card 'RTX 9999'; nearest: "),
    (["plan", MODEL, *CARD, "--engine", "vllm", "--engine-version", "new"], "'new' is no version of vllm; say one such as 0."),
    (["plan", MODEL, *CARD, "--engine-version", "0.11.0"], "say --engine too"),
    (["plan", MODEL, *CARD, "--batch", "4", "--requests", "8"], "say batch or requests"),
    (["plan", MODEL, *CARD, "--tensor-parallel", "5"], "32 heads are not divisible by 5; valid counts are 1, 2, 4"),
    (["plan", MODEL, *CARD, "--weights", "zzz"], "give one such as bf16"),
    (["simulate", MODEL, *CARD, "--load", "trace.csv", "--rate", "3"], "exclude each other"),
    (["plan", MODEL, *CARD, "--input", "1000000000000"], "100,000,000"),
    (["plan", MODEL, *CARD, "--input", "many"], "--input"),
    (["plan", MODEL, *CARD, "--output", "-1"], "-1"),
    (["plan", MODEL, *CARD, "--concurrency", "0"], "between 1 and"),
    (["plan", MODEL, *CARD, "--concurrency", "100000000"], "between 1 and"),
    (["plan", MODEL, *CARD, "--batch", "-3"], "between 1 and"),
    (["plan", MODEL, *CARD, "--rate", "-1"], "more than 0"),
    (["plan", MODEL, *CARD, "--rate", "nan"], "nan"),
    (["plan", MODEL, *CARD, "--rate", "inf"], "inf"),
    (["plan", MODEL, *CARD, "--rate", "1", "--concurrency", "2"], "exclude each other"),
    (["plan", MODEL, *CARD, "--offline", "--requests", "0"], "between 1 and"),
    (["plan", MODEL, *CARD, "--ttft", "0"], "more than 0"),
    (["plan", MODEL, *CARD, "--tpot", "-4"], "more than 0"),
    (["plan", MODEL, *CARD, "--percentile", "93"], "50, 90, 95, 99"),
    (["plan", MODEL, *CARD, "--weights", "q9_9"], "unknown weight format"),
    (["plan", MODEL, *CARD, "--kv", "fp7"], "unknown KV cache format"),
    (["plan", MODEL, *CARD, "--engine", "vlm"], "vllm"),
    (["plan", MODEL, *CARD, "--link", "usb"], "nvlink"),
    (["plan", MODEL, *CARD, "--rent", "gold"], "on_demand"),
    (["plan", MODEL, *CARD, "--price", "-1"], "more than 0"),
    (["plan", MODEL, *CARD, "--electricity", "-1"], "electricity"),
    (["plan", MODEL, *CARD, "--pue", "0.5"], "pue"),
    (["plan", MODEL, *CARD, "--years", "0"], "years"),
    (["plan", MODEL, *CARD, "--utilization", "1.5"], "utilization"),
    (["plan", MODEL, *CARD, "--cny", "0"], "cny_per_usd"),
    (["plan", MODEL, *CARD, "--memory-share", "2"], "at most 1"),
    (["plan", MODEL, *CARD, "--power-limit", "0"], "power limit"),
    (["plan", MODEL, *CARD, "--max-model-len", "10"], "raise it"),
    (["plan", MODEL, *CARD, "--budget-usd-per-hour", "-2"], "budget"),
    (["plan", MODEL, *CARD, "--lang", "fr"], "en, zh"),
    (["plan", MODEL, *CARD, "--configs", "/no/such/folder"], "not a directory"),
    (["plan", MODEL, *CARD, "--facts", "/no/such/file.toml"], "/no/such/file.toml"),
    (["plan", MODEL, *CARD, "--speculative"], "not predicted by this version"),
    (["plan", MODEL, *CARD, "--lora"], "not predicted by this version"),
    (["plan", MODEL, *CARD, "--prefix-cache-hit", "0.5"], "not predicted by this version"),
    (["plan", MODEL, *CARD, "--method", "lora"], "--method belongs to training; add --train"),
    (["plan", MODEL, *CARD, "--zero", "3", "--sequence", "512"], "--zero and --sequence belong to training"),
    (["plan", MODEL, *CARD, "--train", "--concurrency", "8"], "--concurrency belongs to serving"),
    (["plan", MODEL, *CARD, "--train", "--kv", "fp8"], "--kv belongs to serving"),
    (["plan", MODEL, *CARD, "--train", "--weights", "awq-int4"], "--weights belongs to serving"),
    (["plan", MODEL, *CARD, "--train", "--budget-usd-per-hour", "3"], "--budget-usd-per-hour belongs to serving"),
    (["plan", MODEL, *CARD, "--train", "--engine", "vllm"], "training knows"),
    (["plan", MODEL, *CARD, "--train", "--tokens", "many"], "300B or 15T"),
    (["plan", MODEL, *CARD, "--train", "--tokens", "0"], "from 1 to 1e18"),
    (["plan", MODEL, *CARD, "--train", "--tokens", "-5B"], "'-5B'"),
    (["plan", MODEL, *CARD, "--train", "--method", "dora"], "full, lora, qlora"),
    (["plan", MODEL, *CARD, "--train", "--zero", "4"], "0, 1, 2, 3"),
    (["plan", MODEL, *CARD, "--train", "--recompute", "some"], "none, selective, full"),
    (["plan", MODEL, *CARD, "--train", "--optimizer", "adam9"], "adamw8bit"),
    (["plan", MODEL, *CARD, "--train", "--precision", "fp4"], "bf16, fp16, fp8"),
    (["plan", MODEL, *CARD, "--train", "--sequence", "0"], "between 1 and"),
    (["plan", MODEL, *CARD, "--train", "--global-batch", "-1"], "between 1 and"),
    (["plan", MODEL, *CARD, "--train", "--global-batch", "6", "--micro-batch", "4"], "no multiple of micro batch 4"),
    (["plan", MODEL, *CARD, "--train", "--adapter-rank", "0"], "adapter rank"),
    (["plan", MODEL, *CARD, "--train", "--price", "-1"], "more than 0"),
    (["plan", MODEL, *CARD, "--train", "--link", "usb"], "nvlink"),
    (["plan", MODEL, *CARD, "--train", "--lang", "fr"], "en, zh"),
    (["plan", "llama-2-70b", "--cards", "6x RTX 4090", "--tensor-parallel", "3"], "64 heads are not divisible by 3"),
    (["plan", "llama-2-70b", "--cards", "8x RTX 4090", "--tensor-parallel", "3"], "does not divide the number of cards, 8"),
    (["plan", MODEL, *CARD, "--html", "/no/such/folder/report.html"], "no directory /no/such/folder"),
    (["plan", MODEL, *CARD, "--svg", "/"], "is a directory"),
    (["plan", MODEL, *CARD, "--svg", "same", "--png", "same"], "name one file twice"),
    (["plan", "llama-2-70b", "--cards", "1x RTX 4090", "--weights", "bf16", "--png", "never.png"], "nothing runs"),
    (["explain", MODEL, *CARD, "--html", ""], "is a directory"),
    (["explain", MODEL], "--cards"),
    (["explain", MODEL, "--cards", "RTX 4090, H100 SXM"], "one layout"),
    (["simulate", "llama-2-70b", "--cards", "1x RTX 4090", "--weights", "bf16"], "GiB"),
    (["simulate", MODEL, *CARD, "--load", "/no/such/trace.csv"], "cannot be read"),
    (["cards", "no such card"], "unknown card"),
    (["cards", "--rank", "best"], "decode, prefill"),
    (["models", "zzzzz"], "unknown model"),
    (["model", "/no/such/config.json"], "no such file"),
    (["validate", "/no/such/cases.csv", "--out", "/tmp/never.csv"], "cannot be read"),
    (["validate", "cases.csv"], "--out"),
    (["accuracy", "--by", "colour"], "'colour'; it must be one of source, card"),
    (["accuracy", "--by", ""], "it must be one of source"),
    (["accuracy", "--by", "source,metric,card"], "at most 2"),
    (["accuracy", "--lang", "fr"], "en, zh"),
]


def one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The only line of a call that fails; nothing on stdout."""
    assert run(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("cardwise: ") and said.err.count("\n") == 1, said.err
    return said.err


@pytest.mark.parametrize(("arguments", "part"), WRONG, ids=[" ".join(arguments)[:60] for arguments, _ in WRONG])
def test_wrong_arguments(arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert part in one_line(arguments, capsys)


ENGLISH = re.compile(r"(?:\\b[A-Za-z]{2,} ){3,}[A-Za-z]{2,}")
SPOKEN = [arguments for arguments, _ in WRONG if "--lang" not in arguments and arguments[0] not in ("nonsense", "validate")]


@pytest.mark.parametrize("arguments", SPOKEN, ids=[" ".join(arguments)[:60] for arguments in SPOKEN])
def test_wrong_arguments_in_chinese(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The same line, without a run of English words; names and options stay."""
    said = one_line([*arguments, "--lang", "zh"], capsys)
    assert re.search("[\u4e00-\u9fff]", said) and not ENGLISH.search(said), said


def test_whole_lines_in_chinese(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    broken = tmp_path / "config.json"
    broken.write_text('{"model_type": "llama", "hidden_size": "wide"}', encoding="utf-8")
    lines = {
        ("plan", "llama-2-7O"): "没有名为 'llama-2-7O' 的模型；相近的有 ",
        ("plan", MODEL, *CARD, "--input", "-5"): "输入 token 数 为 -5；必须在 0 到 100,000,000 之间\n",
        ("plan", MODEL, *CARD, "--rate", "1", "--concurrency", "2"): "并发数和请求速率 是互斥的负载；只能给出其中一个\n",
        ("plan", MODEL, *CARD, "--tensor-parallel", "5"): "张量并行 5：32 个注意力头不能被 5 整除；可用的数目为 1, 2, 4, 8, 16\n",
        ("plan", MODEL, *CARD, "--no-such-option"): "没有这个选项：--no-such-option",
        ("model", str(broken)): f"{broken}：字段 hidden_size 为 'wide'；必须是整数\n",
        ("cards", "A100"): "显卡 'A100' 可能指 A100 ",
    }
    for arguments, line in lines.items():
        for language in (["--lang", "zh"], ["--lang=zh"]):
            assert one_line([*arguments, *language], capsys).removeprefix("cardwise: ").startswith(line)


FILES = [
    ("cfg.json", b"\xff\xfe{}", ["plan"], "UTF-8"),
    ("empty.json", b"{}", ["plan"], "model_type"),
    ("list.json", b"[1]", ["model"], "group of fields"),
    ("cut.json", b'{"model_type": "llama", "hidden_si', ["model"], "JSON"),
    ("other.json", b'{"model_type": "never-heard-of"}', ["model"], "never-heard-of"),
    ("cut.gguf", b"GGUF\x03\x00\x00\x00\xff\xff", ["model"], "cut.gguf"),
    ("notes.txt", b"hello", ["model"], "notes.txt"),
]


@pytest.mark.parametrize(("name", "content", "command", "part"), FILES, ids=[file[0] for file in FILES])
def test_files_of_models(
    name: str, content: bytes, command: list[str], part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    assert part in one_line([*command, str(tmp_path / name)], capsys)


def test_a_folder_without_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "config.json" in one_line(["plan", str(tmp_path)], capsys)


CASES = [
    (b"\xff\xfecase_id", "UTF-8"),
    (b"case_id,model\na,b\n", "accelerator, engine, metric"),
    (b"", "lacks the column"),
    (b"case_id,model,accelerator,engine,metric\na,m,c,e,x\na,m,c,e,x\n", "occurs twice"),
]


@pytest.mark.parametrize(("content", "part"), CASES, ids=["not UTF-8", "missing columns", "empty", "one id twice"])
def test_files_of_cases(content: bytes, part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases, out = tmp_path / "cases.csv", tmp_path / "out.csv"
    cases.write_bytes(content)
    assert part in one_line(["validate", str(cases), "--out", str(out)], capsys)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cases.csv"]


def test_an_output_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases = tmp_path / "cases.csv"
    cases.write_text("case_id,model,accelerator,engine,metric\n", encoding="utf-8")
    assert "make it first" in one_line(["validate", str(cases), "--out", str(tmp_path / "no" / "out.csv")], capsys)
    assert "is a directory" in one_line(["validate", str(cases), "--out", str(tmp_path)], capsys)
    assert "holds the cases" in one_line(["validate", str(cases), "--out", str(cases)], capsys)
    assert "no ordinary file" in one_line(["validate", str(cases), "--out", "/dev/null"], capsys)


TRACES = [
    ("arrival_s,input_tokens\n0,1\n", "output_tokens"),
    ("arrival_s,input_tokens,output_tokens\n0,1,x\n", "line 2"),
    ("arrival_s,input_tokens,output_tokens\n0,10,5\n1,-3,5\n", "line 3"),
    ("arrival_s,input_tokens,output_tokens\nnan,10,5\n", "nan"),
    ("arrival_s,input_tokens,output_tokens\n", "no request"),
]


@pytest.mark.parametrize(("content", "part"), TRACES, ids=[part for _, part in TRACES])
def test_traces(content: str, part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text(content, encoding="utf-8")
    assert part in one_line(["simulate", MODEL, *CARD, "--load", str(trace)], capsys)


def test_facts_of_ones_own_that_are_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = tmp_path / "facts.toml"
    facts.write_text('[[accelerator]]\nname = "X"\nlike = "RTX 4090"\nmemory_gib = -4\n', encoding="utf-8")
    assert "memory_gib" in one_line(["plan", MODEL, *CARD, "--facts", str(facts)], capsys)
    facts.write_text('[[accelerator]]\nname = "X"\nlike = "RTX 4090"\naliases = 3\n', encoding="utf-8")
    assert "aliases is 3; it must be a list of texts" in one_line(["plan", MODEL, *CARD, "--facts", str(facts)], capsys)
    facts.write_text("not toml at all", encoding="utf-8")
    assert "TOML" in one_line(["cards", "--facts", str(facts)], capsys)


def test_a_mistake_of_ours_is_one_line_too(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from cardwise.planning import facade

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("boom\nbang")

    monkeypatch.setattr(facade, "plan", broken)
    monkeypatch.delenv("CARDWISE_DEBUG", raising=False)
    assert run(["plan", MODEL]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "RuntimeError: boom bang" in said


def test_ctrl_c_is_quiet(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from cardwise.planning import facade

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(facade, "plan", interrupted)
    assert run(["plan", MODEL]) == 130
    assert capsys.readouterr().err == ""
