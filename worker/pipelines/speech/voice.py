"""Where somebody speaks: Silero VAD's probabilities frame by frame, and the stretches of speech that follow from them.

The network is the one in faster-whisper's package (https://github.com/snakers4/silero-vad, MIT), run as its
``SileroVADModel`` runs it, frame for frame with the same result; but piece by piece, so that neither memory nor the
work of one step grows with the length of the recording.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from worker.pipelines.media.pcm import RATE, Pcm, Span

#: Samples of one frame: what the network was trained on at 16 kHz.
FRAME = 512
FRAME_SECONDS = FRAME / RATE

#: Frames of one piece: an hour and four minutes of sound, about 5 s of work.
PIECE_FRAMES = 120_000

#: The last samples of the frame before are given to the network with each frame.
_CONTEXT = 64

#: Frames of one call: more of them are slower, because the encoder's activations leave the cache.
_BATCH = 512

#: Numbers of the recurrent state, which goes from call to call.
_STATE = 128

#: While speech is too long for one span, it is cut at the last silence of more than this.
_SILENCE_TO_CUT_AT_SECONDS = 0.098


@dataclass(frozen=True, slots=True)
class VoicePiece:
    """Probabilities of consecutive frames, and the state from which the next piece goes on."""

    probabilities: NDArray[np.float32]
    state: NDArray[np.float32]  #: shape (2, 128): h and c of the network's LSTM

    def to_bytes(self) -> bytes:
        """Give the value of a step: the state, then the probabilities, as little-endian float32."""
        return self.state.astype("<f4").tobytes() + self.probabilities.astype("<f4").tobytes()

    @classmethod
    def from_bytes(cls, value: bytes) -> "VoicePiece":
        """Read what ``to_bytes`` wrote."""
        numbers = np.frombuffer(value, "<f4").astype(np.float32)
        return cls(numbers[2 * _STATE :], numbers[: 2 * _STATE].reshape(2, _STATE))


@dataclass(frozen=True, slots=True)
class SpanRules:
    """What counts as one stretch of speech; seconds, and the defaults of faster-whisper's batched pipeline.

    Speech begins with a frame of at least ``threshold`` and ends where frames stay below ``release`` for
    ``min_silence_seconds``. It is then widened by ``pad_seconds`` on each side, or to the middle of a shorter silence.
    What would be longer than ``max_seconds`` is cut at the last short silence, or where there is none, hard.
    """

    threshold: float = 0.5
    release: float = 0.35
    min_speech_seconds: float = 0.0
    min_silence_seconds: float = 0.16
    pad_seconds: float = 0.4
    max_seconds: float = 30.0


def voice_model() -> str:
    """Name the network by its bytes, for the keys of steps."""
    return sha256(_model_path().read_bytes()).hexdigest()[:16]


def frame_count(pcm: Pcm) -> int:
    """Frames of a recording; the last one is filled up with silence, of which it has at least one sample."""
    return pcm.samples // FRAME + 1


def voice_piece(pcm: Pcm, first: int, before: VoicePiece | None) -> VoicePiece:
    """Judge up to ``PIECE_FRAMES`` frames from frame ``first`` on; ``before`` is the piece that ends there."""
    session = _session()
    state = before.state if before is not None else np.zeros((2, _STATE), np.float32)
    h, c = (part.reshape(1, 1, _STATE) for part in state)
    end = min(frame_count(pcm), first + PIECE_FRAMES)
    # One array for all: small ones kept from call to call would keep the allocator from giving memory back.
    judged = np.empty(max(0, end - first), np.float32)
    for start in range(first, end, _BATCH):
        frames = _frames(pcm, start, min(_BATCH, end - start))
        output, h, c = session.run(None, {"input": frames, "h": h, "c": c})
        judged[start - first : start - first + len(output)] = output
    return VoicePiece(judged, np.stack([h.reshape(_STATE), c.reshape(_STATE)]))


def voice_probabilities(pcm: Pcm) -> NDArray[np.float32]:
    """Judge a whole recording; pipelines do it piece by piece in steps instead."""
    pieces = [voice_piece(pcm, 0, None)]
    for first in range(PIECE_FRAMES, frame_count(pcm), PIECE_FRAMES):
        pieces.append(voice_piece(pcm, first, pieces[-1]))
    return np.concatenate([piece.probabilities for piece in pieces])


def spans(probabilities: NDArray[np.float32], samples: int, rules: SpanRules | None = None) -> list[Span]:
    """Find the stretches of speech in a recording of ``samples`` samples, in order and without overlap.

    The same as faster-whisper's ``get_speech_timestamps``: transcripts are compared with its own, so the cuts must be
    the same to the sample.
    """
    rules = rules or SpanRules()
    return [
        Span(start / RATE, end / RATE) for start, end in _padded(_raw(probabilities, samples, rules), samples, rules)
    ]


def _raw(probabilities: NDArray[np.float32], samples: int, rules: SpanRules) -> list[list[int]]:
    """Find starts and ends, in samples, before they are widened."""
    listener = _Listener(rules)
    loud = (probabilities >= np.float32(rules.threshold)).tolist()
    quiet = (probabilities < np.float32(rules.release)).tolist()
    for frame, (is_loud, is_quiet) in enumerate(zip(loud, quiet, strict=True)):
        listener.hear(FRAME * frame, loud=is_loud, quiet=is_quiet)
    if listener.start is not None and samples - listener.start > listener.shortest:
        listener.found.append([listener.start, samples])
    return listener.found


class _Listener:
    """Follows the frames one by one; all numbers are samples."""

    def __init__(self, rules: SpanRules) -> None:
        self.longest = RATE * rules.max_seconds - FRAME - 2 * RATE * rules.pad_seconds
        self.shortest = RATE * rules.min_speech_seconds
        self.silence = RATE * rules.min_silence_seconds
        self.found: list[list[int]] = []
        self.start: int | None = None  # of the speech at hand
        self.quiet_from = 0  # where the silence at hand began, 0 while there is none
        self.cut, self.resume = 0, 0  # the last silence that is long enough to cut at, and where speech went on after

    def hear(self, now: int, *, loud: bool, quiet: bool) -> None:
        if loud and self.quiet_from:
            self.quiet_from = 0
            self.resume = self.resume if self.resume >= self.cut else now
        if self.start is None:
            self.start = now if loud else None
            return
        if now - self.start > self.longest:
            self._end(self.cut or now, self.resume if self.cut and self.resume >= self.cut else None)
        if quiet and self.start is not None:
            self._wait(now, self.start)

    def _wait(self, now: int, start: int) -> None:
        """Hear silence while speech may still go on."""
        self.quiet_from = self.quiet_from or now
        if now - self.quiet_from > RATE * _SILENCE_TO_CUT_AT_SECONDS:
            self.cut = self.quiet_from
        if now - self.quiet_from >= self.silence:
            if self.quiet_from - start > self.shortest:
                self._end(self.quiet_from, None)
            else:
                self._begin(None)

    def _end(self, end: int, next_start: int | None) -> None:
        if self.start is not None:
            self.found.append([self.start, end])
        self._begin(next_start)

    def _begin(self, start: int | None) -> None:
        self.start = start
        self.quiet_from = self.cut = self.resume = 0


def _padded(found: Sequence[list[int]], samples: int, rules: SpanRules) -> list[list[int]]:
    pad = int(RATE * rules.pad_seconds)
    if found:
        found[0][0] = max(0, found[0][0] - pad)
        found[-1][1] = min(samples, found[-1][1] + pad)
    for one, following in pairwise(found):
        silence = following[0] - one[1]
        each = silence // 2 if silence < 2 * pad else pad
        one[1] += each
        following[0] -= each
    return list(found)


def _frames(pcm: Pcm, first: int, count: int) -> NDArray[np.float32]:
    """Read ``count`` frames, each with the end of the one before in front of it, as rows of 576 samples."""
    start = first * FRAME - _CONTEXT
    heard = pcm.read(max(0, start) / RATE, (first + count) * FRAME / RATE)
    sound = np.zeros(count * FRAME + _CONTEXT, np.float32)
    at = max(0, -start)
    sound[at : at + len(heard)] = heard
    windows = np.lib.stride_tricks.sliding_window_view(sound, FRAME + _CONTEXT)[::FRAME]
    return np.ascontiguousarray(windows)


def _model_path() -> Path:
    # Not through faster_whisper itself: it would load CTranslate2 for the sake of a path.
    spec = find_spec("faster_whisper")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("faster-whisper is not installed: the extra `speech` brings it")
    return Path(spec.origin).parent / "assets" / "silero_vad_v6.onnx"


@cache
def _session() -> Any:
    import onnxruntime  # noqa: PLC0415 - only where sound is judged

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = 1  # the frames follow each other; more threads only wait
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    return cast("Any", onnxruntime.InferenceSession(str(_model_path()), options, providers=["CPUExecutionProvider"]))
