"""The need-to-know matrix: who sees what on which page, and who may send its forms.

One frozen value. `page` writes it down as docs/reference/need-to-know.md, and tests/integration/intake/test_need_to_know.py asks every cell
at a real line. `routes` finds the pages from the programs themselves: a page without a row turns a test red.

A cell is a text: the letters of SEEN that may be seen, or one of the signs of WORDS, and SENDS where forms may be sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SEEN: Mapping[str, str] = {
    "N": "number of the case and its procedure",
    "M": "municipality where the child is now, and age band",
    "S": "where the case stands: how far each step is",
    "O": "offices: which agency has a step, as far as the procedure names it, and the telephone of its office",
    "P": "people of the reader's own agency, by login",
    "F": "sections of the case file that the procedure shows to this step, after they were opened, which is on record",
    "V": "versions: when each of these sections was written, and by which agency",
    "R": "the agency's roster: people, shifts, holes, and the last digits of addresses",
    "D": "data of the reader alone",
    "X": "report of an exercise, which is a made-up case: agencies, times and words, and people of the reader's own agency",
    "L": "entries of the log about a case: who did what and when, in codes; no section of the case file",
    "G": "released figures",
}
NOTHING, DOOR, EMPTY, SENDS = "·", "→", "0", "+"
WORDS: Mapping[str, str] = {
    NOTHING: "the same answer as for a thing that does not exist",
    DOOR: "the page for signing in, whether or not the thing exists",
    EMPTY: "a page that shows nothing of any case",
    SENDS: "its forms may be sent",
    DOOR + SENDS: "the page for signing in; what was written is kept as its author's draft, and nothing is shown",
}

ASKERS: Mapping[str, tuple[str, str]] = {
    "nobody": ("nobody", "a browser without a session"),
    "old": ("session over", "a browser whose session has ended by time, with its cookie and the token of its forms"),
    "off": ("account off", "a person whose account was switched off while signed in"),
    "system": ("agency's token", "a program with the token of the agency that has the step, at a page"),
    "auditor": ("auditor", "a browser or program with an auditor's token"),
    "oversight": ("oversight", "a browser or program with oversight's token"),
    "elsewhere": ("no part", "staff of an agency without part in the case"),
    "sender": ("referred it", "staff of the agency that referred the child"),
    "later": ("asked later", "staff of an agency whose step has not been asked yet"),
    "beside": ("other step", "staff of an agency that has another step of the case"),
    "past": ("part over", "staff of an agency whose part is over: done, declined, expired, or the case is closed"),
    "asked": ("on duty", "the person on duty of the agency that is asked, or has the step"),
    "colleague": ("colleague", "a colleague there with another role: nothing is addressed to one person alone"),
    "held": ("on hold", "staff of an agency that has put its step on hold"),
    "head": ("head", "the head of the agency that has the step"),
    "headof": ("other head", "the head of another agency"),
    "away": ("agency kept away", "staff of an agency that has a step, and that the case keeps away"),
    "kept": ("person kept away", "a colleague there whom the case keeps away"),
    "coordinator": ("coordinator", "the coordinator who has the notice of the case"),
    "coordinator2": ("other coordinator", "the coordinator of another municipality"),
    "desk": ("desk", "the desk on duty of the case, which also has a task about it"),
    "desk2": ("other desk", "another municipality's desk, whose task about the case is settled"),
    "removed": ("mark removed", "a person at that desk, a head, whose marks for desk and head were taken away while signed in"),
}
"""Who asks: id → (heading, explanation)."""
OUTSIDE = ("nobody", "old", "off", "system", "auditor", "oversight")
"""Askers without a session of the staff pages."""


@dataclass(frozen=True, slots=True)
class Row:
    """A page with its forms. routes: METHOD and path, as the program has them. cells: asker → cell."""

    id: str
    title: str
    routes: tuple[str, ...]
    cells: Mapping[str, str]


def _row(id: str, title: str, routes: str, staff: str = NOTHING, outside: str = DOOR, **own: str) -> Row:
    """Return a row. staff, outside: cells of all askers with and without a session that `own` does not name."""
    cells = {asker: own.get(asker, outside if asker in OUTSIDE else staff) for asker in ASKERS}
    if unknown := own.keys() - ASKERS.keys():
        raise ValueError(f"{id}: no asker {', '.join(sorted(unknown))}")
    return Row(id, title, tuple(routes.split("\n")), cells)


def _agency(cell: str) -> Mapping[str, str]:
    """Return the cells of everybody at the agency that has a step; another agency's people and those kept away have none."""
    return dict.fromkeys(("asked", "colleague", "head", "held"), cell)


def _both(path: str, *more: str) -> str:
    """Return the routes of a form, and of the way back for a browser that loads its address again."""
    return "\n".join(f"{method} {one}" for one in (path, *more) for method in ("GET", "POST"))


