"""Read one file of policy/pathways/ and its steps. Every word in it comes from a closed list; nothing is ever evaluated."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

from referral.domain.durations import DAY_US, MINUTE_US
from referral.domain.events import StepKind
from referral.domain.policy.directory import JUDGES, LOCKED, Section
from referral.domain.policy.limits import Limit, countable
from referral.domain.policy.procedure import Change, ConsentRule, Pathway, Placement, SeatRule, Step
from referral.domain.policy.reading.conditions import Marking
from referral.domain.policy.reading.consistency import check
from referral.domain.policy.reading.directory import Directory
from referral.domain.policy.reading.guidance import MOST_CODES
from referral.domain.policy.reading.reader import Fields, Node, Reader, allowed
from referral.domain.policy.reading.seats import BELOW, Seating, takes_two
from referral.domain.policy.reading.vocabulary import (
    AGREE,
    DISAGREEMENT,
    FROM,
    KIND_NEEDED,
    KINDS,
    LIMITS,
    MISSED,
    PATHWAY,
    PATHWAY_NEEDED,
    PERIODS,
    RELATIONS,
    SILENCE,
    STEP,
    WITHDRAWAL,
)

TAKE_BACK_AT_MOST = 10 * MINUTE_US
"""Longest take_back (ours): a slip of the hand is seen at once; after ten minutes a change of mind is the desk's business."""


def read_procedure(reader: Reader, path: str, directory: Directory) -> Pathway:
    """Return one pathway; errors are reported to the reader."""
    get = reader.open(path).fields(PATHWAY_NEEDED, PATHWAY)
    return read_pathway(reader, path, directory, get, "pathway", "pathways/", consent=_consent(get["consent"], directory))


def read_pathway(
    reader: Reader, path: str, directory: Directory, get: Fields, word: str, folder: str, *, consent: ConsentRule, unverified: bool = False
) -> Pathway:
    """Return what a file says in the words of a procedure. word: the one that has its id. folder: of all files of its kind."""
    id = get[word].word(directory.codes.get("pathway", ()), "pathway")
    if path != f"{folder}{id}.yaml":
        get[word].error(f"pathway {id} belongs into {folder}{id}.yaml")
    nodes = get["steps"].each()
    marking = Marking(directory, nodes)
    seating = Seating(directory, get["ladder"].words(directory.codes.get("rung", ()), "rung", least=1))
    bans = [directory.bans[name] for name in get["never"].words(directory.bans, "ban") if name in directory.bans]
    missed = get["on_missed_deadline"].word(MISSED, "word") if not unverified else "nothing"
    pathway = Pathway(
        id=id,
        digest=hashlib.sha256(reader.files[path]).hexdigest(),
        applies=marking.conditions(get["applies"]),
        changes=tuple(_change(node, marking) for node in get["changes"].each()),
        never=tuple(ban for ban in bans if ban.tag or ban.locked),
        locked=directory.properties.get(LOCKED, frozenset()) if any(ban.locked for ban in bans) else frozenset(),
        judges=directory.properties.get(JUDGES, frozenset()),
        raises=MISSED.get(missed, ""),
        steps=tuple(read_step(node, marking, seating) for node in nodes),
        close_when=frozenset(f"{step}.done" for step in get["close_when"].fields(("done",))["done"].words(marking.steps, "step", least=1)),
        version=get["version"].number(1, 9999),
        consent=consent,
        seal=get["seal"].yes(),
        unverified=unverified,
        take_back=_take_back(get["take_back"]) if "take_back" in get else None,
    )
    if not pathway.applies:
        get["applies"].error("a procedure says for whom it is, e.g. applies: {concern: [trafficking]}")
    check(pathway, get, marking)
    return pathway


def _take_back(node: Node) -> Limit:
    """Read how long an answer may be taken back."""
    found = node.limit(clock=True)
    if found.micros > TAKE_BACK_AT_MOST:
        node.error(f"take_back is at most {TAKE_BACK_AT_MOST // MINUTE_US} min: it is for a slip of the hand; later, telephone the desk")
    return found


