"""A card that no catalogue knows, from the few lines of its datasheet; the interval is wider, since nobody measured it."""

import tempfile
from pathlib import Path

import cardwise

FACTS = """
[[accelerator]]
name = "Example 48"
vendor = "NVIDIA"
generation = "ada"
memory_gib = 48
bandwidth_gb_s = 1100
fp16_dense_tflops = 190
fp8_dense_tflops = 380
pcie = "4.0 x16"
tdp_w = 350
source = "a datasheet of your own"

[[price]]
accelerator = "Example 48"
usd_per_hour = 0.60
"""

with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "example-48.toml"
    file.write_text(FACTS, encoding="utf-8")
    cardwise.use_facts([file])
    answer = cardwise.plan("qwen3-32b", "Example 48, RTX 6000 Ada", concurrency=8, weights="fp8")

for option in answer.options:
    speed = option.performance.output_tokens_per_s
    print(f"{option.name}: {speed.likely:.0f} tok/s ({speed.low:.0f}-{speed.high:.0f}); {option.basis.text}")

explained = cardwise.explain("qwen3-32b", "2x RTX 4090", weights="fp8", concurrency=8)
print(f"2x RTX 4090: {explained.limit} binds; " + ", ".join(f"{name} {value / 2**30:.1f} GiB" for name, value in explained.budget.parts))
