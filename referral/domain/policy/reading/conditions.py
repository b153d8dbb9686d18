"""Read the conditions of a procedure: marks of its steps, traits of the case, the state of consent."""

from __future__ import annotations

from collections.abc import Mapping

from referral.domain.policy.procedure import Marks
from referral.domain.policy.reading.directory import Directory
from referral.domain.policy.reading.reader import Node, allowed
from referral.domain.policy.reading.vocabulary import CONSENT, KINDS, STATES, TRAITS


class Marking:
    """The steps of one file by id. A condition anywhere in the file may name them, above or below it."""

    def __init__(self, directory: Directory, steps: list[Node]) -> None:
        self.directory = directory
        self.steps: dict[str, Node] = {}
        self._outcomes: dict[str, tuple[str, ...]] = {}
        for node in steps:
            id = step_id(node)
            if id in self.steps:
                node.error(f"step {id} is there twice; every step has an id of its own")
            if id in TRAITS or id == "consent":
                node.error(f"no step can be called {id}: a condition would take it for the circumstance of that name")
            self.steps.setdefault(id, node)

    def outcomes(self, step: str) -> tuple[str, ...]:
        """Return the words that may follow `step.`: the states and outcomes that a step of its kind can reach."""
        if step not in self._outcomes:
            fields = dict(self.steps[step].items())
            kind = next((name for name in KINDS if name in fields), "feed")
            codes = [item.word() for item in fields[kind].each()] if kind == "decide" else []
            limits = {f"{name}-missed" for name, _ in fields["within"].items()} if "within" in fields else set()
            states = [word for word in STATES[kind] if not word.endswith("-missed") or word in {*limits, "acknowledge-missed"}]
            self._outcomes[step] = (*states, *codes)
        return self._outcomes[step]

    def mark(self, node: Node) -> str:
        """Read `step.word`; both must be known."""
        step, _, word = node.word().partition(".")
        if step not in self.steps:
            node.error(f"step {step or 'without a name'} is not known; {allowed(step, self.steps)}")
        elif word not in self.outcomes(step):
            node.error(f"{word or 'nothing'} is not known of step {step}; {allowed(word, self.outcomes(step))}")
        return f"{step}.{word}"

    def marks(self, node: Node) -> Marks:
        """Read a list of `step.word`."""
        return frozenset(self.mark(item) for item in node.each())

    def conditions(self, node: Node) -> tuple[Marks, ...]:
        """Read a mapping of traits and steps to words; one word of each line must hold."""
        known: Mapping[str, str] = TRAITS
        found = []
        for name, value in node.items():
            if name in known:
                words = value.words(self.directory.codes.get(known[name], ()), name, least=1)
            elif name == "consent":
                words = value.words(CONSENT, "consent", least=1)
            elif name in self.steps:
                found.append(frozenset(f"{name}.{word}" for word in value.words(self.outcomes(name), f"outcome of {name}", least=1)))
                continue
            else:
                value.key_error(f"{name} is neither a circumstance nor a step; {allowed(name, (*known, 'consent', *self.steps))}")
                continue
            found.append(frozenset(f"{name}={word}" for word in words))
        return tuple(found)

    def any_of(self, node: Node) -> Marks:
        """Read a condition of which one mark is enough; returns all its marks."""
        return frozenset(mark for group in self.conditions(node) for mark in group)


def step_id(node: Node) -> str:
    return next((value.word() for name, value in node.items() if name == "id"), "")
