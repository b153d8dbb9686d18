"""Make real trunks for tests: SIPp, which answers as a scenario says, and Kamailio, a proxy that wants a password."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

from tests.harness.waiting import until

SAME = "[last_Via:]\n[last_From:]\n[last_To:];tag=[call_number]\n[last_Call-ID:]\n"
"""Headers of an answer to the last request."""
CONTACT = "Contact: <sip:trunk@[local_ip]:[local_port];transport=[transport]>\n"
SDP = """Content-Type: application/sdp
Content-Length: [len]

v=0
o=trunk 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio [auto_media_port] RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
"""
NOTHING = "Content-Length: 0\n"
INVITE = (
    '<recv request="INVITE"><action>'
    '<ereg regexp="[0-9]+" search_in="hdr" header="CSeq:" assign_to="seq"/>'
    '<ereg regexp="[^ ].*" search_in="hdr" header="From:" assign_to="caller"/>'
    '<ereg regexp="[^ ].*" search_in="hdr" header="Via:" assign_to="via"/>'
    '<ereg regexp="[^ ].*" search_in="hdr" header="To:" assign_to="callee"/>'
    "</action></recv>"
)


def gets(method: str) -> str:
    """Wait for a request. BYE may come at any later time."""
    return f'<recv request="{method}" timeout="20000"/>'


def says(status: str, headers: str = "[last_CSeq:]\n", body: str = NOTHING, options: str = "") -> str:
    """Answer the last request."""
    return f"<send {options}><![CDATA[\nSIP/2.0 {status}\n{SAME}{headers}{CONTACT}{body}\n]]></send>"


def again(body: str = SDP) -> str:
    """Answer the call once more: the acknowledgement of the first answer was lost."""
    headers = "Via: [$via]\nFrom: [$caller]\nTo: [$callee];tag=[call_number]\nCall-ID: [call_id]\nCSeq: [$seq] INVITE\n"
    return f"<send><![CDATA[\nSIP/2.0 200 OK\n{headers}{CONTACT}{body}\n]]></send>"


def scenario(*steps: str) -> str:
    """Return a scenario file of SIPp: what the trunk does with one call."""
    use = '<Reference variables="seq,caller,via,callee"/>'
    head = '<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE scenario SYSTEM "sipp.dtd">'
    return f'{head}<scenario name="trunk">{"".join(steps)}{use}</scenario>'


def refusing(status: str) -> str:
    return scenario(INVITE, says(status), gets("ACK"))


def info(key: str) -> str:
    """Press a key by SIP INFO, as some gateways do. It takes the dialogue of the call."""
    return (
        "<send><![CDATA[\nINFO sip:inbox@[remote_ip]:[remote_port] SIP/2.0\n"
        "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n"
        "From: <sip:trunk@[local_ip]>;tag=[call_number]\nTo: [$caller]\nCall-ID: [call_id]\nCSeq: 7 INFO\nMax-Forwards: 70\n"
        f"{CONTACT}Content-Type: application/dtmf-relay\nContent-Length: [len]\n\nSignal={key}\nDuration=160\n]]></send>"
        '<recv response="200" timeout="10000"/>'
    )


REPEATS = 'retrans="500"'
"""Repeat an answer until it is acknowledged, as every trunk does: a packet may be lost."""
ANSWERED = (INVITE, says("180 Ringing"), says("200 OK", body=SDP, options=REPEATS), gets("ACK"))
BYE = (gets("BYE"), says("200 OK"))


class Sipp:
    """A running SIPp. port: where it listens."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, folder: Path) -> None:
        self.process, self.port, self._folder = process, port, folder

    async def satisfied(self) -> None:
        """Return when every call went as the scenario says. AssertionError: one did not."""
        async with asyncio.timeout(60):
            code = await self.process.wait()
        errors = "".join(file.read_text(errors="replace")[-2000:] for file in self._folder.glob("*_errors.log"))
        assert code == 0, f"SIPp ended with {code}: {errors}"