OFFER, TASK, CALL, REPORT, PERSON = "/offers/{id}", "/tasks/{id}", "/calls/{id}", "/unverified/{id}", "/agency/person/{id}"

CASES: tuple[Row, ...] = (
    _row("offer", "A step that waits or is held", f"GET {OFFER}\n{_both(f'{OFFER}/answer', f'{OFFER}/take-back')}", **_agency("NMSOP+")),
    _row("file", "The same, with the case file opened", _both(f"{OFFER}/show"), **_agency("NMSOPF+")),
    _row("write", "Writing in its case file", f"GET {OFFER}/write\n{_both(OFFER + '/write/{section}')}", **_agency("NMOPFV+"), old="→+"),
    _row("change", "Consent, keeping somebody away, age, place", _both(f"{OFFER}/change/{{what}}"), **_agency("NM+")),
    _row("over", "A step that is over for this agency", f"GET {OFFER}", past="NP"),
    _row(
        "slip",
        "The same, for ten minutes after its answer: what was asked since, or that it may be taken back; whom to telephone",
        f"GET {OFFER}\n{_both(f'{OFFER}/take-back')}",
        past="NSOP+",
    ),
    _row("notice", "A notice", f"GET {OFFER}\nPOST {OFFER}/answer", coordinator="NMSO+"),
    _row("call", "A call to an agency on the telephone", f"GET {CALL}\n{_both(f'{CALL}/answer', f'{CALL}/take-back')}", desk="NMSO+"),
    _row(
        "call-file",
        "The same, after the office has accepted and was called back: where the child is, to be read out",
        _both(f"{CALL}/show"),
        desk="NMSOF+",
    ),
    _row("task", "A task of a desk", f"GET {TASK}\n{_both(f'{TASK}/instruct')}\n{_both(f'{TASK}/change/{{what}}')}", desk="NMSO+"),
    _row("settled", "A task that is settled", f"GET {TASK}", desk2="N"),
    _row("report", "A referral that nobody vouches for", f"GET {REPORT}\n{_both(f'{REPORT}/answer')}", desk="NM+"),
    _row("report-file", "The same, with what was written opened", _both(f"{REPORT}/show"), desk="NMF+"),
)
"""Pages about one thing of a case, which their path names. The cells are for that very thing."""

LISTS: tuple[Row, ...] = (
    _row(
        "inbox",
        "Inbox",
        "GET /\nGET /inbox",
        EMPTY,
        **_agency("NMSP"),
        beside="NMSP",
        past="N",
        coordinator="NMS",
        desk="NMSO",
    ),
    _row("overview", "Overview", "GET /overview", EMPTY, **_agency("NMP"), beside="NMP", desk="NMO"),
    _row(
        "find",
        "Search by case number",
        _both("/overview/find"),
        "0+",
        **_agency("N+"),
        beside="N+",
        past="N+",
        coordinator="N+",
        desk="N+",
    ),
    _row("progress", "How far each case is, for a coordinator", _both("/overview/progress"), "0+", coordinator="NMS+"),
    _row("reports", "List of referrals that nobody vouches for", f"GET /unverified\n{_both('/unverified/refuse')}", "0+", desk="NM+"),
    _row("reports-file", "The same, with the beginning of each story opened", _both("/unverified/read"), "0+", desk="NMF+"),
)
"""Pages of the reader's own: the cells say what they show of a case in which the reader stands as the column says."""

AGENCY: tuple[Row, ...] = (
    _row("agency", "Our agency", f"GET /agency\n{_both('/agency/find', '/agency/shift', '/agency/invite')}", head="RP+", headof="0+"),
    _row(
        "person",
        "A person of an agency",
        f"GET {PERSON}\n{_both(*(f'{PERSON}/{what}' for what in ('rungs', 'head', 'off', 'again')))}",
        head="RP+",
    ),
    _row("end", "A shift or absence of an agency", _both("/agency/end/{part}/{number}"), head="RP+"),
    _row("absence", "An absence of one's own", _both("/agency/absence"), "D+", head="RP+"),
    _row(
        "me",
        "My account",
        "GET /me\n"
        + _both(*(f"/me/{what}" for what in ("address", "code", "end", "test", "password", "sessions")))
        + "\n"
        + _both(*(f"/me/{what}" for what in ("feed", "nofeed", "answer", "takeover", "swap"))),
        "DP+",
    ),
)
"""Pages of one agency. The cells are for the agency of the column `head`; everybody has the same of their own."""

