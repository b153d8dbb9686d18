"""Compute the broker's access list from the topic cards, and bring a broker to it: who may write, read, and see the length of what.

A principal is the name that the broker makes of a certificate: `service.intake`, `agency.school-drita`, `operator`. The keeper and the
broker itself are super users, to whom no rule applies. There is no rule that forbids: what no rule allows is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.admin import CreateAclsRequest_v1, DeleteAclsRequest_v1, DescribeAclsRequest
from aiokafka.protocol.api import Request

from referral.wire.topics import AGENCY, INGRESS, Topic

OPERATOR = "operator"
"""The principal of every operator but the keeper: may read, and change nothing."""
WORKER = "oversight"
"""The service whose library needs a consumer group of its own at each start; the group is named `oversight-<instance>`."""
ANY, ALLOW, EVERYWHERE = 1, 3, "*"


class Resource(IntEnum):
    """Kinds of things that a rule is about, with the broker's numbers."""

    TOPIC = 2
    GROUP = 3


class Pattern(IntEnum):
    """Reach of a rule: one thing, or all whose names begin so."""

    LITERAL = 3
    PREFIXED = 4


class Act(IntEnum):
    """Operations of the broker that our rules allow."""

    READ = 3
    WRITE = 4
    DESCRIBE = 8
    DESCRIBE_CONFIGS = 10


class Rule(NamedTuple):
    """One line of the access list. The numbers are the broker's, so that a foreign rule can be said too."""

    kind: int
    name: str
    pattern: int
    principal: str
    act: int
    host: str = EVERYWHERE
    permission: int = ALLOW

    def __str__(self) -> str:
        """Return the rule as one reads it: `service.audit may READ referral-intake`."""
        words = [_word(Act, self.act), _word(Resource, self.kind), self.name + ("…" if self.pattern == Pattern.PREFIXED else "")]
        return f"{self.principal} {'may' if self.permission == ALLOW else 'may not'} {' '.join(words)}"


def _word(kind: type[IntEnum], number: int) -> str:
    return next((one.name for one in kind if one == number), f"{kind.__name__.lower()} {number}")


def service(name: str) -> str:
    """Return the principal of one of our services."""
    return f"service.{name}"


def agency(name: str) -> str:
    """Return the principal of an agency's system."""
    return f"agency.{name}"


def wanted(cards: Mapping[str, Topic], agencies: Iterable[str], prefix: str = "") -> frozenset[Rule]:
    """Return every rule that the broker must have.

    cards: of all topics. agencies: those with a topic of their own. prefix: of this stack's topics.
    """
    rules: set[Rule] = set()
    for name, card in cards.items():
        own = INGRESS in name
        topic, pattern = (prefix + INGRESS, Pattern.PREFIXED) if own else (prefix + name, Pattern.LITERAL)
        may: list[tuple[str, Act]] = [(OPERATOR, act) for act in (Act.READ, Act.DESCRIBE, Act.DESCRIBE_CONFIGS)]
        may += [(service(one), act) for one in (*card.readers, *card.blind) for act in (Act.READ, Act.DESCRIBE)]
        may += [(service(one), Act.DESCRIBE) for one in card.ends]
        may += [(service(one), act) for one in card.writers if one != AGENCY for act in (Act.WRITE, Act.DESCRIBE)]
        rules |= {Rule(Resource.TOPIC, topic, pattern, f"User:{who}", act) for who, act in may}
    for one in agencies:
        rules |= ingress(one, prefix)
    group = Rule(Resource.GROUP, f"{WORKER}-", Pattern.PREFIXED, f"User:{service(WORKER)}", Act.READ)
    return frozenset(rules | {group})


def ingress(name: str, prefix: str = "") -> frozenset[Rule]:
    """Return the rules of one agency's own topic: its system may write there, and nowhere else."""
    topic = prefix + INGRESS + name
    return frozenset(Rule(Resource.TOPIC, topic, Pattern.LITERAL, f"User:{agency(name)}", act) for act in (Act.WRITE, Act.DESCRIBE))