def _consent(node: Node, directory: Directory) -> ConsentRule:
    get = node.fields(("needed", "basis", "on_withdrawal"))
    return ConsentRule(
        needed=get["needed"].yes(),
        basis=get["basis"].word(directory.codes.get("basis", ()), "basis"),
        on_withdrawal=get["on_withdrawal"].word(WITHDRAWAL, "word"),
    )


def _change(node: Node, marking: Marking) -> Change:
    """Read one line of changes: another procedure instead of this one, or beside it."""
    get = node.fields(("when",), ("switch_to", "also_open", "pause"))
    known = marking.directory.codes.get("pathway", ())
    if ("switch_to" in get) == ("also_open" in get):
        node.error("switch_to (instead of this procedure) or also_open (beside it) is expected here, one of them")
    if "pause" in get and "also_open" not in get:
        get["pause"].key_error("pause waits for the procedure of also_open, which is missing here")
    return Change(
        when=marking.conditions(get["when"]),
        switch_to=get["switch_to"].word(known, "pathway") if "switch_to" in get else "",
        also_open=get["also_open"].word(known, "pathway") if "also_open" in get else "",
        pause=get["pause"].yes(),
    )


ORDER = ("acknowledge", "accept", "present", "arrive", "complete")
REPEATS = ("again_when", "then_every", "until")


def read_step(node: Node, marking: Marking, seating: Seating) -> Step:
    """Return one step; errors are reported to the reader of the node."""
    kinds = [name for name, _ in node.items() if name in KINDS]
    if len(kinds) != 1:
        node.error(f"one kind of step is expected here: {', '.join(KINDS)}")
    kind = kinds[0] if kinds else "feed"
    get = node.fields(("id", kind, *KIND_NEEDED.get(kind, ())), (*STEP, *KINDS[kind]))
    codes = marking.directory.codes
    id = get["id"].word(codes.get("step", ()), "step")
    seats = seating.seats(id, kind, get)
    if kind == "ask":
        _selected(get, marking)
    limits = _limits(get["within"], marking.directory, decides=kind == "decide")
    decisions = get[kind].words(codes.get("decision", ()), "decision", least=1) if kind == "decide" else ()
    _complete(node, kind, seats, limits, get)
    form = _form(get, decisions, seats, marking.directory) if "form" in get else None
    if "every" in get:
        get["every"].word(PERIODS, "period")
    return Step(
        id=id,
        kind={"ask": StepKind.REQUEST, "ask_together": StepKind.JOINT}.get(kind) or StepKind[kind.upper()],
        seats=seats,
        after=marking.marks(get["after"]),
        when=marking.conditions(get["when"]),
        at_once=marking.any_of(get["at_once_when"]),
        again=marking.marks(get["again_when"]),
        limits=limits,
        codes=decisions,
        needs=get["needs"].words(codes.get("need", ()), "need"),
        forbid=_forbidden(get["forbid"], decisions),
        on_silence=get["on_silence"].word((*SILENCE, *decisions), "word") if kind == "decide" else "",
        on_disagreement=get["on_disagreement"].word((*decisions, DISAGREEMENT), "word") if "on_disagreement" in get else "",
        placement=_placement(get, marking) if kind == "place" else None,
        final=_final(kind, limits),
        basis=get["basis"].words(codes.get("basis", ()), "basis"),
        guidance=_guidance(node, kind, get["guidance"], marking.directory),
        contacts=get["contacts"].words(tuple(marking.steps), "step"),
        unless=marking.any_of(get["unless"]),
        at=_times(get["at"]),
        then_every=get["then_every"].limit(clock=True) if "then_every" in get else None,
        until=marking.marks(get["until"]),
        without_consent=get["without_consent"].yes(),
        feeds=get["feed"].words(codes.get("feed", ()), "feed", least=1) if kind == "feed" else (),
        at_most=get["at_most"].number(1, 99) if "at_most" in get else 0,
        form=form.id if form is not None else "",
        table=form.table if form is not None else None,
        second_below="agree" in get and get["agree"].word() == BELOW,
        two_persons=takes_two(get),
    )


