"""The checks of `referral doctor` that may warn: a wall that is not up, what ends soon, and a log that is signed at once."""

from __future__ import annotations

import pytest

from referral.cli.admin.doctor import exit_code
from referral.cli.admin.doctor_checks import AUDITOR_TOKEN_DAYS, Result, events, knocks, leases, places, tokens
from referral.cli.admin.doctor_probe import Lease, Service, Vitals
from referral.cli.admin.doctor_wall_checks import certificates, walls
from referral.cli.admin.doctor_walls import Walls
from referral.cli.vitals.reading import States
from referral.domain.durations import DAY_US

NOW = 1_000 * DAY_US
MISSING = ("writers: a record needs no signature of its service (A3)", "approvers: intake alone erases (A1)")


def vitals(**more: object) -> Vitals:
    """A line of which these checks read nothing else."""
    empty: dict[str, object] = dict.fromkeys(Vitals.__struct_fields__)
    return Vitals(**{**empty, "now": NOW, "ahead": 0, "tokens": [], "walls": Walls(), **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "result", "said"),
    [
        (Walls(real=True), Result.GOOD, ""),
        (Walls(real=True, off=MISSING), Result.BAD, "trust.toml puts off writers: a record needs no signature of its service (A3); "),
        (Walls(off=MISSING[1:]), Result.WARN, "puts off approvers"),
        (Walls(real=True, pause=1.2), Result.WARN, "as soon as anything is logged (1.2 s apart)"),
        (Walls(real=True, pause=300.0), Result.GOOD, ""),
        (
            Walls(code=("trigger gone on audit.reading: no migration made it",)),
            Result.BAD,
            "the database runs what is not ours: trigger gone",
        ),
        (Walls(pause=1.2), Result.GOOD, "drills tell nothing of a child"[:0]),
    ],
)
def test_a_wall_that_is_not_up_is_red_beside_real_cases_and_a_beat_of_nought_is_named(facts: Walls, result: Result, said: str) -> None:
    found = walls(vitals(walls=facts))
    assert found.result is result and said in found.said
    assert bool(found.do) == (result is not Result.GOOD)


@pytest.mark.parametrize(
    ("days", "result"), [(-1, Result.BAD), (0, Result.BAD), (1, Result.WARN), (29, Result.WARN), (30, Result.GOOD), (90, Result.GOOD)]
)
def test_what_ends_within_a_month_is_a_warning_and_red_once_it_has_ended(days: int, result: Result) -> None:
    found = certificates(vitals(walls=Walls(ends={"a list of revoked certificates": NOW + days * DAY_US})))
    assert found.result is result and ("a list of revoked certificates" in found.said) == (result is not Result.GOOD)
    assert exit_code([found]) == (1 if result is Result.BAD else 0)
    made = NOW + days * DAY_US - AUDITOR_TOKEN_DAYS * DAY_US
    assert tokens(vitals(tokens=[("ombudsperson", made)])).result is result
    newer = [("ombudsperson", made), ("ombudsperson", NOW - DAY_US)]
    assert tokens(vitals(tokens=newer)).result is Result.GOOD, "the newest token counts"
    assert tokens(vitals(tokens=[("ombudsperson", NOW - (AUDITOR_TOKEN_DAYS + 14) * DAY_US)])).result is Result.GOOD, "it reads no more"


def test_a_unit_that_does_not_go_on_is_bad_although_it_has_an_owner() -> None:
    """Everything was "good" beside an intake that was stopped as `rewound-sql` and answered /readyz with false."""
    lease = Lease(unit="p3", owner="intake-1", held=True, positions={})

    def intake(stopped: str) -> Service:
        return Service(name="intake", alive={"intake-1": stopped}, leases=(lease,), outbox=(), queue=(0, None))

    assert leases(vitals(services={"intake": intake("")})).result is Result.GOOD
    found = leases(vitals(services={"intake": intake("rewound-sql: p3")}))
    assert (
        found.result is Result.BAD and found.said == "intake (intake-1) does not go on: rewound-sql: p3" and "referral recover" in found.do
    )


def test_an_altered_security_event_is_bad() -> None:
    assert events(vitals(altered=[])).result is Result.GOOD
    found = events(vitals(altered=["event 17 is not as entry 9 sealed it"]))
    assert found.result is Result.BAD and "event 17" in found.said


def test_a_pause_of_sending_is_a_warning() -> None:
    assert knocks(vitals(paused=None)).result is Result.GOOD
    found = knocks(vitals(paused=NOW))
    assert found.result is Result.WARN and "nobody is woken" in found.said and "referral duty resume" in found.do


SIGNED = {"linden.beds": 1, "bridge.beds": 4}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"linden.beds": (1, 0), "bridge.beds": (4, 0)}, ""),
        ({"linden.beds": (1, 0), "bridge.beds": (4, 0), "closed.beds": (0, 0)}, ""),
        ({"linden.beds": (0, 0), "bridge.beds": (4, 0)}, "linden.beds: 0 places by the row, 1 by the policy"),
        ({"linden.beds": (9, 0), "bridge.beds": (4, 0)}, "linden.beds: 9 places by the row, 1 by the policy"),
        ({"linden.beds": (1, 0), "bridge.beds": (4, 0), "more.beds": (7, 0)}, "more.beds: 7 places by the row, 0 by the policy"),
        ({"bridge.beds": (4, 0)}, "linden.beds: no row, 1 places by the policy"),
    ],
)
def test_a_capacity_that_the_policy_does_not_say_is_bad(rows: dict[str, tuple[int, int]], said: str) -> None:
    """N3b: one SQL statement makes a shelter full."""
    found = places(vitals(states=States(), places=rows, capacities=SIGNED))
    assert found.result is (Result.BAD if said else Result.GOOD)
    assert said in found.said and ("by SQL" in found.do) is bool(said)
    assert places(vitals(states=States(), places=rows, capacities=None)).result is Result.GOOD, "`policy` says that there is none"
