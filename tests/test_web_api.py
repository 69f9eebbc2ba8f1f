"""The HTTP API: the documents of --json, one line for every mistake, limits, headers, and no file that a request could reach."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")
from fastapi.testclient import TestClient

from cardwise.cli import run
from cardwise.web.app import PAGES, create_app
from cardwise.web.limits import Limits

SMALL = Limits(workers=2, body_bytes=4000, upload_bytes=8000, body_s=5.0)
LOAD = {"concurrency": 4, "input": 512, "output": 64}
SAID = ["--concurrency", "4", "--input", "512", "--output", "64"]
MODEL = "llama-3.1-8b"


@pytest.fixture(scope="module")
def web() -> Iterator[TestClient]:
    with TestClient(create_app(SMALL)) as client:
        yield client


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


SAME: dict[str, tuple[str, str, dict[str, Any] | None, list[str]]] = {
    "plan": (
        "POST",
        "/api/plan",
        {"model": MODEL, "cards": "RTX 4090, 2x L40S", **LOAD},
        ["plan", MODEL, "--cards", "RTX 4090, 2x L40S", *SAID],
    ),
    "limits": (
        "POST",
        "/api/plan",
        {"model": MODEL, "cards": "RTX 4090", "rate": 2.0, "ttft": 800, "tpot": 60.5, "percentile": 90, "utilization": 0.3},
        [
            "plan",
            MODEL,
            "--cards",
            "RTX 4090",
            "--rate",
            "2",
            "--ttft",
            "800",
            "--tpot",
            "60.5",
            "--percentile",
            "90",
            "--utilization",
            "0.3",
        ],
    ),
    "refused": ("POST", "/api/plan", {"model": "llama-2-70b", "cards": "1x RTX 4090"}, ["plan", "llama-2-70b", "--cards", "1x RTX 4090"]),
    "explain": (
        "POST",
        "/api/explain",
        {"model": MODEL, "cards": "2x RTX 4090", "tensor_parallel": 2, **LOAD},
        ["explain", MODEL, "--cards", "2x RTX 4090", "--tp", "2", *SAID],
    ),
    "simulate": (
        "POST",
        "/api/simulate",
        {"model": MODEL, "cards": "1x RTX 4090", "rate": 1, "requests": 50},
        ["simulate", MODEL, "--cards", "1x RTX 4090", "--rate", "1", "--requests", "50"],
    ),
    "picture": (
        "POST",
        "/api/plan",
        {"model": "sdxl", "cards": "RTX 4090", "picture": {"steps": 30, "images": 2}},
        ["plan", "sdxl", "--cards", "RTX 4090", "--steps", "30", "--images", "2"],
    ),
    "training": (
        "POST",
        "/api/plan",
        {"model": MODEL, "cards": "RTX 4090", "training": {}},
        ["plan", MODEL, "--cards", "RTX 4090", "--train"],
    ),
    "training, said": (
        "POST",
        "/api/plan",
        {
            "model": MODEL,
            "cards": "2x RTX 4090, H100 SXM",
            "tensor_parallel": 1,
            "engine": "torchtitan",
            "price": 1.5,
            "training": {
                "tokens": "300B",
                "method": "lora",
                "sequence": 2048,
                "global_batch": 64,
                "micro_batch": 1,
                "zero": 3,
                "recompute": "full",
                "optimizer": "adamw8bit",
                "precision": "fp8",
                "adapter_rank": 8,
                "offload_states": True,
            },
        },
        [
            *("plan", MODEL, "--cards", "2x RTX 4090, H100 SXM", "--train", "--tp", "1", "--engine", "torchtitan", "--price", "1.5"),
            *("--tokens", "300B", "--method", "lora", "--sequence", "2048", "--global-batch", "64", "--micro-batch", "1", "--zero", "3"),
            *("--recompute", "full", "--optimizer", "adamw8bit", "--precision", "fp8", "--adapter-rank", "8", "--offload-states"),
        ],
    ),
    "training, refused": (
        "POST",
        "/api/plan",
        {"model": "llama-2-70b", "cards": "8x RTX 4090", "training": {"zero": 1}},
        ["plan", "llama-2-70b", "--cards", "8x RTX 4090", "--train", "--zero", "1"],
    ),
    "cards": ("POST", "/api/cards", {"cards": "RTX 4090, H100 SXM"}, ["cards", "RTX 4090", "H100 SXM"]),
    "ranked": (
        "POST",
        "/api/cards",
        {"cards": "RTX 4090, H100 SXM", "rank": "decode", "weights": "bf16"},
        ["cards", "RTX 4090", "H100 SXM", "--rank", "decode", "--weights", "bf16"],
    ),
    "models": ("GET", "/api/models?query=llama-2", None, ["models", "llama-2"]),
    "model": ("POST", "/api/model", {"model": MODEL, "weights": "fp8"}, ["model", MODEL, "--weights", "fp8"]),
    "accuracy": ("GET", "/api/accuracy?by=engine", None, ["accuracy", "--by", "engine"]),
}


@pytest.mark.parametrize("name", SAME)
def test_documents_are_those_of_the_command_line(web: TestClient, capsys: pytest.CaptureFixture[str], name: str) -> None:
    method, path, body, arguments = SAME[name]
    answer = web.request(method, path, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json() == printed(capsys, *arguments)


PLAN: dict[str, Any] = {"model": MODEL, "cards": "RTX 4090"}
BAD: dict[str, tuple[str, Any, int, str]] = {
    "unknown model": ("/api/plan", {**PLAN, "model": "lama-9"}, 400, "unknown model 'lama-9'"),
    "unknown card": ("/api/plan", {**PLAN, "cards": "RTX 9999"}, 400, "unknown card"),
    "two cards in one name": ("/api/plan", {**PLAN, "cards": "A100"}, 400, "could mean"),
    "no card": ("/api/plan", {**PLAN, "cards": " , "}, 400, "no card is named"),
    "empty model": ("/api/plan", {**PLAN, "model": " "}, 400, "name is empty"),
    "zero byte": ("/api/plan", {**PLAN, "model": "a\0b"}, 400, "zero byte"),
    "negative": ("/api/plan", {**PLAN, "input": -5}, 400, "input tokens is -5"),
    "too many users": ("/api/plan", {**PLAN, "concurrency": 10**9}, 400, "between 1 and 20,000"),
    "huge": ("/api/plan", {**PLAN, "concurrency": 10**30}, 422, "concurrency"),
    "two loads": ("/api/plan", {**PLAN, "rate": 2, "batch": 3}, 400, "exclude each other"),
    "word for a number": ("/api/plan", {**PLAN, "input": "many"}, 422, "input"),
    "unknown format": ("/api/plan", {**PLAN, "weights": "fp7"}, 400, "fp7"),
    "path": ("/api/plan", {**PLAN, "model": "/etc/passwd"}, 400, "looks like a path"),
    "relative path": ("/api/plan", {**PLAN, "model": "../../x"}, 400, "looks like a path"),
    "home": ("/api/plan", {**PLAN, "model": "~root"}, 400, "looks like a path"),
    "file name": ("/api/explain", {**PLAN, "model": "model.gguf"}, 400, "looks like a path"),
    "backslash": ("/api/simulate", {**PLAN, "model": "c:\\models"}, 400, "looks like a path"),
    "path in a case": (
        "/api/validate",
        {"cases": "case_id,model,accelerator,engine,metric\n1,/etc/passwd,RTX 4090,vllm,ttft_ms\n"},
        200,
        "looks like a path",
    ),
    "online": ("/api/plan", {**PLAN, "online": True}, 422, "online"),
    "configs": ("/api/plan", {**PLAN, "configs": "/tmp"}, 422, "configs"),
    "facts": ("/api/plan", {**PLAN, "facts": ["/tmp/x.toml"]}, 422, "facts"),
    "no model": ("/api/plan", {"cards": "RTX 4090"}, 422, "model"),
    "both": ("/api/plan", {**PLAN, "described": {"name": "x", "fields": {}}}, 422, "either"),
    "absurd fields": ("/api/plan", {"described": {"name": "x", "fields": {"model_type": "llama", "hidden_size": -1}}}, 400, "hidden_size"),
    "family without a rule": ("/api/plan", {"described": {"name": "x", "fields": {"model_type": "perceptron"}}}, 400, "perceptron"),
    "picture of a language model": ("/api/plan", {**PLAN, "picture": {"steps": 3}}, 400, "language model"),
    "training and a load": ("/api/plan", {**PLAN, "training": {}, "concurrency": 3}, 400, "concurrency belongs to serving"),
    "training and a budget": ("/api/plan", {**PLAN, "training": {}, "budget_usd_per_hour": 3}, 400, "belongs to serving"),
    "training of a picture": ("/api/plan", {**PLAN, "model": "sdxl", "training": {}}, 400, "training is predicted for language models"),
    "training and a picture": ("/api/plan", {**PLAN, "training": {}, "picture": {"steps": 3}}, 400, "language model"),
    "method": ("/api/plan", {**PLAN, "training": {"method": "magic"}}, 400, "method is 'magic'"),
    "stage": ("/api/plan", {**PLAN, "training": {"zero": 4}}, 400, "zero is 4"),
    "no tokens": ("/api/plan", {**PLAN, "training": {"tokens": "many"}}, 400, "tokens is 'many'"),
    "framework": ("/api/plan", {**PLAN, "training": {}, "engine": "vllm"}, 400, "vllm"),
    "batch that does not divide": ("/api/plan", {**PLAN, "training": {"global_batch": 7, "micro_batch": 2}}, 400, "no multiple"),
    "option of training": ("/api/plan", {**PLAN, "training": {"epochs": 3}}, 422, "training.epochs"),
    "training explained": ("/api/explain", {**PLAN, "training": {}}, 422, "training"),
    "tokens of a picture": ("/api/plan", {**PLAN, "model": "sdxl", "input": 10}, 400, "is for language models"),
    "simulate a picture": ("/api/simulate", {**PLAN, "model": "sdxl"}, 400, "makes pictures"),
    "explain two": ("/api/explain", {**PLAN, "cards": "RTX 4090, L40S"}, 400, "one layout"),
    "trace": ("/api/simulate", {**PLAN, "trace": "a,b\n1,2\n"}, 400, "lacks the column"),
    "rank": ("/api/cards", {"rank": "beauty"}, 400, "rank is 'beauty'"),
    "chart": ("/api/charts", {**PLAN, "charts": ["pie"]}, 422, "charts"),
    "chart of no layout": ("/api/charts", {"charts": ["memory"]}, 422, "name one kind of card"),
    "cases": ("/api/validate", {"cases": "x,y\n1,2\n"}, 400, "lacks the column"),
    "speculative": ("/api/plan", {**PLAN, "speculative": True}, 422, "speculative"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_mistake_is_one_line(web: TestClient, name: str) -> None:
    path, body, status, words = BAD[name]
    answer = web.post(path, json=body)
    assert answer.status_code == status, answer.text
    assert words in answer.text
    if status != 200:
        said = answer.json()["error"]
        assert words in said and "\n" not in said and len(said) < 600


@pytest.mark.parametrize("body", ["", "{", "[]", '"x"', "null", "\xff", '{"model": NaN}', '{"input": 1e999, "model": "x"}', "[" * 3000])
def test_what_is_no_question_is_refused(web: TestClient, body: str) -> None:
    answer = web.post("/api/plan", content=body.encode("latin-1"), headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert list(answer.json()) == ["error"]


def test_nearest_names_come_with_the_line(web: TestClient) -> None:
    answer = web.post("/api/plan", json={**PLAN, "model": "llama-3.1-8bb"}).json()
    assert "meta-llama/Llama-3.1-8B" in answer["nearest"] and "path" not in answer["error"]


def test_a_model_folder_beside_the_server_is_not_read(web: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same name means a folder for the command line, and nothing for a server that starts in it."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with TestClient(create_app(Limits(workers=1))) as client:
        assert "unknown model 'mine'" in client.post("/api/plan", json={**PLAN, "model": "mine"}).json()["error"]


def test_a_validated_file_is_answered_in_memory(web: TestClient) -> None:
    cases = "case_id,model,accelerator,engine,metric,load,batch\na,llama-3.1-8b,RTX 4090,vllm,output_tok_s,batch,1\nb,x\n"
    found = web.post("/api/validate", json={"cases": cases}).json()
    assert (found["schema"], found["rows"], found["answered"], found["out"]) == ("cardwise.validate/1", 2, 1, None)
    assert [row["case_id"] for row in found["predictions"]] == ["a", "b"]
    first = found["predictions"][0]
    assert first["low"] < first["predicted"] < first["high"]


def test_bodies_have_limits(web: TestClient) -> None:
    large = web.post("/api/plan", json={**PLAN, "cards": "x" * SMALL.body_bytes})
    assert large.status_code == 413 and "4,000 bytes" in large.json()["error"]
    stated = web.post("/api/plan", content=b"{}", headers={"content-length": "99999999999", "content-type": "application/json"})
    assert stated.status_code == 413
    piecewise = web.post("/api/plan", content=(b"x" * 500 for _ in range(20)), headers={"content-type": "application/json"})
    assert piecewise.status_code == 413
    head = web.post("/api/read?name=config.json&file_bytes=9000", content=b"x" * 8001)
    assert head.status_code == 413


@pytest.mark.parametrize(
    "path", [*PAGES, "/static/app.js", "/api/names", "/api/openapi.json", "/nothing", "/static/../app.py", "/static/%2e%2e%2fapp.py"]
)
def test_every_response_has_its_headers(web: TestClient, path: str) -> None:
    answer = web.get(path)
    assert answer.status_code == (404 if "nothing" in path or "app.py" in path else 200)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8765", 200),
        ("localhost", 200),
        ("[::1]:8765", 200),
        ("192.168.0.7:80", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("", 421),
    ],
)
def test_foreign_host_names_are_refused(web: TestClient, host: str, status: int) -> None:
    """A name that an attacker points at this machine (DNS rebinding) is none of ours; an address cannot be pointed elsewhere."""
    assert web.get("/api/names", headers={"host": host}).status_code == status


def test_pages_of_other_sites_may_not_ask(web: TestClient) -> None:
    assert web.get("/api/names", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert web.get("/api/names", headers={"sec-fetch-site": "same-origin"}).status_code == 200


def test_what_did_not_change_is_not_sent_again(web: TestClient) -> None:
    first = web.get("/static/app.js")
    assert web.get("/static/app.js", headers={"if-none-match": first.headers["etag"]}).status_code == 304


def test_answers_without_compression_are_the_same(web: TestClient) -> None:
    plain = web.post("/api/plan", json=PLAN, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.json() == web.post("/api/plan", json=PLAN).json()


def test_charts_are_specifications(web: TestClient) -> None:
    pytest.importorskip("altair", reason="the extra charts is not installed")
    names = ["memory", "decode", "roofline"]
    found = web.post("/api/charts", json={**PLAN, **LOAD, "charts": names, "lang": "zh", "theme": "dark"}).json()
    assert sorted(found["charts"]) == sorted(names)
    assert all("vega-lite" in spec["$schema"] for spec in found["charts"].values())


def test_charts_of_training_are_of_the_option_that_is_named(web: TestClient) -> None:
    pytest.importorskip("altair", reason="the extra charts is not installed")
    asks = {**PLAN, "cards": "2x RTX 4090", "training": {"method": "lora"}}
    answer = web.post("/api/plan", json=asks).json()
    last = len(answer["options"]) - 1
    found = web.post("/api/charts", json={**asks, "charts": ["train-pareto", "train-memory", "train-step"], "option": last}).json()
    assert sorted(found["charts"]) == ["train-memory", "train-pareto", "train-step"]
    assert f"{answer['options'][last]['step_s']['likely']:.3g}"[:3] in json.dumps(found["charts"]["train-step"])
    for body, words in (({**asks, "option": last + 1}, "counted from 0"), ({**PLAN, "option": 0}, "under training")):
        assert words in web.post("/api/charts", json={**body, "charts": ["train-memory"]}).json()["missing"]["train-memory"]


def test_a_model_from_its_files_is_trained_too(web: TestClient) -> None:
    fields = {"model_type": "llama", "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22, "num_attention_heads": 32,
              "num_key_value_heads": 4, "vocab_size": 32000, "max_position_embeddings": 2048, "torch_dtype": "bfloat16"}  # fmt: skip
    answer = web.post("/api/plan", json={"described": {"name": "own", "fields": fields}, "cards": "RTX 4090", "training": {}}).json()
    assert answer["schema"] == "cardwise.train/1" and answer["options"] and "own" in answer["model"]


def test_the_layout_is_handed_over_as_commands(web: TestClient) -> None:
    found = web.post("/api/deploy", json={**PLAN, "weights": "bf16", "engine": "vllm"}).json()
    assert found["run"][0].startswith("vllm serve") and "vllm bench" in found["check"]


@pytest.mark.parametrize(
    ("accepted", "path", "body", "line"),
    [
        ("zh", "/api/plan", {"model": "llama-2-7O", "cards": "RTX 4090"}, "没有名为 'llama-2-7O' 的模型；相近的有 "),
        ("zh-CN,zh;q=0.9,en;q=0.8", "/api/plan", {"model": MODEL, "cards": "RTX 4091"}, "没有名为 'RTX 4091' 的显卡；相近的有 "),
        ("zh", "/api/plan", {"model": MODEL, "nonsense": 1}, "nonsense：没有这个字段"),
        ("zh", "/api/plan", {"model": MODEL, "input": "many"}, "input：必须是整数"),
        ("zh", "/api/plan", {"model": "x" * 5000}, "请求体超过 4,000 字节的上限"),
        ("en-GB,zh;q=0.5", "/api/plan", {"model": MODEL, "cards": "RTX 4091"}, "unknown card 'RTX 4091'; nearest: "),
        ("*;q=x, zh;q=often", "/api/plan", {"model": MODEL, "cards": "RTX 4091"}, "unknown card 'RTX 4091'; nearest: "),
    ],
)
def test_errors_are_told_in_the_language_that_is_accepted(web: TestClient, accepted: str, path: str, body: Any, line: str) -> None:
    for encoding in ("gzip", "identity"):
        answer = web.post(path, json=body, headers={"accept-language": accepted, "accept-encoding": encoding})
        assert answer.status_code in (400, 413, 422) and answer.json()["error"].startswith(line), answer.json()
        assert (answer.headers.get("content-language") == "zh") == accepted.startswith("zh")


def test_other_failures_are_told_in_chinese_too(web: TestClient) -> None:
    chinese = {"accept-language": "zh"}
    assert web.get("/nothing", headers=chinese).json() == {"error": "没有这个页面"}
    assert web.get("/static/nothing.js", headers=chinese).json() == {"error": "没有这个文件"}
    assert web.get("/api/names", headers=chinese).json() == web.get("/api/names").json(), "documents have no language"
    foreign = web.get("/api/names", headers={**chinese, "host": "evil.example"})
    assert foreign.status_code == 421 and foreign.json()["error"].startswith("这里不提供该主机名的服务")
