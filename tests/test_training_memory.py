"""Memory of training: published figures, closed forms, laws."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from cardwise.catalogue.training import memory_rules, optimizer
from cardwise.laws.training_choice import choices, first_fitting
from cardwise.laws.training_memory import activation_bytes, adapter_parameters, layer_elements, state_bytes, training_memory
from cardwise.model import Architecture
from cardwise.passes.architectures import architecture
from cardwise.quantities import GIB
from cardwise.readers.config import read_config
from cardwise.training import Recipe, TrainingLayout

ADAM = optimizer("adamw")
RECIPE = Recipe("full", ADAM, 2048, 64)
GPT = {"model_type": "gpt2", "n_embd": 12288, "n_layer": 96, "n_head": 96, "vocab_size": 51200, "n_positions": 2048}


def gpt() -> Architecture:
    return read_config(GPT, name="gpt3", source="test")


# Rajbhandari et al. (2020), figure 1: 7.5 B parameters, Adam in mixed precision, 64 data-parallel cards; GB = 1e9.
@pytest.mark.parametrize(("zero", "gigabytes"), [(0, 120.0), (1, 31.4), (2, 16.6), (3, 1.9)])
def test_zero_stages(zero: int, gigabytes: float) -> None:
    states = state_bytes(7.5e9, RECIPE.weight_bytes, ADAM.gradient_bytes, ADAM.state_bytes + ADAM.master_bytes, zero, 64)
    assert states.total / 1e9 == pytest.approx(gigabytes, abs=0.05)


def test_sixteen_bytes_a_parameter() -> None:
    assert RECIPE.weight_bytes + ADAM.gradient_bytes + ADAM.state_bytes + ADAM.master_bytes == 16


def test_activations_of_a_gpt_layer() -> None:
    """Korthikanti et al. (2022), equations 1 and 4: s b h (34 + 5 a s / h) with dropout and without flash attention."""
    model, recipe = gpt(), dataclasses.replace(RECIPE, flash=False, dropout=True, kernels="fused")
    layer, hidden, heads, sequence = model.layers[0], 12288, 96, 2048
    assert 2 * layer_elements(layer, hidden, recipe) == pytest.approx(hidden * (34 + 5 * heads * sequence / hidden))
    assert 2 * layer_elements(layer, hidden, recipe, selective=True) == pytest.approx(34 * hidden)
    flash = dataclasses.replace(recipe, flash=True)
    assert 2 * layer_elements(layer, hidden, flash) == pytest.approx(34 * hidden)


def test_full_recomputation_keeps_a_layers_input() -> None:
    """2 s b h a layer (the same paper, table 2), and one layer at work."""
    model, recipe = gpt(), dataclasses.replace(RECIPE, flash=True)
    layout = TrainingLayout("any", recompute="full")
    working = 2 * layer_elements(model.layers[0], 12288, recipe) * 2048
    assert activation_bytes(model, recipe, layout, 0.0) == pytest.approx(2 * 2048 * 12288 * 96 + working)


def test_parts_sum_to_the_card() -> None:
    model = architecture("llama-3.1-8b")
    for zero, tensor, stages, method in itertools.product((0, 1, 2, 3), (1, 4), (1, 2), ("full", "lora", "qlora")):
        recipe = dataclasses.replace(RECIPE, method=method)  # type: ignore[arg-type]
        memory = training_memory(model, recipe, TrainingLayout("any", 8, tensor, stages, zero), 80 * GIB, memory_rules())
        assert sum(value for _, value in memory.parts) == pytest.approx(memory.usable)
        assert memory.fits == (memory.free >= 0)


def test_what_takes_less() -> None:
    """Higher ZeRO stages, more recomputation, offload, tensor parallelism, smaller micro-batches, adapters: each takes less."""
    model, rules = architecture("llama-2-13b"), memory_rules()

    def used(recipe: Recipe = RECIPE, **changes: object) -> float:
        layout = TrainingLayout("any", 8, 1, 1, 1, 2)
        return training_memory(model, recipe, dataclasses.replace(layout, **changes), 80 * GIB, rules).used  # type: ignore[arg-type]

    assert used(zero=0) > used(zero=1) > used(zero=2) > used(zero=3)
    assert used() > used(recompute="selective") > used(recompute="full")
    assert used(offload="none") > used(offload="optimizer") > used(offload="states")
    assert used() > used(tensor_parallel=2) > used(tensor_parallel=4)
    assert used(micro_batch=4) > used(micro_batch=2) > used(micro_batch=1)
    assert used() > used(dataclasses.replace(RECIPE, method="lora"))
    assert used(dataclasses.replace(RECIPE, method="lora")) > used(dataclasses.replace(RECIPE, method="qlora", frozen_bytes=0.516))
    assert used() > used(dataclasses.replace(RECIPE, optimizer=optimizer("adamw8bit")))


def test_interleaving_keeps_more() -> None:
    model = architecture("llama-2-70b")
    plain = TrainingLayout("any", 1, 8, 4, 0, 1, 64)
    kept = [activation_bytes(model, RECIPE, dataclasses.replace(plain, interleave=v), 0.0) for v in (1, 4)]
    assert kept[1] / kept[0] == pytest.approx(1 + 3 / 16)


def test_low_rank_adapters() -> None:
    """Hu et al. (2021): rank x (inputs + outputs). Llama-2-7B, all seven matrices at rank 16: 40.0 M, as PEFT counts them."""
    assert adapter_parameters(architecture("llama-2-7b"), 16) == 39_976_960


def test_qlora_fits_a_24_gib_card_and_full_training_does_not() -> None:
    model, rules = architecture("llama-2-7b"), memory_rules()
    layout = TrainingLayout("any", micro_batch=1)
    qlora = dataclasses.replace(RECIPE, method="qlora", frozen_bytes=0.516)
    assert first_fitting(model, qlora, layout, 24 * GIB, rules)[1].fits
    assert not first_fitting(model, RECIPE, layout, 24 * GIB, rules)[1].fits
    leanest, memory = first_fitting(model, RECIPE, layout, 24 * GIB, rules, offload=None)
    assert memory.fits and leanest.offload != "none" and memory.host_bytes > 0


def test_choices_keep_what_is_said() -> None:
    assert {again for again, _ in choices("full", None)} == {"full"}
    assert {off for _, off in choices(None, "none")} == {"none"}
    assert list(choices("none", "none")) == [("none", "none")]
    assert list(choices(None, "none")) == [("none", "none"), ("selective", "none"), ("full", "none")]


def test_mpt_of_the_benchmarks() -> None:
    """Parameter counts that llm-foundry's tables state at 2,048 tokens, to the digit."""
    counts = {
        "125m": 125_311_488, "350m": 355_985_408, "760m": 760_470_528, "1b": 1_315_950_592,
        "3b": 2_651_837_440, "13b": 12_853_954_560, "70b": 64_862_437_376,
    }  # fmt: skip
    assert {size: architecture(f"mosaicml/mpt-{size}").parameters for size in counts} == counts
