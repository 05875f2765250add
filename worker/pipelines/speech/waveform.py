"""The picture of the sound: peaks for a player, in the format of BBC audiowaveform, version 2.

Source: https://github.com/bbc/audiowaveform/blob/master/doc/DataFormat.md
"""

import json

import numpy as np
from numpy.typing import NDArray

from worker.pipelines.media.pcm import RATE, Pcm

#: Peaks for each second, of a recording up to an hour and of a longer one.
_FINE, _COARSE = 20, 10
_FINE_SECONDS = 3600
#: Peaks that are computed at once: memory does not grow with the recording.
_BLOCK = 4096


def waveform(pcm: Pcm) -> bytes:
    """Write the least and greatest sample of each stretch, as 8-bit numbers, to JSON."""
    each = RATE // (_FINE if pcm.seconds <= _FINE_SECONDS else _COARSE)
    peaks: list[int] = []
    with pcm.path.open("rb") as file:
        while block := file.read(2 * each * _BLOCK):
            peaks += _peaks(np.frombuffer(block, "<i2"), each)
    described = {
        "version": 2,
        "channels": 1,
        "sample_rate": RATE,
        "samples_per_pixel": each,
        "bits": 8,
        "length": len(peaks) // 2,
        "data": peaks,
    }
    return json.dumps(described, separators=(",", ":")).encode()


def _peaks(sound: NDArray[np.int16], each: int) -> list[int]:
    missing = -len(sound) % each
    rows = np.pad(sound, (0, missing), mode="edge").reshape(-1, each)
    both = np.stack([rows.min(axis=1), rows.max(axis=1)], axis=1)
    found: list[int] = (both >> 8).ravel().tolist()
    return found
