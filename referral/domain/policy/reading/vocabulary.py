"""Tables of every word that a procedure file may use. Reader, JSON Schema and handbook are built from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Word(NamedTuple):
    """One word of the vocabulary. takes: the kind of its value, one of json_schema.VALUES, or `code LIST` and `codes LIST`. says: its
    meaning."""

    takes: str
    says: str


PATHWAY: Mapping[str, Word] = {
    "pathway": Word("code pathway", "its id; the file has the same name"),
    "version": Word("number", "counts up with every change of meaning"),
    "words": Word("names", "names, in four languages, of codes that only this procedure uses"),
    "applies": Word("conditions", "for whom: every line must hold, one of its words is enough"),
    "consent": Word("consent", "whether it needs the person's agreement"),
    "changes": Word("changes", "when the case also, or instead, belongs to another procedure"),
    "never": Word("bans", "what is never asked, whatever happens"),
    "on_missed_deadline": Word("missed", "whether a missed limit of a statutory duty is proposed to oversight as a rights complaint"),
    "ladder": Word("codes rung", "whom an agency wakes, in order, where a step does not say so itself"),
    "seal": Word("yes", "what was written is closed for ever when the case closes"),
    "take_back": Word("time", "how long an agency may take back that its part is done, while nobody was asked because of it"),
    "steps": Word("steps", "what is done"),
    "close_when": Word("close", "the steps that must be done, or not needed, before the procedure ends"),
}
PATHWAY_NEEDED = ("pathway", "version", "applies", "consent", "never", "on_missed_deadline", "steps", "close_when")

UNVERIFIED = "unverified/"
"""Folder of what is done before a referral that nobody vouches for is confirmed, in the words of a procedure."""
UNVERIFIED_WORDS: Mapping[str, Word] = {
    "unverified": Word("code pathway", "its id; the file has the same name"),
    **{word: PATHWAY[word] for word in ("version", "words", "applies", "never", "ladder", "steps", "close_when")},
}
UNVERIFIED_NEEDED = ("unverified", "version", "applies", "never", "steps", "close_when")
UNVERIFIED_SHOWS = ("location", "narrative")
"""Sections that it may show (P): whoever looks after a child needs place and story. Never who reports, before anybody has called."""

STEP: Mapping[str, Word] = {
    "area": Word("codes area", "where to look, in order"),
    "ladder": Word("codes rung", "whom the agency wakes, in order"),
    "last_resort": Word("codes role", "roles asked when all others are exhausted"),
    "requires": Word("skills", "skills that a service must have"),
    "not_same_as": Word("holders", "seats whose agencies are never asked for this one"),
    "other_person_than": Word("holders", "seats whose persons never answer for this one"),
    "statutory": Word("yes", "a duty by law: the offer is kept until another accepts"),
    "may_decline": Word("codes reason", "the reasons that may be given; all where it is absent"),
    "shows": Word("codes section", "sections of the case file that the recipient may read"),
    "writes": Word("codes section", "those of shows that the recipient may write; all of them where it is absent"),
    "contacts": Word("codes step", "steps whose holders the recipient is shown, with the telephone of their offices"),
    "basis": Word("codes basis", "the law or document that it rests on"),
    "guidance": Word("codes guidance", "handbook pages that the person on duty is shown"),
    "after": Word("marks", "what must stand first, all of it"),
    "when": Word("conditions", "circumstances that it is for"),
    "unless": Word("conditions", "circumstances under which it is not done"),
    "at_once_when": Word("conditions", "circumstances under which it does not wait for after"),
    "again_when": Word("marks", "what begins another round"),
    "once": Word("yes", "never a second time"),
    "at_most": Word("number", "after so many rounds in which somebody came or finished, no further one begins"),
    "at": Word("times", "how long after `after` it is done, each a round"),
    "then_every": Word("time", "after the last of `at`, again and again"),
    "until": Word("marks", "what ends the repetition"),
    "without_consent": Word("yes", "done also without the person's agreement"),
    "within": Word("within", "its limits"),
}
KINDS: Mapping[str, Mapping[str, Word]] = {
    "ask": {
        "ask": Word("asked", "one role, or the holder of a seat, is asked; or a table of roles by a decision"),
        "by": Word("step", "the step whose decision the table of ask looks at"),
    },
    "ask_together": {"ask_together": Word("seats", "several roles, each with a name; done when each has accepted")},
    "decide": {
        "decide": Word("codes decision", "people who hold a seat decide by one of these codes"),
        "who": Word("holders", "the seats whose holders decide"),
        "forbid": Word("forbid", "codes that may not be decided while that relation is excluded"),
        "needs": Word("codes need", "what must be recorded with the decision"),
        "form": Word("code section", "the form that points to one of the codes; a lighter one needs a reason and a second person"),
        "agree": Word(
            "agree",
            "all: all of them must decide the same; two-persons: two people must, one after the other; two-below: the second one only for "
            "less than the form points to",
        ),
        "on_disagreement": Word("disagreement", "what holds when they do not"),
        "on_silence": Word("silence", "what holds when nobody decides"),
    },
    "place": {
        "place": Word("place", "roles in order, or by a decision"),
        "by": Word("step", "the step whose decision the table of place looks at"),
        "until_known": Word("codes role", "asked before that is decided"),
        "secure": Word("codes role", "roles that lock the person up"),
        "secure_needs": Word("marks", "what must stand before those are asked, all of it"),
        "secure_ends": Word("marks", "what ends it, any of it"),
    },
    "notify": {"notify": Word("code role", "told; no answer is needed")},
    "feed": {
        "feed": Word("codes feed", "counted for oversight; nobody is asked"),
        "every": Word("period", "how often the counts are given"),
    },
}
"""The word that selects each kind of step, and the words that only this kind has."""
KIND_NEEDED: Mapping[str, tuple[str, ...]] = {"decide": ("who", "on_silence")}
SEAT = (
    "role",
    "area",
    "shows",
    "writes",
    "ladder",
    "last_resort",
    "requires",
    "not_same_as",
    "other_person_than",
    "may_decline",
    "statutory",
)
"""Words that a seat of ask_together may set for itself; they override the same words of its step."""

TRAITS = {
    "concern": "concern",
    "age": "age",
    "age_band": "age-band",
    "sex": "sex",
    "found_in": "municipality",
    "home": "municipality",
    "urgency": "urgency",
    "origin": "origin",
    "asylum": "asylum",
    "languages": "language",
    "flags": "flag",
    "times": "time",
}
"""Traits that a condition may test beside steps and consent, with the code list of their values."""
CONSENT = ("given", "refused", "withdrawn", "not-asked", "unknown", "expired")
"""States of consent, as a condition names them."""
WITHDRAWAL = ("continue", "anonymous", "stop")
ASKED = ("accepted", "present", "arrived", "completed", "done", "acknowledge-missed")
LATE = ("accept-missed", "present-missed", "arrive-missed", "complete-missed", "hold-missed")
STATES: Mapping[str, tuple[str, ...]] = {
    "ask": (*ASKED, *LATE),
    "ask_together": (*ASKED, *LATE),
    "decide": (*ASKED, "decided", "decide-missed"),
    "place": (*ASKED, *LATE, "secure", "misplaced"),
    "notify": ASKED,
    "feed": (),
}
"""Words that a condition may test, by kind of step, beside the codes that the step decides. A feed has none: nobody answers it."""
AREAS = ("found-in", "home", "neighbour", "region", "other-region", "country")
"""Areas of every policy. `municipalities.yaml` may name kinds of areas beside (`court-district`); each gives three more (`of_kinds`)."""
OTHER, OF_HOME = "other-", "home-"


def of_kinds(kinds: Iterable[str]) -> tuple[str, ...]:
    """Return every word for an area: that of a kind in which the person is, all others of this kind, and that of the person's home."""
    return (*AREAS, *(word for kind in kinds for word in (kind, OTHER + kind, OF_HOME + kind)))


