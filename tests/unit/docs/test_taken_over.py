"""The table of what each could do that is taken over is read out of the tree: it is as generated, and a wall narrows its cells."""

from __future__ import annotations

import re

from referral.local.config import StackConfig, environment
from referral.runtime.settings import SERVICES
from tests.attacks import nobody_comes, pairs, taken_over
from tests.attacks.taken_over import AGENCY, INTAKE, MASTER, OPERATOR, OWN, PAGE, Party, parties

OUTSIDE = {
    "the disk": "a fault, and nobody's",
    "nobody: no token": "a stranger has nothing that could be taken over",
}
"""Powers of these attacks that no party has, each with the reason."""
REVIEW = {
    f"N{n}"
    for n in [
        "1",
        "2",
        "3",
        "3b",
        "4",
        "5",
        "7",
        "8",
        "9",
        "10",
        "10b",
        "11",
        "12",
        "14",
        "16",
        "19",
        "22",
        "23",
        "25",
        "26",
        "27",
        "28",
        "29",
    ]
} | {"T"}
"""Rows of the section about new attacks in the second review of the log."""


def given(**more: str) -> dict[str, dict[str, str]]:
    """The variables of each process of a stack, and further ones, where `{}` is its name."""
    found = {name: environment(StackConfig(), taken_over.addresses(), None if name == OPERATOR else name) for name in (*SERVICES, OPERATOR)}
    return {name: own | {key: value.format(name) for key, value in more.items()} for name, own in found.items()}


def by_name(found: list[Party]) -> dict[str, Party]:
    return {party.name: party for party in found}


def test_the_page_is_as_generated() -> None:
    assert PAGE.read_text("utf-8") == taken_over.page(), "write it anew: make generate"


def test_a_broker_that_knows_its_clients_narrows_the_topics() -> None:
    known = by_name(parties(given(REFERRAL_TLS="")))
    assert all(party.writes == known[OPERATOR].writes for party in known.values()), "it knows nobody"
    known = by_name(parties())
    assert known["notifier"].writes == {"referral-notification", "referral-quarantine"}
    assert "referral-keys" not in known["audit"].reads and not known["audit"].writes
    assert known[AGENCY].writes == {"ingress.<agency>"} and not known[AGENCY].reads
    assert [name for name, party in known.items() if party.policy] == [OPERATOR], "a local stack's, which has both signers' keys"
    assert [name for name, party in known.items() if party.erases] == [OPERATOR], "a local stack's, which has both approvers' keys"
    assert [name for name, party in known.items() if party.destroys] == ["eraser", OPERATOR]
    assert "referral-keys" not in known["intake"].writes and not known["eraser"].opens
    assert "broker" not in taken_over.powers(known["notifier"])
    assert taken_over.powers(known[AGENCY]) >= {"an agency on its own topic"} and "whoever reaches the broker" not in taken_over.powers(
        known[AGENCY]
    )


def test_a_secret_for_each_role_narrows_the_database() -> None:
    known = by_name(parties(given(REFERRAL_DATABASE_PASSWORD_FILE="passwords/{}")))
    assert {name: party.schemas for name, party in known.items() if name in SERVICES} == {name: {name} for name in SERVICES}
    assert [name for name, party in known.items() if party.file] == ["intake", OPERATOR]
    assert known["notifier"].sees == {"audit.logged", "intake.account", "keys.wrapped"}
    assert "one SQL statement on the database's clock" not in taken_over.powers(known["audit"])


def test_what_a_party_opens_follows_from_its_keys() -> None:
    """Also with every right in the database: a file opens with intake's keys or the master key, and with no other."""
    known = by_name(parties(given(REFERRAL_DATABASE_PASSWORD_FILE="one-for-all")))
    assert all(known[name].schemas == set(SERVICES) and known[name].opens == (name != "eraser") for name in SERVICES)
    assert [name for name, party in known.items() if party.file] == ["intake", OPERATOR]
    assert [name for name, party in known.items() if MASTER in party.secrets] == [OPERATOR]
    for more, opens, file in ((dict[str, str](), False, False), ({MASTER: "m"}, True, True), ({OWN: "services/intake"}, True, True)):
        one = by_name(parties(given() | {"routing": given()["routing"] | {OWN: ""} | more}))["routing"]
        assert (one.opens, one.file) == (opens, file) and INTAKE not in one.secrets


def test_every_power_is_one_of_an_attack_and_every_attack_is_somebodys() -> None:
    attacked = {attack.power for attack in taken_over.attacks()}
    weak = Party("nobody", frozenset(), frozenset(), frozenset(), frozenset(), frozenset())
    assert taken_over.powers(weak) == frozenset()
    held = {power for party in parties() for power in taken_over.powers(party)}
    assert attacked - held == set(OUTSIDE), "whose power is it?"
    assert held - attacked == set(), "no attack needs it"


def test_each_of_the_seven_powers_has_attacks_enough() -> None:
    every = taken_over.attacks()
    assert len(pairs.SEVEN) == 7
    for power in pairs.SEVEN:
        assert len({attack.what for attack in pairs.rows_of(power, every)}) >= pairs.LEAST, power
    taken = [one for names in pairs.SEVEN.values() for one in names]
    assert len(taken) == len(set(taken)) and set(taken) <= {attack.power for attack in every}


def test_every_row_of_the_second_review_is_an_attack() -> None:
    every = [*taken_over.attacks(), *nobody_comes.attacks()]
    named = {name for attack in every for name in re.findall(r"\((N\d+b?|T)\)", attack.what)}
    assert named == REVIEW


def test_every_pair_has_one_row_and_the_page_names_those_that_nobody_notices() -> None:
    assert pairs.missing() == set() and len(pairs.PAIRS) == 21
    page = PAGE.read_text("utf-8").partition("### Pairs that nobody notices\n")[2]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("| ")][1:]
    silent = {pair.power: [pair.can, pair.needed] for pair in pairs.PAIRS if pair.must == (pairs.NOBODY,)}
    assert {power: said for power, *said in rows} == silent and silent
    assert all(can and needed for can, needed in silent.values()), "what it reaches, and what would show it"


def test_a_pair_that_nobody_notices_is_red_once_somebody_does_and_the_other_way_round() -> None:
    def row(said: str, *must: str) -> pairs.Pair:
        return pairs.Pair(powers=("routing", "audit"), does=("one", "two"), run=lambda: {"verify": said}, must=must, says="WORD", can="x")

    assert row("", pairs.NOBODY).noticed()[pairs.NOBODY] and not row("entry 1", pairs.NOBODY).noticed()[pairs.NOBODY]
    assert row("a WORD", "verify").noticed()["verify"] and not row("another", "verify").noticed()["verify"]