@asynccontextmanager
async def sipp(folder: Path, steps: str, calls: int = 1, *options: str) -> AsyncIterator[Sipp]:
    """Run SIPp until it has had so many calls. steps: a scenario. options: of its command line."""
    port, media = free_for_packets(), free_for_packets(SOUND_AND_PICTURE)
    (folder / "scenario.xml").write_text(steps)
    out = (folder / "sipp.out").open("wb")
    process = await asyncio.create_subprocess_exec(
        *("sipp", "-sf", "scenario.xml", "-i", "127.0.0.1", "-p", str(port), "-m", str(calls), "-nostdin", "-trace_err"),
        *("-mi", "127.0.0.1", "-mp", str(media), *options),
        cwd=folder,
        env={**os.environ, "TERM": "dumb"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=out,
        stderr=out,
    )
    try:
        await until(lambda: process.returncode is not None or listens(port), what="SIPp listens")
        assert process.returncode is None, (folder / "sipp.out").read_text(errors="replace")[-2000:]
        yield Sipp(process, port, folder)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        out.close()


SOUND_AND_PICTURE = (0, 2)
"""Ports that SIPp binds, from the one that it is told: a taken one ends it."""


def free_for_packets(offsets: tuple[int, ...] = (0,)) -> int:
    """Return a port such that no program of this machine uses it, at each of these offsets, for UDP: one that is free for TCP may carry
    somebody's sound."""
    while True:
        with ExitStack() as probes:
            first = probes.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            with suppress(OSError, OverflowError):  # the next one is taken, or there is none
                for offset in offsets[1:]:
                    probes.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind(("127.0.0.1", port + offset))
                return port


def listens(port: int, protocols: tuple[str, ...] = ("udp", "tcp")) -> bool:
    """Return whether a port of this machine is open, by the kernel's own list."""
    lines = [line.split() for name in protocols for line in Path(f"/proc/net/{name}").read_text().splitlines()]
    return any(words[1].endswith(f":{port:04X}") for words in lines)


KAMAILIO = """
debug=-1
log_stderror=yes
children=1
tcp_children=1
disable_tcp=yes
listen=udp:127.0.0.1:{port}
mpath="{modules}"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "siputils.so"
loadmodule "auth.so"
request_route {{
    if (has_totag()) {{
        if (!loose_route()) {{ sl_send_reply("404", "Not Here"); exit; }}
        t_relay();
        exit;
    }}
    if (method == "CANCEL") {{
        if (t_check_trans()) {{ t_relay(); }}
        exit;
    }}
    if (method == "ACK") {{ exit; }}
    if (!pv_proxy_authenticate("trunk.test", "{password}", "0")) {{
        proxy_challenge("trunk.test", "0");
        exit;
    }}
    consume_credentials();
    record_route();
    $du = "sip:127.0.0.1:{callee}";
    t_relay();
}}
"""


@asynccontextmanager
async def kamailio(folder: Path, callee: int, password: str) -> AsyncIterator[int]:
    """Run a proxy in front of a telephone; yields its port. callee: port of the telephone."""
    port = free_for_packets()
    modules = next(str(place) for place in Path("/usr/lib").glob("*/kamailio/modules"))
    file = folder / "kamailio.cfg"
    file.write_text(KAMAILIO.format(port=port, callee=callee, password=password, modules=modules))
    out = (folder / "kamailio.out").open("wb")
    words = ["kamailio", "-f", str(file), "-DD", "-E", "-m", "16", "-M", "4", "-Y", str(folder), "-P", str(folder / "pid")]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    try:
        await until(lambda: process.poll() is not None or listens(port), what="Kamailio listens")
        assert process.poll() is None, (folder / "kamailio.out").read_text()[-2000:]
        yield port
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its children too
        process.wait()
        out.close()
