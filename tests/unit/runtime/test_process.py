"""A process that cannot begin says why, and what to do."""

from __future__ import annotations

import socket
from contextlib import ExitStack, closing

import pytest

from referral.errors import Misconfigured
from referral.local import ports
from referral.runtime import process, settings
from referral.runtime.http_listener import Listener


def test_a_port_that_another_program_has_is_said_with_what_to_do() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        with pytest.raises(Misconfigured, match=f"port {port} of 127.0.0.1: another program has it"):
            process._listen("127.0.0.1", port)


def test_a_process_listens_on_the_sockets_that_it_was_given() -> None:
    with ExitStack() as ours:
        held = [ours.enter_context(ports.hold(port)) for port in ports.free(2)]
        given = ",".join(str(one.detach()) for one in [one.dup() for one in held])
        made = settings.load({"REFERRAL_KAFKA": "k", "REFERRAL_DATABASE": "x://", "REFERRAL_HTTP": "127.0.0.1:1", settings.SOCKETS: given})
        inherited = [ours.enter_context(one) for one in process._sockets(made, *(settings.address(one) for one in (made.http, made.inner)))]
        assert [one.getsockname() for one in inherited] == [one.getsockname() for one in held]
        assert all(isinstance(one, Listener) and one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) for one in inherited)
