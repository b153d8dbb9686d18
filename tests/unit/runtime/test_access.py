"""The broker's access list follows from the topic cards, and from nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from referral.errors import Rejected
from referral.runtime import settings
from referral.runtime.kafka import access, clients
from referral.runtime.kafka.access import Act, Pattern, Resource, Rule
from referral.wire import topics
from referral.wire.topics import AGENCY, Topic

CARDS = topics.load(Path("schemas/avro/topics.yaml"))
SERVICES = {"intake", "routing", "notifier", "audit", "oversight", "eraser", "watchman"}


@dataclass(frozen=True)
class Line:
    """One name in one line of a card."""

    topic: str
    line: str
    who: str

    def without(self) -> dict[str, Topic]:
        """Return the cards without it."""
        card = CARDS[self.topic]
        return {**CARDS, self.topic: replace(card, **{self.line: tuple(who for who in getattr(card, self.line) if who != self.who)})}


LINES = [
    Line(topic, line, who)
    for topic, card in CARDS.items()
    for line in ("writers", "readers", "blind", "ends")
    for who in getattr(card, line)
]


def may(rules: frozenset[Rule], who: str, act: Act, topic: str) -> bool:
    """Return whether the rules let somebody do it, by the broker's own reading of them."""
    return any(
        rule.principal == f"User:{who}"
        and rule.act == act
        and rule.kind == Resource.TOPIC
        and (rule.name == topic if rule.pattern == Pattern.LITERAL else topic.startswith(rule.name))
        for rule in rules
    )


def test_each_topic_is_written_by_its_writers_and_read_by_its_readers_alone() -> None:
    rules = access.wanted(CARDS, ["school-drita"])
    for topic, card in CARDS.items():
        name = topic.replace(AGENCY, "school-drita")
        for who in SERVICES:
            assert may(rules, f"service.{who}", Act.WRITE, name) == (who in card.writers), (who, topic)
            assert may(rules, f"service.{who}", Act.READ, name) == (who in (*card.readers, *card.blind)), (who, topic)
            assert may(rules, f"service.{who}", Act.DESCRIBE, name) == (who in {*card.writers, *card.readers, *card.blind, *card.ends}), (
                who,
                topic,
            )
        assert may(rules, "operator", Act.READ, name) and not may(rules, "operator", Act.WRITE, name)


def test_an_agency_may_write_to_its_own_topic_and_touch_no_other() -> None:
    rules = access.wanted(CARDS, ["school-drita", "school-drita-2"])
    allowed = {(rule.name, rule.act) for rule in rules if rule.principal == "User:agency.school-drita"}
    assert allowed == {("ingress.school-drita", Act.WRITE), ("ingress.school-drita", Act.DESCRIBE)}


def test_nobody_may_create_delete_alter_or_have_a_transaction() -> None:
    rules = access.wanted(CARDS, ["school-drita"])
    assert {rule.act for rule in rules} == {Act.READ, Act.WRITE, Act.DESCRIBE, Act.DESCRIBE_CONFIGS}
    assert {rule.kind for rule in rules} == {Resource.TOPIC, Resource.GROUP}
    assert {rule.principal for rule in rules if rule.kind == Resource.GROUP} == {"User:service.oversight"}


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.topic}-{line.line}-{line.who}")
def test_every_name_of_every_line_makes_a_rule(line: Line) -> None:
    if line.who != AGENCY:  # that rule is made with the agency's topic
        assert access.wanted(line.without(), ["school-drita"]) < access.wanted(CARDS, ["school-drita"])


TOPIC, ANYBODY = Resource.TOPIC, "User:somebody"


@pytest.mark.parametrize(
    ("rule", "alone", "shared"),
    [
        (Rule(TOPIC, "referral-intake", Pattern.LITERAL, ANYBODY, Act.WRITE), True, False),
        (Rule(TOPIC, "*", Pattern.LITERAL, ANYBODY, Act.WRITE), True, True),
        (Rule(TOPIC, "ref", Pattern.PREFIXED, ANYBODY, Act.WRITE), True, False),
        (Rule(TOPIC, "t1.", Pattern.PREFIXED, ANYBODY, Act.READ), False, True),
        (Rule(TOPIC, "t1.referral-intake", Pattern.LITERAL, ANYBODY, Act.READ), False, True),
        (Rule(TOPIC, "t1.ingress.school-drita", Pattern.LITERAL, ANYBODY, Act.READ), False, True),
        (Rule(TOPIC, "somebody-elses", Pattern.LITERAL, ANYBODY, Act.WRITE), False, False),
        (Rule(5, "kafka-cluster", Pattern.LITERAL, ANYBODY, Act.WRITE), True, False),
    ],
)
def test_a_foreign_rule_goes_where_it_is_about_our_topics(rule: Rule, alone: bool, shared: bool) -> None:
    assert access.concerns(rule, CARDS) == alone
    assert access.concerns(rule, CARDS, "t1.") == shared


def test_a_rule_is_said_in_words() -> None:
    assert str(Rule(TOPIC, "ingress.", Pattern.PREFIXED, "User:service.intake", Act.READ)) == "User:service.intake may READ TOPIC ingress.…"
    forbids = Rule(4, "kafka-cluster", Pattern.LITERAL, ANYBODY, 12, permission=2)
    assert str(forbids) == "User:somebody may not act 12 resource 4 kafka-cluster"


async def test_the_clients_are_made_with_them(keeper: Path) -> None:
    made = settings.load({"REFERRAL_KAFKA": "localhost:1", "REFERRAL_DATABASE": "x://", "REFERRAL_MASTER_KEY_FILE": "k"})
    with pytest.raises(Rejected, match="REFERRAL_TLS"):
        clients.consumer(made)
    made = replace(made, tls=keeper)
    reader, writer = clients.consumer(made), clients.producer(made)
    told_to = (reader._enable_auto_commit, reader._auto_offset_reset, reader._isolation_level, reader._group_id)
    assert told_to == (False, "none", "read_committed", None)
    assert (writer._sender._acks, writer._txn_manager is not None, writer._txn_manager.transactional_id) == (-1, True, None)


async def test_beside_the_release_before_its_intake_may_write_keys_and_no_longer(monkeypatch: pytest.MonkeyPatch, keeper: Path) -> None:
    made = settings.load({"REFERRAL_KAFKA": "localhost:1", "REFERRAL_DATABASE": "x://"})
    brought = list[bool]()

    async def compared(_: object, cards: dict[str, Topic], *__: object) -> None:
        brought.append(may(access.wanted(cards, []), "service.intake", Act.WRITE, "referral-keys"))

    async def nothing(*_: object) -> list[str]:
        return []

    monkeypatch.setattr(access, "compared", compared)
    monkeypatch.setattr(access, "bring", nothing)
    monkeypatch.setattr("referral.runtime.kafka.quotas.differences", nothing)
    monkeypatch.setattr("referral.runtime.kafka.quotas.bring", nothing)
    for older in (True, False):
        await clients.allow(None, replace(made, beside_older=older), set())  # type: ignore[arg-type]
    assert brought == [True, False]
