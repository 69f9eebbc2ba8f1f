"""Engine rules against the defaults that the packages of each version state."""

from __future__ import annotations

import pytest

from cardwise.catalogue.engine_versions import date_in, days_between, parse_version
from cardwise.catalogue.engines import engine_info, engine_names, engine_rules
from cardwise.errors import UnknownName
from cardwise.quantities import GIB, MIB


@pytest.mark.parametrize(
    ("text", "prefix", "version"),
    [
        ("v0.5.12-rocm700-mi35x", "", (0, 5, 12)),
        ("0.11.0+torch271", "", (0, 11, 0)),
        ("1.2.0rc6.post2", "", (1, 2, 0)),
        ("0.9.2.dev364+gb432b7a28", "", (0, 9, 2)),
        ("gpt-oss-dev", "", ()),
        ("nightly-dev-20260216-d3bae71e", "", ()),
        ("0.24", "", (0, 24)),
        ("rocm7.2.3_ubuntu24.04_py3.12_pytorch_release_2.10.0_atom20260511", "", ()),
        ("b2824 (4426e298)", "b", (2824,)),
        ("build: 3fc4e1052 (9820)", "b", (9820,)),
        ("b10102 / 85e22ea0b", "b", (10102,)),
        ("39eab74a0", "b", ()),
        ("b7b85da9c", "b", ()),
        ("", "", ()),
        ("", "b", ()),
    ],
)
def test_versions_as_written_in_logs(text: str, prefix: str, version: tuple[int, ...]) -> None:
    assert parse_version(text, prefix) == version


def test_dates() -> None:
    assert date_in("nightly-dev-20260216-d3bae71e") == "2026-02-16"
    assert date_in("atom20260511") == "2026-05-11"
    assert date_in("0.5.9") == ""
    assert 330 < days_between("2024-05", "2025-05-12") < 380


@pytest.mark.parametrize(
    ("engine", "version", "card", "gib", "expected"),
    [  # share, tokens a step, sequences, largest graph, era, as the packages state them
        ("vllm", "0.5.4", "RTX 4090", 24, (0.90, 2048, 256, 256, "vllm-0.5")),
        ("vllm", "0.8.3", "H100 SXM", 80, (0.90, 8192, 1024, 512, "vllm-0.8")),
        ("vllm", "0.8.5", "A100 SXM 80GB", 80, (0.90, 8192, 1024, 512, "vllm-0.8")),
        ("vllm", "0.9.2", "A100 SXM 80GB", 80, (0.90, 2048, 256, 512, "vllm-0.8")),
        ("vllm", "0.11.0", "RTX 4090", 24, (0.90, 2048, 256, 512, "vllm-0.10")),
        ("vllm", "0.19.0", "H200", 141, (0.90, 8192, 1024, 512, "vllm-0.14")),
        ("vllm", "0.20.0", "H200", 141, (0.92, 8192, 1024, 512, "vllm-0.14")),
        ("vllm", "0.29.0", "H100 SXM", 80, (0.92, 2048, 256, 512, "vllm-0.14")),
        ("vllm", "0.33.0", "B200", 180, (0.92, 16384, 1024, 1024, "vllm-0.14")),
        ("sglang", "0.4.1", "RTX 4090", 24, (0.88, 2048, 4096, 8, "sglang-0.4")),
        ("sglang", "0.4.6", "H200", 141, (1 - 13 / 141, 8192, 4096, 256, "sglang-0.4")),
        ("sglang", "0.5.5", "H100 SXM", 80, (1 - (512 + 12288 + 512 + 128) / (80 * 1024), 8192, 4096, 256, "sglang-0.5")),
        ("tensorrt-llm", "0.8.0", "A100", 80, (0.90, 8192, 2048, 0, "trtllm-0.5")),
        ("tensorrt-llm", "0.14.0", "A100", 80, (0.90, 8192, 2048, 0, "trtllm-0.10")),
        ("tensorrt-llm", "1.2.0rc6.post2", "B200", 180, (0.90, 8192, 2048, 128, "trtllm-1.2")),
        ("llama.cpp", "b1691 (7082d24)", "RTX 4090", 24, (1.0, 512, 1, 0, "llamacpp-2023")),
        ("llama.cpp", "b2824 (4426e298)", "RTX 4090", 24, (1.0, 512, 1, 0, "llamacpp-2024")),
        ("llama.cpp", "b9187 (0253fb21f)", "RTX 4090", 24, (1.0, 512, 4, 0, "llamacpp-2025")),
        ("lmdeploy", "0.2.0", "A100 SXM 80GB", 80, (0.80, 8192, 384, 256, "lmdeploy")),
        ("deepspeed", "", "A100", 80, (1.0, 768, 512, 0, "deepspeed")),
    ],
)
def test_defaults_by_version(engine: str, version: str, card: str, gib: float, expected: tuple[float, int, int, int, str]) -> None:
    rules = engine_rules(engine, version, memory_bytes=gib * GIB, card=card)
    share, tokens, sequences, graph, era = expected
    assert rules.memory_share == pytest.approx(share, abs=1e-6)
    assert (rules.max_num_batched_tokens, rules.max_num_seqs, rules.graph_max_batch, rules.era) == (tokens, sequences, graph, era)
    assert rules.source


