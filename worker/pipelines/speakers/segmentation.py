"""How many speak at once, moment by moment: pyannote's network "segmentation 3.0", run by onnxruntime.

For each moment of ten seconds the network gives the probabilities of seven classes: nobody, one of three voices, and
two of them at once (Plaquet and Bredin 2023, https://arxiv.org/abs/2310.13025). Which voice is which differs from
window to window. The weights are described in ``models/NOTICE``.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from worker.pipelines.media.pcm import RATE, Pcm, Span

Floats = NDArray[np.float32]

#: The model that comes with Spotmill.
MODEL = Path(__file__).parent / "models" / "segmentation.onnx"

#: Ticks in a second: what the network says is averaged over each; its own frames are three times as dense.
TICKS = 20

#: What the network was trained on, and how long after each other windows start; ticks.
LENGTH = 10 * TICKS
HOP = 5 * TICKS // 2

#: Each class's voices: of the three that the network tells apart in a window.
CLASSES: tuple[tuple[int, ...], ...] = ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2))

#: Windows of one step: at 30 to 60 ms each at most 8 s of work on a slow core.
GROUP_WINDOWS = 120

#: The middle of the network's first frame, and the time between frames (seconds).
_FIRST_FRAME = 0.0619375 / 2
_FRAME = 0.016875


def starts(spans: Sequence[Span], seconds: float) -> list[int]:
    """Give the first tick of each window that holds speech, in a recording of so many seconds."""
    last = max(0, int(seconds * TICKS) - LENGTH)
    speech = np.zeros(int(seconds * TICKS) + LENGTH + 1, bool)
    for span in spans:
        speech[int(span.start * TICKS) : int(np.ceil(span.end * TICKS))] = True
    return [at for at in (*range(0, last, HOP), last) if speech[at : at + LENGTH].any()]


def groups(found: Sequence[int]) -> Iterator[Sequence[int]]:
    """Cut a list of windows into pieces for one step each."""
    yield from (found[at : at + GROUP_WINDOWS] for at in range(0, len(found), GROUP_WINDOWS))


def classes(pcm: Pcm, windows: Sequence[int], model: Path = MODEL, threads: int = 1) -> NDArray[np.uint8]:
    """Compute the probabilities of the classes at each tick of windows; 255 is certain.

    Returns:
        shape (windows, ``LENGTH``, 7)
    """
    session = _session(model)

    def run(first: int) -> NDArray[np.uint8]:
        heard = pcm.read(first / TICKS, (first + LENGTH) / TICKS)
        sound = np.zeros((1, LENGTH * RATE // TICKS), np.float32)
        sound[0, : len(heard)] = heard
        # One window a call: in a call with more of them, the same window gives slightly other numbers.
        return _per_tick(session.run(None, {"sound": sound})[0][0])

    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(run, windows))
    return np.stack(found) if found else np.empty((0, LENGTH, len(CLASSES)), np.uint8)


def _per_tick(frames: Floats) -> NDArray[np.uint8]:
    ticks = np.minimum(((_FIRST_FRAME + _FRAME * np.arange(len(frames))) * TICKS).astype(int), LENGTH - 1)
    begun = np.flatnonzero(np.diff(ticks, prepend=-1))
    mean = np.add.reduceat(frames, begun) / np.diff(begun, append=len(frames))[:, None]
    found = np.zeros((LENGTH, frames.shape[1]), np.uint8)
    found[ticks[begun]] = np.rint(255 * mean).astype(np.uint8)
    return found


@cache
def _session(model: Path) -> Any:
    import onnxruntime  # noqa: PLC0415 - only where sound is judged

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    return cast("Any", onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"]))
