"""Declare what each party that is taken over can stop and decide, and by which attacks: data alone.

`python -m tests.attacks stops [NAME…]` lets each party try each attack beside a canary (tests/attacks/stopping) and writes `stops.csv`,
from which docs/reference/taken-over.md has its columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

LIMIT_S = 5.0
"""Seconds: a line is stopped if the slowest hundredth of the canary's turns takes longer (ours, after the second trial by attackers)."""
GIVEN_UP_S = 8.0
"""Seconds after which a turn of the canary counts as one that never succeeded."""
TURNS = 30
"""Fewest turns of the canary beside one attack: one begins each second."""
FULL_MB_MINUTE = 35.0
"""Growth of the disk, MB a minute, above which 50 GB are full within a day: that is a stop as well."""


class Kind(StrEnum):
    """The kinds of a turn of the canary."""

    LINE = "refers, answers, is told"
    SIGN_IN = "signs in"
    REPORT = "reports on the public page"


class Attack(StrEnum):
    """An attack, by the name of its finding; NONE is the canary alone. CONNECTIONS is the last: it leaves a process that stays large."""

    NONE = "no attack"
    BROKER = "N1 broker"
    BROKER_HERE = "N1 broker, from the line's machine"
    DATABASE = "N2 database"
    SAVEPOINTS = "N2 savepoints"
    BYTES = "N4 bytes"
    GUESSES = "N6 guesses"
    CROWD = "N9 public page"
    FLOOD = "flood"
    CONNECTIONS = "N5 connections"


WORDS: Mapping[Attack, str] = {
    Attack.NONE: "the canary alone, which does everything that it does beside an attack",
    Attack.BROKER: "200 connections to each port of the broker announce requests of 100 MB, 9 MiB and 1 byte and never send them",
    Attack.BROKER_HERE: "the same from the address of the line itself, 9 MiB each: who has taken over a service is there",
    Attack.DATABASE: "locks, sorts on the disk, large objects, statistics, every connection that the role may have, and bells that ring",
    Attack.SAVEPOINTS: "nested savepoints, each with a row of its own, which fill the server's table of locks",
    Attack.BYTES: "as many bytes as the credential may store: urgent referrals of 320 KB, records of its topic, rows",
    Attack.GUESSES: "an officer's password is guessed, 40 times a second, by 200 addresses of 50 networks; the officer's browser is known",
    Attack.CROWD: "reports for a town and the country, 20 a second, by 200 addresses of 50 networks; the canary reports from elsewhere",
    Attack.FLOOD: "the same reports, 200 a second: each is refused at the price of a page",
    Attack.CONNECTIONS: "5,000 connections that say nothing, opened again 5 s after their end; 200 that have shown a certificate or cookie",
}
ASIDE: Mapping[Attack, tuple[Kind, ...]] = {
    Attack.NONE: (Kind.SIGN_IN, Kind.REPORT),
    Attack.GUESSES: (Kind.SIGN_IN,),
    Attack.CROWD: (Kind.REPORT,),
}
"""What the canary does beside the line's own work."""


@dataclass(frozen=True, slots=True)
class Begun:
    """The attack can be begun. stops: what it stops then, as declared; empty: nothing."""

    stops: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The attack cannot be begun. at: the step at which the line refuses it."""

    at: str


@dataclass(frozen=True, slots=True)
class Alike:
    """The attack needs nothing of this credential that another party has not: that one's cell counts. to: its name."""

    to: str = "a stranger"


@dataclass(frozen=True, slots=True)
class Absent:
    """The attack needs a place that the party does not have. why: in words; nothing is tried."""

    why: str


Cell = Begun | Refused | Alike | Absent


