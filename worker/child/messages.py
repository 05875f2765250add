"""What agent and child say to each other: one JSON object a line, over one socket, told apart by ``type``.

The child asks and the agent answers, so neither ever has to listen while it works; only ``Run`` starts by itself.
Values and files travel as files of the attempt's work directory, named relative to it: a line stays small, and the
agent never reads what a step made. This module is all that both sides import, and it imports nothing heavy.
"""

import json
import re
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

#: Longest line that either side accepts, in bytes.
LINE_BYTES = 1024 * 1024

#: What may be a kind of artifact; it becomes part of an object's name.
KIND = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

Form = Literal["json", "bytes", "file"]


@dataclass(frozen=True, slots=True)
class Offered:
    """A pipeline that a child can run."""

    name: str
    version: str
    max_run_seconds: int | None = None
    max_stall_seconds: int | None = None


# What the child says.


@dataclass(frozen=True, slots=True)
class Ready:
    """The pipelines are loaded. ``broken`` names those that cannot be, with the reason."""

    offered: list[Offered]
    broken: dict[str, str]
    offline: bool  #: the child has no network
    type: Literal["ready"] = "ready"


@dataclass(frozen=True, slots=True)
class Fetch:
    """The pipeline wants its source. Answered by ``Fetched``."""

    type: Literal["fetch"] = "fetch"


@dataclass(frozen=True, slots=True)
class Recall:
    """The pipeline comes to a step. Answered by ``Recalled``."""

    key: str
    type: Literal["recall"] = "recall"


@dataclass(frozen=True, slots=True)
class Store:
    """A step is done: its value is in ``file``. Answered by ``Stored``."""

    key: str
    form: Form
    file: str
    filename: str  #: what the file was called, with its ending
    seconds: float  #: what the step took
    type: Literal["store"] = "store"


@dataclass(frozen=True, slots=True)
class Load:
    """The pipeline needs a model. Answered by ``Loaded`` or ``Refused``."""

    name: str
    type: Literal["load"] = "load"


@dataclass(frozen=True, slots=True)
class Ask:
    """A question for the hosted model: ``file`` holds a JSON object with system, prompt and schema.

    Answered by ``Answered`` or ``Refused``.
    """

    file: str
    type: Literal["ask"] = "ask"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the job is, 0 to 1."""

    fraction: float
    stage: str
    type: Literal["progress"] = "progress"


@dataclass(frozen=True, slots=True)
class Publish:
    """A file is ready to be published if the job succeeds."""

    kind: str
    file: str
    content_type: str
    filename: str
    metadata: dict[str, Any]
    type: Literal["publish"] = "publish"


@dataclass(frozen=True, slots=True)
class Index:
    """What search shall find once the job has succeeded: ``file`` holds a JSON list of passages."""

    file: str
    language: str
    type: Literal["index"] = "index"


@dataclass(frozen=True, slots=True)
class Done:
    """The pipeline returned."""

    result: dict[str, Any]
    type: Literal["done"] = "done"


@dataclass(frozen=True, slots=True)
class Failed:
    """The pipeline raised. ``error`` is for people, ``details`` for the log."""

    error: str
    permanent: bool
    details: str
    type: Literal["failed"] = "failed"


@dataclass(frozen=True, slots=True)
class Stopped:
    """The pipeline was left where it was told to stop."""

    type: Literal["stopped"] = "stopped"


Question = Fetch | Recall | Store | Load | Ask
Said = Ready | Question | Progress | Publish | Index | Done | Failed | Stopped

# What the agent says.


@dataclass(frozen=True, slots=True)
class Hosted:
    """The hosted model that the operator has chosen."""

    engine: str
    model: str
    window_tokens: int


@dataclass(frozen=True, slots=True)
class Run:
    """Run this pipeline for this object; ``work`` is an empty directory for its files."""

    pipeline: str
    bucket: str
    name: str
    generation: int
    size_bytes: int
    content_type: str
    settings: dict[str, Any]
    work: str
    language_model: dict[str, Any] | None = None  #: the fields of ``Hosted``
    type: Literal["run"] = "run"


@dataclass(frozen=True, slots=True)
class Fetched:
    """The source lies at ``path``, verified."""

    path: str
    type: Literal["fetched"] = "fetched"


@dataclass(frozen=True, slots=True)
class Recalled:
    """What an earlier attempt stored for the step; ``path`` is None if nothing is."""

    path: str | None = None
    form: Form = "json"
    type: Literal["recalled"] = "recalled"


@dataclass(frozen=True, slots=True)
class Stored:
    """The step is stored. With a ``path``, another attempt was first, and that is the value that counts."""

    path: str | None = None
    form: Form = "json"
    type: Literal["stored"] = "stored"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The model lies at ``path``, verified; ``id`` is a hash of it."""

    path: str
    id: str
    place: str = ""
    type: Literal["loaded"] = "loaded"


@dataclass(frozen=True, slots=True)
class Answered:
    """What the hosted model said is in the file at ``path``."""

    path: str
    type: Literal["answered"] = "answered"


@dataclass(frozen=True, slots=True)
class Refused:
    """What the pipeline asked for cannot be had; the job goes on."""

    error: str
    retryable: bool = True
    type: Literal["refused"] = "refused"


@dataclass(frozen=True, slots=True)
class Stop:
    """Leave the job here; answers any question. The child says ``Stopped`` and waits for the next job."""

    type: Literal["stop"] = "stop"


Told = Run | Fetched | Recalled | Stored | Loaded | Answered | Refused | Stop

_TOLD: dict[str, type[Told]] = {
    "run": Run, "fetched": Fetched, "recalled": Recalled, "stored": Stored, "loaded": Loaded, "answered": Answered,
    "refused": Refused, "stop": Stop,
}  # fmt: skip


def encode(message: Said | Told) -> bytes:
    """Return the message's line.

    Raises:
        ValueError: it holds what JSON cannot express, or is longer than ``LINE_BYTES``.
    """
    line = json.dumps(message, default=_fields, allow_nan=False, separators=(",", ":")).encode() + b"\n"
    if len(line) > LINE_BYTES:
        raise ValueError(f"a {message.type!r} of {len(line)} bytes is too long; at most {LINE_BYTES} can be sent")
    return line


def _fields(message: Said | Told | Offered) -> dict[str, Any]:
    # dataclasses.asdict would copy every value, for tiny jobs the dearest part of talking.
    return {name: getattr(message, name) for name in message.__slots__}


def decode_told(line: bytes) -> Told:
    """Read what the agent said; the child trusts it."""
    values = json.loads(line)
    return _TOLD[values["type"]](**values)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the agent allows a child to use. Without ``uid`` it keeps the agent's user."""

    parent: int  #: process id of the agent; the child ends with it
    memory_bytes: int
    file_bytes: int
    open_files: int
    threads: int = 1  #: that its libraries may keep busy
    uid: int | None = None
    gid: int | None = None
    groups: list[int] = field(default_factory=list)

    def encode(self) -> str:
        """Return the limits as one argument of a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str) -> "Limits":
        """Read them back."""
        return cls(**json.loads(text))
