"""Decides which calls a fault strikes, and counts."""

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from local.faults.plan import Plan, Rule


class _Watch:
    """A rule at work. It has its own random numbers, so that one rule's calls do not shift another's decisions."""

    def __init__(self, rule: Rule, seed: str, now: float) -> None:
        self.rule = rule
        self.seen = 0
        self.injected = 0
        self._pattern = re.compile(rule.match)
        self._random = random.Random(seed)  # noqa: S311 - reproducible on purpose
        self._ends_at = None if rule.seconds is None else now + rule.seconds

    def strikes(self, call: str, now: float) -> bool:
        if not self._pattern.search(call):
            return False
        self.seen += 1
        chosen = self._random.random() < self.rule.probability
        if self.seen <= self.rule.skip or not chosen:
            return False
        if self._ends_at is not None and now >= self._ends_at:
            return False
        if self.rule.count is not None and self.injected >= self.rule.count:
            return False
        self.injected += 1
        return True


class Faults:
    """The faults of one server. ``active`` is all that a call looks at while nobody has asked for any."""

    def __init__(self, kinds: Mapping[str, str]) -> None:
        self.kinds = kinds
        self.active = False
        self._seed = 0
        self._watches: list[_Watch] = []
        self._random = random.Random(0)  # noqa: S311 - reproducible on purpose
        self._injected: Counter[str] = Counter()
        self._lock = threading.Lock()

    def follow(self, plan: Plan) -> None:
        """Follow a plan instead of the one before; what was injected so far stays counted."""
        now = time.monotonic()
        with self._lock:
            self._seed = plan.seed
            self._random = random.Random(plan.seed)  # noqa: S311 - reproducible on purpose
            self._watches = [_Watch(rule, f"{plan.seed}:{n}", now) for n, rule in enumerate(plan.rules)]
            self.active = bool(self._watches)

    def pick(self, fault: str, call: str) -> Rule | None:
        """Return the first rule for this kind of fault that strikes this call."""
        now = time.monotonic()
        with self._lock:
            for watch in self._watches:
                if watch.rule.fault == fault and watch.strikes(call, now):
                    self._injected[fault] += 1
                    return watch.rule
        return None

    def delay(self, call: str) -> float | None:
        """How many seconds a message is held back: all of a ``delay``, a random part of a ``reorder``; None if not."""
        if (rule := self.pick("delay", call)) is not None:
            return rule.delay_seconds
        if (rule := self.pick("reorder", call)) is not None:
            with self._lock:
                return self._random.uniform(0, rule.delay_seconds)
        return None

    def report(self) -> dict[str, Any]:
        """What is being followed, and what was done since the server started."""
        with self._lock:
            return {
                "kinds": dict(self.kinds),
                "active": self.active,
                "seed": self._seed,
                "injected": dict(self._injected),
                "rules": [
                    {"rule": w.rule.model_dump(exclude_defaults=True), "seen": w.seen, "injected": w.injected}
                    for w in self._watches
                ],
            }
