"""Pipelines of images and video as text: the list, and one in depth."""

from __future__ import annotations

from collections.abc import Sequence

from cardwise.planning.runs.shapes import KnownPipeline, PipelineShape
from cardwise.quantities import TERA, significant
from cardwise.reports.plan_text import section
from cardwise.reports.table import Column, table, wrapped
from cardwise.reports.words import UNKNOWN, Words, parameters, words


def pipelines_text(found: Sequence[KnownPipeline], lang: str = "en", width: int = 120) -> str:
    """One line a pipeline; nothing without any."""
    if not found:
        return ""
    say = words(lang)
    columns = [
        Column(say("model"), tuple(one.id for one in found), "left", True),
        Column(say("parameters"), tuple(parameters(one.parameters) for one in found)),
        Column(say("run_makes"), tuple(size(one.width, one.height, one.frames, say) for one in found), "left"),
        Column(say("run_steps"), tuple(str(one.steps) for one in found)),
        Column(say("aliases"), tuple(" ".join(one.aliases[:3]) or UNKNOWN for one in found), "left"),
    ]
    return f"{table(columns, width)}\n\n{wrapped(say('pipelines_legend', count=len(found)), width)}\n"


def size(width: int, height: int, frames: int, say: Words) -> str:
    """`1024 x 1024`, `832 x 480, 81 frames`."""
    return f"{width} x {height}" + (say("run_frames", frames=frames) if frames > 1 else "")


def pipeline_text(shape: PipelineShape, lang: str = "en", width: int = 120) -> str:
    """How one pipeline was read: components, parameters, work of one pass."""
    say, found = words(lang), shape.pipeline
    facts = [
        say("pipeline_source", name=found.name, source=say.said(found.source)),
        say("pipeline_parameters", all=f"{found.parameters:,}"),
        say(
            "pipeline_makes",
            size=size(found.width, found.height, found.frames, say),
            steps=found.steps,
            passes=found.passes,
            guidance=f"{found.guidance:g}",
            multiple=found.multiple,
        ),
        *([found.notes] if found.notes else []),
    ]
    columns = [
        Column(say("run_component"), tuple(one.name for one in shape.components), "left", True),
        Column(say("run_class"), tuple(one.network for one in shape.components), "left"),
        Column(say("parameters"), tuple(f"{one.parameters:,}" for one in shape.components)),
        Column(say("run_pass_tflop"), tuple(significant(one.flops / TERA) for one in shape.components)),
        Column(say("run_launches"), tuple(f"{one.kernels:,.0f}" for one in shape.components)),
        Column(say("run_passes"), tuple(significant(one.passes) for one in shape.components)),
    ]
    return f"{section(found.id, facts, width)}\n\n{table(columns, width)}\n"
