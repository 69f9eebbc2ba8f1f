"""What a step does, before anybody asks how fast: additive and frozen."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from cardwise.laws.roofline import Amount


@dataclass(frozen=True, slots=True)
class Work:
    """Per card: FLOPs, bytes by what is read, launches, bytes sent to other cards. Fields are floats or arrays over batches."""

    flops: Amount = 0.0
    weight_bytes: Amount = 0.0
    activation_bytes: Amount = 0.0
    kv_bytes: Amount = 0.0
    launches: Amount = 0.0
    message_bytes: Amount = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(
            self.flops + other.flops,
            self.weight_bytes + other.weight_bytes,
            self.activation_bytes + other.activation_bytes,
            self.kv_bytes + other.kv_bytes,
            self.launches + other.launches,
            self.message_bytes + other.message_bytes,
        )

    def repeated(self, times: float) -> Work:
        """The same work `times` over."""
        return Work(*(getattr(self, field.name) * times for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Operator:
    """A group of operators of one step: its work, its seconds, and the seconds that each limit alone would take."""

    group: str
    work: Work
    seconds: Amount
    compute_seconds: Amount = 0.0
    memory_seconds: Amount = 0.0
    link_seconds: Amount = 0.0
    launch_seconds: Amount = 0.0

    def repeated(self, times: float) -> Operator:
        """The same group run `times` over."""
        return replace(self, work=self.work.repeated(times), **{name: getattr(self, name) * times for name in SECONDS})


SECONDS = ("seconds", "compute_seconds", "memory_seconds", "link_seconds", "launch_seconds")
"""Fields of an Operator that add up."""


def gathered(group: str, members: list[Operator]) -> Operator:
    """One operator that stands for several of a group: work and seconds are sums."""
    if len(members) == 1:
        return members[0]
    work = members[0].work
    for member in members[1:]:
        work = work + member.work
    return Operator(group, work, *(sum(getattr(member, name) for member in members) for name in SECONDS))
