"""Read the public referral form: six short pages that carry what was typed from one to the next, and the referral that it makes. Pure.

Nothing is stored until the last page is sent. Every page sends all fields; an error names a field and a text of words.yaml.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace

from msgspec import structs

from referral.domain.contradictions import contradictions
from referral.domain.entered_times import entered
from referral.domain.events import Traits
from referral.domain.policy.directory import Names
from referral.domain.policy.questions import KNOWN, Question, traits_said, with_answers
from referral.errors import Rejected
from services.intake.messages import strict_json
from services.intake.messages import submission as submitted
from services.intake.messages.submission import Submission
from services.intake.messages.timestamps import micros
from services.intake.pages import known
from services.intake.policy_view import Lists
from services.intake.store import NEVER

STEPS = ("danger", "about", "known", "words", "you", "check")
"""The pages in order: the child first, who asks last. `known` is passed over where nothing more is asked about the concern."""
AWAY = "away."
"""Begins the name of each box of somebody who must not hear about it, asked of staff alone."""
AWAY_AGENCY = f"{AWAY}agency.id"
"""Field of the agency that must not hear about it."""
NO_WORDS: Names = {}
MARKED = 100
"""Most answers of "What is known" that a form carries (ours)."""
URGENCY = {"yes": "emergency", "unsure": "urgent", "no": "routine"}
"""Answer to "is the child in danger now?" → urgency of the referral (P)."""
UNKNOWN = "unknown"
LINE, PLACE, STORY = 200, 1000, 4000
"""Most characters of a line, of the place, and of the story (ours): a page of writing; more belongs into the call back."""
TEXTS = {
    "need.why_away": LINE,
    "need.happened": STORY,
    "need.where": PLACE,
    "need.child": LINE,
    "who": LINE,
    "role": 100,
    "telephone": 60,
    "when": LINE,
}
"""Fields that are written → most characters. Fields that begin with `need.` are shown again to staff whose session ended meanwhile."""
KEY = re.compile(r"[0-9a-f]{32}")
MARK, CODE = re.compile(r"(known|away)\.[A-Za-z0-9.-]{1,80}"), re.compile(r"[A-Za-z0-9:-]{1,60}")
"""Names and values of the answers that a form carries."""
THE_CHILD = "fëmija · dete · the child"
"""Name of whoever tells what happened, where a child writes about itself: those who read it may read any of the languages."""
RELATIONS = {
    "family": "familja · porodica · family",
    "professional": "dikush që punon me fëmijë · neko ko radi s decom · somebody who works with children",
    "neighbour": "fqinj a i njohur · komšija ili poznanik · a neighbour or somebody who knows them",
    "other": "dikush tjetër · neko drugi · somebody else",
}
"""Relations of whoever tells, as all read them who judge the case. The exact role is a name in a small place: the desk alone reads it."""
ADULT_BAND = "18-120"
TURNING = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that turn the direction of writing, with which a text could show something else than it says."""


@dataclass(frozen=True, slots=True, repr=False)
class Answers:
    """What was typed so far; empty where nothing was.

    danger: yes, no or unsure. found_in, concern, age_band: a code of the policy, or `unknown`. happened, where, child: of the child.
    who, relation, role, telephone, when: of the sender, all optional; relation: one of RELATIONS. voice: `child` where a child writes about
    itself. said: what a child says of itself, a code of the policy. why_away: why somebody must not hear about it. marked: (field, answer)
    of the questions of "What is known", and of who must not hear about it. key: names this form.
    """

    danger: str = ""
    found_in: str = ""
    concern: str = ""
    age_band: str = ""
    happened: str = ""
    where: str = ""
    child: str = ""
    who: str = ""
    relation: str = ""
    role: str = ""
    telephone: str = ""
    when: str = ""
    voice: str = ""
    said: str = ""
    why_away: str = ""
    marked: tuple[tuple[str, str], ...] = ()
    key: str = ""

    @property
    def hidden(self) -> tuple[tuple[str, str], ...]:
        """Return (field, value) of everything that was typed, for the next page."""
        typed = tuple((written(one.name), value) for one in fields(self) if one.name != "marked" and (value := getattr(self, one.name)))
        return (*typed, *self.marked)


