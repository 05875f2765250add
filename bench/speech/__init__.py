"""Recognition of real speech: errors and speed against faster-whisper's own batched pipeline, with the same model."""

import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from bench.progress import say
from bench.speech.engines import Engines, Reading
from bench.speech.material import Material, spoken
from tests.normalise import normalised


def run(quick: bool) -> list[dict[str, Any]]:
    """Recognise a quarter of an hour and more of telephone prompts and of a novel, by both in turns."""
    with tempfile.TemporaryDirectory() as folder:
        material = spoken(Path(folder), 60 if quick else None)
        engines = Engines(material.pcm)
        engines.warm_up()
        rounds = []
        for number in range(1 if quick else 3):
            say(f"speech: round {number + 1}, {material.pcm.seconds / 60:.0f} minutes of sound by each")
            # In turns, so that other work on the machine hits one as much as the other.
            rounds.append((engines.library(), engines.ours()))
    return _rows(material, rounds)


def _rows(material: Material, rounds: list[tuple[Reading, Reading]]) -> list[dict[str, Any]]:
    library, ours = (_error_rate(material, reading) for reading in rounds[0])
    seconds = material.pcm.seconds
    return [
        _row("sound that is recognised", seconds / 60, "min", ">= 10" if len(rounds) > 1 else None),
        _row("words in it", len(normalised(material.text).split()), "words"),
        _row("WER, faster-whisper's batched pipeline", library, "%"),
        _row("WER, speech pipeline", ours, "%", "<= 3.5"),
        _row("WER, pipeline - faster-whisper", ours - library, "points", "<= 0.3"),
        _row("faster-whisper's batched pipeline", max(seconds / one.seconds for one, _ in rounds), "x real time"),
        _row("speech pipeline, from decoded sound", max(seconds / two.seconds for _, two in rounds), "x real time"),
        _row("pipeline / faster-whisper", median(one.seconds / two.seconds for one, two in rounds), "ratio", ">= 0.9"),
    ]


def _error_rate(material: Material, reading: Reading) -> float:
    import jiwer  # noqa: PLC0415 - only this benchmark needs it

    return 100 * float(jiwer.wer(normalised(material.text), normalised(reading.text)))


def _row(name: str, value: float, unit: str, target: str | None = None) -> dict[str, Any]:
    return {"group": "speech", "name": name, "value": round(value, 2), "unit": unit, "target": target}
