"""Limit how fast an agency's system may write to the broker, so that one of them cannot fill its disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.admin import DescribeClientQuotasRequest_v0
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Float64, Int16, Int32, Schema, String

from referral.runtime.kafka import access

BYTES_S = 64 * 1024
"""Bytes a second for one agency's system (ours, after the security review): 30 ordinary referrals a second, 16 s for the largest."""
PRODUCED = "producer_byte_rate"
USER, EXACT = "user", 0


async def differences(admin: AIOKafkaAdminClient, agencies: Iterable[str]) -> list[str]:
    """Return the principals of these agencies whose limit is missing or another one. KafkaError: the broker refused."""
    return [who for who in sorted(map(access.agency, agencies)) if (await _held(admin, who)).get(PRODUCED) != BYTES_S]


async def bring(admin: AIOKafkaAdminClient, principals: list[str]) -> None:
    """Set the limit of these principals. KafkaError: the broker refused."""
    if principals:
        entries = [([(USER, who)], [(PRODUCED, float(BYTES_S), False)]) for who in principals]
        answer = await admin._send_to_controller(_Alter(entries))
        for code, *_ in answer.entries:
            if code:
                raise KafkaError(f"cannot limit an agency: {for_code(code).__name__}")


async def _held(admin: AIOKafkaAdminClient, principal: str) -> Mapping[str, float]:
    answer = await admin._send_request(_Describe([(USER, EXACT, principal)]))
    if answer.error_code:
        raise KafkaError(f"cannot see the limits of agencies: {for_code(answer.error_code).__name__}")
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
