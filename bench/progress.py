"""What a benchmark does right now, on standard error: the table comes at the end, which may be an hour away."""

import sys
import time

#: Seconds for which ``keep_saying`` holds its tongue.
_PAUSE_SECONDS = 15.0

_started = time.monotonic()
_last = _started


def say(what: str) -> None:
    """Print a line, with the minutes since the benchmarks began."""
    global _last  # noqa: PLW0603 - there is one standard error
    _last = time.monotonic()
    print(f"{(_last - _started) / 60:6.1f} min  {what}", file=sys.stderr, flush=True)


def keep_saying(what: object) -> None:
    """Print what a loop waits for, if nothing was printed for a while."""
    if time.monotonic() - _last >= _PAUSE_SECONDS:
        say(str(what))
