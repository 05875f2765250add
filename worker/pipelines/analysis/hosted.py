"""Minutes by a hosted model: notes on each piece of the transcript, then one set of notes made of them.

Each question is one step of the job, keyed by everything the answer depends on, so a lost VM costs one question.
"""

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from shared.transcript.analysis import ActionItem, Analysis, Statement, Topic
from shared.transcript.schema import Transcript
from spotmill.language_model import LanguageModel, LanguageModelError
from worker.pipelines.analysis import prompts
from worker.pipelines.analysis.answers import SCHEMA, Answer, Evidence, RefusedError, read
from worker.pipelines.analysis.chunks import PIECE_TOKENS, Line, lines, pieces, tokens
from worker.pipelines.analysis.wording import text_language

#: Sentences of the summary of one piece, and of the whole.
PIECE_SENTENCES, SENTENCES = 8, 8
#: Least tokens of transcript in a question that are worth asking.
LEAST_TOKENS = 500


def ask(
    transcript: Transcript,
    model: LanguageModel,
    step: Callable[..., Any],
    progress: Callable[[float, str], None],
) -> Analysis:
    """Have a hosted model take the minutes.

    Raises:
        LanguageModelError: it gave no answer, or twice none that could be used.
    """
    return _Minutes(transcript, model, step, progress).take()


class _Minutes:
    def __init__(
        self,
        transcript: Transcript,
        model: LanguageModel,
        step: Callable[..., Any],
        progress: Callable[[float, str], None],
    ) -> None:
        self._transcript = transcript
        self._model = model
        self._step = step
        self._progress = progress
        self._language = text_language(transcript)
        self._labels = {segment.speaker for segment in transcript.segments if segment.speaker}
        self._said = " ".join(segment.text for segment in transcript.segments)
        # Half the window is the answer's; a second asking repeats the question with a few words more.
        overhead = tokens(prompts.SYSTEM) + tokens(json.dumps(SCHEMA)) + 1000
        self._budget = min(PIECE_TOKENS, model.window_tokens // 2 - overhead)
        if self._budget < LEAST_TOKENS:
            raise LanguageModelError(f"a window of {model.window_tokens} tokens is too small for a transcript")

    def take(self) -> Analysis:
        cut = pieces(list(lines(self._transcript.segments)), self._budget)
        answers = []
        for number, piece in enumerate(cut, 1):
            self._progress((number - 1) / (len(cut) + 1), f"analysing part {number} of {len(cut)}")
            answers.append(self._notes_on(piece, (number, len(cut))))
        while len(answers) > 1:
            self._progress(len(cut) / (len(cut) + 1), "analysing the whole")
            groups = self._groups(answers)
            answers = [self._one_of(group) if len(group) > 1 else group[0] for group in groups]
        return self._analysis(answers[0])

    def _notes_on(self, piece: list[Line], part: tuple[int, int]) -> Answer:
        shown = [line.index for line in piece]
        sentences = SENTENCES if part[1] == 1 else PIECE_SENTENCES
        prompt = prompts.for_lines(piece, part, self._language, sentences)
        return self._asked(prompt, Evidence(shown, shown, self._labels, self._said))

    def _one_of(self, answers: list[Answer]) -> Answer:
        """Make one set of notes of several; it may rest only on what they rest on."""
        prompt = prompts.for_notes([answer.model_dump_json() for answer in answers], self._language, SENTENCES)
        quotable = {index for answer in answers for index in answer.quoted()}
        shown = {
            border
            for answer in answers
            for topic in answer.topics
            for border in (topic.first_segment, topic.last_segment)
        }
        return self._asked(prompt, Evidence(quotable, shown | quotable, self._labels, self._said))

    def _groups(self, answers: list[Answer]) -> list[list[Answer]]:
        """Put as many notes together as fit into one question."""
        groups: list[list[Answer]] = []
        filled = 0
        for answer in answers:
            size = tokens(answer.model_dump_json())
            if not groups or filled + size > self._budget:
                groups.append([])
                filled = 0
            groups[-1].append(answer)
            filled += size
        if len(groups) == len(answers):
            raise LanguageModelError("the notes on two parts of the recording do not fit into the model's window")
        return groups

    def _asked(self, prompt: str, evidence: Evidence) -> Answer:
        asked = json.dumps([prompts.SYSTEM, prompt, SCHEMA], sort_keys=True)
        digest = sha256(asked.encode()).hexdigest()[:32]
        key = f"analysis/{self._model.engine}/{self._model.model}/{prompts.VERSION}/{digest}"
        return Answer.model_validate(self._step(key, self._believed, prompt, evidence))

    def _believed(self, prompt: str, evidence: Evidence) -> dict[str, Any]:
        """Ask, and ask once more if the answer cannot be used."""
        try:
            answer = evidence.believed(read(self._model.complete(prompts.SYSTEM, prompt, SCHEMA)))
        except RefusedError as error:
            again = prompts.once_more(prompt, str(error))
            try:
                answer = evidence.believed(read(self._model.complete(prompts.SYSTEM, again, SCHEMA)))
            except RefusedError as second:
                raise LanguageModelError(f"two answers could not be used: {second}") from second
        return answer.model_dump(mode="json")

    def _analysis(self, answer: Answer) -> Analysis:
        segments = self._transcript.segments
        topics = []
        for topic in answer.topics:
            covered = range(topic.first_segment, topic.last_segment + 1)
            start = min(segments[index].start for index in covered)
            end = max(segments[index].end for index in covered)
            topics.append(Topic(title=topic.title, start=start, end=end, segments=tuple(covered)))
        return Analysis(
            engine=self._model.engine,
            model=self._model.model,
            language=self._language,
            summary=tuple(Statement(text=said.text, segments=tuple(said.segments)) for said in answer.summary),
            topics=tuple(topics),
            decisions=tuple(Statement(text=said.text, segments=tuple(said.segments)) for said in answer.decisions),
            action_items=tuple(
                ActionItem(what=task.what, who=task.who, until=task.until, segments=tuple(task.segments))
                for task in answer.action_items
            ),
            note="Written by a model from the transcript; check it against the segments that it names.",
        )
