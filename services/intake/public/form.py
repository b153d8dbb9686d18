"""Read the public referral form: five short pages that carry what was typed from one to the next, and the referral that it makes. Pure.

Nothing is stored until the last page is sent. Every page sends all fields; an error names a field and a text of words.yaml.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields

from referral.domain.events import Traits
from services.intake.messages import strict_json
from services.intake.messages.submission import Submission
from services.intake.policy_view import Lists

STEPS = ("danger", "about", "words", "you", "check")
"""The pages in order: the child first, who asks last."""
URGENCY = {"yes": "emergency", "unsure": "urgent", "no": "routine"}
"""Answer to "is the child in danger now?" → urgency of the referral (P)."""
UNKNOWN = "unknown"
LINE, PLACE, STORY = 200, 1000, 4000
"""Most characters of a line, of the place, and of the story (ours): a page of writing; more belongs into the call back."""
TEXTS = {"need.happened": STORY, "need.where": PLACE, "need.child": LINE, "who": LINE, "role": 100, "telephone": 60, "when": LINE}
"""Fields that are written → most characters. Fields that begin with `need.` are shown again to staff whose session ended meanwhile."""
KEY = re.compile(r"[0-9a-f]{32}")
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
    itself. key: names this form.
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
    key: str = ""

    @property
    def hidden(self) -> tuple[tuple[str, str], ...]:
        """Return (field, value) of everything that was typed, for the next page."""
        return tuple((written(one.name), value) for one in fields(self) if (value := getattr(self, one.name)))


def written(name: str) -> str:
    """Return the name of a field in the form."""
    return f"need.{name}" if f"need.{name}" in TEXTS else name


def answers(form: Mapping[str, str]) -> Answers:
    """Return the answers in a form. A form without a key of ours gets a new one."""
    typed = {one.name: _plain(form.get(written(one.name), "")) for one in fields(Answers)}
    typed["voice"] = "child" if typed["voice"] == "child" else ""
    typed["relation"] = typed["relation"] if typed["relation"] in RELATIONS else ""
    if not KEY.fullmatch(typed["key"]):
        typed["key"] = secrets.token_hex(16)
    return Answers(**typed)


def _plain(text: str) -> str:
    return TURNING.sub("", text).strip()


def wrong(step: str, given: Answers, lists: Lists) -> dict[str, str]:
    """Return the errors of one page: field → key of words.yaml."""
    choices: Mapping[str, Collection[str]] = {
        "danger": URGENCY,
        "found_in": (*lists.codes.get("municipality", ()), UNKNOWN),
        "concern": (*lists.codes.get("concern", ()), UNKNOWN),
        "age_band": lists.offered("age-band"),
    }
    asked = {"danger": ("danger",), "about": ("found_in", "concern", "age_band")}.get(step, ())
    found = {name: f"refer.{name}.needed" for name in asked if getattr(given, name) not in choices[name]}
    if step == "words" and not given.happened:
        found |= {"happened": "refer.happened.needed"}
    texts = {"words": ("happened", "where", "child"), "you": ("who", "role", "telephone", "when")}.get(step, ())
    return found | {name: "refer.long" for name in texts if len(getattr(given, name)) > TEXTS[written(name)]}


def first_wrong(given: Answers, lists: Lists) -> tuple[str, dict[str, str]]:
    """Return the first page with an error, and its errors; the last page and nothing when the form can be sent."""
    return next(((step, errors) for step in STEPS if (errors := wrong(step, given, lists))), (STEPS[-1], {}))


def submission(given: Answers, sender: str = "", *, drill: bool = False) -> Submission:
    """Return the referral of a checked form. sender: name of the agency whose staff refers; empty for the public. drill: an exercise, as
    everything is that is written in a stack for drills alone.

    What the sender does not know is empty, or `unknown` where the policy has that word: the desk fills it in before it confirms.
    """
    band = given.age_band
    traits = Traits(
        concern="" if given.concern == UNKNOWN else given.concern,
        age="adult" if band == ADULT_BAND else "uncertain" if band == UNKNOWN else "child",
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
    said = THE_CHILD if given.voice else RELATIONS.get(given.relation or ("professional" if sender else ""), "")
    file = {
        "identity": {"name": given.child},
        "location": {"where": given.where, "municipality": traits.found_in},
        "narrative": {"text": given.happened, "who_said": said},
        "reporter": {"who": given.who, "role": given.role or sender, "telephone": given.telephone, "when_to_call": given.when},
    }
    kept = {name: {key: value for key, value in content.items() if value} for name, content in file.items()}
    sections = tuple((name, strict_json.canonical(kept[name])) for name in sorted(kept) if kept[name])
    return Submission(traits=traits, consent=None, case_id=None, drill=drill, sections=sections)