LIMITS = {
    "acknowledge": "seen by a person; else the next rung",
    "accept": "accepted; else the next candidate",
    "present": "somebody is with the person; else a desk",
    "arrive": "the person has arrived; else a desk",
    "complete": "finished; else a desk",
    "decide": "decided; else what silence means",
    "second": "decided by the second of two persons, counted from the first one's word; as decide where it is absent",
    "hold": "how long an agency may pause it",
}
FROM = "from"
"""The word beside `decide` that names the entered time from which a decision's limit counts."""
SILENCE = {"next-candidate": "another agency decides", "keep-place": "nothing moves and a desk is asked"}
"""Results of a decision that nobody makes in time, beside the codes of the decision itself."""
AGREE = ("all", "two-persons", "two-below")
DISAGREEMENT = "keep-place"
"""`on_disagreement` beside a code: nothing moves and a desk is asked."""
PERIODS = ("week", "month", "quarter", "year")
MISSED = {"raise-rights-complaint": "rights-violation", "nothing": ""}
"""Effect of a missed statutory limit: the concern of the case that it opens."""
RELATIONS = ("parent", "relative")
"""Relations of the person whose exclusion may forbid a code that is not called after them."""
OWN_LISTS = ("pathway", "step", "decision", "concern", "flag")
"""The code lists that `words` may add to."""
TAGS = ("detention", "residential-institution", "trained-interviewer")
"""Tags of a service that code or a step may require beyond its role."""
PROPERTIES = {"role": ("home", "locked", "judges", "sleeps"), "age-band": ("old",), "decision": ("grave", "fact")}
"""Properties that a code may have beside its names, by code list; each is a plain `true`."""
BANS_BEFORE: Mapping[str, tuple[str, str]] = {
    "detention": ("detention", ""),
    "excluded-actor": ("", ""),
    "residential-institution-for-disabled-child": ("residential-institution", "flags=disability"),
}
"""The bans of a bundle without a code list `ban`, of before version 5 of the rules: tag of a service, and the mark under which it is banned
(empty: always)."""
