"""The checks of `referral doctor` that may warn: a wall that is not up, what ends soon, and a log that is signed at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from referral.cli.admin.doctor.checks import alarms, leases, outbox, places
from referral.cli.admin.doctor.command import exit_code
from referral.cli.admin.doctor.facts import Facts, Lease, Service
from referral.cli.admin.doctor.installation import AUDITOR_TOKEN_DAYS, certificates, events, knocks, tokens, walls
from referral.cli.admin.doctor.reading import States
from referral.cli.admin.doctor.result import Result
from referral.domain.durations import DAY_US, SECOND_US

NOW = 1_000 * DAY_US
MISSING = ["trust.toml puts off writers: a record needs no signature of its service (A3)", "trust.toml puts off approvers: (A1)"]


@pytest.mark.parametrize(
    ("real", "off", "code", "pause_s", "result", "said"),
    [
        (True, [], (), None, Result.GOOD, ""),
        (True, MISSING, (), None, Result.BAD, "trust.toml puts off writers: a record needs no signature of its service (A3); "),
        (False, MISSING[1:], (), None, Result.WARN, "puts off approvers"),
        (True, [], (), 1.2, Result.WARN, "as soon as anything is logged (1.2 s apart)"),
        (True, [], (), 300.0, Result.GOOD, ""),
        (False, [], ("trigger gone on audit.reading",), None, Result.BAD, "the database runs what is not ours: trigger gone"),
        (False, [], (), 1.2, Result.GOOD, ""),
    ],
)
def test_a_wall_that_is_not_up_is_red_beside_real_cases_and_a_beat_of_nought_is_named(
    real: bool, off: list[str], code: tuple[str, ...], pause_s: float | None, result: Result, said: str
) -> None:
    found = walls(off, code, pause_s, real)
    assert found.result is result and said in found.said
    assert bool(found.do) == (result is not Result.GOOD)


@pytest.mark.parametrize(
    ("days", "result"), [(-1, Result.BAD), (0, Result.BAD), (1, Result.WARN), (29, Result.WARN), (30, Result.GOOD), (90, Result.GOOD)]
)
def test_what_ends_within_a_month_is_a_warning_and_red_once_it_has_ended(days: int, result: Result) -> None:
    end = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=NOW + days * DAY_US)
    found = certificates({"a list of revoked certificates": end}, NOW)
    assert found.result is result and ("a list of revoked certificates" in found.said) == (result is not Result.GOOD)
    assert exit_code([found]) == (1 if result is Result.BAD else 0)
    made = NOW + days * DAY_US - AUDITOR_TOKEN_DAYS * DAY_US
    assert tokens([("ombudsperson", made)], NOW).result is result
    newer = [("ombudsperson", NOW - DAY_US), ("ombudsperson", made)]
    assert tokens(newer, NOW).result is Result.GOOD, "the newest token counts"
    assert tokens([("ombudsperson", NOW - (AUDITOR_TOKEN_DAYS + 14) * DAY_US)], NOW).result is Result.GOOD, "it reads no more"


def test_a_unit_that_does_not_go_on_is_bad_although_it_has_an_owner() -> None:
    """Everything was "good" beside an intake that was stopped as `rewound-sql` and answered /readyz with false."""
    lease = Lease(unit="p3", held=True, positions={})

    def intake(stopped: str) -> Service:
        return Service(name="intake", alive={"intake-1": stopped}, leases=(lease,), outbox=(), queue=(0, None))

    assert leases(Facts(now=NOW, services={"intake": intake("")})).result is Result.GOOD
    found = leases(Facts(now=NOW, services={"intake": intake("rewound-sql: p3")}))
    assert (
        found.result is Result.BAD and found.said == "intake (intake-1) does not go on: rewound-sql: p3" and "referral recover" in found.do
    )


def test_what_waits_for_its_topic_or_for_its_turn_is_bad_at_the_limit_of_the_alert_rule() -> None:
    def waiting(since: int) -> Facts:
        service = Service(name="intake", alive={}, leases=(), outbox=((3, 1, since),), queue=(0, None))
        return Facts(now=NOW, services={"intake": service}, late={"c": since - 90 * SECOND_US})

    assert outbox(waiting(NOW - 30 * SECOND_US)).result is alarms(waiting(NOW - 30 * SECOND_US)).result is Result.GOOD
    assert outbox(waiting(NOW - 31 * SECOND_US)).said == "1 records of intake p3 wait for 31 s"
    assert alarms(waiting(NOW - 31 * SECOND_US)).said == "alarm of case c is overdue by 121 s"


def test_an_altered_security_event_is_bad() -> None:
    assert events([]).result is Result.GOOD
    found = events(["event 17 is not as entry 9 sealed it"])
    assert found.result is Result.BAD and "event 17" in found.said


def test_a_pause_of_sending_is_a_warning() -> None:
    assert knocks(None).result is Result.GOOD
    found = knocks(NOW)
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
    found = places(Facts(now=NOW, states=States(), places=rows, capacities=SIGNED))
    assert found.result is (Result.BAD if said else Result.GOOD)
    assert said in found.said and ("by SQL" in found.do) is bool(said)
    assert places(Facts(now=NOW, states=States(), places=rows, capacities=None)).result is Result.GOOD, "`policy` says that there is none"
