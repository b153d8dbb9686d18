"""The conditions of a procedure: marks of its steps, traits of the case, the state of consent."""

from __future__ import annotations

from collections.abc import Mapping

from referral.domain.directory_files import Whole
from referral.domain.language import Node, allowed
from referral.domain.procedure import Marks
from referral.domain.procedure_words import CONSENT, STATES, TRAITS


class Marking:
    """The steps of one file by id, which conditions anywhere in it may name, whether they stand above or below."""

    def __init__(self, whole: Whole, steps: list[Node]) -> None:
        self.whole = whole
        self.steps: dict[str, Node] = {}
        for node in steps:
            id = step_id(node)
            if id in self.steps:
                node.error(f"step {id} is there twice; every step has an id of its own")
            self.steps.setdefault(id, node)

    def outcomes(self, step: str) -> tuple[str, ...]:
        """The words that may stand behind `step.`."""
        codes = next((value for name, value in self.steps[step].items() if name == "decide"), None)
        return STATES + (tuple(item.word() for item in codes.each()) if codes else ())

    def mark(self, node: Node) -> str:
        """`step.word`, both known."""
        step, _, word = node.word().partition(".")
        if step not in self.steps:
            node.error(f"step {step or 'without a name'} is not known; {allowed(step, self.steps)}")
        elif word not in self.outcomes(step):
            node.error(f"{word or 'nothing'} is not known of step {step}; {allowed(word, self.outcomes(step))}")
        return f"{step}.{word}"

    def marks(self, node: Node) -> Marks:
        return frozenset(self.mark(item) for item in node.each())

    def conditions(self, node: Node) -> tuple[Marks, ...]:
        """A mapping of traits and steps to the words of which one must hold."""
        known: Mapping[str, str] = TRAITS
        found = []
        for name, value in node.items():
            if name in known:
                words = value.words(self.whole.codes.get(known[name], ()), name)
            elif name == "consent":
                words = value.words(CONSENT, "consent")
            elif name in self.steps:
                found.append(frozenset(f"{name}.{word}" for word in value.words(self.outcomes(name), f"outcome of {name}")))
                continue
            else:
                value.key_error(f"{name} is neither a circumstance nor a step; {allowed(name, (*known, 'consent', *self.steps))}")
                continue
            found.append(frozenset(f"{name}={word}" for word in words))
        return tuple(found)

    def any_of(self, node: Node) -> Marks:
        """Every mark of a condition of which one is enough."""
        return frozenset(mark for group in self.conditions(node) for mark in group)


def step_id(node: Node) -> str:
    return next((value.word() for name, value in node.items() if name == "id"), "")
