"""One held job in one child: what the child asks is done here, and how it ends is found out."""

import errno
import re
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any, assert_never

import structlog

from shared.jobs import Completion, NewArtifact, NewPassage
from shared.objects import attempt_prefix, safe_filename
from shared.settings import WorkerSettings
from spotmill.language_model import LanguageModel
from worker.answers import Answers
from worker.child.messages import (
    KIND,
    Ask,
    Done,
    Failed,
    Fetch,
    Index,
    Limits,
    Load,
    Offered,
    Progress,
    Publish,
    Question,
    Ready,
    Recall,
    Run,
    Said,
    Stop,
    Stopped,
    Store,
    Told,
)
from worker.holding import AbandonedError, Ending, Held, Holding, Released, Superseded, clean
from worker.ledger import Ledger
from worker.models import Models
from worker.passages import read_passages
from worker.process import ChildProcess, ProtocolError
from worker.scratch import ForeignFileError, Rooms, Scratch
from worker.steps import StepTooLargeError
from worker.transfer import STORAGE_AWAY, AlreadyThereError, SourceGoneError, Storage, Uploaded

#: Most files that one job may publish.
_MOST_ARTIFACTS = 10_000
_CONTENT_TYPE = re.compile(r"[!-~ ]{1,200}")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Bench:
    """What every slot works with."""

    settings: WorkerSettings
    storage: Storage
    holding: Holding
    ledger: Ledger
    uploads: Executor
    rooms: Rooms
    limits: Limits
    models: Models
    language_model: LanguageModel | None = None


@dataclass(slots=True)
class _Upload:
    """An artifact on its way, and what becomes of it."""

    publish: Publish
    object: str
    future: Future[Uploaded] = field(init=False)


