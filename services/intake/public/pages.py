"""Pages of the public door: the form, what is sent, the receipt, and a child's own page. Staff who are signed in refer as their agency."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import structs
from starlette.responses import Response

from referral.domain.events import Door
from referral.errors import Rejected, Unavailable
from referral.runtime.i18n import ENDONYMS
from services.intake.commands import accept_referrals, idempotency
from services.intake.commands.accept_referrals import Posting
from services.intake.context import in_time
from services.intake.messages.submission import beginning, sameness
from services.intake.model import REUSED, Receipt
from services.intake.pages import kept_page, known, render
from services.intake.pages.page_request import PageRequest, Pages
from services.intake.pages.render import Renderer
from services.intake.pages.session import Visit
from services.intake.policy_view import Lists
from services.intake.public import form, receipt
from services.intake.public.form import STEPS, UNKNOWN, Answers
from services.intake.public.limits import SHORT_BYTES, Limits, Verdict
from services.intake.public.receipt import NOTE, Found, Said

HERE = Path(__file__).parent
SPEAK = "/refer/language"
"""Address of the form that changes the language of the public pages."""
LEAVE = "https://www.wikipedia.org/"
"""Where "leave this page" leads: a page that nobody is asked about."""


CODE, CHILDS_CODE = "/refer/receipt", "/refer/receipt?voice=child"
"""The page on which a code is entered, and the same for a child."""
EVEN_S = 0.25
"""Seconds that an answer about a code takes at least (ours): a lookup takes some 5 ms, so every code takes equally long, whether it was
never given out, stands for something, or stood for a case that is erased."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number to call. dial: digits only."""

    written: str
    dial: str
    whose: str


def made(pages: Pages) -> Pages:
    """Return the pages of the public door beside those of the inbox: their texts, templates and numbers to call."""

    def beside(renderer: Renderer, visit: Visit) -> dict[str, object]:
        return {"numbers": numbers(renderer, visit), "leave": LEAVE, "speak": SPEAK, "drill": not pages.by_day, "voice": ""}

    return replace(pages, render=replace(render.load(pages.render.policy, HERE), beside=beside))


def numbers(renderer: Renderer, visit: Visit) -> tuple[Number, ...]:
    """Return the numbers to call that the policy names, the first for danger now; none before a policy was read."""
    try:
        policy, name = renderer.policy(), renderer.name(visit)
    except Unavailable:
        return ()
    written = {code: policy.numbers.get(code, code.replace("-", " ")) for code in policy.codes.get("number-to-call", ())}
    return tuple(Number(said, said.replace(" ", ""), name("number-to-call", code)) for code, said in written.items())


def show(call: PageRequest, template: str, *, status: int = 200, voice: str = "", **values: object) -> Response:
    """Return a page of the public door. voice: `child` where a child reads it: every text speaks to the child then."""
    say, here = call.pages.render.say(call.visit).voiced(voice), call.request.url.path
    here = CHILDS_CODE if voice and here == CODE else here
    return call.pages.render.page(template, call.visit, here=here, status=status, say=say, voice=voice, **values)


async def begin(call: PageRequest) -> Response:
    """Return the first page of an empty form; for staff, of a form that names their agency."""
    given = form.answers({})
    if (who := call.visit.account) is not None:
        agency = call.pages.render.policy().agencies.get(who.agency)
        place = agency.municipality if agency else ""
        given = replace(given, found_in=place, who=who.login, relation="professional", role=_sender(call)[: form.TEXTS["role"]])
    return _step(call, STEPS[0], given)


async def child(call: PageRequest) -> Response:
    """Return the page for a child who needs help: the number to call, and the same form in plain words."""
    given = form.answers({"voice": "child"})
    return show(call, "help.html", voice=given.voice, given=given)


async def go_on(limits: Limits, call: PageRequest) -> Response:
    """Take one page of the form: show the next or the one before, change the language, or send it. What was typed stays."""
    at, go, lists = call.form.get("at", ""), call.form.get("go", "next"), call.pages.door.lists()
    staff = call.visit.account is not None
    given = form.spoken(form.answers(call.form), lists)
    if at not in STEPS:
        return _step(call, STEPS[0], given)
    if go == "other":  # a child writes about another child: the same form, as anybody fills it in
        return _step(call, STEPS[0], replace(given, voice="", said="", concern="", marked=()))
    steps = form.steps(given, lists, staff=staff)
    number = steps.index(at) if at in steps else steps.index("about")
    if go == "language" and call.form.get("language", "") in ENDONYMS:
        chosen = call.form["language"]
        response = _step(replace(call, visit=replace(call.visit, language=chosen)), at, given)
        call.pages.cookies.speak(response, chosen)
        if call.visit.account is None:  # of a session, it would make later forms of that session look like a stranger's
            call.pages.cookies.put(response, "visit", call.visit.token)
        return response
    if go == "back":
        return _step(call, steps[max(number - 1, 0)], given)
    if errors := form.wrong(at, given, lists, call.visit.now, staff=staff):
        return _step(call, at, given, errors=errors, status=422)
    if go != "send":
        return _step(call, steps[min(number + 1, len(steps) - 1)], given)
    step, errors = form.first_wrong(given, lists, call.visit.now, staff=staff)
    if errors:
        return _step(call, step, given, errors=errors, status=422)
    try:
        return await in_time(_send(limits, call, given))
    except Unavailable:
        return _full(call, given, 503, away=True)


