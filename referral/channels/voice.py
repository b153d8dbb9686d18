"""Call a person by SIP (RFC 3261) and wait for a key. Only a key makes a person: a machine that answers is nobody.

No number and no words of the other side leave this file, whatever it answers.
"""

from __future__ import annotations

import asyncio
import re
import socket
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from referral.channels import KEYS, NUMBER, Handed, Outgoing, Refused, Unreached, Unsure
from referral.channels import prompts as spoken
from referral.channels.baresip import Call, Ended, Event, Setup, absent
from referral.errors import Rejected
from referral.runtime.settings import SECRET, URI, Channels, SipTrunk, secret

PORT, TLS_PORT = 5060, 5061
"""Of RFC 3261 §19.1.2."""
USER = "inbox"
"""Caller's name where the trunk needs none: it says nothing about who calls whom."""


LINES = 30
"""Calls at once. One costs some 2 % of a core (docs/figures.md); a trunk of thirty lines is a small one (ours)."""
SECONDS = 75.0
"""Longest call (Lane.seconds): the sum of Patience, and the start and end of the process."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Limits of one call, s. Together with start and end they stay below Lane.seconds.

    dialled: until it rings. The other network needs up to 6 s to find a mobile telephone; a trunk that is silent for longer is away.
    rings: until somebody answers. A mailbox takes over after 20 to 30 s in most networks.
    listens: from the answer to a key: the prompt twice.
    noted: longest confirmation.
    """

    dialled: float = 8.0
    rings: float = 25.0
    listens: float = 33.7
    noted: float = spoken.NOTED_SECONDS


@dataclass(frozen=True, slots=True)
class Trunk:
    """The server that takes our calls. authority: file with the certificates that may vouch for it; None: no TLS.

    user: name and number that the callee sees. login: name for the password, if it is another.
    """

    host: str
    port: int
    prompts: Path
    user: str = USER
    login: str = ""
    password: str | None = field(default=None, repr=False)
    authority: Path | None = None

    def __repr__(self) -> str:
        return f"Trunk({self.host}:{self.port})"

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port};transport={'udp' if self.authority is None else 'tls'}"

    def account(self) -> str:
        """Return baresip's account line: it does not register, and with TLS it sends no sound in clear (RFC 4568)."""
        line = f"<sip:{self.user}@{self.place}>;regint=0;audio_codecs=pcma,pcmu"
        if self.password is not None:
            line += f";auth_user={self.login or self.user};auth_pass={self.password}"
        return line if self.authority is None else f"{line};mediaenc=srtp-mand"

    def uri(self, number: str) -> str:
        """Return whom to call. baresip adds the account's transport by itself; twice makes a bad message."""
        return f"sip:{number}@{self.host}:{self.port}"


def trunks(channels: Channels) -> dict[str, Trunk]:
    """Return the trunks of a program's settings, the preferred one first. Rejected: what a call needs is absent, or cannot be read."""
    if not channels.sip:
        return {}
    if lacks := absent():
        raise Rejected("missing-program", f"{channels.variable}_SIP", f"no call can be made without it: apt-get install {' '.join(lacks)}")
    found = {f"voice-{n}": _trunk(one, channels) for n, one in enumerate(channels.sip, 1)}
    if channels.prompts:
        spoken.complete(channels.prompts)
    return found


def _trunk(found: SipTrunk, channels: Channels) -> Trunk:
    """Return one trunk. `never` is for a line that is private by itself: the password does not travel (digest, RFC 8760), but the numbers
    and the sound do."""
    uri, secure, variable = URI.fullmatch(found.server), found.tls == "required", f"{channels.variable}_SIP"
    assert uri is not None, "the settings have checked it"
    if secure and not (found.ca and found.ca.is_file()):
        hint = f"the file with the trunk's own certificate or its authority's; on a private line, {variable}_TLS=never"
        raise Rejected("incomplete", f"{variable}_CA", hint)
    if channels.prompts is None:
        raise Rejected("incomplete", f"{channels.variable}_PROMPTS", "a folder made by `referral prompts make`")
    password = secret(found.password_file, f"{variable}_PASSWORD_FILE") if found.password_file else None
    if password is not None and not SECRET.fullmatch(password):
        hint = 'ask for a password of letters and digits, without space, " ; < and >'
        raise Rejected("malformed", f"{variable}_PASSWORD_FILE", hint)
    return Trunk(
        host=uri["host"],
        port=int(uri["port"] or (TLS_PORT if secure else PORT)),
        prompts=channels.prompts.absolute(),
        user=uri["user"] or USER,
        login=found.user,
        password=password,
        authority=found.ca.absolute() if secure and found.ca else None,
    )


class Phase(Enum):
    """Progress of a call. The value is the word of knock-reason if it goes no further in time."""

    DIALLED = "server-away"
    RINGS = "rings-out"
    ANSWERED = "no-key"