def written(name: str) -> str:
    """Return the name of a field in the form."""
    return f"need.{name}" if f"need.{name}" in TEXTS else name


def answers(form: Mapping[str, str]) -> Answers:
    """Return the answers in a form. A form without a key of ours gets a new one."""
    typed = {one.name: _plain(form.get(written(one.name), "")) for one in fields(Answers) if one.name != "marked"}
    typed["voice"] = "child" if typed["voice"] == "child" else ""
    typed["relation"] = typed["relation"] if typed["relation"] in RELATIONS else ""
    if not KEY.fullmatch(typed["key"]):
        typed["key"] = secrets.token_hex(16)
    marked = tuple((name, value) for name, value in form.items() if MARK.fullmatch(name) and CODE.fullmatch(value))
    return Answers(**typed, marked=marked[:MARKED])


def spoken(given: Answers, lists: Lists) -> Answers:
    """Return the answers with the concern that a child's own words mean. What a child says of itself is nothing for whoever else writes."""
    if not given.voice or not lists.questions.child:
        return replace(given, said="") if given.said else given
    word = lists.questions.child.get(given.said)
    return replace(given, concern=(word.concern or UNKNOWN) if word else "", said=given.said if word else "")


Group = tuple[Names, tuple[Question, ...]]


def questions(given: Answers, lists: Lists, *, staff: bool = False) -> tuple[Group, ...]:
    """Return the questions of the page `known` in groups: words of the group, none for those of the concern, and its questions. staff: they
    are asked about everything; a stranger is asked at most three, and a child those that its own words lead to."""
    every = lists.questions
    if given.voice and every.child:
        word = every.child.get(given.said)
        asked = tuple(every.each[id] for id in word.asks) if word else ()
    else:
        asked = every.of(given.concern, age_of(given.age_band))
    beside = every.beside(given.concern, age_of(given.age_band)) if staff else ()
    return (*(((NO_WORDS, asked),) if asked else ()), *beside)


def answered(given: Answers, lists: Lists, *, staff: bool = False) -> dict[str, str]:
    """Return question → answer, of the questions that this form asks."""
    asked = [one for _, group in questions(given, lists, staff=staff) for one in group]
    return known.answers(dict(given.marked), asked, lists)


def steps(given: Answers, lists: Lists, *, staff: bool = False) -> tuple[str, ...]:
    """Return the pages of this form in order."""
    return STEPS if questions(given, lists, staff=staff) else tuple(step for step in STEPS if step != "known")


def age_of(band: str) -> str:
    """Return the age code of a band; of none, the age is not known."""
    return "adult" if band == ADULT_BAND else "" if not band else "uncertain" if band == UNKNOWN else "child"


def kept_away(given: Answers, lists: Lists) -> tuple[str, ...]:
    """Return the actors who must not hear about it, as kind:id."""
    marked = dict(given.marked)
    relations = tuple(f"relation:{code}" for code in lists.codes.get("relation", ()) if marked.get(f"{AWAY}{code}"))
    return (*relations, *((f"agency:{marked[AWAY_AGENCY]}",) if marked.get(AWAY_AGENCY) else ()))


def _plain(text: str) -> str:
    return TURNING.sub("", text).strip()


def wrong(step: str, given: Answers, lists: Lists, now: int = NEVER, *, staff: bool = False) -> dict[str, str]:
    """Return the errors of one page: field → key of words.yaml. now: µs UTC."""
    choices: Mapping[str, Collection[str]] = {
        "danger": URGENCY,
        "found_in": (*lists.codes.get("municipality", ()), UNKNOWN),
        "concern": (*lists.codes.get("concern", ()), UNKNOWN),
        "said": lists.questions.child,
        "age_band": lists.offered("age-band"),
    }
    about = "said" if given.voice and lists.questions.child else "concern"
    asked = {"danger": ("danger",), "about": ("found_in", about, "age_band")}.get(step, ())
    found = {name: f"refer.{name}.needed" for name in asked if getattr(given, name) not in choices[name]}
    if step == "words" and not given.happened:
        found |= {"happened": "refer.happened.needed"}
    if step == "known" and not wrong("about", given, lists) and not wrong("danger", given, lists):
        found |= _contradicts(given, lists, now, staff=staff)
    texts = {"known": ("why_away",), "words": ("happened", "where", "child"), "you": ("who", "role", "telephone", "when")}.get(step, ())
    return found | {name: "refer.long" for name in texts if len(getattr(given, name)) > TEXTS[written(name)]}


