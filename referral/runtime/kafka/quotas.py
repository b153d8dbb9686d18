"""Limit how fast an agency's system or a service may write to the broker, so that none of them fills its disk within minutes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.admin import DescribeClientQuotasRequest_v0
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Float64, Int16, Int32, Schema, String

from referral.runtime.kafka import access
from referral.wire.topics import AGENCY, Topic

AGENCY_BYTES_S = 64 * 1024
"""Bytes a second for one agency's system (ours, after the security review): 30 ordinary referrals a second, 16 s for the largest."""
SERVICE_BYTES_S = 32 * 1024 * 1024
"""Bytes a second for all instances of one service (ours): 45,000 events of 700 bytes, above what two processes were measured to decide, so
that what has waited for a broker is published as fast as before. The keeper, who rebuilds topics, has no limit."""
PRODUCED = "producer_byte_rate"
USER, EXACT = "user", 0


def wanted(cards: Iterable[Topic], agencies: Iterable[str]) -> dict[str, int]:
    """Return principal → bytes a second of everybody who may write. cards: of all topics. agencies: those with a topic of their own."""
    writers = {name for card in cards for name in card.writers if name != AGENCY}
    return {access.service(name): SERVICE_BYTES_S for name in writers} | {access.agency(name): AGENCY_BYTES_S for name in agencies}


async def differences(admin: AIOKafkaAdminClient, right: Mapping[str, int]) -> dict[str, int]:
    """Return principal → bytes a second where the broker has no limit or another one. KafkaError: the broker refused."""
    return {who: right[who] for who in sorted(right) if (await _held(admin, who)).get(PRODUCED) != right[who]}


async def bring(admin: AIOKafkaAdminClient, limits: Mapping[str, int]) -> None:
    """Set the limits of these principals. KafkaError: the broker refused."""
    if limits:
        entries = [([(USER, who)], [(PRODUCED, float(limit), False)]) for who, limit in limits.items()]
        answer = await admin._send_to_controller(_Alter(entries))
        for code, *_ in answer.entries:
            if code:
                raise KafkaError(f"cannot limit who writes: {for_code(code).__name__}")


async def _held(admin: AIOKafkaAdminClient, principal: str) -> Mapping[str, float]:
    answer = await admin._send_request(_Describe([(USER, EXACT, principal)]))
    if answer.error_code:
        raise KafkaError(f"cannot see the limits of writers: {for_code(answer.error_code).__name__}")
    return {name: value for _, values in answer.entries for name, value in values}


class _Describe(Request[DescribeClientQuotasRequest_v0]):  # type: ignore[misc]
    API_KEY = DescribeClientQuotasRequest_v0.API_KEY

    def __init__(self, components: list[tuple[str, int, str]]) -> None:
        self._components = components

    def build(self, request_struct_class: type[DescribeClientQuotasRequest_v0]) -> DescribeClientQuotasRequest_v0:
        return request_struct_class(self._components, True)


class _AlterResponse(Response):  # type: ignore[misc]
    API_KEY = 49
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "entries",
            Array(
                ("error_code", Int16),
                ("error_message", String("utf-8")),
                ("entity", Array(("entity_type", String("utf-8")), ("entity_name", String("utf-8")))),
            ),
        ),
    )


class _AlterRequest(RequestStruct):  # type: ignore[misc]
    """AlterClientQuotas (KIP-546), which aiokafka lacks."""

    API_KEY = 49
    API_VERSION = 0
    RESPONSE_TYPE: ClassVar[type[Response]] = _AlterResponse
    SCHEMA = Schema(
        (
            "entries",
            Array(
                ("entity", Array(("entity_type", String("utf-8")), ("entity_name", String("utf-8")))),
                ("ops", Array(("key", String("utf-8")), ("value", Float64), ("remove", Boolean))),
            ),
        ),
        ("validate_only", Boolean),
    )


class _Alter(Request[_AlterRequest]):  # type: ignore[misc]
    API_KEY = 49

    def __init__(self, entries: list[Any]) -> None:
        self._entries = entries

    def build(self, request_struct_class: type[_AlterRequest]) -> _AlterRequest:
        return request_struct_class(self._entries, False)
