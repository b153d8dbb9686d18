"""What holds for every sequence of inputs, under every procedure of the policy, in a directory with random holes."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant
from msgspec import structs as msgstructs

from referral.domain import events as e
from tests.harness.two_cases.moves import AGREE, Moves, chosen, traits
from tests.harness.two_cases.promises import excluded_keeps_only_a_duty_that_waits, held_once, nothing_forbidden_is_asked
from tests.harness.two_cases.world import CASES, SHIPPED

PLACES = sorted(id for id, service in SHIPPED.services.items() if service.places is not None)


class Line(Moves):
    """The shipped policy."""

    @initialize(
        gone=st.sets(st.sampled_from(sorted(SHIPPED.services)), max_size=25),
        places=st.dictionaries(st.sampled_from(PLACES), st.integers(0, 2)),
        first=traits,
        begins=st.sampled_from([pathway.id for pathway in SHIPPED.current]),
        ahead=st.lists(st.tuples(chosen, st.sampled_from([0, 0, 2, 2, 1])), max_size=30),
    )
    def world(self, gone: set[str], places: Mapping[str, int], first: e.Traits, begins: str, ahead: list[tuple[int, int]]) -> None:
        """A head start along one procedure, so that its later steps are reached as often as its first."""
        self.hollow(gone, places)
        pathway = next(p for p in self.whole.current if p.id == begins)
        fits = {}
        for group in pathway.applies:
            name, _, value = min(group).partition("=")
            fits[name] = (value,) if name == "flags" else value
        self.put(CASES[0], self.referral(msgstructs.replace(first, **fits), AGREE))
        for pick, code in ahead:
            self.helpful_answer(CASES[0], pick, code)

    @invariant()
    def places_are_never_oversold(self) -> None:
        for id, service in self.policy.services.items():
            if service.places is not None:
                assert self.free(id) >= 0, id

    @invariant()
    def every_seat_is_held_once_by_who_may_have_it(self) -> None:
        for case in self.cases.values():
            if case is not None:
                held_once(case)
                nothing_forbidden_is_asked(case, self.policy)
                excluded_keeps_only_a_duty_that_waits(case, self.policy)


TestLine = Line.TestCase
TestLine.settings = settings(max_examples=60, stateful_step_count=50, suppress_health_check=list(HealthCheck), print_blob=True)
