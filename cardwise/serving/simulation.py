"""Continuous batching, event by event.

State: waiting, prefilling and running requests, and the tokens in the KV cache. Between two events (an arrival, a chunk of a prompt,
a completion, a full cache) the batch is constant and a step's time is linear in the tokens cached, so all steps up to the next
event are advanced by one closed form. Events, not tokens, set the cost.
"""

from __future__ import annotations

import heapq
import math
from collections import deque

from cardwise.errors import CannotRun
from cardwise.laws.operators import causal_pairs
from cardwise.serving.limits import Limits, StepCost
from cardwise.serving.requests import Request
from cardwise.serving.trace import Moment, Trace


class Simulation:
    """One engine replica. `users`: closed loop of that many clients (None: requests come by their own arrival times)."""

    def __init__(self, cost: StepCost, limits: Limits, requests: list[Request], users: int | None = None, sample: bool = False) -> None:
        self.cost, self.limits, self.sample = cost, limits, sample
        self.now = 0.0
        self.pending: deque[Request] = deque(requests)
        self.users = users
        self.in_system = 0
        self.waiting: deque[Request] = deque()
        self.prefilling: deque[Request] = deque()
        self.running: list[tuple[float, int, Request]] = []
        self.clock = 0.0  # decode steps made so far: a request ends when the clock reaches its `ends_at`
        self.decodes = 0.0  # sequences that decode
        self.seated = 0.0  # sequences that prefill or decode
        self.context = 0.0  # tokens in the cache of decoding sequences
        self.held = 0.0  # tokens reserved in the cache
        self.order = 0
        self.preemptions = 0
        self.busy = self.prefill_time = self.peak = 0.0
        self.pipe_empty = True
        self.full = False  # a request was preempted and none has ended since: nobody is admitted
        self.remaining = sum(r.weight for r in requests)
        self.done: list[Request] = []
        self.moments: list[Moment] = []

    def run(self) -> Trace:
        while self.remaining:
            self._arrive()
            self._admit()
            if self.prefilling:
                self._prefill_step()
            elif self.running:
                self._decode_steps()
            elif self.pending:
                self.now = max(self.now, self.pending[0].arrival)
                self.pipe_empty = True
            else:
                raise CannotRun(
                    f"a request of {self.waiting[0].input_tokens:,.0f} tokens does not fit {self.limits.kv_tokens:,.0f} tokens of KV cache"
                )
            if self.sample:
                self._sample()
        return Trace(tuple(self.done), self.now, self.preemptions, tuple(self.moments), self.busy, self.prefill_time, self.peak)

    def _arrive(self) -> None:
        pending = self.pending
        if self.users is None:
            while pending and pending[0].arrival <= self.now + 1e-12:
                self.waiting.append(pending.popleft())
        else:
            while pending and self.in_system + pending[0].weight <= max(self.users, pending[0].weight):
                request = pending.popleft()
                request.arrival = self.now
                self.in_system += request.weight
                self.waiting.append(request)

    def _need(self, request: Request) -> float:
        """Tokens of cache that admission asks for."""
        tokens = request.input_tokens + request.made + (request.output_tokens - request.made if self.limits.reserve else 1.0)
        return tokens * request.weight

    def _admit(self) -> None:
        limits = self.limits
        if self.seated and (limits.scheduler == "static" or self.full):
            return
        while self.waiting:
            request = self.waiting[0]
            need = self._need(request)
            if self.seated and self.seated + request.weight > limits.max_num_seqs:
                return
            if self.held + need > limits.kv_tokens:
                if self.seated:
                    return
                if request.weight > 1:
                    self._split(request)
                    continue
                if need > limits.kv_tokens:
                    raise CannotRun(
                        f"a request of {need:,.0f} tokens does not fit {limits.kv_tokens:,.0f} tokens of KV cache",
                        "use more cards, a smaller KV format or shorter requests",
                    )
            self.waiting.popleft()
            self.held += need
            self.seated += request.weight
            request.prefilled = 0.0
            if request.admitted < 0:
                request.admitted = self.now
            self.prefilling.append(request)
        self.peak = max(self.peak, self.seated)

    def _split(self, request: Request) -> None:
        """A bundle that does not fit as one goes in as two halves."""
        half = request.weight // 2
        other = Request(request.arrival, request.input_tokens, request.output_tokens, weight=request.weight - half)
        request.weight = half
        self.waiting.insert(1, other)

    def _prefill_step(self) -> None:
        """One step with prompt chunks: mixed with the decodes, or alone when prompts go first."""
        limits = self.limits
        mixed = limits.scheduler in ("mixed", "slots")
        if mixed and not limits.reserve and self.held + self.decodes > limits.kv_tokens:
            self._preempt()
            return
        decodes = self.decodes if mixed else 0.0
        room = max(limits.max_num_batched_tokens - decodes / limits.lanes, 1.0)
        tokens = pairs = ends = 0.0
        ended: list[Request] = []
        while self.prefilling and room > 1e-9:
            request = self.prefilling[0]
            prompt = request.input_tokens + request.made
            left = (prompt - request.prefilled) * request.weight
            taken = min(left, room)
            if taken < left and tokens and not mixed and left <= limits.max_num_batched_tokens:
                break  # prompts that go first are not cut unless one is longer than a step
            each = taken / request.weight
            pairs += float(causal_pairs(each, request.prefilled)) * request.weight
            request.prefilled += each
            tokens += taken
            room -= taken
            if request.prefilled >= prompt - 1e-6:
                ends += request.weight
                ended.append(self.prefilling.popleft())
        time, latency = self._step_seconds(decodes, self.context if mixed else 0.0, tokens, pairs, ends)
        if latency and not decodes and not self.prefilling:
            time, latency = time + latency, 0.0  # nothing follows: the pipeline drains
            self.pipe_empty = True
        self.now += time
        self.busy += time
        self.prefill_time += time
        if decodes:
            share = 1.0 / limits.lanes  # while one micro-batch advances by a stage, a cycle's part of the sequences makes a token
            self.clock += share
            self.context += decodes * share
            if not limits.reserve:
                self.held += decodes * share
            self._complete()
        for request in ended:
            self._start_decoding(request, latency)

    def _step_seconds(self, decodes: float, context: float, tokens: float, pairs: float, ends: float) -> tuple[float, float]:
        """(time until the next step can start, time after that until this one's tokens are out).

        Without pipeline stages the second is 0. With stages a micro-batch enters the first stage every 1 / lanes of a pass and is out after
        all of them: m micro-batches into an empty pipeline take (m + lanes - 1) / lanes of a pass (GPipe, Huang et al. 2019).
        """
        lanes = self.limits.lanes
        if lanes == 1:
            return self.cost.seconds(decodes, context, tokens, pairs, ends), 0.0
        whole = self.cost.seconds(decodes, context, tokens * lanes, pairs * lanes, ends)
        alone = self.pipe_empty and not self.prefilling and not decodes
        self.pipe_empty = False
        slot = whole / lanes if alone else min(whole, whole / lanes / self.limits.pipeline_efficiency)
        return slot, whole * (lanes - 1) / lanes

    def _start_decoding(self, request: Request, latency: float = 0.0) -> None:
        """The prompt is done; its first token is out `latency` later, when it has passed the remaining stages."""
        if request.first_token < 0:
            request.first_token = self.now + latency
        request.made += 1.0
        left = request.output_tokens - request.made
        if left <= 1e-9:
            self._finish(request)
            return
        request.ends_at = self.clock + math.ceil(left - 1e-9)
        self.order += 1
        heapq.heappush(self.running, (request.ends_at, self.order, request))
        self.decodes += request.weight
        self.context += (request.input_tokens + request.made) * request.weight

    def _decode_steps(self) -> None:
        """Advance all steps up to the next event at once: k steps over a growing context take a k + b (K k + n k (k - 1) / 2)."""
        n, limits = self.decodes, self.limits
        self.pipe_empty = True
        steps = self.running[0][0] - self.clock
        base, slope = self.cost.decode_line(n, self.context)
        if not limits.reserve and self.held + n * steps > limits.kv_tokens:
            room = math.floor((limits.kv_tokens - self.held) / n)
            if room < 1:
                self._preempt()
                return
            steps = min(steps, float(room))
        if self.pending and self.users is None:
            gap = self.pending[0].arrival - self.now
            first = base + slope * self.context
            growth = slope * n
            if growth > 1e-15:
                linear = first - growth / 2.0
                until = (-linear + math.sqrt(linear * linear + 2.0 * growth * max(gap, 0.0))) / growth
            else:
                until = gap / first
            steps = min(steps, max(1.0, math.ceil(until)))
        time = base * steps + slope * (self.context * steps + n * steps * (steps - 1.0) / 2.0)
        self.now += time
        self.busy += time
        self.clock += steps
        self.context += n * steps
        if not limits.reserve:
            self.held += n * steps
        self._complete()

    def _complete(self) -> None:
        running = self.running
        while running and running[0][0] <= self.clock + 1e-9:
            ends_at, _, request = heapq.heappop(running)
            beyond = (self.clock - ends_at) * request.weight  # part of a step that it was no longer there
            self.context -= beyond
            if not self.limits.reserve:
                self.held -= beyond
            request.made = request.output_tokens
            self.decodes -= request.weight
            self.context -= (request.input_tokens + request.output_tokens) * request.weight
            self._finish(request)
        if not running:
            self.decodes = self.context = 0.0

    def _finish(self, request: Request) -> None:
        request.done = max(self.now, request.first_token)
        self.full = False
        self.seated -= request.weight
        self.in_system -= request.weight
        self.held -= (request.input_tokens + request.output_tokens) * request.weight
        if not self.prefilling and not self.running:
            self.held = 0.0
        self.remaining -= request.weight
        self.done.append(request)

    def _preempt(self) -> None:
        """The cache is full: the request that came last gives up its tokens and starts its prompt again later (recompute).

        It comes back when another ends: until then the running ones grow into what it left.
        """
        self.full = True
        index = max(range(len(self.running)), key=lambda i: self.running[i][1])
        ends_at, _, request = self.running[index]
        self.running[index] = self.running[-1]
        self.running.pop()
        heapq.heapify(self.running)
        request.made = request.output_tokens - (ends_at - self.clock)
        self.decodes -= request.weight
        self.seated -= request.weight
        tokens = (request.input_tokens + request.made) * request.weight
        self.context -= tokens
        self.held -= tokens
        self.preemptions += request.weight
        self.waiting.appendleft(request)

    def _sample(self) -> None:
        waiting = float(sum(r.weight for r in self.waiting))
        self.moments.append(Moment(self.now, self.seated, waiting, self.held / max(self.limits.kv_tokens, 1.0), self.preemptions))
