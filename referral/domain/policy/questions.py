"""Plain questions about what is known of a person, and what an answer says about the case. Pure; questions.yaml of the policy has them.

Only "yes" says something. "No" and "not known" are kept beside it, so that whoever reads the case knows that somebody was asked, and they
take nothing away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import structs

from referral.domain.events import Traits
from referral.domain.policy.directory import Names
from referral.domain.policy.procedure import Pathway

KNOWN = "known"
"""The section of the case file that keeps the answers: each entry comes with a referral or a change, and nobody replaces it."""
AT = ".at"
"""Ends the name of the answer that is a time: `in-custody.at`."""
YES, NO, UNKNOWN = "yes", "no", "unknown"
ANSWERS = (YES, NO, UNKNOWN)
SEVERAL = ("flags", "languages")
"""Traits that hold several codes. An answer adds to them."""
BY_FORM = ("concern", "age", "age_band", "found_in", "urgency")
"""Traits that every form of a referral asks for by itself. Consent has a page of its own."""
CHILD = ("child", "uncertain")


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    names: its words. ages: codes of the age for which it is asked; empty: everybody.
    sets: trait → the codes that "yes" sets; empty where the person chooses.
    choose: the trait of which a person chooses a code; empty for a question of yes or no.
    any_of: flags of which a person marks those that are true.
    time: the time that is asked beside, or alone: since when, until when.
    """

    id: str
    names: Names
    sets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    choose: str = ""
    any_of: tuple[str, ...] = ()
    time: str = ""
    ages: tuple[str, ...] = ()

    @property
    def marks(self) -> frozenset[str]:
        """Return the marks that an answer can set; `trait=` stands for every code of a trait that is chosen."""
        chosen = {f"{self.choose}="} if self.choose else set[str]()
        times = {f"times={self.time}"} if self.time else set[str]()
        sets = (f"{trait}={code}" for trait, codes in self.sets.items() for code in codes)
        return frozenset({*times, *chosen, *sets, *(f"flags={flag}" for flag in self.any_of)})


@dataclass(frozen=True, slots=True)
class ChildsWord:
    """What a child says of itself. names: its words. then: what happens next. concern: empty where a person reads it and chooses. flags:
    what it says. asks: the questions that follow."""

    id: str
    names: Names
    then: Names
    concern: str = ""
    flags: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Questions:
    """The questions of a policy; none in a bundle from before there were any.

    each: id → question. public: concern → those that the public form asks. staff: those that staff and desks are asked besides, in groups:
    words of the group → ids. child: what a child may say of itself. implies: concern → flags that hold wherever it does.
    """

    each: Mapping[str, Question] = field(default_factory=dict)
    public: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    staff: Sequence[tuple[Names, tuple[str, ...]]] = ()
    child: Mapping[str, ChildsWord] = field(default_factory=dict)
    implies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def of(self, concern: str, age: str = "") -> tuple[Question, ...]:
        """Return the questions of a concern, for a person of this age; of every age where it is not known."""
        return tuple(self.each[id] for id in self.public.get(concern, ()) if _fits(self.each[id], age))

    def beside(self, concern: str, age: str = "") -> tuple[tuple[Names, tuple[Question, ...]], ...]:
        """Return the groups of questions that staff are asked besides those of a concern: words of the group, questions."""
        asked = frozenset[str]().union(*(one.marks for one in self.of(concern, age)))
        groups = (
            (names, tuple(one for one in map(self.each.__getitem__, ids) if _fits(one, age) and not one.marks <= asked))
            for names, ids in self.staff
        )
        return tuple((names, questions) for names, questions in groups if questions)

    def implied(self, traits: Traits) -> Traits:
        """Return the traits with the flags that their concern implies."""
        more = tuple(flag for flag in self.implies.get(traits.concern, ()) if flag not in traits.flags)
        return structs.replace(traits, flags=(*traits.flags, *more)) if more else traits

    @property
    def settable(self) -> frozenset[str]:
        """Return every mark that a page can set; `trait=` stands for all of a trait."""
        staff = {id for _, ids in self.staff for id in ids}
        public = {id for ids in self.public.values() for id in ids}
        asked = (mark for id in staff | public for mark in self.each[id].marks)
        implied = (f"flags={flag}" for flags in self.implies.values() for flag in flags)
        return frozenset({*(f"{trait}=" for trait in (*BY_FORM, "consent")), *asked, *implied})


def _fits(question: Question, age: str) -> bool:
    return not question.ages or not age or age in question.ages


def conditions(pathway: Pathway) -> Iterator[tuple[str, str]]:
    """Yield (mark, where) for every trait and flag that the procedure tests. where: `applies`, `changes`, `never`, or the step."""
    groups = [("applies", pathway.applies), *(("changes", change.when) for change in pathway.changes)]
    groups += [("never", ban.when) for ban in pathway.never]
    groups += [(step.id, (step.names,)) for step in pathway.steps]
    yield from dict.fromkeys((mark, where) for where, lines in groups for line in lines for mark in sorted(line) if "=" in mark)


def unsettable(questions: Questions, pathways: Iterable[Pathway]) -> Iterator[tuple[str, str, str]]:
    """Yield (procedure, where, mark) for every trait and flag that a procedure tests and no page can set."""
    can = questions.settable
    for pathway in pathways:
        for mark, where in conditions(pathway):
            if mark not in can and f"{mark.partition('=')[0]}=" not in can:
                yield pathway.id, where, mark


def unread(questions: Questions, pathways: Iterable[Pathway]) -> tuple[str, ...]:
    """Return the flags that a page can set and no procedure tests."""
    tested = {mark for pathway in pathways for mark, _ in conditions(pathway)}
    return tuple(sorted(mark.removeprefix("flags=") for mark in questions.settable - tested if mark.startswith("flags=")))


def traits_said(questions: Iterable[Question], said: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return trait → the codes that these answers set, in the order of the questions. said: id of a question → answer: yes, no or
    unknown, a code, or the marked codes with spaces between."""
    found: dict[str, list[str]] = {}
    for one in questions:
        answer = said.get(one.id, "")
        chosen: Mapping[str, tuple[str, ...]]
        if one.choose and one.choose not in SEVERAL:
            chosen = {one.choose: (answer,)} if answer not in ("", UNKNOWN) else {}
        elif one.choose:
            chosen = {one.choose: tuple(code for code in answer.split() if code != UNKNOWN)}
        elif one.any_of:
            chosen = {"flags": tuple(flag for flag in one.any_of if flag in answer.split())}
        else:
            chosen = one.sets if answer == YES else {}
        for trait, codes in chosen.items():
            found.setdefault(trait, []).extend(code for code in codes if code not in found[trait])
    return {trait: tuple(codes) for trait, codes in found.items() if codes}


def times_said(questions: Iterable[Question], said: Mapping[str, str]) -> dict[str, str]:
    """Return code of a time → the time as it was entered, without a zone."""
    return {one.time: at for one in questions if one.time and (at := said.get(f"{one.id}{AT}", ""))}


def with_answers(traits: Traits, learnt: Mapping[str, Sequence[str]]) -> Traits:
    """Return the traits with what was learnt: flags and languages are added to those that are known, any other trait is replaced."""
    changed: dict[str, str | tuple[str, ...]] = {}
    for trait, codes in learnt.items():
        known = getattr(traits, trait)
        changed[trait] = tuple(dict.fromkeys((*known, *codes))) if trait in SEVERAL else codes[-1]
    return structs.replace(traits, **changed)