EXERCISE = "/exercises/{id}"
_HEADS = dict.fromkeys(("head", "headof"), "0+")
_COORDINATORS = dict.fromkeys(("coordinator", "coordinator2"), "0+")
EXERCISES: tuple[Row, ...] = (
    _row("exercises", "Exercises: list and start", f"GET /exercises\n{_both('/exercises/start')}", **_HEADS, **_COORDINATORS),
    _row("nights", "Leave for exercises at night", _both("/exercises/nights", "/exercises/nights/end"), **_HEADS),
    _row(
        "exercise", "An exercise in which the agency has a step", f"GET {EXERCISE}\n{_both(f'{EXERCISE}/end')}", head="X", coordinator="X"
    ),
    _row("real", "A real case under the address of an exercise", f"GET {EXERCISE}\nPOST {EXERCISE}/end"),
)
"""Pages of made-up cases. What they show is never about a child; a real case has no page there."""

_EVERYBODY = dict.fromkeys(ASKERS, "0+")
PUBLIC: tuple[Row, ...] = (
    _row(
        "signing-in",
        "Signing in and out, language, invitation",
        _both("/signin", "/signout", "/language", "/invitation"),
        **{**_EVERYBODY, "old": "NP+"},
    ),
    _row("closed", "Page that replaces one that was left open", "GET /closed", **_EVERYBODY),
    _row("seen", "“I have seen it”, from the page for signing in, while a session rests", _both("/seen"), EMPTY, old="0+"),
    _row("refer", "Refer a child; a child asks for help", f"{_both('/refer', '/refer/language')}\nGET /help", **_EVERYBODY),
    _row("receipt", "Receipt, by its code alone", _both("/refer/receipt"), **_EVERYBODY),
    _row("feed", "Calendar feed, for who does not have its secret address", "GET /shifts/{secret}.ics", outside=NOTHING),
)
"""Pages for everybody."""

NOTIFIER: tuple[Row, ...] = (
    _row("knock", "Answer to a message, by the digits in it", _both("/k/{reference}"), **_EVERYBODY),
    _row(
        "programs",
        "Receipts and replies of providers; questions of intake",
        f"{_both('/sms/{secret}/receipt/{reference}', '/sms/{secret}/reply')}\nPOST /told\nPOST /roster",
        outside=NOTHING,
    ),
)
"""The notifier's door."""

AUDIT: tuple[Row, ...] = (
    _row("audit", "Auditor's pages", "GET /auditor\nGET /auditor/readings\nGET /auditor/cases/{case_id:uuid}", DOOR, auditor="L"),
    _row(
        "audit-door",
        "Their signing in and language",
        _both(*(f"/auditor/{what}" for what in ("signin", "signout", "language"))),
        **_EVERYBODY,
    ),
    _row("audit-lost", "Any other path there", "* /auditor/{rest:path}", DOOR, auditor=NOTHING),
    _row("entries", "Entries of the log, and proofs", "GET /tile/{path:path}\nGET /proofs/{event_id:uuid}", NOTHING, NOTHING, auditor="L"),
    _row("exercise-log", "Reports of exercises, for intake alone", "GET /exercises/{case_id:uuid}", NOTHING, NOTHING),
    _row("log", "Checkpoint of the log and tiles of its hashes", "GET /checkpoint\nGET /tile/{path:path}", **dict.fromkeys(ASKERS, EMPTY)),
)
"""Audit's pages and files."""

_FIGURES = ("", "/country", "/deadlines", "/procedures/{pathway:str}", "/releases", "/releases/{number:int}", "/measures")
_FILES = (
    "/measures/{measure:str}",
    "/downloads",
    "/dictionary.{kind:str}",
    "/figures.{kind:str}",
    "/releases/{number:int}/figures.{kind:str}",
)
OVERSIGHT: tuple[Row, ...] = (
    _row(
        "figures",
        "Oversight's pages and downloads",
        "\n".join(f"GET /oversight{path}" for path in (*_FIGURES, *_FILES)),
        DOOR,
        oversight="G",
    ),
    _row(
        "oversight-door",
        "Their signing in and language",
        _both("/oversight/signin", "/oversight/signout", "/oversight/language"),
        **_EVERYBODY,
    ),
    _row("oversight-lost", "Any other path there", "* /oversight/{rest:path}", DOOR, oversight=NOTHING),
)
"""Oversight's pages."""

GROUPS: Mapping[str, tuple[Row, ...]] = {
    "Pages about one thing of a case": CASES,
    "Lists and searches": LISTS,
    "The agency's own pages": AGENCY,
    "Exercises": EXERCISES,
    "Pages for everybody": PUBLIC,
    "The notifier's door": NOTIFIER,
    "Audit": AUDIT,
    "Oversight": OVERSIGHT,
}


def row(id: str) -> Row:
    """Return the row of this id."""
    return next(one for rows in GROUPS.values() for one in rows if one.id == id)