@dataclass(frozen=True, slots=True)
class Credential:
    """A party that is taken over.

    name: of the party.
    holds: what is stolen, in words.
    decides: what it can decide for others without a second word of anybody.
    proof: where that is proven, paths in this repository.
    cells: attack → what the party is declared to reach by it.
    password: role of the database. certificate: holder. token, cookie: whose.
    """

    name: str
    holds: str
    decides: str
    proof: tuple[str, ...]
    cells: Mapping[Attack, Cell]
    password: str = ""
    certificate: str = ""
    token: str = ""
    cookie: str = ""


TLS, PASSWORD, NO_TOKEN, NO_CERTIFICATE, NO_WRITE = (
    "TLS: no certificate",
    "password of a role",
    "401 unauthorized",
    "403 certificate-missing",
    "no right to write",
)
ELSEWHERE = Absent("runs on another machine")
ROWS = "needs a role of the database that may write"
FILLS = "fills the disk of all"
LOCKED = "everything, until that connection is ended"
_STRANGER: Mapping[Attack, Cell] = {
    Attack.NONE: Alike(),
    Attack.BROKER: Refused(TLS),
    Attack.BROKER_HERE: ELSEWHERE,
    Attack.DATABASE: Refused(PASSWORD),
    Attack.SAVEPOINTS: Refused(PASSWORD),
    Attack.BYTES: Refused(NO_TOKEN),
    Attack.GUESSES: Alike(),
    Attack.CROWD: Alike(),
    Attack.FLOOD: Alike(),
    Attack.CONNECTIONS: Alike(),
}
_CERTIFICATE: Mapping[Attack, Cell] = {**_STRANGER, Attack.BROKER: Begun(), Attack.CONNECTIONS: Begun()}
ROUTING = "routing"
_OURS: Mapping[Attack, Cell] = {**_CERTIFICATE, Attack.CONNECTIONS: Alike(ROUTING)}
"""Cells of whoever shows a certificate of our programs."""
_SERVICE: Mapping[Attack, Cell] = {
    **_CERTIFICATE,
    Attack.BROKER_HERE: Begun(),
    Attack.DATABASE: Begun(),
    Attack.SAVEPOINTS: Begun(LOCKED),
    Attack.BYTES: Begun(FILLS),
}


_ALIKE: Mapping[Attack, Cell] = {**_SERVICE, **dict.fromkeys((Attack.BROKER, Attack.BROKER_HERE, Attack.CONNECTIONS), Alike(ROUTING))}
"""Cells of the other services: what asks for a certificate of a service, and for none of its rights, is tried with routing's."""


def _service(name: str, decides: str, *proof: str) -> Credential:
    holds, cells = "its password and certificate, on its machine", _SERVICE if name == ROUTING else _ALIKE
    return Credential(name, holds, decides, proof, cells, password=name, certificate=f"service/{name}")