class Attempt:
    """The conversation with a child about one job."""

    def __init__(self, bench: Bench, held: Held, child: ChildProcess, ready: Ready) -> None:
        self._bench = bench
        self._held = held
        self._child = child
        claim = held.claim
        self._pipeline = next((p for p in ready.offered if p.name == claim.pipeline), Offered(claim.pipeline, ""))
        self._scratch = Scratch(bench.rooms, claim)
        self._answers = Answers(
            bench.settings, bench.storage, bench.models, bench.language_model,
            held=held, pipeline=self._pipeline, scratch=self._scratch,
        )  # fmt: skip
        self._passages: list[NewPassage] = []
        self._uploads: list[_Upload] = []
        self._leaving: Ending | None = None  #: how it ends once the child has stopped

    def run(self) -> bool:
        """Run the job to its ending; return whether the child can take another.

        What the pipeline published may still be on its way then: that goes on beside the slot's next job.
        """
        held, settings = self._held, self._bench.settings
        held.begin(
            self._pipeline.max_run_seconds or settings.max_run_seconds,
            self._pipeline.max_stall_seconds or settings.max_stall_seconds,
        )
        result: dict[str, Any] | None = None
        ending: Ending | None = None
        fit = False
        try:
            self._scratch.create()
            self._child.begin(held.log)
            held.enter(self._child)
            said = self._converse()
            fit = said is not None
            if isinstance(said, Done) and self._leaving is None:
                result = said.result
                if self._uploads:
                    held.advance(held.progress, "Storing the results")
            else:
                ending = self._judge(said)
        except AbandonedError:
            pass  # whoever decided on the ending has killed the child
        except Exception as error:  # noqa: BLE001 - sorted out by _explain
            ending = self._explain(error)
        held.leave()
        if held.ending is not None:
            fit = False
        if self._uploads:
            self._bench.uploads.submit(self._settle, result, ending, fit=fit)
        else:
            self._settle(result, ending, fit=fit)
        return fit

    def _converse(self) -> Said | None:
        """Answer the child until it says how the job ended; None if it is gone."""
        claim = self._held.claim
        run = Run(
            claim.pipeline, claim.bucket, claim.object, claim.generation, claim.size_bytes, claim.content_type,
            claim.settings, self._scratch.work, _hosted(self._bench.language_model),
        )  # fmt: skip
        if not self._child.tell(run):
            return None
        while (said := self._child.hear()) is not None:
            match said:
                case Progress():
                    self._held.advance(said.fraction, said.stage)
                case Publish():
                    self._publish(said)
                case Index():
                    most_bytes = self._bench.settings.passages_max_bytes
                    self._passages = read_passages(self._scratch, said.file, said.language, most_bytes)
                case Fetch() | Recall() | Store() | Load() | Ask():
                    if not self._child.tell(self._answer(said)):
                        return None
                case Done() | Failed() | Stopped():
                    return said
                case Ready():
                    raise ProtocolError("the child started over in the middle of a job")
                case _:
                    assert_never(said)
        return None

    def _judge(self, said: Said | None) -> Ending:
        """Decide how a job ended that is not done."""
        if said is not None and self._leaving is not None:  # whatever the pipeline made of being stopped
            return self._leaving
        if isinstance(said, Failed):
            self._held.log.info("pipeline.failed", permanent=said.permanent, details=said.details)
            return self._held.failure(said.error, permanent=said.permanent)
        return self._held.failure(self._child.obituary(self._held.claim.pipeline))

    def _answer(self, said: Question) -> Told:
        """Do what the child asks, unless the job is to be left here."""
        try:
            # A finished step is worth storing even now; nothing else is begun.
            answer = Stop() if self._stopping and not isinstance(said, Store) else self._answers.give(said)
        except (SourceGoneError, StepTooLargeError, ForeignFileError, OSError, *STORAGE_AWAY) as error:
            self._leaving = self._explain(error)
            return Stop()
        if self._stopping:
            self._leaving = Released("The worker had to leave; the finished steps are kept.")
            return Stop()
        return answer

    @property
    def _stopping(self) -> bool:
        return self._bench.holding.stop_at_step

    def _publish(self, publish: Publish) -> None:
        """Send an artifact off; ``_settle`` waits for it."""
        claim = self._held.claim
        # The child's own job object sees to this, but the child may have been taken over.
        known = {upload.publish.kind for upload in self._uploads}
        if publish.kind in known or len(known) == _MOST_ARTIFACTS or not KIND.fullmatch(publish.kind):
            raise ProtocolError(f"{publish.kind!r} cannot be published")
        if not _CONTENT_TYPE.fullmatch(publish.content_type):
            raise ProtocolError(f"{publish.content_type!r} is no content type")
        upload = _Upload(
            publish, f"{attempt_prefix(claim.id, claim.attempt)}{publish.kind}/{safe_filename(publish.filename)}"
        )
        upload.future = self._bench.uploads.submit(self._upload, upload)
        self._uploads.append(upload)

    def _upload(self, upload: _Upload) -> Uploaded:
        claim = self._held.claim
        source = {
            "source-bucket": claim.bucket,
            "source-name": claim.object,
            "source-generation": str(claim.generation),
        }
        with self._scratch.open(upload.publish.file) as content:
            return self._bench.storage.put(
                self._bench.settings.result_bucket,
                upload.object,
                content,
                content_type=upload.publish.content_type,
                metadata=source,
                check=self._answers.moving,
            )

    def _settle(self, result: dict[str, Any] | None, ending: Ending | None, *, fit: bool) -> None:
        """Wait for the uploads, hand the ending to the ledger, delete the files."""
        artifacts: list[NewArtifact] = []
        for upload in self._uploads:
            try:
                artifacts.append(self._artifact(upload, upload.future.result()))
            except AbandonedError:
                continue
            except Exception as error:  # noqa: BLE001 - sorted out by _explain
                ending = ending or self._explain(error)
        held = self._held
        if ending is None and result is not None:
            ending = Completion(
                held.claim.id, held.claim.attempt, result, artifacts, held.steps_stored, held.saved_seconds,
                self._passages,
            )  # fmt: skip
        if ending is not None:
            self._bench.ledger.conclude(held, ending)
        self._scratch.remove(again=fit)

    def _artifact(self, upload: _Upload, uploaded: Uploaded) -> NewArtifact:
        said = upload.publish
        return NewArtifact(
            kind=said.kind,
            bucket=self._bench.settings.result_bucket,
            object=upload.object,
            generation=uploaded.generation,
            content_type=said.content_type,
            size_bytes=uploaded.size_bytes,
            crc32c=uploaded.crc32c,
            filename=safe_filename(said.filename),
            metadata=said.metadata,
        )

    def _explain(self, error: Exception) -> Ending:
        """Turn what went wrong on the agent's side into an ending."""
        held = self._held
        held.log.warning("attempt.trouble", error=f"{type(error).__name__}: {error}")
        if isinstance(error, SourceGoneError):
            return Superseded("The file was overwritten or deleted before it was processed.")
        return held.failure(self._sentence(error), permanent=isinstance(error, StepTooLargeError))

    def _sentence(self, error: Exception) -> str:
        match error:
            case StepTooLargeError():
                said = str(error)
            case ForeignFileError() | ProtocolError():
                said = f"The {self._held.claim.pipeline} pipeline broke the rules: {error}"
            case AlreadyThereError():
                said = "A result of this attempt is in the bucket already."
            case _ if isinstance(error, STORAGE_AWAY):
                said = f"Cloud Storage could not be used: {clean(str(error), 300)}"
            case OSError() if error.errno in (errno.ENOSPC, errno.EDQUOT):
                said = "The worker's disk is full."
            case OSError():
                said = f"The worker could not handle its files: {error.strerror}"
            case _:
                self._held.log.error("attempt.bug", exc_info=error)
                said = f"The worker failed: {type(error).__name__}."
        return said


def _hosted(model: LanguageModel | None) -> dict[str, Any] | None:
    if model is None:
        return None
    return {"engine": model.engine, "model": model.model, "window_tokens": model.window_tokens}
