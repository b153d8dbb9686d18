"""Encode what intake asks the notifier about one agency's roster, and what a person changes of it, with the answers.

The request is signed as a whole (`Keys.roster`). People are ids of inbox accounts; an address goes in, and never comes out: of a number the
last two digits.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from referral.errors import Malformed

PATH = "/roster"
MOST_BYTES = 4000
"""Most bytes of a request (ours): an address has at most 320 characters, a shift 200."""
MOST_ANSWER = 2_000_000
"""Most bytes of an answer (ours): an agency of a hundred people with a hundred rows each takes a fifth."""


class Ask(Struct, frozen=True, kw_only=True, tag="ask"):
    """Ask for the roster of an agency, and for who is on duty between two instants, µs UTC."""

    agency: str
    begins: int
    ends: int


class AddShift(Struct, frozen=True, kw_only=True, tag="add-shift"):
    """Put somebody on duty. written: as `rota.parse` reads it. since, until: days, 2026-12-01; empty: no limit."""

    account: str
    rung: str
    written: str
    since: str = ""
    until: str = ""


class AddAbsence(Struct, frozen=True, kw_only=True, tag="add-absence"):
    """Take somebody off all shifts between two moments, as `rota.moment` reads them."""

    account: str
    begin: str
    end: str


class End(Struct, frozen=True, kw_only=True, tag="end"):
    """End a shift or an absence. part: weekly, single, absence or given."""

    part: str
    number: int


class TakeOver(Struct, frozen=True, kw_only=True, tag="take-over"):
    """Put the account on duty at a rung at once, instead of whoever is, until their shift ends."""

    account: str
    rung: str


class OfferSwap(Struct, frozen=True, kw_only=True, tag="offer-swap"):
    """Offer a colleague the hours of a shift. Nothing changes until the colleague takes them. Instants: µs UTC."""

    giver: str
    taker: str
    rung: str
    starts: int
    ends: int


class AnswerSwap(Struct, frozen=True, kw_only=True, tag="answer-swap"):
    """Take (TAKEN) or refuse (REFUSED) offered hours, or withdraw the offer (WITHDRAWN)."""

    swap: str
    word: str


class SetPerson(Struct, frozen=True, kw_only=True, tag="set-person"):
    """Register an account for rungs of the agency's ladder; it may be new to the roster. Without rungs it is knocked only by shifts."""

    account: str
    rungs: tuple[str, ...]


class SetDisabled(Struct, frozen=True, kw_only=True, tag="set-disabled"):
    """Stop knocking somebody, or knock them again."""

    account: str
    disabled: bool


class SetAddress(Struct, frozen=True, kw_only=True, tag="set-address"):
    """Send a code to a new address, which is used once the code came back."""

    account: str
    channel: str
    address: str

    def __repr__(self) -> str:
        return f"SetAddress({self.account}, {self.channel})"


class ConfirmAddress(Struct, frozen=True, kw_only=True, tag="confirm-address"):
    """Give the code of a new address back."""

    account: str
    channel: str
    code: str

    def __repr__(self) -> str:
        return f"ConfirmAddress({self.account}, {self.channel})"


class EndAddress(Struct, frozen=True, kw_only=True, tag="end-address"):
    """End an address."""

    account: str
    channel: str


class Try(Struct, frozen=True, kw_only=True, tag="try"):
    """Send a message that is marked as a test by one channel."""

    account: str
    channel: str


class AgreeNights(Struct, frozen=True, kw_only=True, tag="agree-nights"):
    """Let exercises wake the agency at any hour between two moments, as `rota.moment` reads them."""

    begin: str
    end: str


class EndNights(Struct, frozen=True, kw_only=True, tag="end-nights"):
    """End that leave now."""


Act = (
    AddShift
    | AddAbsence
    | End
    | TakeOver
    | OfferSwap
    | AnswerSwap
    | SetPerson
    | SetDisabled
    | SetAddress
    | ConfirmAddress
    | EndAddress
    | Try
    | AgreeNights
    | EndNights
)
"""A change that a person can make."""


