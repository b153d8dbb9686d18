"""Texts of an exercise's report, in the reader's language: who answered when, what was late, refused and read. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from referral.domain.durations import MINUTE_US
from referral.domain.events import StepKind
from referral.domain.local_time import local
from referral.domain.policy import Policy
from referral.domain.rules.take_back import TAKE_BACK
from referral.exercise import coverage, stories
from referral.exercise.rules import is_loud
from referral.proof.history.exercise import Answer, Asked, Limit, Report, Task
from referral.runtime import i18n
from referral.runtime.i18n import Name, Words
from services.intake.commands.exercises import Exercise
from services.intake.pages import guidance, relative_time


@dataclass(frozen=True, slots=True)
class Story:
    """A story before it is sent. steps: those of the procedure, in its order."""

    title: str
    hint: str
    pathway: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """One request to one agency. limits: (text, whether it is bad). hushed: nothing loud could leave at this hour."""

    time: str
    agency: str
    step: str
    answers: tuple[str, ...]
    limits: tuple[tuple[str, bool], ...]
    messages: str
    level: str
    read: str
    guidance: str
    ended: str
    late: bool
    hushed: bool
    excused: bool


@dataclass(frozen=True, slots=True)
class Question:
    """A question to a desk."""

    time: str
    desk: str
    about: str
    state: str


@dataclass(frozen=True, slots=True)
class Case:
    """One made-up case. raised: complaints that it raised."""

    title: str
    began: str
    ended: str
    requests: tuple[Request, ...]
    questions: tuple[Question, ...]
    raised: int


@dataclass(frozen=True, slots=True)
class View:
    """The report. counts: (text, number), of all requests. missed: agencies of the municipality that were not asked."""

    cases: tuple[Case, ...]
    counts: tuple[tuple[str, int], ...]
    missed: tuple[str, ...]


def _second(at: int) -> str:
    return f"{local(at):%d.%m. %H:%M:%S}"


def when(at: int) -> str:
    """Return a time with its year: a record is read later."""
    return f"{local(at):%d.%m.%Y %H:%M}"


def choices(say: Words) -> list[tuple[str, str]]:
    """Return (name, title) of everything that can be started."""
    return [*((name, _of(story.title, say)) for name, story in stories.stories().items()), (stories.EVERY, say("exercise.every"))]


def titles(exercise: Exercise, say: Words) -> str:
    """Return the title of an exercise."""
    known = [case.story for case in exercise.cases]
    return say("exercise.every") if len(known) > 1 else title(known[0], say)


def title(story: str, say: Words) -> str:
    """Return the title of a story; of one that is unknown, that it was sent by a system."""
    known = stories.stories().get(story)
    return _of(known.title, say) if known else say("exercise.bysystem")


def told(story: str, policy: Policy, say: Words, name: Name) -> Story:
    """Return what a story sends, and the steps of the procedure that is in force for it."""
    known = stories.stories()[story]
    marks = {f"concern={known.traits['concern']}", f"age={known.traits['age']}"}
    pathway = next((pathway for pathway in policy.current if all(group & marks for group in pathway.applies)), None)
    steps = [step.id for step in pathway.steps if step.kind is not StepKind.FEED] if pathway else []
    return Story(
        title=_of(known.title, say),
        hint=_of(known.hint, say),
        pathway=name("pathway", pathway.id) if pathway else "",
        steps=tuple(name("step", step) for step in steps),
    )


@dataclass(frozen=True, slots=True)
class Telling:
    """What the texts of a report need.

    bundle: number of the policy's bundle. logins: account → login, of the reader's own agency. say, name: the reader's language.
    by_day: exercises call people by day; False in a stack for drills alone.
    """

    policy: Policy
    bundle: int
    logins: Mapping[str, str]
    say: Words
    name: Name
    by_day: bool = True

    def view(self, wholes: Sequence[tuple[str, Report]], municipality: str) -> View:
        """Return the report's texts. wholes: (story, report) of each case. municipality: empty where it is not known."""
        asked = [one for _, whole in wholes for one in whole.asked]
        reached = {one.agency for one in asked} | {task.desk for _, whole in wholes for task in whole.tasks}
        missed = coverage.missed(self.policy, municipality, reached) if municipality in self.policy.municipalities else ()
        return View(
            cases=tuple(self._case(story, whole) for story, whole in wholes),
            counts=self._counts(asked),
            missed=tuple(self.name("agency", agency) for agency in missed),
        )

    def _counts(self, asked: Sequence[Asked]) -> tuple[tuple[str, int], ...]:
        words = [answer.word for one in asked for answer in one.answers]
        counted = {
            "asked": len(asked),
            "answered": sum(bool(one.answers) for one in asked),
            "late": sum(self._late(one) for one in asked),
            "declined": words.count("DECLINE"),
            "ignored": sum(bool(answer.ignored) for one in asked for answer in one.answers),
            "read": sum(len(one.read) for one in asked),
        }
        return tuple((self.say(f"count.{word}"), number) for word, number in counted.items())

    def _late(self, one: Asked) -> bool:
        return any(limit.missed for limit in one.limits) and not one.excused and not self._hushed(one)

    def _hushed(self, one: Asked) -> bool:
        """Return whether the agency is waited for since an hour at which an exercise calls nobody, and nothing loud has left."""
        waited = any(limit.missed or not one.answers for limit in one.limits)
        loud = is_loud(one.at, holidays=self.policy.calendar.holidays)
        return self.by_day and waited and not loud and not one.knocks.loud

    def _case(self, story: str, whole: Report) -> Case:
        return Case(
            title=title(story, self.say),
            began=when(whole.began),
            ended=self.say("exercise.ended", time=when(whole.ended)) if whole.ended else self.say("exercise.open"),
            requests=tuple(self._request(one) for one in whole.asked),
            questions=tuple(self._question(task) for task in whole.tasks),
            raised=len(whole.raised),
        )

    def _question(self, task: Task) -> Question:
        settled = self.say("report.task.settled", time=_length(task.settled - task.at, self.say)) if task.settled else ""
        return Question(
            time=_second(task.at),
            desk=self.name("agency", task.desk),
            about=self.name("about", task.about),
            state=settled or self.say("report.task.open"),
        )

    def _request(self, one: Asked) -> Request:
        say, name, knocks = self.say, self.name, one.knocks
        texts = guidance.view(self.policy, self.bundle, one.pathway, one.step, say)
        read = dict.fromkeys(f"{name('section', reading.section)}{_who(reading.by, self.logins)}" for reading in one.read)
        return Request(
            time=_second(one.at),
            agency=name("agency", one.agency),
            step=name("step", one.step),
            answers=tuple(self._answer(answer, one.at) for answer in one.answers),
            limits=tuple((self._limit(limit), limit.missed) for limit in one.limits),
            messages=say("report.sent", sent=knocks.sent, loud=knocks.loud, arrived=knocks.arrived, failed=knocks.failed),
            level=say("report.level", number=one.level) if one.level else "",
            read=", ".join(read),
            guidance="; ".join(text.title for text in texts.texts) if texts else "",
            ended=say("report.request.open") if not one.ended else "",
            late=self._late(one),
            hushed=self._hushed(one),
            excused=one.excused,
        )

    def _answer(self, answer: Answer, asked_at: int) -> str:
        word = self.say("word.TAKE_BACK") if answer.word == TAKE_BACK else self.name("word", answer.word)
        said = self.say("report.answered", word=word, time=_length(answer.at - asked_at, self.say))
        said += _who(answer.by, self.logins) + (f" · {self.name('reason', answer.reason)}" if answer.reason else "")
        return f"{said} · {self.say('report.ignored')}" if answer.ignored else said

    def _limit(self, limit: Limit) -> str:
        say = self.say
        state = "late" if limit.met and limit.missed else "met" if limit.met else "missed" if limit.missed else "runs"
        took = {"time": _length(limit.met - limit.since, say)} if limit.met else {}
        line = say("report.limit.line", what=self.name("limit", limit.what), allowed=_length(limit.due - limit.since, say))
        return f"{line} {say(f'report.limit.{state}', **took)}"


def _who(by: str, logins: Mapping[str, str]) -> str:
    return f" ({logins[by]})" if by in logins else ""


def _length(micros: int, say: Words) -> str:
    """Return a length of time; under a minute in seconds, because an exercise is about minutes."""
    return relative_time.span(say, micros) if micros >= MINUTE_US else say.count("second", max(micros, 0) // 1_000_000)


def _of(texts: Mapping[str, str], say: Words) -> str:
    text = texts[say.language[:2]]
    return i18n.cyrillic(text) if say.language == "sr-Cyrl" else text
