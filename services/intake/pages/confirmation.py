"""Texts after an answer was sent: its effect, or the error beside the field that caused it. Pure.

The redirect after a form carries word and time with a MAC that only we can make for this visit: nobody can forge a link that claims an
answer.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from starlette.datastructures import QueryParams

from referral.domain.rules.take_back import TAKE_BACK
from referral.errors import Rejected
from referral.runtime.i18n import Name, Words
from services.intake.model import Answer
from services.intake.pages import relative_time
from services.intake.pages.forms import Entered
from services.intake.pages.session import Visit

_FIELDS = {"$.reason": ("reason", "error.reason"), "$.code": ("code", "error.code"), "$.word": ("top", "error.word")}
_KEYS = {"key-reused": "error.key"}


@dataclass(frozen=True, slots=True)
class Sent:
    """The message about an answer that was sent. counts: it took effect; None: not decided yet."""

    title: str
    means: str
    counts: bool | None = None


def link(where: str, word: str, at: int, token: str) -> str:
    """Return the URL of the page of an offer or task that confirms what was just sent. at: µs UTC."""
    return f"{where}?sent={word}.{at}.{_mark(where, word, at, token)}"


def became(
    query: QueryParams,
    where: str,
    visit: Visit,
    say: Words,
    name: Name,
    answers: Sequence[Answer] = (),
    *,
    title: str = "sent.title",
    label: Callable[[str], str] | None = None,
    settled: bool = False,
) -> Sent | None:
    """Return the effect of the answer or instruction in the link of an offer or task; None without one, or for a link that we did not make.

    answers: all of that page, the oldest first. title: key of the text of one that counts. label: names a word as that page does.
    settled: where there are no answers, the task is over, so that routing has decided.
    """
    sent = taken(query, where, visit)
    if sent is None:
        return None
    named = label or (lambda word: say(f"word.{word}"))
    said, time = named(sent[0]), relative_time.clock(say, sent[1], visit.now)
    mine = next((answer for answer in answers if (answer.word, answer.at) == sent), None)
    if mine is None or mine.became is None:
        return Sent(title=say(title, word=said), means=say("sent.counts" if settled and mine is None else "sent.waiting", time=time))
    if not mine.became and mine.word == TAKE_BACK:
        return Sent(title=say("after.taken"), means=say("sent.received", time=time), counts=True)
    if not mine.became:
        return Sent(title=say(title, word=said), means=say("sent.counts", time=time), counts=True)
    means = f"{say('sent.received', time=time)} {_why(mine, answers, say, name, visit.now, named)}"
    return Sent(title=say("sent.nothing", word=said), means=means, counts=False)


def refused_together(query: QueryParams, where: str, visit: Visit, say: Words) -> Sent | None:
    """Return the confirmation in the link of the list of referrals to confirm: so many were refused with one form."""
    sent = taken(query, where, visit)
    if sent is None:
        return None
    means = say("confirm.did.means", time=relative_time.clock(say, sent[1], visit.now))
    return Sent(title=say("confirm.did", number=sent[0]), means=means)


def line(answer: Answer, answers: Sequence[Answer], say: Words, name: Name, now: int) -> str:
    """Return one line of the offer's history of answers: time, person, word and effect."""
    told = say("sent.open") if answer.became is None else say("sent.effect")
    effect = _why(answer, answers, say, name, now, lambda word: say(f"word.{word}")) if answer.became else told
    spoke = f" {say('sent.spoke', who=answer.spoke_to)}" if answer.spoke_to else ""
    return f"{relative_time.clock(say, answer.at, now)} · {_who(answer, say, name)} · {say(f'word.{answer.word}')}: {effect}{spoke}"


def _who(answer: Answer, say: Words, name: Name) -> str:
    """Return who gave an answer: a colleague, another agency's person by that agency, or the agency's system."""
    return answer.login or (name("agency", answer.agency) if answer.agency else say("sent.system"))


def _why(mine: Answer, answers: Sequence[Answer], say: Words, name: Name, now: int, named: Callable[[str], str]) -> str:
    """Return the reason why an answer changed nothing: a colleague's earlier answer, else routing's reason. An exclusion is never shown."""
    first = next((answer for answer in reversed(answers) if answer.became == "" and answer.at <= mine.at and answer is not mine), None)
    if first is not None and (mine.word != TAKE_BACK or first.word == TAKE_BACK):
        time = relative_time.clock(say, first.at, now)
        return _sentence(say("became.colleague", who=_who(first, say, name), word=named(first.word), time=time), say)
    return say.first(f"became.{mine.became}", "became.other")


def _sentence(text: str, say: Words) -> str:
    """Return a sentence that begins with a capital, also where it begins with our words for a system; a login stays as it is written."""
    return text[:1].upper() + text[1:] if text.startswith(say("sent.system")) else text


def taken(query: QueryParams, where: str, visit: Visit) -> tuple[str, int] | None:
    """Return the word and the time (µs UTC) in a link that we made for this visit; None without one, and for any other link."""
    word, _, rest = query.get("sent", "").partition(".")
    at, _, mark = rest.partition(".")
    if not (at.isascii() and at.isdecimal() and len(at) <= 18) or not hmac.compare_digest(
        mark.encode(), _mark(where, word, int(at), visit.token).encode()
    ):
        return None
    return word, int(at)


def _mark(where: str, word: str, at: int, token: str) -> str:
    return hmac.new(token.encode(), f"sent {where} {word} {at}".encode(), "sha256").hexdigest()[:32]


def refused(entered: Entered, why: Rejected) -> Entered:
    """Return the entered answer with the error of a refusal, beside the field that caused it."""
    errors: Mapping[str, str]
    if why.code in _KEYS:
        errors = {"top": _KEYS[why.code]}
    elif why.where in _FIELDS:
        errors = dict([_FIELDS[why.where]])
    elif why.where.startswith("$.texts."):
        errors = {f"need.{why.where.removeprefix('$.texts.')}": "error.need"}
    else:
        errors = {"top": "error.refused"}
    return replace(entered, errors=errors, refusal=why.code)
