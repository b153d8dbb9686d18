"""Read the seats of a step: roles and the areas to search, or the holder of another step's seat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from referral.domain.policy.procedure import SeatRule
from referral.domain.policy.reading.directory import Directory
from referral.domain.policy.reading.reader import Fields, Node, allowed
from referral.domain.policy.reading.vocabulary import SEAT, TAGS

ANYWHERE = ("found-in", "region", "country")
"""Areas to search when a step names none (P). `region` is of any kind: a court looks in its district, the police in theirs."""
CONFLICT = ("CONFLICT_OF_INTEREST",)
"""The only reason for which the holder of a deciding seat may decline (P): it cannot be out of area."""

BELOW = "two-below"
"""`agree` where one person decides what the form points to or a graver level, and two persons decide a lighter one."""


def takes_two(get: Fields) -> bool:
    """Return True for a step that two persons decide, or two where the first decides a lighter level than its form points to."""
    return "agree" in get and get["agree"].word() in ("two-persons", BELOW)


class Seating:
    """The seats of one file, read in order: a holder must be defined above the step that asks it."""

    def __init__(self, directory: Directory, ladder: Sequence[str]) -> None:
        self.codes, self.sections, self.ladder = directory.codes, directory.sections, tuple(ladder)
        needs = self.codes.get("need", ())
        self.written = tuple(id for id, section in self.sections.items() if section.personal and id not in needs)
        self.rules: dict[str, tuple[SeatRule, ...]] = {}

    def seats(self, id: str, kind: str, get: Fields) -> tuple[SeatRule, ...]:
        """Return the seats of a step, and register them for the steps below."""
        found = self._seats(kind, get)
        if takes_two(get):
            found = self._two(id, get, found)
        self.rules[id] = tuple(found)
        return self.rules[id]

    def _two(self, id: str, get: Fields, found: list[SeatRule]) -> list[SeatRule]:
        """Return the seats of two persons: of the one seat that `who` names, or of the two. The second answers by another account."""
        if len(found) > 2:
            get["who"].error(f"agree: {get['agree'].word()} has one seat in who, whose agency names two people, or two seats")
        first, second = found[0], found[-1]
        name = second.name if len(found) > 1 else f"{first.name}.second"
        return [first, replace(second, name=name, apart=(*second.apart, (id, 0)))]

    def _seats(self, kind: str, get: Fields) -> list[SeatRule]:
        """Return the rules of all seats, by kind of step."""
        roles = self.codes.get("role", ())
        match kind:
            case "ask" if get["ask"].is_table():
                return [self._table(get)]
            case "ask" if "." in get["ask"].word():
                return [self._held(get, get["ask"])]
            case "ask" | "notify":
                role = get[kind].word(roles, "role")
                return [self._rule(get, get, role, (role, *get["last_resort"].words(roles, "role")))]
            case "ask_together":
                return [self._own(name, node, get) for name, node in get[kind].items()]
            case "decide":
                get["who"].words(least=1)
                return [self._held(get, who, CONFLICT) for who in get["who"].each()]
            case "place":
                return [self._rule(get, get, "place", (), last_resort=get["last_resort"].words(roles, "role"))]
            case _:
                return []

    def _table(self, get: Fields) -> SeatRule:
        """Return the rule of a seat whose roles a decision of another step selects."""
        known = self.codes.get("role", ())
        last = get["last_resort"].words(known, "role")
        table = [(code, (*value.words(known, "role", least=1), *last)) for code, value in get["ask"].items()]
        every = tuple(dict.fromkeys(role for _, roles in table for role in roles))
        by = get["by"].word()
        return replace(self._rule(get, get, "table", every), by=tuple((f"{by}.{code}", roles) for code, roles in table))

    def _own(self, name: str, node: Node, step: Fields) -> SeatRule:
        """Return the rule of one seat of ask_together."""
        own = node.fields(("role",), SEAT)
        roles = self.codes.get("role", ())
        last = (own["last_resort"] if "last_resort" in own else step["last_resort"]).words(roles, "role")
        return self._rule(own, step, name, (own["role"].word(roles, "role"), *last))

    def _rule(self, own: Fields, step: Fields, name: str, roles: tuple[str, ...], last_resort: tuple[str, ...] = ()) -> SeatRule:
        """Return the rule of one seat: its own words, else those of its step."""

        def setting(word: str) -> Node:
            return own[word] if word in own else step[word]

        reasons = self.codes.get("reason", ())
        shows = setting("shows").words(self.sections, "section")
        return SeatRule(
            name=name,
            roles=roles,
            areas=setting("area").words(self.codes["area"], "area", least=1) or ANYWHERE,
            ladder=setting("ladder").words(self.codes.get("rung", ()), "rung", least=1) or self.ladder,
            shows=shows,
            writes=self._writes(setting("writes"), shows),
            skills=frozenset(setting("requires").words(TAGS, "skill")),
            not_same_as=self._others(setting("not_same_as")),
            apart=self._others(setting("other_person_than")),
            may_decline=setting("may_decline").words(reasons, "reason") or reasons,
            statutory=setting("statutory").yes(),
            last_resort=last_resort,
        )

    def _held(self, get: Fields, node: Node, otherwise: tuple[str, ...] = ()) -> SeatRule:
        """Return the rule for the holder of another seat: where this step sets no value, the value of that seat's step applies."""
        found = self._holder(node)
        plain = self._rule(get, get, node.word(), ())
        if found is None:
            return plain
        base = self.rules[found[0]][found[1]]
        reasons = get["may_decline"].words(self.codes.get("reason", ()), "reason")
        return SeatRule(
            name=node.word(),
            roles=base.roles,
            areas=plain.areas if "area" in get else base.areas,
            ladder=plain.ladder if "ladder" in get else base.ladder,
            shows=plain.shows,
            writes=plain.writes,
            skills=plain.skills,
            not_same_as=plain.not_same_as,
            apart=plain.apart,
            may_decline=reasons or (base.may_decline if base.statutory else otherwise or self.codes.get("reason", ())),
            statutory=plain.statutory or base.statutory,
            holder=found,
        )

    def _others(self, node: Node) -> tuple[tuple[str, int], ...]:
        """Read the seats of earlier steps from which a seat must be independent."""
        return tuple(found for item in node.each() if (found := self._holder(item)) is not None)

    def _writes(self, node: Node, shows: tuple[str, ...]) -> tuple[str, ...]:
        """Return the sections that the seat may write: those that it reads where `writes` is absent. A new version replaces what others
        wrote, so its writer must have read it."""
        if not node.there():
            return tuple(section for section in shows if section in self.written)
        writes = node.words(self.written, "section that agencies write")
        for item in node.each():
            if item.word() in self.written and item.word() not in shows:
                item.error(f"{item.word()} is written here and not shown; add it to shows: a new version replaces what others wrote")
        return writes

    def _holder(self, node: Node) -> tuple[str, int] | None:
        """Read `step`, `step.seat` or `step.holder`: the seat of an earlier step; None, and an error, for any other word."""
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