def concerns(rule: Rule, cards: Mapping[str, Topic], prefix: str = "") -> bool:
    """Return whether a rule that the broker has is about us, so that it must be wanted or go.

    With a prefix the broker has other users, whose groups and transactions are not ours; without one it is ours alone.
    """
    if rule.kind != Resource.TOPIC:
        return not prefix
    if rule.name == EVERYWHERE:
        return True
    if rule.pattern == Pattern.PREFIXED:
        return (prefix + INGRESS).startswith(rule.name) or any((prefix + name).startswith(rule.name) for name in cards)
    return rule.name.startswith(prefix + INGRESS) or (rule.name.removeprefix(prefix) in cards and rule.name.startswith(prefix))


class Difference(NamedTuple):
    """Rules that a broker lacks, and rules that it has beside those that are wanted."""

    missing: frozenset[Rule]
    extra: frozenset[Rule]


async def compared(admin: AIOKafkaAdminClient, cards: Mapping[str, Topic], there: Iterable[str], prefix: str = "") -> Difference:
    """Compare the broker's rules with the cards. there: names of all topics of the broker. KafkaError: it has no access list."""
    agencies = [name.removeprefix(prefix + INGRESS) for name in there if name.startswith(prefix + INGRESS)]
    right, has = wanted(cards, agencies, prefix), await held(admin)
    return Difference(right - has, frozenset(rule for rule in has - right if concerns(rule, cards, prefix)))


async def held(admin: AIOKafkaAdminClient) -> frozenset[Rule]:
    """Return every rule that the broker has. KafkaError: it has no access list, or we may not see it."""
    answer = await admin._send_request(DescribeAclsRequest(ANY, None, ANY, None, None, ANY, ANY))
    _check(answer.error_code, "see the access list")
    return frozenset(
        Rule(kind, name, pattern, principal, act, host, permission)
        for kind, name, pattern, rules in answer.resources
        for principal, host, act, permission in rules
    )


async def bring(admin: AIOKafkaAdminClient, differs: Difference) -> None:
    """Add the missing rules, then remove the others. KafkaError: the broker refused."""
    if differs.missing:
        answer = await admin._send_to_controller(_Create([(r.kind, r.name, r.pattern, *_rest(r)) for r in sorted(differs.missing)]))
        for code, _ in answer.creation_responses:
            _check(code, "add a rule to the access list")
    if differs.extra:
        answer = await admin._send_to_controller(_Delete([(r.kind, r.name, r.pattern, *_rest(r)) for r in sorted(differs.extra)]))
        for code, *_ in answer.filter_responses:
            _check(code, "remove a rule from the access list")


async def forget(admin: AIOKafkaAdminClient, topic_names: Iterable[str]) -> None:
    """Remove every rule about these topics, or about names that begin so."""
    filters = [(Resource.TOPIC, name, pattern, None, None, ANY, ANY) for name in topic_names for pattern in Pattern]
    if filters:
        await admin._send_to_controller(_Delete(filters))


def _rest(rule: Rule) -> tuple[str, str, int, int]:
    return rule.principal, rule.host, rule.act, rule.permission


def _check(code: int, what: str) -> None:
    if code:
        raise KafkaError(f"cannot {what}: {for_code(code).__name__}")


class _Create(Request[CreateAclsRequest_v1]):  # type: ignore[misc]
    """Many rules in one request; aiokafka's own takes one, whose field of the pattern it names like a filter's."""

    API_KEY = CreateAclsRequest_v1.API_KEY

    def __init__(self, rules: list[Any]) -> None:
        self._rules = rules

    def build(self, request_struct_class: type[CreateAclsRequest_v1]) -> CreateAclsRequest_v1:
        return request_struct_class(self._rules)


class _Delete(Request[DeleteAclsRequest_v1]):  # type: ignore[misc]
    """Many filters in one request."""

    API_KEY = DeleteAclsRequest_v1.API_KEY

    def __init__(self, filters: list[Any]) -> None:
        self._filters = filters

    def build(self, request_struct_class: type[DeleteAclsRequest_v1]) -> DeleteAclsRequest_v1:
        return request_struct_class(self._filters)