def _selected(get: Fields, marking: Marking) -> None:
    """Report a table of roles that looks at no decision, or leaves out a code of it: whoever decides that would reach nobody."""
    if not get["ask"].is_table():
        if "by" in get:
            get["by"].key_error("ask names one role here, which depends on no decision; by belongs to a table")
        return
    by = get["by"].word(marking.steps, "step")
    codes = (
        tuple(item.word() for item in dict(marking.steps[by].items()).get("decide", get["by"].absent()).each())
        if by in marking.steps
        else ()
    )
    if "by" not in get:
        get["ask"].error("a table of roles needs by: the step whose decision it looks at")
    said = [code for code, _ in get["ask"].items()]
    for code, value in get["ask"].items():
        if code not in codes:
            value.key_error(f"{code} is not decided by {by}; {allowed(code, codes)}")
    for code in codes:
        if code not in said:
            get["ask"].error(f"{by} may decide {code}, and nobody is asked then; name its roles")


def _form(get: Fields, decisions: tuple[str, ...], seats: tuple[SeatRule, ...], directory: Directory) -> Section | None:
    """Read the form of a decision: its section. Whoever decides fills and reads it, and nobody decides less than it points to alone."""
    node = get["form"]
    section = directory.sections.get(node.word(directory.sections, "section"))
    if section is None:
        return None
    levels = section.table.levels if section.table is not None else ()
    graded = [code for code in decisions if code in levels]
    if len(graded) < 2 or levels[-1] not in graded:
        node.error(f"{section.id} has no table that points to these codes: points_to of casefile.yaml")
        return None
    for code in decisions:
        if code not in levels and get["on_disagreement"].word() != code:
            get["decide"].error(f"{code} is no level of {section.id}; beside levels, only the code of on_disagreement is decided")
    if len(seats) < 2 or "agree" not in get:
        node.error("a level below what the form points to needs a second person: agree: all, two-persons or two-below")
    for word in ("on_silence", "on_disagreement"):
        if get[word].word() in levels[:-1]:
            get[word].error(f"nobody decided {get[word].word()}; by {word} holds {levels[-1]}, no code of a level, or keep-place")
    for word in ("shows", "writes"):
        if not all(section.id in (seat.shows if word == "shows" else seat.writes) for seat in seats):
            node.error(f"whoever decides fills the form: {section.id} is missing in {word}")
    return section


def _guidance(node: Node, kind: str, value: Node, directory: Directory) -> tuple[str, ...]:
    """Read the texts that the person who does the step is shown. Nobody does a feed; all other steps need one to three texts, unless the
    bundle is older than guidance."""
    found = value.words(directory.codes.get("guidance", ()), "guidance")
    if kind != "feed" and directory.guidance.texts and not 1 <= len(found) <= MOST_CODES:
        where = value if value.there() else node
        where.error(f"this step has {len(found) or 'no'} guidance; name 1 to {MOST_CODES} texts for who does it: guidance: [first-contact]")
    return found


def _limits(node: Node, directory: Directory, *, decides: bool) -> dict[str, Limit]:
    """Read the limits of a step. Each counts from the end of the one before; a limit longer than those that follow is an error. That of a
    decision may count from an entered time."""
    found: dict[str, Limit] = {}
    calendar, since = directory.calendar, ""
    for name, value in node.items():
        if name == FROM:
            since = value.word(directory.codes.get("time", ()), "time")
            if not decides:
                value.key_error("only the limit of a decision counts from an entered time; leave from out here")
            continue
        if name not in LIMITS:
            value.key_error(f"limit {name} is not known; {allowed(name, LIMITS)}")
            continue
        found[name] = value.limit()
        if not countable(found[name], calendar.midnight(calendar.ends - 365), calendar):
            value.error(f"{value.word()} counts further than the calendar {calendar.id} goes; referral policy calendar refresh")
    longest, what = 0, ""
    for name in ORDER:
        if name in found:
            at_least = found[name].micros or found[name].amount * DAY_US
            if at_least < longest:
                dict(node.items())[name].error(f"{name} is due before {what}, which must come first; {what} may take {found[what]}")
            longest, what = at_least, name
    if since and "decide" in found:
        found["decide"] = replace(found["decide"], since=since)
    return found