class Change(Struct, frozen=True, kw_only=True, tag="change"):
    """Change an agency's roster.

    by: account that acts; the notifier looks up whether it is a head. key: of the form, so that a repeat changes nothing.
    seen: version of the roster on the page from which it comes; None: it does not depend on what the page displayed.
    """

    agency: str
    by: str
    key: str
    act: Act
    seen: int | None = None


class Contact(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A channel of a person.

    tail: last two digits of a number, or an address's part after the @. waits: its code has not come back, so it is not used yet.
    tested_at: when the last test was planned, µs UTC. outcome: its state: WAITING, SENT or FAILED. reason: why it failed.
    until: until when the address before it gets messages too, µs UTC; ends: until when this one does, and no other follows.
    """

    channel: str
    tail: str = ""
    waits: bool = False
    tested_at: int | None = None
    outcome: str = ""
    reason: str = ""
    until: int | None = None
    ends: bool = False


class Member(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person of the roster."""

    account: str
    rungs: tuple[str, ...] = ()
    disabled: bool = False
    contacts: tuple[Contact, ...] = ()


class Row(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A shift, an absence or given hours. part: weekly, single, absence or given. The other fields as `rota.Weekly` and `rota.Single`."""

    part: str
    number: int
    account: str
    rung: str = ""
    weekday: int = -1
    start: int = 0
    end: int = 0
    since: str = ""
    until: str = ""
    starts: int = 0
    ends: int = 0


class Span(Struct, frozen=True, kw_only=True):
    """The same people on duty at a rung between two instants, µs UTC; none is a hole."""

    rung: str
    begins: int
    ends: int
    people: tuple[str, ...]


class Hole(Struct, frozen=True, kw_only=True):
    """A hole of the rota. kind: `gaps.Kind`."""

    rung: str
    begins: int
    ends: int
    kind: str


class Swap(Struct, frozen=True, kw_only=True):
    """Hours that are offered and not answered yet."""

    id: str
    rung: str
    giver: str
    taker: str
    starts: int
    ends: int


class Overview(Struct, frozen=True, kw_only=True, tag="overview"):
    """The roster of an agency.

    version: it grows with each change. spans: by rung, from the asked begin to the asked end. holes: the same window.
    channels: those by which this stack can send. nights: (begin, end) of the leave for exercises at any hour that has not passed, µs UTC.
    """

    version: int
    now: int
    people: tuple[Member, ...] = ()
    rows: tuple[Row, ...] = ()
    spans: tuple[Span, ...] = ()
    holes: tuple[Hole, ...] = ()
    swaps: tuple[Swap, ...] = ()
    channels: tuple[str, ...] = ()
    nights: tuple[tuple[int, int], ...] = ()


class Done(Struct, frozen=True, kw_only=True, tag="done"):
    """The change was made, now or before. until: end of a hand-over, µs UTC."""

    until: int = 0


class Refused(Struct, frozen=True, kw_only=True, tag="refused"):
    """Nothing has changed. code: why; where: the field. `stale`: the roster has changed since the page was drawn."""

    code: str
    where: str = ""


_REQUEST: msgspec.json.Decoder[Ask | Change] = msgspec.json.Decoder(Ask | Change)
_ANSWER: msgspec.json.Decoder[Overview | Done | Refused] = msgspec.json.Decoder(Overview | Done | Refused)


def request(what: Ask | Change) -> bytes:
    """Return the bytes of a request."""
    return msgspec.json.encode(what)


def requested(body: bytes) -> Ask | Change:
    """Return a request. Malformed: it is none."""
    try:
        return _REQUEST.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Malformed("request", "it is no question about a roster, and no change of one") from None


def answer(what: Overview | Done | Refused) -> bytes:
    """Return the bytes of an answer."""
    return msgspec.json.encode(what)


def answered(body: bytes) -> Overview | Done | Refused:
    """Return an answer. Malformed: it is none. Fields that a newer notifier adds are passed over."""
    try:
        return _ANSWER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Malformed("answer", "the notifier's answer cannot be read") from None
