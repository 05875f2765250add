"""At which constant rate a film is shown, and which tick of that clock each of its frames falls on.

Every rendition has uniform timestamps: frame n is shown from n / rate. A film of a constant rate keeps every frame,
each on a tick of its own, however coarse its container's clock is (Matroska's has milliseconds). One of a changing
rate, as phones and screen recorders write, gets the next usual rate that has room for all but its most hurried frames.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

#: Rates that films have (SMPTE ST 2036-1 and what cameras and screens add).
USUAL = tuple(
    Fraction(*rate)
    for rate in (
        (1, 1), (2, 1), (5, 1), (10, 1), (12, 1), (15, 1), (20, 1), (24000, 1001), (24, 1), (25, 1), (30000, 1001),
        (30, 1), (48, 1), (50, 1), (60000, 1001), (60, 1), (90, 1), (100, 1), (120000, 1001), (120, 1),
    )
)  # fmt: skip
_SLOWEST = Fraction(1, 60)
#: How far from its tick, in ticks, a frame of a constant rate may be.
_MOST_JITTER = 0.35
#: Of a film that is shown at a changing rate, so many gaps may be shorter than a tick.
_HURRIED = 0.02


@dataclass(frozen=True, slots=True)
class Clock:
    """The rate of the renditions. ``constant``: each frame of the film has a tick of its own."""

    rate: Fraction
    constant: bool


def choose(times: NDArray[np.int64], base: Fraction, claimed: Iterable[Fraction | None], most: int) -> Clock:
    """Choose the rate for frames at ``times`` (sorted, in units of ``base`` seconds).

    ``claimed`` are the rates that the header tells, which are tried first; ``most`` is the highest rate allowed.
    """
    if len(times) < 2:
        return Clock(Fraction(25), constant=True)
    constant = _constant(times, base, claimed)
    if constant is not None:
        return Clock(constant / -(-constant // most) if constant > most else constant, constant=True)
    hurried = float(np.quantile(np.diff(times), _HURRIED)) * float(base)
    needed = 1 / hurried if hurried > 0 else float(most)
    # Timestamps rounded to milliseconds make 30 frames a second look like 29.4 or 30.3: ask which rate fits them best.
    allowed = [rate for rate in USUAL if rate <= most]
    roomy = [rate for rate in allowed if rate >= needed * 0.97] or [max(allowed)]
    near = [rate for rate in roomy if rate <= roomy[0] * 21 / 20]
    return Clock(min(near, key=lambda rate: _jitter(times, base, rate)), constant=False)


def ticks(times: NDArray[np.int64], base: Fraction, rate: Fraction) -> NDArray[np.int64]:
    """Return the tick of each time, counted from the first one, as ffmpeg's ``fps`` filter rounds them."""
    step = base * rate
    since = times - times[0]
    # Python's integers for the few films whose product would not fit into 64 bits.
    if len(since) and int(since[-1]) * 2 * step.numerator >= 2**62:
        return np.array([(2 * int(t) * step.numerator + step.denominator) // (2 * step.denominator) for t in since])
    rounded: NDArray[np.int64] = (2 * since * step.numerator + step.denominator) // (2 * step.denominator)
    return rounded


def _constant(times: NDArray[np.int64], base: Fraction, claimed: Iterable[Fraction | None]) -> Fraction | None:
    """Return the rate at which every frame has a tick of its own, if there is one."""
    span = int(times[-1] - times[0]) * base
    if span <= 0:
        return None
    mean = (len(times) - 1) / span
    near = [rate for rate in USUAL if abs(rate / mean - 1) < Fraction(1, 200)]
    tried = [*(rate for rate in claimed if rate), *sorted(near, key=lambda rate: abs(rate - mean))]
    tried.append(mean.limit_denominator(1001))
    for rate in dict.fromkeys(tried):
        if _SLOWEST <= rate <= 1000 and abs(rate / mean - 1) < Fraction(1, 4) and _fits(times, base, rate):
            return rate
    return None


def _jitter(times: NDArray[np.int64], base: Fraction, rate: Fraction) -> float:
    """Return how far frames are from the ticks of a rate, in ticks, on average."""
    exact = np.diff(times).astype(np.float64) * float(base * rate)
    return float(np.abs(exact - np.rint(exact)).mean())


def _fits(times: NDArray[np.int64], base: Fraction, rate: Fraction) -> bool:
    exact = (times - times[0]).astype(np.float64) * float(base * rate)
    nearest = np.rint(exact)
    return bool(np.abs(exact - nearest).max() <= _MOST_JITTER and np.diff(nearest).min() >= 1)
