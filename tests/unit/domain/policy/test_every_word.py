"""What holds for every sequence of inputs, held under a procedure that uses every word of the language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize

from referral.domain import events as e
from referral.domain.policy import compile
from referral.domain.policy.reading import vocabulary as words
from tests.harness.two_cases.moves import chosen, traits
from tests.harness.two_cases.world import SHIPPED
from tests.stories.teller import POLICY
from tests.unit.domain.test_properties import PLACES, Line
from tests.unit.domain.test_walks import AT_MOST, Walk

WALKS = 25
FILE = Path(__file__).parents[3] / "stories" / "invented" / "every-word.yaml"
SHIPPED_FILES = {path.relative_to(POLICY).as_posix(): path.read_bytes() for path in POLICY.rglob("*.yaml")}
WHOLE = compile({**SHIPPED_FILES, f"pathways/{FILE.name}": FILE.read_bytes()})


def said(node: Any) -> Iterator[str]:
    """Every key and every word below it."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield str(key)
            yield from said(value)
    elif isinstance(node, list):
        for item in node:
            yield from said(item)
    else:
        yield str(node)


def test_it_uses_every_word() -> None:
    kinds = {word for fields in words.KINDS.values() for word in fields}
    known = {
        *words.PATHWAY,
        *words.STEP,
        *kinds,
        *words.SEAT,
        *words.TRAITS,
        *words.LIMITS,
        *words.AREAS,
        *words.SILENCE,
        *SHIPPED.codes["ban"],
    }
    assert known - set(said(yaml.safe_load(FILE.read_text("utf-8")))) == set()


class EveryWord(Line):
    """The shipped policy and this procedure, which begins."""

    whole = WHOLE

    @initialize(
        gone=st.sets(st.sampled_from(sorted(SHIPPED.services)), max_size=25),
        places=st.dictionaries(st.sampled_from(PLACES), st.integers(0, 2)),
        first=traits,
        begins=st.just("every-word"),
        ahead=st.lists(st.tuples(chosen, st.sampled_from([0, 0, 1, 1, 2])), max_size=30),
    )
    def world(self, **drawn: Any) -> None:
        Line.world(self, **drawn)


TestEveryWord = EveryWord.TestCase
TestEveryWord.settings = settings(max_examples=25, stateful_step_count=40, suppress_health_check=list(HealthCheck), print_blob=True)


def test_every_promise_holds_on_long_walks_that_do_each_of_its_steps() -> None:
    asked, done = {step.id for pathway in WHOLE.current if pathway.id == "every-word" for step in pathway.asking}, set[str]()
    for seed in range(AT_MOST):
        if seed >= WALKS and asked <= done:
            return
        walk = Walk(seed, EveryWord(), "every-word")
        walk.go()
        done |= {event.step for _, _, _, events in walk.line.log for event in events if isinstance(event, e.StepDone)}
    raise AssertionError(f"never done: {sorted(asked - done)}")
