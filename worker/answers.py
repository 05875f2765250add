"""What a pipeline asks for while it runs: its source, its steps, models, an answer of the hosted model."""

import json
from typing import Any, assert_never

from shared.settings import WorkerSettings
from spotmill.language_model import LanguageModel, LanguageModelError
from worker.child.messages import (
    Answered,
    Ask,
    Fetch,
    Fetched,
    Load,
    Loaded,
    Offered,
    Question,
    Recall,
    Recalled,
    Refused,
    Store,
    Stored,
    Told,
)
from worker.holding import Held, clean
from worker.models import ModelMissingError, Models
from worker.scratch import ForeignFileError, Scratch
from worker.steps import Steps, Value
from worker.transfer import Storage

#: Most bytes of one question to the hosted model.
_QUESTION_BYTES = 8 * 1024**2


class Answers:
    """Does for one held job what its child asks. Runs in the slot's thread, while the child waits."""

    def __init__(
        self,
        settings: WorkerSettings,
        storage: Storage,
        models: Models,
        language_model: LanguageModel | None,
        *,
        held: Held,
        pipeline: Offered,
        scratch: Scratch,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._models = models
        self._language_model = language_model
        self._held = held
        self._scratch = scratch
        self._steps = Steps(storage, settings.result_bucket, held, pipeline, scratch)
        self._asked = 0

    def give(self, said: Question) -> Told:
        """Do what the child asks and return the answer.

        Raises:
            SourceGoneError, StepTooLargeError, ForeignFileError, OSError, STORAGE_AWAY: the job cannot go on here.
            AbandonedError: it is no longer ours.
        """
        match said:
            case Fetch():
                return self._source()
            case Recall():
                return _told(Recalled, self._steps.recall(said.key))
            case Store():
                return _told(Stored, self._steps.store(said, self._settings.step_max_bytes))
            case Load():
                return self._model(said.name)
            case Ask():
                return self._answer(said.file)
            case _:
                assert_never(said)

    def moving(self) -> None:
        """Say between two chunks of a transfer that the job moves, if it is still ours."""
        self._held.check()
        self._held.touch()

    def _source(self) -> Told:
        claim = self._held.claim
        self._held.log.debug("source.fetch", size_bytes=claim.size_bytes)
        source = self._scratch.source()
        self._storage.fetch(
            claim.bucket, claim.object, claim.generation, source, check=self.moving, crc32c=claim.crc32c
        )
        return Fetched(str(source))

    def _model(self, name: str) -> Told:
        try:
            model = self._models.get(name, self.moving)
        except ModelMissingError as error:
            self._held.log.warning("model.missing", model=clean(name, 100), error=str(error))
            return Refused(clean(str(error), 1000))
        return Loaded(str(model.path), model.id, model.place)

    def _answer(self, file: str) -> Told:
        """Ask the hosted model. What comes back is text of a stranger's; only the pipeline looks into it."""
        if self._language_model is None:
            return Refused("No language model is configured.", retryable=False)
        self._asked += 1
        if self._asked > self._settings.language_model_calls:
            most = self._settings.language_model_calls
            return Refused(f"The job has asked the language model {most} times, which is the limit.", retryable=False)
        question = _read_question(self._scratch, file)
        try:
            text = self._language_model.complete(question["system"], question["prompt"], question["schema"])
        except LanguageModelError as error:
            self._held.log.warning("language_model.refused", error=str(error), retryable=error.retryable)
            return Refused(clean(str(error), 1000), error.retryable)
        finally:
            self._held.touch()
        answer = self._scratch.stored(f"answer-{self._asked}", "answer.json")
        answer.write_text(text, encoding="utf-8")
        return Answered(str(answer))


def _read_question(scratch: Scratch, file: str) -> dict[str, Any]:
    """Read what the child wrote.

    Raises:
        ForeignFileError: it is no question.
    """
    with scratch.open(file) as content:
        raw = content.read(_QUESTION_BYTES + 1)
    try:
        question = json.loads(raw)
    except ValueError:
        question = None
    kinds = {"system": str, "prompt": str, "schema": dict}
    if (
        len(raw) > _QUESTION_BYTES
        or not isinstance(question, dict)
        or any(not isinstance(question.get(name), kind) for name, kind in kinds.items())
    ):
        raise ForeignFileError(f"{file!r} holds no question of at most {_QUESTION_BYTES} bytes")
    return question


def _told(kind: type[Recalled] | type[Stored], value: Value | None) -> Recalled | Stored:
    return kind() if value is None else kind(str(value.path), value.form)