AGENCY = "school-gjakove"
"""The agency that is taken over; the canary's are others."""
OFFICER = "police-prizren.duty-officer"
"""The member of staff whose cookies are copied, and at whose login strangers guess."""
_NOTHING = "nothing"
CREDENTIALS = (
    Credential(
        "an agency",
        "token and certificate",
        "refers made-up children, answers for itself, excludes a party for half an hour",
        ("tests/integration/intake/test_second_party.py",),
        {**_CERTIFICATE, Attack.BYTES: Begun()},
        token=AGENCY,
        certificate=f"agency/{AGENCY}",
    ),
    Credential(
        "an agency's token",
        "the token alone",
        _NOTHING,
        ("tests/integration/runtime/test_tls.py",),
        {**_STRANGER, Attack.BYTES: Refused(NO_CERTIFICATE)},
        token=AGENCY,
    ),
    Credential(
        "an agency's certificate",
        "the certificate alone",
        "refers made-up children by its topic, unless the directory asks for its signature",
        ("tests/integration/runtime/test_broker_access.py",),
        {**_CERTIFICATE, Attack.BYTES: Begun()},
        certificate=f"agency/{AGENCY}",
    ),
    _service(
        "intake",
        "everything that a person may say at a door: makes accounts and sessions of any agency, sets any password",
        "referral/runtime/postgres/rights.yaml",
        "tests/integration/line/test_intake_stolen.py",
    ),
    _service(
        "routing",
        "offers any case to any agency, closes, cancels, until `verify` is run",
        "tests/unit/proof/test_verify.py",
    ),
    _service(
        "notifier",
        "who is told: switches people off in the roster, deletes numbers and messages that wait",
        "referral/runtime/postgres/rights.yaml",
    ),
    _service(
        "audit",
        "makes a session in any auditor's name; adds entries above the witnessed size",
        "referral/runtime/postgres/rights.yaml",
        "tests/attacks/history.py",
    ),
    _service("oversight", "makes a session in the Committee's name; releases figures", "referral/runtime/postgres/rights.yaml"),
    _service(
        "eraser", "destroys keys and rows of any case, a day after taking them out of use", "tests/integration/eraser/test_destroying.py"
    ),
    Credential(
        "the watchman",
        "its password and certificate",
        "whether operators are called",
        ("tests/integration/watchman/test_line.py",),
        {
            **_OURS,
            Attack.DATABASE: Begun(),
            Attack.SAVEPOINTS: Refused(NO_WRITE),
            Attack.BYTES: Refused(NO_WRITE),
        },
        password="watchman",
        certificate="service/watchman",
    ),
    Credential(
        "a witness",
        "its certificate and its own key",
        "nothing alone: a majority signs",
        ("tests/attacks/history.py",),
        _OURS,
        certificate="service/witness",
    ),
    Credential(
        "Prometheus",
        "its certificate, which reads metrics",
        "nothing: alerts come from Alertmanager alone",
        ("tests/unit/watchman/test_alerts.py",),
        _OURS,
        certificate="service/prometheus",
    ),
    Credential(
        "an operator who is not the keeper",
        "`doctor`'s certificate",
        "nothing: it reads every topic",
        ("tests/integration/runtime/test_broker_access.py",),
        _OURS,
        certificate="operator/doctor",
    ),
    Credential(
        "one operator's key",
        "the key alone",
        "what one may do: revokes tokens and certificates; the rest takes two",
        ("docs/decisions/0049-two-operators.md",),
        _STRANGER,
    ),
    Credential(
        "a staff cookie",
        "the session and the mark of the browser, copied",
        "answers for that agency; no address or alert of that person without the password",
        ("tests/integration/notifier/test_agency_own.py",),
        {
            **_STRANGER,
            Attack.BYTES: Begun(),
            Attack.CONNECTIONS: Begun(),
            Attack.GUESSES: Begun(),
        },
        cookie=OFFICER,
    ),
    Credential("a backup", "a copy of the database, of a standby or of the archive", _NOTHING, ("deploy/postgres/backup.sh",), _STRANGER),
    Credential("compose's `.env`", "the file beside compose.yaml", _NOTHING, ("deploy/compose",), _STRANGER),
    Credential("a Kubernetes service account", "none is mounted", _NOTHING, ("tests/deploy/kubernetes",), _STRANGER),
    Credential(
        "a stranger",
        "nothing",
        "which reports the desk reads: made-up ones",
        ("tests/unit/intake/public/test_limits.py",),
        {
            **_STRANGER,
            Attack.NONE: Begun(),
            Attack.CONNECTIONS: Begun(),
            Attack.GUESSES: Begun(),
            Attack.CROWD: Begun(),
            Attack.FLOOD: Begun(),
        },
    ),
)
STRANGER = CREDENTIALS[-1]
KEEPER = ("the keeper", "every certificate, both authorities, the master key", "everything", "everything")
"""The operator who has everything: nothing is tried."""


def tried(credentials: Iterable[Credential] = CREDENTIALS) -> list[tuple[Credential, Attack, Begun | Refused]]:
    """Return every cell that is tried, in the order of the page."""
    found = ((one, attack, cell) for one in credentials for attack, cell in one.cells.items())
    return [(one, attack, cell) for one, attack, cell in found if isinstance(cell, Begun | Refused)]
