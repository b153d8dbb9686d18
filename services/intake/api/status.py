"""The state of an agency's doors: `GET /v1/status`, and the refusal of a key that is unknown while the agency's topic is read late."""

from __future__ import annotations

from msgspec import Struct

from referral.errors import Rejected
from referral.wire.topics import INGRESS
from services.intake import store
from services.intake.api.agency_request import AgencyRequest
from services.intake.api.schemas import maybe
from services.intake.commands import late_topics
from services.intake.commands.late_topics import LateTopic
from services.intake.messages.timestamps import when


class HttpDoor(Struct, frozen=True, kw_only=True):
    """This door: whoever reads this has reached it."""

    state: str = "READING"


class KafkaDoor(Struct, frozen=True, kw_only=True):
    """Your topic. state: READING; LATE while records on it wait; NONE where it does not exist or nobody has read it yet.
    cause: many-bytes (your agency sent more than it may in an hour: it is read in short turns until `until`), many-refused (so many
    records were refused that the reasons of further ones are not stored), no-reader (our fault), or empty.
    read_to: offset of the next record that will be read; all before it were TAKEN or REFUSED."""

    topic: str
    state: str
    cause: str
    since: str | None
    until: str | None
    read_to: int | None


class Doors(Struct, frozen=True, kw_only=True):
    """The doors of your agency."""

    http: HttpDoor
    kafka: KafkaDoor


class Status(Struct, frozen=True, kw_only=True):
    """The state of your agency's doors."""

    doors: Doors


async def status(call: AgencyRequest) -> Status:
    """The state of your agency's doors: whether HTTP answers, and how far your topic on Kafka was read."""
    async with call.door.begin() as tx:
        topic = await late_topics.state(tx, call.agency)
    kafka = KafkaDoor(
        topic=f"{INGRESS}{call.agency}",
        state=topic.state,
        cause=topic.cause,
        since=maybe(topic.since),
        until=maybe(topic.until),
        read_to=topic.read_to,
    )
    return Status(doors=Doors(http=HttpDoor(), kafka=kafka))


def unknown_submission(topic: LateTopic) -> Rejected:
    """Return the refusal of a key that nobody knows: it says so when the agency's topic is read late, or not all is told."""
    unknown = store.unknown("submission", "key")
    about = {
        late_topics.MANY_BYTES: "your agency sent more than it may in an hour, so your topic is read late",
        late_topics.NO_READER: "nobody reads your topic now, which is our fault",
        late_topics.MANY_REFUSED: "so many of your records were refused that this one may be among them, without a reason",
    }.get(topic.cause)
    if about is None:
        return unknown
    end = f" until {when(topic.until)}" if topic.until else ""
    hint = f"{unknown.hint}; but {about}{end} (GET /v1/status): ask again then, and send what is urgent over HTTP, under the same key"
    return Rejected(unknown.code, unknown.where, hint, status=unknown.status)
