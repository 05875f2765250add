"""The optional engine: pyannote.audio's pipeline, for workers that have a GPU, PyTorch and the weights.

It hears overlapped speech, which CAM++ and clustering cannot, and needs a GPU to be fast. Neither pyannote.audio nor
its weights come with Spotmill: the weights are under terms that each operator accepts for himself
(https://github.com/pyannote/pyannote-audio). The whole recording is one step, because the pipeline compares all of it.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

from spotmill import Model, RetryableError
from worker.pipelines.media.pcm import RATE, Pcm
from worker.pipelines.speakers.steps import Steps
from worker.pipelines.speakers.turns import Turn, apart

#: The name under which the operator offers the weights: a directory with pyannote's ``config.yaml``.
MODEL_NAME = "pyannote"


def diarise_with_pyannote(job: Steps, pcm: Pcm, model: Model, *, speakers: int | None = None) -> list[Turn]:
    """Find who speaks when, as ``diarise`` does.

    Raises:
        RetryableError: this worker has no pyannote.audio, or the weights cannot be loaded; another may do better
    """
    job.progress(0.0, "telling voices apart")
    count = "any" if speakers is None else str(speakers)
    rows = job.step(f"speakers/pyannote/{model.id}/turns/{count}", _turns, pcm, model.path, speakers)
    return [Turn(start, end, int(who), bool(overlap)) for start, end, who, overlap in rows]


def _turns(pcm: Pcm, weights: Path, speakers: int | None) -> list[tuple[float, float, int, bool]]:
    torch, audio = _import("torch"), _import("pyannote.audio")
    pipeline = _pipeline(audio, torch, weights)
    sound = {"waveform": torch.from_numpy(pcm.read(0, pcm.seconds))[None], "sample_rate": RATE}
    found = pipeline(sound) if speakers is None else pipeline(sound, num_speakers=speakers)
    return turns_of(getattr(found, "speaker_diarization", found))  # version 3 gives the annotation itself


def turns_of(annotation: Any) -> list[tuple[float, float, int, bool]]:
    """Read a ``pyannote.core.Annotation``, in which speakers may overlap."""
    numbers = {name: number for number, name in enumerate(annotation.labels())}
    turns = apart(
        Turn(round(segment.start, 3), round(segment.end, 3), numbers[name])
        for segment, _, name in annotation.itertracks(yield_label=True)
    )
    return [(turn.start, turn.end, turn.speaker, turn.overlap) for turn in turns]


def _import(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise RetryableError(
            f'this worker cannot run the speaker engine "pyannote": {error}; install pyannote.audio in its image, or '
            'choose the engine "campplus"'
        ) from None


def _pipeline(audio: Any, torch: Any, weights: Path) -> Any:
    config = weights if weights.is_file() else weights / "config.yaml"
    if not config.is_file():
        raise RetryableError(f'the model "{MODEL_NAME}" has no config.yaml: it is no directory of a pyannote pipeline')
    loaded = audio.Pipeline.from_pretrained(str(config.parent if weights.is_dir() else config))
    if loaded is None:
        raise RetryableError(f'pyannote.audio cannot load the model "{MODEL_NAME}"')
    if torch.cuda.is_available():
        loaded.to(torch.device("cuda"))
    return loaded
