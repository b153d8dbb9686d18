"""Whether a trunk is there, without a call: a telephone (baresip) answers OPTIONS by UDP, any server a connection, a dead one neither."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from referral.local import ports
from services.watchman.reach import Server, answers
from tests.harness import smtp
from tests.harness.telephone import absent, telephone

NAME = "3f0a91bc-0000-4000-8000-000000000000"


async def test_a_trunk_by_udp_answers_and_its_absence_is_seen(tmp_path: Path) -> None:
    if lacks := absent("baresip"):
        pytest.skip(f"{lacks}: apt-get install baresip-core")
    async with telephone(tmp_path / "phone") as phone:
        assert await answers(Server("127.0.0.1", phone.port, udp=True), NAME)
        assert not phone.happened("CALL_INCOMING"), "nobody was called"
    assert not await answers(Server("127.0.0.1", phone.port, udp=True), NAME)


async def test_a_server_that_only_listens_by_udp_is_not_there() -> None:
    """It says nothing, or something that is no SIP."""

    class Parrot(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
            self.transport = transport

        def datagram_received(self, data: bytes, addr: object) -> None:
            self.transport.sendto(data, addr)  # type: ignore[arg-type]

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Parrot, local_addr=("127.0.0.1", 0))
    try:
        port = transport.get_extra_info("sockname")[1]
        assert not await answers(Server("127.0.0.1", port, udp=True), NAME)
    finally:
        transport.close()


async def test_a_server_by_tcp(relay: smtp.Relay) -> None:
    assert await answers(Server("127.0.0.1", relay.port), NAME)
    assert not await answers(Server("127.0.0.1", ports.free(1)[0]), NAME)
    assert not await answers(Server("nobody.invalid", 5061), NAME)
