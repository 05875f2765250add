"""Peaks are those of the sound, in the format that players of the field read."""

import json
from pathlib import Path

import numpy as np

from worker.pipelines.media.pcm import RATE, Pcm
from worker.pipelines.speech.waveform import waveform


def test_peaks_are_the_least_and_greatest_of_each_stretch(tmp_path: Path) -> None:
    path = tmp_path / "sound.pcm"
    sound = np.zeros(RATE + 100, "<i2")
    sound[0], sound[799], sound[800], sound[-1] = 32767, -32768, 512, -300
    sound.tofile(path)
    made = json.loads(waveform(Pcm(path)))
    data = made.pop("data")
    assert made == {
        "version": 2,
        "channels": 1,
        "sample_rate": RATE,
        "samples_per_pixel": 800,
        "bits": 8,
        "length": 21,
    }
    assert data[:4] == [-128, 127, 0, 2]
    assert data[-2:] == [-2, 0]
    assert set(data[4:-2]) == {0}


def test_a_long_recording_has_fewer_peaks_for_each_second(tmp_path: Path) -> None:
    path = tmp_path / "sound.pcm"
    with path.open("wb") as file:
        file.truncate(2 * RATE * 3601)
    made = json.loads(waveform(Pcm(path)))
    assert (made["samples_per_pixel"], made["length"]) == (1600, 36010)
