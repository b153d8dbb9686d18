"""What an exercise's page says of it: its story, who was late by whose fault, and what was counted. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from referral.domain.durations import MINUTE_US
from referral.domain.events import StepKind
from referral.domain.policy import Policy
from referral.exercise import coverage, stories
from referral.exercise.rules import is_loud
from referral.proof.history.exercise import Asked, Report
from referral.runtime.i18n import Words
from services.intake.commands.exercises import Exercise
from services.intake.pages import relative_time


@dataclass(frozen=True, slots=True)
class Sent:
    """A story before it is sent. pathway: the procedure that is in force for it, or empty; steps: its own, in order."""

    title: str
    hint: str
    pathway: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Blame:
    """Tell whose fault a limit that passed is. holidays: days since 1970. by_day: exercises call people by day; False in a stack for drills
    alone."""

    holidays: Collection[int]
    by_day: bool = True

    def late(self, one: Asked) -> bool:
        """Return whether the agency was late."""
        return any(limit.missed for limit in one.limits) and not one.excused and not self.hushed(one)

    def hushed(self, one: Asked) -> bool:
        """Return whether the agency is waited for since an hour at which an exercise calls nobody, and nothing loud has left."""
        waited = any(limit.missed or not one.answers for limit in one.limits)
        return self.by_day and waited and not is_loud(one.at, holidays=self.holidays) and not one.knocks.loud


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


def sent(story: str, policy: Policy, say: Words) -> Sent:
    """Return what a story sends, and the steps of the procedure that is in force for it."""
    known = stories.stories()[story]
    marks = {f"concern={known.traits['concern']}", f"age={known.traits['age']}"}
    pathway = next((pathway for pathway in policy.current if all(group & marks for group in pathway.applies)), None)
    steps = tuple(step.id for step in pathway.steps if step.kind is not StepKind.FEED) if pathway else ()
    return Sent(_of(known.title, say), _of(known.hint, say), pathway.id if pathway else "", steps)


def counts(asked: Sequence[Asked], blame: Blame) -> dict[str, int]:
    """Return word → number, of all requests."""
    words = [answer.word for one in asked for answer in one.answers]
    return {
        "asked": len(asked),
        "answered": sum(bool(one.answers) for one in asked),
        "late": sum(blame.late(one) for one in asked),
        "declined": words.count("DECLINE"),
        "ignored": sum(bool(answer.ignored) for one in asked for answer in one.answers),
        "read": sum(len(one.read) for one in asked),
    }


def missed(policy: Policy, municipality: str, wholes: Iterable[Report]) -> tuple[str, ...]:
    """Return the agencies of the municipality that were not asked; none for a place that is not known."""
    reached = {agency for whole in wholes for agency in (*(one.agency for one in whole.asked), *(task.desk for task in whole.tasks))}
    return tuple(coverage.missed(policy, municipality, reached)) if municipality in policy.municipalities else ()


def length(say: Words, micros: int) -> str:
    """Return a length of time; under a minute in seconds, because an exercise is about minutes."""
    return relative_time.span(say, micros) if micros >= MINUTE_US else say.count("second", max(micros, 0) // 1_000_000)


def _of(texts: Mapping[str, str], say: Words) -> str:
    return say.scripted(texts[say.language[:2]])
