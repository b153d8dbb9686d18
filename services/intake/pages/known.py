"""The questions of "What is known" on a page: how each is asked, and what a form answers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from referral.domain import local_time
from referral.domain.entered_times import is_possible
from referral.domain.policy.questions import ANSWERS, AT, SEVERAL, UNKNOWN, Question, times_said
from referral.domain.policy.reading.vocabulary import TRAITS
from referral.runtime.i18n import Name, Words
from services.intake.messages.timestamps import micros
from services.intake.policy_view import Lists

PREFIX = "known."
"""Begins the name of each field of these questions."""
NOT_LISTED = frozenset({"", UNKNOWN})


@dataclass(frozen=True, slots=True)
class Entry:
    """One question as a form shows it. name: of its field; of several boxes, the beginning of each. options: (value, words). heading: words
    of the group that begins with it. time, time_label: of the field of a time; empty where none is asked."""

    id: str
    name: str
    label: str
    options: tuple[tuple[str, str], ...]
    boxes: bool
    heading: str = ""
    time: str = ""
    time_label: str = ""


def entry(question: Question, lists: Lists, name: Name, say: Words, heading: str = "") -> Entry:
    """Return one question for a reader."""
    list_ = TRAITS.get(question.choose, "flag")
    codes = question.any_of or tuple(code for code in lists.codes.get(list_, ()) if code not in NOT_LISTED)
    boxes = bool(question.any_of) or question.choose in SEVERAL
    options = [(code, name(list_, code)) for code in codes]
    if question.choose == "home":
        options.sort(key=lambda pair: pair[1].casefold())
    if question.time and not (question.sets or question.choose or question.any_of):
        options = []
    elif not boxes:
        options = [*options, (UNKNOWN, say("known.unknown"))] if question.choose else [(one, say(f"known.{one}")) for one in ANSWERS]
    field = f"{PREFIX}{question.id}"
    asked = f"{field}." if boxes else field
    time, said = (f"{field}{AT}", name("time", question.time)) if question.time else ("", "")
    return Entry(question.id, asked, name("question", question.id), tuple(options), boxes, heading, time, said)


def answers(form: Mapping[str, str], questions: Iterable[Question], lists: Lists) -> dict[str, str]:
    """Return question → answer, of those that were answered: yes, no or unknown, a code, or the marked codes with spaces between. What the
    form does not offer is passed over."""
    found: dict[str, str] = {}
    for one in questions:
        field = f"{PREFIX}{one.id}"
        codes = one.any_of or lists.codes.get(TRAITS.get(one.choose, ""), ())
        if one.any_of or one.choose in SEVERAL:
            answer = " ".join(code for code in codes if code and form.get(f"{field}.{code}"))
        else:
            answer = form.get(field, "")
            answer = answer if answer in ((*codes, UNKNOWN) if one.choose else ANSWERS) else ""
        if answer:
            found[one.id] = answer
        if one.time and instant(at := form.get(f"{field}{AT}", "")) is not None:
            found[f"{one.id}{AT}"] = at
    return found


def instant(entered: str) -> datetime | None:
    """Return a time as a browser sends it, of the clock of Kosovo; None for a text that is none."""
    try:
        at = datetime.fromisoformat(entered)
    except ValueError:
        return None
    return None if at.tzinfo else at.replace(tzinfo=local_time.LOCAL)


def times(questions: Iterable[Question], said: Mapping[str, str]) -> dict[str, datetime]:
    """Return code of a time → the instant that was answered."""
    return {code: at for code, text in times_said(questions, said).items() if (at := instant(text)) is not None}


def impossible(entered: Mapping[str, datetime], now: int) -> bool:
    """Return True if one of these times cannot be meant. now: µs UTC."""
    return not all(is_possible(code, micros(at), now) for code, at in entered.items())


def words(question: Question, answer: str, name: Name, say: Words) -> str:
    """Return an answer in words."""
    if answer in ANSWERS:
        return say(f"known.{answer}")
    list_ = TRAITS.get(question.choose, "flag")
    return " ".join(name(list_, code) if list_ == "flag" else f"{name(list_, code)}," for code in answer.split()).rstrip(",")


def readable(stored: Mapping[str, object], each: Mapping[str, Question], name: Name, say: Words) -> dict[str, str]:
    """Return what somebody answered, as a reader sees it: question → answer, in words. A question that the policy has no more stays as it
    was stored."""
    found = {}
    for id, answer in stored.items():
        about = each.get(id.removesuffix(AT)) if id.endswith(AT) else None
        if about is not None and (at := instant(str(answer))) is not None:
            found[f"{name('question', about.id)} · {name('time', about.time)}"] = at.strftime("%d.%m.%Y %H:%M")
            continue
        question = each.get(id)
        label = name("question", id) if question else id
        found[label] = words(question, str(answer), name, say) if question else str(answer)
    return found