async def _send(limits: Limits, call: PageRequest, given: Answers) -> Response:
    """Send the referral, once for each form: a second press shows the same receipt."""
    door, who = call.pages.door, call.visit.account
    lists, address = door.lists(), _address(call)
    agency = who.agency if who else lists.public
    if not agency:
        return _full(call, given, 503, closed=True)
    code = receipt.code(door.keys, given.key)
    key = receipt.digest(door.keys, code)
    referral = form.submission(given, lists, _sender(call) if who else "", drill=not call.pages.by_day)
    posting = Posting(agency=agency, key=key, door=Door.WEB, referral=referral, same=sameness(referral, agency))
    municipality, verdict = referral.traits.found_in, Verdict.WHOLE
    async with door.stranger() if who is None else door.begin() as tx:
        known = await idempotency.taken(tx, agency, key)
        if who is None and known is None:
            verdict = limits.verdict(address, municipality)
        if verdict is Verdict.REFUSED:
            return _full(call, given, 429)
        if verdict is Verdict.SHORT:
            posting = structs.replace(posting, referral=beginning(referral, SHORT_BYTES), short=True)
        [answer] = await accept_referrals.accept(tx, door, lists, [posting])
        await kept_page.forget(tx, call.visit)
    if isinstance(answer, Rejected) and answer.status == 429:
        return _full(call, given, 429)
    if isinstance(answer, Rejected) and answer.code != REUSED:
        raise answer
    if known is None and who is None and not isinstance(answer, Rejected):
        limits.took(address, municipality)
    again, short = isinstance(answer, Rejected), isinstance(answer, Receipt) and answer.later
    then = _then(call, given)
    done = show(call, "sent.html", voice=_voice(given), code=code, again=again, given=given, staff=who is not None, short=short, then=then)
    return kept_page.AnswerPage.of(done)


def _full(call: PageRequest, given: Answers, status: int, *, closed: bool = False, away: bool = False) -> Response:
    """Return the page for a referral that was not taken: the numbers to call, and what was typed, to be read out or sent again.

    closed: no agency takes what the public sends. away: the database does not answer.
    """
    return show(call, "full.html", status=status, voice=given.voice, closed=closed, away=away, given=given)


async def ask_code(call: PageRequest) -> Response:
    """Return the page on which a code is entered."""
    voice = form.answers({"voice": call.request.query_params.get("voice", "")}).voice
    return show(call, "receipt.html", voice=voice, said=None, code="", note="", error="", kept="", most=NOTE)


async def read_code(call: PageRequest) -> Response:
    """Say what a code stands for, and take a note to it. A wrong code takes as long as a right one and learns nothing. No number of wrong
    codes keeps anybody from asking about a right one."""
    loop = asyncio.get_running_loop()
    even = loop.time() + EVEN_S
    typed, given = call.form.get("code", "")[:100], form.answers({**call.form, "need.happened": call.form.get("need.note", "")})
    note, voice = given.happened, given.voice
    if not typed.strip():
        error = "receipt.needed"
        wrong = show(call, "receipt.html", status=422, voice=voice, said=None, code="", note=note, error=error, kept="", most=NOTE)
        return kept_page.AnswerPage.of(wrong)
    kept, error, found = "", "receipt.long" if len(note) > NOTE else "", Found(said=Said.UNKNOWN)
    if receipt.ours(call.pages.door.keys, typed):
        try:
            async with call.pages.door.stranger() as tx:
                found = await receipt.find(tx, call.pages.door, typed)
                if note and not error and found.said not in (Said.UNKNOWN, Said.CLOSED):
                    await receipt.add(tx, call.pages.door, found, note, call.form.get("key", ""))
                    kept = "receipt.kept"
        except receipt.Full:
            kept = "receipt.full"
    await asyncio.sleep(max(even - loop.time(), 0))
    status = 404 if found.said is Said.UNKNOWN else 422 if error else 200
    note = "" if kept == "receipt.kept" else note
    key = secrets.token_hex(16)
    shown = {"said": found.said, "code": typed, "note": note, "error": error, "kept": kept, "most": NOTE, "key": key}
    return kept_page.AnswerPage.of(show(call, "receipt.html", status=status, voice=voice, **shown))


