"""Voices as numbers: CAM++ embeddings of windows of speech, computed by onnxruntime.

CAM++ (Wang et al. 2023, https://arxiv.org/abs/2303.00332) maps 80 Mel filter-bank energies for each 10 ms, their mean
over the window removed, to a vector whose direction says who speaks. The weights are described in ``models/NOTICE``.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from worker.pipelines.media.pcm import RATE, Pcm
from worker.pipelines.speakers.windows import FRAMES, Window

#: The model that comes with Spotmill.
MODEL = Path(__file__).parent / "models" / "campplus.int8.onnx"

#: Numbers in an embedding.
SIZE = 192

#: The Mel filters that the model was trained with.
_BINS = 80

#: Windows of one call: with more the activations leave the cache, with fewer each call's own cost shows.
_BATCH = 8

#: Samples of the shortest frame that Kaldi's features can be computed of (25 ms).
_FRAME_SAMPLES = RATE // 40


@cache
def model_id(path: Path) -> str:
    """Name a model by its bytes, for the keys of steps."""
    return sha256(path.read_bytes()).hexdigest()[:16]


def embed(pcm: Pcm, windows: Sequence[Window], model: Path = MODEL, threads: int = 1) -> NDArray[np.float16]:
    """Compute the embedding of each window, scaled to length 1.

    Half precision is plenty (cosines change by less than 0.001) and halves what is stored.

    Returns:
        shape (windows, 192)
    """
    if not windows:
        return np.empty((0, SIZE), np.float16)
    first, last = windows[0].start, max(window.end for window in windows)
    features = _features(pcm.read(first / FRAMES, (last + 2) / FRAMES), last - first)
    session = _session(model)

    def run(batch: Sequence[Window]) -> NDArray[np.float32]:
        cut = np.stack([features[window.start - first : window.end - first] for window in batch])
        return cast("NDArray[np.float32]", session.run(None, {"x": cut - cut.mean(axis=1, keepdims=True)})[0])

    # Several calls side by side are faster than several threads in one call, which wait for each other.
    with ThreadPoolExecutor(threads) as pool:
        return unit(np.concatenate(list(pool.map(run, _batches(windows))))).astype(np.float16)


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale vectors to length 1; a vector of zeros, which has no direction, stays as it is."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: NDArray[np.float32] = vectors / np.maximum(lengths, np.float32(1e-12))
    return scaled


def _batches(windows: Sequence[Window]) -> Iterator[Sequence[Window]]:
    """Put neighbours of one length together."""
    for _, alike in groupby(windows, key=lambda window: window.end - window.start):
        same = list(alike)
        yield from (same[at : at + _BATCH] for at in range(0, len(same), _BATCH))


def _features(sound: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """Compute Kaldi's filter-bank energies, repeating the last frame where the sound is too short for another one."""
    import kaldi_native_fbank as knf  # noqa: PLC0415 - only where sound is judged

    options = knf.FbankOptions()
    options.frame_opts.samp_freq = RATE
    options.frame_opts.dither = 0  # noise that would differ from run to run
    options.mel_opts.num_bins = _BINS
    bank = knf.OnlineFbank(options)
    bank.accept_waveform(RATE, np.pad(sound, (0, max(0, _FRAME_SAMPLES - len(sound)))))
    bank.input_finished()
    count = min(frames, bank.num_frames_ready)
    found = np.stack([bank.get_frame(number) for number in range(count)])
    return np.pad(found, ((0, frames - count), (0, 0)), mode="edge")


@cache
def _session(model: Path) -> Any:
    import onnxruntime  # noqa: PLC0415 - only where sound is judged

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # it never gives back what the largest batch took
    options.log_severity_level = 4
    return cast("Any", onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"]))