def test_offline_class_takes_more_tokens_than_the_server() -> None:
    server = engine_rules("vllm", "0.11.0", memory_bytes=80 * GIB, card="H100")
    offline = engine_rules("vllm", "0.11.0", memory_bytes=80 * GIB, card="H100", entry="offline")
    assert (server.max_num_batched_tokens, offline.max_num_batched_tokens) == (8192, 16384)


@pytest.mark.parametrize(
    ("length", "tokens", "scheduler"), [(1024, 2048, "prefill-first"), (8192, 8192, "prefill-first"), (131072, 512, "mixed")]
)
def test_vllm_v0_takes_whole_prompts_until_they_are_long(length: int, tokens: int, scheduler: str) -> None:
    rules = engine_rules("vllm", "0.6.1", memory_bytes=80 * GIB, max_model_len=length)
    assert (rules.max_num_batched_tokens, rules.scheduler) == (tokens, scheduler)


@pytest.mark.parametrize(
    ("engine", "measured", "era"),
    [
        ("vllm", "2023-12-11", "vllm-0.5"),
        ("vllm", "2024-12", "vllm-0.6"),
        ("vllm", "2025-05", "vllm-0.8"),
        ("vllm", "2025-11", "vllm-0.10"),
        ("vllm", "", "vllm-0.14"),
        ("sglang", "2025-03", "sglang-0.4"),
        ("sglang", "2025-12", "sglang-0.5"),
        ("llama.cpp", "2023-08", "llamacpp-2023"),
        ("llama.cpp", "2026", "llamacpp-2025"),
        ("tensorrt-llm", "2024-09", "trtllm-0.10"),
        ("aphrodite", "2023-12-14", "vllm-0.5"),
        ("ik_llama.cpp", "2025-03-07", "llamacpp-2025"),
    ],
)
def test_no_version_is_the_newest_of_its_day(engine: str, measured: str, era: str) -> None:
    assert engine_rules(engine, memory_bytes=24 * GIB, measured=measured).era == era


def test_a_container_of_another_project_is_resolved_by_date() -> None:
    assert engine_rules("tensorrt-llm", "0.8.1.post2", memory_bytes=180 * GIB, measured="2026-02-03").era == "trtllm-1.2"
    assert engine_rules("tensorrt-llm", "0.8.0", memory_bytes=80 * GIB, measured="2024-02").era == "trtllm-0.5"


def test_layer_split_and_windows_change_with_the_build() -> None:
    old, new = (engine_rules("llama.cpp", build, memory_bytes=24 * GIB) for build in ("b1691", "b9187"))
    assert (old.layer_split, new.layer_split) == (False, True)
    assert (old.windows_saved, new.windows_saved) == (False, True)
    assert (old.fused_attention, new.fused_attention) == (False, True)
    assert new.reserve_bytes == 1024 * MIB


@pytest.mark.parametrize("name", engine_names())
def test_every_engine_has_rules_and_a_source(name: str) -> None:
    rules, info = engine_rules(name, memory_bytes=24 * GIB), engine_info(name)
    assert rules.engine == name and info.command and info.kernels
    assert rules.source and rules.era and rules.vendors
    assert 0 < rules.memory_share <= 1


def test_formats_by_generation() -> None:
    vllm = engine_info("vllm")
    assert vllm.runs("fp8", "NVIDIA", "Ampere") and not vllm.computes_natively("fp8", "NVIDIA", "Ampere")
    assert vllm.computes_natively("fp8", "NVIDIA", "Hopper")
    assert vllm.computes_natively("fp4", "NVIDIA", "Blackwell") and not vllm.computes_natively("fp4", "NVIDIA", "Ada")
    assert not engine_info("tensorrt-llm").runs("fp8", "NVIDIA", "Ampere")
    assert not engine_info("mlx").runs("mlx", "NVIDIA", "Hopper")


def test_unknown_engine_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="vllm"):
        engine_rules("vlllm", memory_bytes=24 * GIB)
