"""Measured training runs: settings read from notes, predictions against the shipped rows, the answer of `validate`."""

from __future__ import annotations

import csv
import math
import statistics
from collections import defaultdict
from pathlib import Path

import pytest

from cardwise.calibration.cases import Case, case_of
from cardwise.calibration.training import EVIDENCE, Measured, fit, predicted
from cardwise.calibration.training_cases import predict, training_run
from cardwise.calibration.training_settings import number, says, training_settings
from cardwise.catalogue.load import DATA
from cardwise.catalogue.training import prior, training_facts
from cardwise.cli import run
from cardwise.errors import CardwiseError
from cardwise.training import SLOTS


def rows() -> list[dict[str, str]]:
    with (DATA / EVIDENCE).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def case(**fields: object) -> Case:
    given = {"case_id": "a", "model": "llama-2-7b", "accelerator": "A100 SXM 80GB", "engine": "torchtitan", "metric": "train_tok_s_gpu",
             "task": "train", "count": 8.0, "input_tokens": 4096.0}  # fmt: skip
    return Case(**{**given, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("notes", "settings"),
    [
        ("micro batch 8 seqs, grad accum 4, batch column = global batch; FSDP FULL_SHARD; activation checkpointing True",
         "micro 8; accumulation 4; recompute full; shard all; global batch"),
        ("SHARD_GRAD_OP, gradient checkpointing: off", "recompute none; shard gradients"),
        ("lora fine-tuning; batch = per-device micro batch", "lora; batch of a card"),
        ("QLoRA, LoRA rank 64, selective AC, torch.compile, ZeRO-2", "zero 2; rank 64; qlora; recompute selective; compiled"),
        ("nothing of the kind", ""),
    ],
)  # fmt: skip
def test_settings_of_notes(notes: str, settings: str) -> None:
    assert training_settings(notes) == settings
    assert training_settings(settings) == settings, "shipped settings read as themselves"


def test_settings_are_read_back() -> None:
    text = "micro 8; accumulation 4; lora"
    assert (number(text, "micro"), number(text, "accumulation"), number(text, "zero")) == (8, 4, None)
    assert says(text, "lora") and not says(text, "qlora")


def test_batches() -> None:
    """A batch is the step's unless the notes say that it is a card's; what is missing follows."""
    whole = training_run(case(batch=256.0, notes="micro batch 4")).layout
    assert (whole.micro_batch, whole.accumulation, whole.data_parallel) == (4, 8, 8)
    own = training_run(case(batch=4.0, notes="batch = micro batch per GPU, grad accum 2")).layout
    assert (own.micro_batch, own.accumulation) == (4, 2)
    assert training_run(case(batch=4.0)).layout.micro_batch == 4, "less than a sequence a card is a card's"


def test_degrees() -> None:
    layout = training_run(case(count=64.0, tp=8.0, pp=4.0, engine="megatron-lm", batch=128.0)).layout
    assert (layout.data_parallel, layout.tensor_parallel, layout.pipeline_parallel, layout.zero) == (2, 8, 4, 1)
    with pytest.raises(CardwiseError, match="does not divide"):
        training_run(case(tp=3.0))


def test_what_is_not_said_is_what_fits() -> None:
    """Full training of 7B by LLM.Q on one RTX 4090 needs the host's memory; of 0.5B it does not."""
    large, small = (
        training_run(case(model=f"Qwen/Qwen2.5-{size}", accelerator="RTX 4090", engine="llmq", count=1.0, batch=4.0))
        for size in ("7B", "0.5B")
    )
    assert large.layout.offload != "none" and small.layout.offload == "none"


def test_errors_at_the_shipped_runs() -> None:
    """Median error of rates by source at most 0.12, nine tenths inside a factor of 1.35; MFU at most 0.15."""
    errors = defaultdict(list)
    for row in rows():
        made = predict(case_of(row))
        assert made.low < made.likely < made.high
        errors[row["source_id"], row["metric"]].append(abs(math.log(made.likely / float(row["value"]))))
    for (source, metric), found in errors.items():
        assert statistics.median(found) <= (0.12 if metric == "train_tok_s_gpu" else 0.15), (source, metric)
    rates = [error for (_, metric), found in errors.items() if metric == "train_tok_s_gpu" for error in found]
    assert sum(error < math.log(1.35) for error in rates) > 0.9 * len(rates)


def test_measured_runs_fit_their_cards() -> None:
    """Most of these micro-batches are the largest that ran: the budget must not refuse them, nor leave half of the card free."""
    settled = [training_run(case_of(row)) for row in rows() if row["metric"] == "train_tok_s_gpu"]
    assert sum(run.memory.fits for run in settled) >= 0.97 * len(settled)
    full = [run.memory.used / run.memory.usable for run in settled if run.framework.name == "llm-foundry" and run.layout.cards <= 16]
    assert statistics.median(full) > 0.8


def test_priors_alone_are_near() -> None:
    """Without any fit the physics and the priors are within 0.2 of every source: no source is learned by heart."""
    found = defaultdict(list)
    for row in rows():
        if row["metric"] == "train_tok_s_gpu":
            one = case_of(row)
            made = training_run(one)
            found[row["source_id"]].append(abs(math.log(predicted(Measured(one, made, 1.0), {}) / float(row["value"]))))
    assert all(statistics.median(errors) < 0.2 for errors in found.values()), {k: statistics.median(v) for k, v in found.items()}


def test_the_fit_learns_what_is_put_in() -> None:
    """Rates made with a faster product than the prior: the fit moves there, and a slot that they do not touch stays at its prior."""
    scipy = pytest.importorskip("scipy")
    assert scipy
    chosen = [case_of(row) for row in rows() if row["metric"] == "train_tok_s_gpu" and row["accelerator"] == "A100 SXM 80GB"][::6]
    truth = {("gemm", "global"): -0.15}
    made = [Measured(one, training_run(one), 1.0) for one in chosen]
    made = [Measured(one.case, one.run, predicted(one, truth)) for one in made]
    fitted = fit(made).effects
    moved = fitted["gemm", "global"] + fitted["gemm", "generation=ampere-dc"] + fitted["flops_per_joule", "global"]
    assert moved < -0.05 and abs(fitted["offload", "global"]) < 1e-3
    assert all(abs(math.log(predicted(one, fitted) / one.value)) < 0.05 for one in made)


def test_every_slot_has_a_prior_with_a_unit_and_a_source() -> None:
    tables = training_facts()["slot"]
    assert set(tables) == set(SLOTS)
    assert all(table["unit"] and table["source"] and table["spread"] > 0 for table in tables.values())
    assert prior("gemm", {"generation": "cdna3"}) < prior("gemm", {"generation": "hopper"})


def test_validate_answers_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases, out = tmp_path / "cases.csv", tmp_path / "out.csv"
    cases.write_text(
        "case_id,task,model,accelerator,count,engine,metric,batch,input_tokens,notes\n"
        "a,train,llama-3-8b,H100 SXM,8,torchtitan,train_tok_s_gpu,16,8192,selective AC\n"
        "b,train,llama-3-8b,H100 SXM,8,torchtitan,mfu,16,8192,selective AC\n"
        "c,train,llama-3-8b,H100 SXM,8,torchtitan,loss,16,8192,\n"
        "d,train,llama-3-8b,No Such Card,8,torchtitan,mfu,16,8192,\n",
        encoding="utf-8",
    )
    assert run(["validate", str(cases), "--out", str(out)]) == 0
    assert capsys.readouterr().out.startswith("2 of 4 rows answered")
    with out.open(encoding="utf-8", newline="") as file:
        found = {row["case_id"]: row for row in csv.DictReader(file)}
    rate, mfu = float(found["a"]["predicted"]), float(found["b"]["predicted"])
    assert float(found["a"]["low"]) < rate < float(found["a"]["high"])
    assert 20 < mfu < 70 and 4000 < rate < 10_000
    assert "train_tok_s_gpu, mfu" in found["c"]["reason"] and "No Such Card" in found["d"]["reason"]