BUSY, DECLINED, WRONG = {486, 600}, {603, 607, 608}, {404, 410, 484, 604}
"""Answers about the person (RFC 3261 §21, RFC 8197, RFC 8688), and about the number."""
ABSENT = {408, 480, 487}
"""Nobody there: switched off, without reception, or the network gave up ringing."""
STATUS = re.compile(r"([3-6][0-9][0-9])\b")


def failure(phase: Phase, reason: str, secure: bool) -> Refused | Unreached:
    """Return what the end of a call without a key means. Pure.

    reason: baresip's, either a status and its text ("486 Busy Here") or an error of the connection. secure: the trunk is reached by TLS.
    """
    if phase is Phase.ANSWERED:
        return Unreached(phase.value)
    if not (status := STATUS.match(reason)):
        return Unreached("not-secured" if secure and reason.startswith(NOT_SECURED) else "server-away")
    code = int(status[1])
    if code in WRONG:
        return Refused("wrong-number")
    for word, codes in {"busy": BUSY, "declined": DECLINED, "rings-out": ABSENT}.items():
        if code in codes:
            return Unreached(word)
    return Unreached("server-busy" if 500 <= code < 600 else "server-refuses-us")


NOT_SECURED = ("Protocol error", "Authentication", "Key was rejected")


class Voice:
    """One line to the trunk. Each call has a process of its own, so nothing is kept between calls."""

    def __init__(self, trunk: Trunk, patience: Patience = Patience()) -> None:
        self._trunk, self._patience = trunk, patience
        self._call: Call | None = None

    async def open(self) -> None:
        """Do nothing: a call opens what it needs."""

    async def send(self, out: Outgoing) -> Handed:
        """Call, speak, and wait for a key. Raises Refused or Unreached, or Unsure if the call broke. Cancelling it hangs up."""
        if not NUMBER.fullmatch(out.address):
            raise Refused("bad-address")
        ready = self._ready(out)
        if ready is None:
            raise Unreached("server-refuses-us")
        call, tape, noted = ready
        self._call = call
        try:
            return await self._called(call, self._trunk.uri(out.address), tape, noted)
        except Ended:
            raise Unsure("no-answer") from None
        finally:
            self._call = None
            await call.end()

    def _ready(self, out: Outgoing) -> tuple[Call, bytes, bytes] | None:
        """Return a call, what it plays, and its confirmation; None: a prompt is gone, or the disk is full. Ours to repair."""
        try:
            said = (spoken.parts(out), spoken.confirmation(out))
            prompt, noted = (spoken.recorded(self._trunk.prompts, out, parts) for parts in said)
            return Call(), spoken.tape(prompt), noted
        except (Rejected, OSError):
            return None

    async def close(self) -> None:
        """Hang up, if there is a call."""
        if self._call is not None:
            self._call.hang_up()

    async def _called(self, call: Call, uri: str, tape: bytes, noted: bytes) -> Handed:
        try:
            await call.start(Setup(await local(self._trunk), self._trunk.account(), self._trunk.authority, tape))
            await call.dial(uri)
        except (Ended, OSError):  # nobody was called
            raise Unreached("server-away") from None
        phase, clock = Phase.DIALLED, asyncio.get_running_loop().time
        until = clock() + self._patience.dialled
        while True:
            event = await call.event(until)
            match event:
                case None:
                    raise Unreached(phase.value)
                case Event("CALL_CLOSED", reason):
                    raise failure(phase, reason, self._trunk.authority is not None)
                case Event("CALL_RINGING" | "CALL_PROGRESS") if phase is Phase.DIALLED:
                    phase, until = Phase.RINGS, clock() + self._patience.rings
                case Event("CALL_ESTABLISHED"):
                    phase, until = Phase.ANSWERED, clock() + self._patience.listens
                case Event("CALL_DTMF_START", key) if phase is Phase.ANSWERED and key in KEYS:
                    await self._confirm(call, noted, clock() + self._patience.noted)
                    return Handed(KEYS[key])

    async def _confirm(self, call: Call, noted: bytes, most: float) -> None:
        """Say that the key has counted. Whoever hangs up meanwhile has answered all the same."""
        try:
            await call.play(noted + spoken.silence(spoken.LEAD_SECONDS))
            until = min(most, asyncio.get_running_loop().time() + spoken.seconds(noted) + spoken.LEAD_SECONDS)
            while (event := await call.event(until)) and event.type != "CALL_CLOSED":
                pass
        except Ended:
            return


async def local(trunk: Trunk) -> str:
    """Return this machine's address towards the trunk, which the trunk sends sound to. OSError: no name or no way."""
    loop = asyncio.get_running_loop()
    family, _, _, _, place = (await loop.getaddrinfo(trunk.host.strip("[]"), trunk.port, type=socket.SOCK_DGRAM))[0]
    with socket.socket(family, socket.SOCK_DGRAM) as probe:  # connecting it sends nothing
        probe.connect(place)
        return str(probe.getsockname()[0])
