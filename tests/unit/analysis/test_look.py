"""A look tells municipalities apart by what a way has read of them, and by nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs

from referral.analysis.reachability.classes import USUAL, Circumstance
from referral.analysis.reachability.tasks import Look, People
from referral.analysis.reachability.watched import END, Facet, watched
from referral.domain.durations import HOUR_US
from referral.domain.events import Reach
from referral.domain.policy import Policy
from referral.domain.policy.directory import Hours, Service
from tests.stories.teller import policy

SHIPPED = policy()
CHILD = next(pathway for pathway in SHIPPED.current if pathway.id == "trafficking-child")
ONE, OTHER = "decan", "rahovec"
LOCAL = (("child-rights-coordinator",), ("found-in",))
"""A list of the municipality alone."""
CHIEF = (("social-worker",), ("found-in",))


def service(place: str, **changes: object) -> Service:
    """A second coordinator of a municipality, the last in its order."""
    usual = Service(f"zz-{place}.desk", f"zz-{place}", frozenset(LOCAL[0]), frozenset(), frozenset({place}), (0, 120), frozenset(), None)
    return replace(usual, **changes)  # type: ignore[arg-type]


def with_two(agency: dict[str, object], changed: dict[str, object]) -> Policy:
    """The shipped policy with two further coordinators, one of them changed."""
    copied = SHIPPED.agencies[f"coordinator-{ONE}"]
    added = [service(ONE), service(OTHER, **changed)]
    agencies = {
        f"zz-{ONE}": replace(copied, id=f"zz-{ONE}", reach=Reach.WEB),
        f"zz-{OTHER}": replace(copied, **{"id": f"zz-{OTHER}", "reach": Reach.WEB, **agency}),  # type: ignore[arg-type]
    }
    every = {one.id: one for one in (*SHIPPED.services.values(), *added)}
    return replace(SHIPPED, services=every, agencies={**SHIPPED.agencies, **agencies})


def looks(policy: Policy) -> tuple[Look, Look]:
    """Return what a girl finds in the two municipalities."""
    person = People(policy).person((CHILD,), Circumstance(structs.replace(USUAL, age_band="12-14"), None))
    return person.look(ONE, ""), person.look(OTHER, "")


def agree(policy: Policy, *lists: tuple[tuple[tuple[str, ...], tuple[str, ...]], int]) -> bool:
    """Return True when the two municipalities look the same to a way that has read these lists so far."""
    one, other = looks(policy)
    read = one.read(dict(lists))
    return one.key(read) == other.key(read)


def test_municipalities_that_differ_in_names_alone_look_the_same() -> None:
    assert agree(with_two({}, {}), (LOCAL, END), (CHIEF, END))


@pytest.mark.parametrize(
    ("agency", "changed"),
    [
        ({"hours": Hours((0, 1, 2, 3, 4), 8 * HOUR_US, 16 * HOUR_US)}, {}),
        ({}, {"places": 1}),
        ({}, {"tags": frozenset({"detention"})}),
        ({}, {"ages": (18, 120)}),
        ({}, {"sexes": frozenset({"male"})}),
        ({}, {"places": 0}),
        ({}, {"agency": f"csw-{OTHER}"}),
    ],
)
def test_what_makes_a_difference_is_seen_once_it_is_read(agency: dict[str, object], changed: dict[str, object]) -> None:
    changed_one = with_two(agency, changed)
    assert agree(changed_one, (LOCAL, 1), (CHIEF, 1)), "only the first of each list was read"
    assert not agree(changed_one, (LOCAL, END), (CHIEF, 1))


@pytest.mark.parametrize(
    ("what", "agency", "changed"),
    [
        (Facet.REACH, {"reach": Reach.PHONE}, {}),
        (Facet.REACH, {"ladder": ("focal-point", "back-up", "duty")}, {}),
        (Facet.ROLES, {}, {"roles": frozenset({*LOCAL[0], "victim-advocate"})}),
        (Facet.SKILLS, {}, {"tags": frozenset({"trained-interviewer"})}),
        (Facet.PLACES, {}, {"places": 2}),
    ],
)
def test_what_is_read_closely_makes_a_difference_where_it_was(what: Facet, agency: dict[str, object], changed: dict[str, object]) -> None:
    policy = with_two(agency, changed)
    if what is Facet.PLACES:
        policy = replace(policy, services={**policy.services, f"zz-{ONE}.desk": service(ONE, places=1)})
    lists = (LOCAL, END), (CHIEF, END)
    assert agree(policy, *lists)
    for other in Facet:
        assert agree(policy, *lists, (((), (f"zz-{ONE}", other)), END)) is (other is not what)
        assert agree(policy, *lists, (((), (f"coordinator-{ONE}", other)), END)), "of another agency"


@pytest.mark.parametrize("changed", [{"tags": frozenset({"parking"})}, {"roles": frozenset({*LOCAL[0], "nobody-asks-for-it"})}])
def test_what_no_procedure_names_makes_no_difference(changed: dict[str, object]) -> None:
    assert agree(with_two({}, changed), (LOCAL, END), (CHIEF, END))


def test_places_beyond_two_make_no_difference() -> None:
    many = with_two({}, {"places": 2})
    more = {**many.services, f"zz-{ONE}.desk": service(ONE, places=30)}
    assert agree(replace(many, services=more), (LOCAL, END), (((), (f"zz-{ONE}", Facet.PLACES)), END))


def test_a_list_is_recorded_as_far_as_it_is_read() -> None:
    copy = watched(SHIPPED)
    wanted = (("social-worker",), ("found-in", "neighbour"))
    every = SHIPPED.order(*wanted, ONE, "")
    assert len(every) > 2
    copy.watch({})
    order = iter(copy.order(*wanted, ONE, ""))
    assert copy.lists == {wanted: 0}
    assert (next(order), next(order)) == every[:2] and copy.lists == {wanted: 2}
    next(iter(copy.order(*wanted, ONE, "")))
    assert copy.lists == {wanted: 2}, "a second reader that stops earlier hides nothing"
    assert tuple(copy.order(*wanted, ONE, "")) == every and copy.lists == {wanted: END}
    copy.watch({})
    assert not copy.order(("nobody",), ("found-in",), ONE, "") and bool(copy.order(*wanted, ONE, ""))
    assert copy.lists == {(("nobody",), ("found-in",)): END, wanted: END}, "whether there is one: read to the end"


def test_services_that_no_such_person_can_get_do_not_count_as_read() -> None:
    grown = with_two({}, {"ages": (18, 120)})
    one, other = looks(grown)
    number = len(grown.order(*LOCAL, OTHER, ""))
    assert other.read({LOCAL: number}).lists == ((LOCAL, number - 1),)
    assert one.read({LOCAL: number}).lists == ((LOCAL, number),)
