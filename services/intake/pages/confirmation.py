"""Texts after an answer was sent: its effect, or the error beside the field that caused it.

The redirect after a form carries word and time with a MAC that only we can make for this visit: nobody can forge a link that claims an
answer.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from starlette.responses import RedirectResponse, Response

from referral.domain.rules.take_back import TAKE_BACK
from referral.errors import Rejected
from services.intake.model import Answer
from services.intake.pages import relative_time
from services.intake.pages.forms import Entered
from services.intake.pages.page_request import PageRequest

_FIELDS = {"$.reason": ("reason", "error.reason"), "$.code": ("code", "error.code"), "$.word": ("top", "error.word")}
_KEYS = {"key-reused": "error.key", "same-person": "error.person"}


@dataclass(frozen=True, slots=True)
class Sent:
    """The message about an answer that was sent. counts: it took effect; None: not decided yet."""

    title: str
    means: str
    counts: bool | None = None


def link(where: str, word: str, at: int, token: str) -> str:
    """Return the URL of the page of an offer or task that confirms what was just sent. at: µs UTC."""
    return f"{where}?sent={word}.{at}.{_mark(where, word, at, token)}"


def redirect(call: PageRequest, where: str, word: str, at: int) -> Response:
    """Redirect to the page that confirms what was just sent."""
    return RedirectResponse(link(where, word, at, call.visit.token), status_code=303)


def taken(call: PageRequest, where: str) -> tuple[str, int] | None:
    """Return the word and the time (µs UTC) in a link that we made for this visit; None without one, and for any other link."""
    word, _, rest = call.request.query_params.get("sent", "").partition(".")
    at, _, mark = rest.partition(".")
    if not (at.isascii() and at.isdecimal() and len(at) <= 18) or not hmac.compare_digest(
        mark.encode(), _mark(where, word, int(at), call.visit.token).encode()
    ):
        return None
    return word, int(at)


def became(
    call: PageRequest,
    where: str,
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
    sent, say = taken(call, where), call.say
    if sent is None:
        return None
    named = label or (lambda word: say(f"word.{word}"))
    said, time = named(sent[0]), relative_time.clock(say, sent[1], call.now)
    mine = next((answer for answer in answers if (answer.word, answer.at) == sent), None)
    if mine is None or mine.became is None:
        return Sent(title=say(title, word=said), means=say("sent.counts" if settled and mine is None else "sent.waiting", time=time))
    if not mine.became and mine.word == TAKE_BACK:
        return Sent(title=say("after.taken"), means=say("sent.received", time=time), counts=True)
    if not mine.became:
        return Sent(title=say(title, word=said), means=say("sent.counts", time=time), counts=True)
    means = f"{say('sent.received', time=time)} {_why(call, mine, answers, named)}"
    return Sent(title=say("sent.nothing", word=said), means=means, counts=False)


def refused_together(call: PageRequest, where: str) -> Sent | None:
    """Return the confirmation in the link of the list of referrals to confirm: so many were refused with one form."""
    sent, say = taken(call, where), call.say
    if sent is None:
        return None
    means = say("confirm.did.means", time=relative_time.clock(say, sent[1], call.now))
    return Sent(title=say("confirm.did", number=sent[0]), means=means)


def line(call: PageRequest, answer: Answer, answers: Sequence[Answer]) -> str:
    """Return one line of the offer's history of answers: time, person, word and effect."""
    say = call.say
    effect = say("sent.open") if answer.became is None else say("sent.effect")
    if answer.became:
        effect = _why(call, answer, answers, lambda word: say(f"word.{word}"))
    spoke = f" {say('sent.spoke', who=answer.spoke_to)}" if answer.spoke_to else ""
    time = relative_time.clock(say, answer.at, call.now)
    return f"{time} · {_who(call, answer)} · {say(f'word.{answer.word}')}: {effect}{spoke}"


def _who(call: PageRequest, answer: Answer) -> str:
    """Return who gave an answer: a colleague, another agency's person by that agency, or the agency's system."""
    return answer.login or (call.name("agency", answer.agency) if answer.agency else call.say("sent.system"))


def _why(call: PageRequest, mine: Answer, answers: Sequence[Answer], named: Callable[[str], str]) -> str:
    """Return the reason why an answer changed nothing: a colleague's earlier answer, else routing's reason. An exclusion is never shown."""
    say = call.say
    first = next((answer for answer in reversed(answers) if answer.became == "" and answer.at <= mine.at and answer is not mine), None)
    if first is None or (mine.word == TAKE_BACK and first.word != TAKE_BACK):
        return say.first(f"became.{mine.became}", "became.other")
    time = relative_time.clock(say, first.at, call.now)
    text = say("became.colleague", who=_who(call, first), word=named(first.word), time=time)
    # A sentence begins with a capital, also where it begins with our words for a system; a login stays as it is written.
    return text[:1].upper() + text[1:] if text.startswith(say("sent.system")) else text


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