def _times(node: Node) -> tuple[Limit, ...]:
    """Read the times of `at`, each later than the one before."""
    found = [item.limit(clock=True) for item in node.each()]
    if any(later.micros <= earlier.micros for earlier, later in pairwise(found)):
        node.error("each time of at is later than the one before it")
    return tuple(found)


def _complete(node: Node, kind: str, seats: tuple[SeatRule, ...], limits: Mapping[str, Limit], get: Fields) -> None:
    """Report a step that asks an agency without a limit, which silence would never escalate, and a joint decision without
    `on_disagreement`."""
    if kind not in ("feed", "notify") and not {"accept", "complete", "decide"} & set(limits):
        node.error("a limit is missing; within: needs accept, complete or decide")
    if kind == "decide" and "decide" not in limits:
        node.error("a decision needs within: {decide: …}")
    if kind == "decide" and len(seats) > 1 and "on_disagreement" not in get:
        node.error("several people decide: on_disagreement is missing")
    if "agree" in get:
        get["agree"].word(AGREE, "word")
    if "second" in limits and not takes_two(get):
        get["within"].spot("second").error("second is the limit of the second of two persons; agree: two-persons is missing")
    if "agree" in get and get["agree"].word() == BELOW and "form" not in get:
        get["agree"].error("two-below asks a second person for less than a form points to; form is missing")
    if takes_two(get) and get["agree"].word() != BELOW and get["on_silence"].word() not in SILENCE:
        get["on_silence"].error(f"silence is no second person; use one of: {', '.join(SILENCE)}")
    if get["once"].yes():
        for word in REPEATS:
            if word in get:
                get["once"].error(f"a step that happens once has no {word}")
    if "at_most" in get and not {"again_when", "at", "then_every"} & set(get):
        get["at_most"].key_error("at_most limits rounds; again_when, at or then_every is missing")
    if "until" in get and not {"at", "then_every"} & set(get):
        get["until"].key_error("until ends a repetition; at or then_every is missing")


def _forbidden(node: Node, codes: tuple[str, ...]) -> Mapping[str, str]:
    """Read `code: [excluded]`: the code may not be decided while the relation of that name is excluded; `code: [parent]`: while the
    relation that it names is."""
    found = {}
    for code, value in node.items():
        named = value.words(("excluded", *RELATIONS), "word", least=1)
        if len(named) > 1:
            value.error("one word is expected here: excluded, or one relation")
        if code not in codes:
            value.key_error(f"code {code} is not known here; {allowed(code, codes)}")
        found[code] = f"relation:{code if named[:1] == ('excluded',) else ''.join(named[:1])}"
    return found


def _placement(get: Fields, marking: Marking) -> Placement:
    """Read the roles of a placement: in order, or a table by the outcome of another step."""
    roles = marking.directory.codes.get("role", ())
    table: dict[str, tuple[str, ...]] = {}
    by, before = "", get["until_known"].words(roles, "role")
    if get["place"].is_list():
        before = get["place"].words(roles, "role", least=1)
        for word in ("by", "until_known"):
            if word in get:
                get[word].key_error(f"place is a list of roles here, which depends on no decision; {word} belongs to a table")
    else:
        by = get["by"].word(marking.steps, "step")
        if "by" not in get:
            get["place"].error("a table of places needs by: the step whose decision it looks at")
        known = marking.outcomes(by) if by in marking.steps else ()
        for code, value in get["place"].items():
            if code not in known:
                value.key_error(f"{code} is not an outcome of {by}; {allowed(code, known)}")
            table[code] = value.words(roles, "role", least=1)
    return Placement(
        by=by,
        roles=table,
        until_known=before,
        secure=frozenset(get["secure"].words(roles, "role")),
        needs=marking.marks(get["secure_needs"]),
        ends=marking.marks(get["secure_ends"]),
    )


def _final(kind: str, limits: Mapping[str, Limit]) -> str:
    """Return the mark that makes a step done: that of the last limit that it has."""
    if kind in ("decide", "notify"):
        return {"decide": "decided", "notify": "accepted"}[kind]
    return "completed" if "complete" in limits else "arrived" if {"arrive", "present"} & set(limits) else "accepted"