def _step(call: PageRequest, step: str, given: Answers, *, errors: Mapping[str, str] | None = None, status: int = 200) -> Response:
    renderer, lists = call.pages.render, call.pages.door.lists()
    say, names = renderer.say(call.visit).voiced(_voice(given)), renderer.name(call.visit)
    staff, say_known = call.visit.account is not None, renderer.say(call.visit)
    steps, language = form.steps(given, lists, staff=staff), call.visit.language

    def name(kind: str, code: str) -> str:
        """Return our own text for a code, where the reader's voice has one, else the policy's name."""
        own = f"refer.{kind}.{code}"
        return say(own) if say.has(own) else names(kind, code)

    def named(kind: str, codes: tuple[str, ...], word: str) -> list[tuple[str, str]]:
        own = f"refer.{kind}.{UNKNOWN}"
        return [(code, name(kind, code)) for code in codes if code != UNKNOWN] + [(UNKNOWN, say.first(own, word))]

    places = sorted(named("municipality", lists.codes["municipality"], "refer.unknown")[:-1], key=lambda place: place[1])
    return show(
        call,
        "refer.html",
        status=status,
        voice=_voice(given),
        step=step,
        given=given,
        hidden=[
            (field, value)
            for field, value in given.hidden
            if field not in SHOWN.get(step, ()) and not (step == "known" and field.startswith((known.PREFIX, form.AWAY)))
        ],
        errors={field: say(key, most=form.TEXTS.get(form.written(field), 0)) for field, key in (errors or {}).items()},
        first=step == STEPS[0],
        places=[*places, (UNKNOWN, say("refer.unknown"))],
        concerns=named("concern", lists.codes["concern"], "refer.unsure"),
        bands=named("age-band", lists.offered("age-band"), "refer.unknown"),
        relations=[(code, say(f"refer.relation.{code}")) for code in form.RELATIONS],
        label=name,
        limits=form.TEXTS,
        number=steps.index(step) + 1,
        steps=len(steps),
        marked=dict(given.marked),
        known=[
            known.entry(one, lists, names, say_known, heading if one is group[0] else "")
            for words, group in form.questions(given, lists, staff=staff)
            for heading in [words.get(language) or words.get("en", "")]
            for one in group
        ],
        answers=known.readable(form.answered(given, lists, staff=staff), lists.questions.each, names, say_known),
        away=_away(call, lists) if staff else [],
        agencies=_agencies(call, lists) if staff else [],
        kept_away=_kept_away(call, given, lists) if staff else [],
        child=[(word.id, word.names.get(language) or word.names["en"]) for word in lists.questions.child.values()] if given.voice else [],
        then=_then(call, given),
        staff=_sender(call) if call.visit.account else "",
    )


def _voice(given: Answers) -> str:
    """Return to whom, and about whom, the pages speak: a child, somebody about an adult, or anybody else."""
    return given.voice or ("adult" if given.age_band == form.ADULT_BAND else "")


def _then(call: PageRequest, given: Answers) -> str:
    """Return what happens after a child's words, in the reader's language; empty where no child writes."""
    word = call.lists.questions.child.get(given.said) if given.voice else None
    return (word.then.get(call.visit.language) or word.then["en"]) if word else ""


def _agencies(call: PageRequest, lists: Lists) -> list[tuple[str, str]]:
    """Return (id, name) of the agencies, by name."""
    return sorted(((id, call.name("agency", id)) for id in lists.codes["agency"]), key=lambda pair: pair[1].casefold())


def _kept_away(call: PageRequest, given: Answers, lists: Lists) -> list[str]:
    """Return whom the form keeps away, in words."""
    named = {f"relation:{code}": words for code, words in _away(call, lists)}
    return [named.get(who) or call.name("agency", who.partition(":")[2]) for who in form.kept_away(given, lists)]


def _away(call: PageRequest, lists: Lists) -> list[tuple[str, str]]:
    """Return (code, words) of the relations whom staff may keep away."""
    say = call.say
    return [(code, say.first(f"change.relation.{code}", "change.relation.other")) for code in lists.codes.get("relation", ())]


SHOWN: Mapping[str, tuple[str, ...]] = {
    "danger": ("danger",),
    "about": ("found_in", "concern", "said", "age_band"),
    "known": ("need.why_away",),
    "words": ("need.happened", "need.where", "need.child"),
    "you": ("who", "relation", "role", "telephone", "when"),
}
"""Page → the fields that it shows; all others it carries hidden."""


def _sender(call: PageRequest) -> str:
    """Return the name of the agency whose member of staff refers; empty for the public."""
    who = call.visit.account
    return "" if who is None else call.pages.render.name(call.visit)("agency", who.agency)


def _address(call: PageRequest) -> str:
    return call.request.client.host if call.request.client else ""
