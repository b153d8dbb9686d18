"""Read one file of policy/pathways/. Every word in it is of a closed list; nothing is ever evaluated."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from referral.domain.deadline import Limit
from referral.domain.directory_files import TAGS, Whole
from referral.domain.events import StepKind
from referral.domain.language import Node, Reader, allowed
from referral.domain.procedure import Change, Marks, Pathway, Placement, SeatRule, Step

TRAITS = {
    "concern": "concern",
    "age": "age",
    "sex": "sex",
    "found_in": "municipality",
    "urgency": "urgency",
    "origin": "origin",
    "asylum": "asylum",
    "languages": "language",
    "flags": "flag",
}
"""What `when` may look at beside steps, and the code list of its values."""
AREAS = ("found-in", "neighbour", "region", "other-region", "country")
LIMITS = ("acknowledge", "accept", "present", "arrive", "complete", "decide", "hold")
STATES = ("accepted", "present", "arrived", "completed", "done", "decided", "acknowledge-missed", "secure", "misplaced")
NEVER = {
    "detention": ("detention", ""),
    "residential-institution-for-disabled-child": ("residential-institution", "flags=disability"),
    "excluded-actor": ("", ""),
}
"""Bans: tag of a service, and the mark under which it is banned (empty: always). Excluded actors are never asked by code, everywhere."""
STEP = ("area", "ladder", "may_decline", "statutory", "within", "shows", "after", "when", "at_once_when", "again_when", "last_resort")
KINDS = {
    "ask": ("requires", "once"),
    "ask_together": (),
    "decide": ("who", "forbid", "needs", "on_silence", "agree", "on_disagreement"),
    "place": ("by", "until_known", "secure", "secure_needs", "secure_ends"),
    "notify": (),
    "feed": ("every",),
}
SILENCE = ("next-candidate", "keep-place")


def read_procedure(reader: Reader, path: str, whole: Whole) -> Pathway:
    """One pathway; what is wrong is noted in the reader."""
    fields = reader.open(path).fields(
        ("pathway", "version", "applies", "consent", "changes", "never", "on_missed_deadline", "steps", "close_when"), ("ladder",)
    )
    id = fields["pathway"].word(whole.codes.get("pathway", ()), "pathway")
    if path != f"pathways/{id}.yaml":
        fields["pathway"].error(f"pathway {id} belongs into pathways/{id}.yaml")
    fields["version"].number(1, 9999)
    consent = fields["consent"].fields(("needed", "basis", "on_withdrawal"))
    consent["needed"].word(("false",), "value")
    consent["basis"].word(whole.codes.get("basis", ()), "basis")
    consent["on_withdrawal"].word(("continue",), "word")
    kept = _Steps(whole, fields["steps"].each(), fields["ladder"])
    changes = [node.fields(("when", "switch_to")) for node in fields["changes"].each()]
    return Pathway(
        id=id,
        digest=hashlib.sha256(reader.files[path]).hexdigest(),
        applies=kept.conditions(fields["applies"]),
        changes=tuple(Change(kept.conditions(c["when"]), c["switch_to"].word(whole.codes.get("pathway", ()), "pathway")) for c in changes),
        never=tuple(NEVER[name] for name in fields["never"].words(NEVER, "ban") if name in NEVER and NEVER[name][0]),
        raises=_raises(fields["on_missed_deadline"]),
        steps=tuple(kept.step(node) for node in kept.nodes),
        close_when=frozenset(f"{step}.done" for step in fields["close_when"].fields(("done",))["done"].words(kept.ids, "step")),
    )


def _raises(node: Node) -> str:
    return "rights-violation" if node.word(("raise-rights-complaint", "nothing"), "word") == "raise-rights-complaint" else ""


class _Steps:
    """The steps of one file, which refer to one another."""

    def __init__(self, whole: Whole, nodes: list[Node], ladder: Node) -> None:
        self.whole, self.nodes = whole, nodes
        self.raw = {node_id(node): node for node in nodes}
        self.ids = tuple(self.raw)
        self.ladder = ladder.words(whole.codes.get("rung", ()), "rung")
        self.rules: dict[str, tuple[SeatRule, ...]] = {}
        if len(self.ids) != len(nodes):
            nodes[0].error("every step has an id of its own")

    def outcomes(self, step: str) -> tuple[str, ...]:
        """The words that may stand behind `step.`."""
        codes = dict(self.raw[step].items()).get("decide")
        return STATES + (codes.words() if codes else ())

    def mark(self, node: Node) -> str:
        """`step.word`, both known."""
        step, _, word = node.word().partition(".")
        if step not in self.ids:
            node.error(f"step {step} is not known; {allowed(step, self.ids)}")
        elif word not in self.outcomes(step):
            node.error(f"{word or 'nothing'} is not known of step {step}; {allowed(word, self.outcomes(step))}")
        return f"{step}.{word}"

    def marks(self, node: Node) -> Marks:
        return frozenset(self.mark(item) for item in node.each())

    def conditions(self, node: Node) -> tuple[Marks, ...]:
        """A mapping of traits and steps to the words of which one must hold."""
        found = []
        for name, value in node.items():
            if name in TRAITS:
                found.append(frozenset(f"{name}={word}" for word in value.words(self.whole.codes.get(TRAITS[name], ()), name)))
            elif name in self.ids:
                found.append(frozenset(f"{name}.{word}" for word in value.words(self.outcomes(name), f"outcome of {name}")))
            else:
                value.error(f"{name} is neither trait nor step; {allowed(name, (*TRAITS, *self.ids))}")
        return tuple(found)

    def step(self, node: Node) -> Step:
        kinds = [name for name, _ in node.items() if name in KINDS]
        if len(kinds) != 1:
            node.error(f"one kind of step is expected here: {', '.join(KINDS)}")
        kind = kinds[0] if kinds else "feed"
        fields = node.fields(("id", kind), (*STEP, *KINDS[kind]))
        get = {
            **dict.fromkeys([*STEP, *(name for names in KINDS.values() for name in names)], Node(node.reader, node.path, None)),
            **fields,
        }
        seats = self.seats(get, kind)
        self.rules[fields["id"].word()] = seats
        limits = {name: value.limit() for name, value in get["within"].items() if name in LIMITS or self.unknown_limit(name, value)}
        again = self.marks(get["again_when"])
        if get["once"].yes() and again:
            get["once"].error("a step that happens once has no again_when")
        codes = fields[kind].words(self.whole.codes.get("decision", ()), "decision") if kind == "decide" else ()
        self.complete(node, kind, seats, limits, get)
        return Step(
            id=fields["id"].word(self.whole.codes.get("step", ()), "step"),
            kind={"ask": StepKind.REQUEST, "ask_together": StepKind.JOINT}.get(kind) or StepKind[kind.upper()],
            seats=seats,
            after=self.marks(get["after"]),
            when=self.conditions(get["when"]),
            at_once=frozenset(mark for group in self.conditions(get["at_once_when"]) for mark in group),
            again=again,
            limits=limits,
            codes=codes,
            needs=get["needs"].words(self.whole.codes.get("need", ()), "need"),
            forbid=self.forbidden(get["forbid"], codes),
            on_silence=get["on_silence"].word(SILENCE, "word") if kind == "decide" else "",
            on_disagreement=get["on_disagreement"].word(codes, "code") if get["on_disagreement"].there() else "",
            placement=self.placement(fields["place"], get) if kind == "place" else None,
            final=_final(kind, limits),
        )

    def unknown_limit(self, name: str, node: Node) -> bool:
        node.error(f"limit {name} is not known; {allowed(name, LIMITS)}")
        return False

    def complete(self, node: Node, kind: str, seats: tuple[SeatRule, ...], limits: Mapping[str, Limit], get: Mapping[str, Node]) -> None:
        """A step that asks somebody has a limit, so that silence wakes the next one; a joint decision says what disagreement means."""
        if kind not in ("feed", "notify") and not {"accept", "complete", "decide"} & set(limits):
            node.error("a limit is missing; within: needs accept, complete or decide")
        if kind == "decide" and "decide" not in limits:
            node.error("a decision needs within: {decide: …}")
        if kind == "decide" and len(seats) > 1 and not get["on_disagreement"].there():
            node.error("several people decide: on_disagreement is missing")
        if get["agree"].there():
            get["agree"].word(("all",), "word")

    def seats(self, get: Mapping[str, Node], kind: str) -> tuple[SeatRule, ...]:
        match kind:
            case "ask" if "." in get["ask"].word():
                return (self.rule(get, get, get["ask"].word(), holder=get["ask"]),)
            case "ask" | "notify":
                role = get[kind].word(self.whole.codes.get("role", ()), "role")
                return (self.rule(get, get, role, roles=(role, *get["last_resort"].words(self.whole.codes.get("role", ()), "role"))),)
            case "ask_together":
                found = []
                for name, node in get[kind].items():
                    own = {**dict.fromkeys(STEP, Node(node.reader, node.path, None)), **get}
                    part = node.fields(("role", "area", "shows"), ("may_decline", "statutory"))
                    role = part["role"].word(self.whole.codes.get("role", ()), "role")
                    found.append(self.rule({**own, **{k: v for k, v in part.items() if v.there()}}, get, name, roles=(role,)))
                return tuple(found)
            case "decide":
                return tuple(self.rule(get, get, who.word(), holder=who) for who in get["who"].each())
            case "place":
                last = get["last_resort"].words(self.whole.codes.get("role", ()), "role")
                return (self.rule(get, get, "place", last_resort=last),)
            case _:
                get["feed"].words(self.whole.codes.get("feed", ()), "feed")
                return ()

    def rule(
        self,
        get: Mapping[str, Node],
        step: Mapping[str, Node],
        name: str,
        roles: tuple[str, ...] = (),
        holder: Node | None = None,
        last_resort: tuple[str, ...] = (),
    ) -> SeatRule:
        reference = self.holder(holder) if holder is not None else None
        base = self.rules[reference[0]][reference[1]] if reference else None
        reasons = get["may_decline"].words(self.whole.codes.get("reason", ()), "reason")
        decides = "who" in step and step["who"].there()
        every = ("CONFLICT_OF_INTEREST",) if decides else self.whole.codes.get("reason", ())
        return SeatRule(
            name=name,
            roles=roles or (base.roles if base else ()),
            areas=get["area"].words(AREAS, "area") or (base.areas if base else ("found-in", "region", "country")),
            ladder=step["ladder"].words(self.whole.codes.get("rung", ()), "rung") or (base.ladder if base else self.ladder),
            shows=get["shows"].words(self.whole.sections, "section"),
            skills=frozenset(get["requires"].words(TAGS, "skill")),
            may_decline=reasons or (base.may_decline if base and base.statutory else every),
            statutory=get["statutory"].yes() or bool(base and base.statutory),
            holder=reference,
            last_resort=last_resort,
        )

    def holder(self, node: Node) -> tuple[str, int] | None:
        """`step`, `step.seat` or `step.holder`: the seat of an earlier step; None, and an error, for any other word."""
        step, _, seat = node.word().partition(".")
        rules = self.rules.get(step)
        if rules is None:
            node.error(f"step {step} is not known above this one; {allowed(step, self.rules)}")
            return None
        names = [rule.name for rule in rules]
        if seat in names:
            return step, names.index(seat)
        if seat in ("", "holder") and len(rules) == 1:
            return step, 0
        node.error(f"seat {seat or 'of several'} is not known of step {step}; {allowed(seat, names)}")
        return None

    def forbidden(self, node: Node, codes: tuple[str, ...]) -> Mapping[str, str]:
        """code: [excluded]: the code may not be decided while the relation of that name is excluded."""
        found = {}
        for code, value in node.items():
            value.words(("excluded",), "word")
            if code not in codes:
                value.error(f"code {code} is not known here; {allowed(code, codes)}")
            found[code] = f"relation:{code}"
        return found

    def placement(self, node: Node, get: Mapping[str, Node]) -> Placement:
        roles = self.whole.codes.get("role", ())
        by = get["by"].word(self.ids, "step")
        known = self.outcomes(by) if by in self.ids else ()
        table = {}
        for code, value in node.items():
            if code not in known:
                value.error(f"{code} is not an outcome of {by}; {allowed(code, known)}")
            table[code] = value.words(roles, "role")
        return Placement(
            by=by,
            roles=table,
            until_known=get["until_known"].words(roles, "role"),
            secure=frozenset(get["secure"].words(roles, "role")),
            needs=self.marks(get["secure_needs"]),
            ends=self.marks(get["secure_ends"]),
        )


def node_id(node: Node) -> str:
    return next((value.word() for name, value in node.items() if name == "id"), "")


def _final(kind: str, limits: Mapping[str, Limit]) -> str:
    """When a step is done: by the last limit that it has."""
    if kind in ("decide", "notify"):
        return {"decide": "decided", "notify": "accepted"}[kind]
    return "completed" if "complete" in limits else "arrived" if {"arrive", "present"} & set(limits) else "accepted"