def _contradicts(given: Answers, lists: Lists, now: int, *, staff: bool) -> dict[str, str]:
    """Return the error of answers that cannot all hold, or of an agency that cannot be kept away."""
    asked = [one for _, group in questions(given, lists, staff=staff) for one in group]
    if known.impossible(known.times(asked, answered(given, lists, staff=staff)), now):
        errors = {"known": "refer.known.time"}
    else:
        errors = {"known": "refer.known.contradiction"} if contradictions(traits(given, lists, staff=staff)) else {}
    try:
        submitted.excludes(kept_away(given, lists) if staff else (), lists, "$")
    except Rejected:
        errors |= {"away": "refer.away.wrong"}
    return errors


def first_wrong(given: Answers, lists: Lists, now: int = NEVER, *, staff: bool = False) -> tuple[str, dict[str, str]]:
    """Return the first page with an error, and its errors; the last page and nothing when the form can be sent."""
    each = ((step, wrong(step, given, lists, now, staff=staff)) for step in steps(given, lists, staff=staff))
    return next(((step, errors) for step, errors in each if errors), (STEPS[-1], {}))


def traits(given: Answers, lists: Lists, *, staff: bool = False) -> Traits:
    """Return the traits of a checked form: what "yes" says is added, and nothing is taken for known that nobody answered.

    What the sender does not know is empty, or `unknown` where the policy has that word: the desk fills it in before it confirms.
    """
    band = given.age_band
    said = Traits(
        concern="" if given.concern == UNKNOWN else given.concern,
        age=age_of(band) or "uncertain",
        age_band=band,
        sex=UNKNOWN,
        found_in="" if given.found_in == UNKNOWN else given.found_in,
        home="",
        urgency=URGENCY[given.danger],
        origin=UNKNOWN,
        asylum=UNKNOWN,
        languages=(),
        flags=(),
    )
    word = lists.questions.child.get(given.said) if given.voice else None
    if word is not None and word.flags:
        said = with_answers(said, {"flags": word.flags})
    asked = [one for _, group in questions(given, lists, staff=staff) for one in group]
    answers_ = answered(given, lists, staff=staff)
    times = entered({code: micros(at) for code, at in known.times(asked, answers_).items()})
    return structs.replace(with_answers(said, traits_said(asked, answers_)), times=times)


def submission(given: Answers, lists: Lists, sender: str = "", *, drill: bool = False) -> Submission:
    """Return the referral of a checked form. sender: name of the agency whose staff refers; empty for the public. drill: an exercise, as
    everything is that is written in a stack for drills alone."""
    staff = bool(sender)
    found = traits(given, lists, staff=staff)
    said = THE_CHILD if given.voice else RELATIONS.get(given.relation or ("professional" if sender else ""), "")
    file: dict[str, dict[str, str]] = {
        "identity": {"name": given.child},
        "location": {"where": given.where, "municipality": found.found_in},
        "narrative": {"text": given.happened, "who_said": said},
        KNOWN: answered(given, lists, staff=staff),
        "safety-plan": {"keep_away": given.why_away if staff else ""},
        "reporter": {"who": given.who, "role": given.role or sender, "telephone": given.telephone, "when_to_call": given.when},
    }
    kept = {name: {key: value for key, value in content.items() if value} for name, content in file.items()}
    sections = tuple((name, strict_json.canonical(kept[name])) for name in sorted(kept) if kept[name])
    away = kept_away(given, lists) if staff else ()
    return Submission(traits=found, consent=None, case_id=None, drill=drill, sections=sections, excludes=away)
