"""Publish releases to topic `oversight-feed`: figure by figure, and `release-made` last. Without that record the release does not exist.

The topic is compacted, so every key begins with the release's number: no release replaces the figures of another. The header `cut` of
`release-made` holds, sealed, the offset up to which each partition was read: with it a lost database can tell late records from others,
and makes the same next release. In clear, the offsets would be a small count.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from msgspec import Struct

from referral.domain.events import FigureReleased, ReleaseMade
from referral.domain.inputs import derived
from referral.errors import Malformed
from referral.runtime import record_signing
from referral.runtime.kafka import clients
from referral.runtime.keys.case_keys import Keys
from referral.runtime.loop.units import Place
from referral.runtime.observe import log
from referral.runtime.record_signing import Sign
from referral.runtime.settings import Settings
from referral.wire import codec, headers
from referral.wire.topics import PARTITIONS
from services.oversight.calendar import closes
from services.oversight.counting.projection import TOPICS
from services.oversight.release import Release, digest, key

FAMILY = "2f3b8a52-4a0c-5d0e-8a1b-0e6a3c1d9f77"
"""Any fixed id: event ids of figures are derived from it, so that a republished figure is the same event."""
AHEAD = 500
"""Records that are sent before they are awaited: a few hundred kilobytes."""
PLACES: tuple[Place, ...] = tuple((topic, n) for topic in sorted(TOPICS) for n in range(PARTITIONS))
"""Every partition that is read, in the order of a cut."""
CUT, WIDTH = "cut", 8
"""The header, and the bytes of each offset in it: a fixed width, so that its length reveals nothing."""
CUT_BOX = "oversight-cut"
"""Purpose of the key that seals a cut, whose context is the key of its record."""
Body = FigureReleased | ReleaseMade


async def publish(settings: Settings, master: Keys, release: Release, read: Mapping[Place, int]) -> None:
    """Publish a whole release, in order. Repeating it is harmless: the same keys, the same bytes.

    read: offset up to which each partition was read for the release. KafkaError: the broker is away; nothing is lost.
    """
    cut = b"".join(read.get(at, 0).to_bytes(WIDTH) for at in PLACES)
    sign = record_signing.signer(settings, "oversight")(ReleaseMade.TOPIC)
    more = [(CUT, master.box(CUT_BOX).seal(cut, place(release.made).encode()))] if read else []
    writer = clients.producer(settings)
    await writer.start()
    try:
        for start in range(0, len(release.figures), AHEAD):
            await asyncio.gather(*await _send(writer, settings, sign, release, release.figures[start : start + AHEAD]))
        await asyncio.gather(*await _send(writer, settings, sign, release, [release.made], more))
    finally:
        await clients.throw_away(writer)


async def _send(
    writer: AIOKafkaProducer, settings: Settings, sign: Sign, release: Release, bodies: Sequence[Body], more: headers.Headers | None = None
) -> list[asyncio.Future[object]]:
    """Send bodies under one signature, and return their futures."""
    records = [(place(body).encode(), codec.encode(body)) for body in bodies]
    futures = list[asyncio.Future[object]]()
    for body, (name, value), signature in zip(bodies, records, sign(records), strict=True):
        # the time of the period, so that a release has the same bytes whenever it is published
        record_headers = headers.plain(body.TYPE, id=derived(FAMILY, name.decode()), source="oversight", at=closes(release.made.month))
        found = [*record_headers, *(more or []), *signature]
        futures.append(await writer.send(settings.topic(body.TOPIC), value, key=name, partition=0, headers=found))
    return futures


def place(body: Body) -> str:
    """Return the key of a record, e.g. `release/3` and `release/3/2027-01/2027-03/trafficking-child/stage/all`."""
    return f"release/{body.release}" + (f"/{key(body)}" if isinstance(body, FigureReleased) else "")


async def read(settings: Settings) -> list[Release]:
    """Return the releases on the feed: the newest record of each key. A release with missing figures has only the remaining ones."""
    newest = {record.key: record async for record in _records(settings)}
    bodies = [body for record in newest.values() if (body := _body(record)) is not None]
    figures = defaultdict[int, dict[str, FigureReleased]](dict)
    for body in bodies:
        if isinstance(body, FigureReleased):
            figures[body.release][key(body)] = body
    made = {body.release: body for body in bodies if isinstance(body, ReleaseMade)}
    return [Release(made=made[number], figures=tuple(one for _, one in sorted(figures[number].items()))) for number in sorted(made)]


async def cuts(settings: Settings, master: Keys) -> dict[int, dict[Place, int]]:
    """Return, by release, the offset up to which each partition was read. A cut that was written without the master key is ignored."""
    box = master.box(CUT_BOX)
    cuts_by_release: dict[int, dict[Place, int]] = {}
    async for record in _records(settings):
        body = _body(record)
        if isinstance(body, ReleaseMade) and (sealed := dict(record.headers).get(CUT)):
            try:
                cut = box.open(sealed, place(body).encode())
            except Malformed as error:
                _passed_over(record, error.reason)
                continue
            cuts_by_release[body.release] = {at: int.from_bytes(cut[n * WIDTH : (n + 1) * WIDTH]) for n, at in enumerate(PLACES)}
    return cuts_by_release


def whole(release: Release) -> bool:
    """Return whether all figures of a release are there, to the byte."""
    return len(release.figures) == release.made.figures and digest(release.figures) == release.made.digest


async def _records(settings: Settings) -> AsyncIterator[ConsumerRecord]:
    reader: AIOKafkaConsumer = clients.consumer(settings)
    place = TopicPartition(settings.topic(ReleaseMade.TOPIC), 0)
    await reader.start()
    try:
        reader.assign([place])
        first, end = (await reader.beginning_offsets([place]))[place], (await reader.end_offsets([place]))[place]
        reader.seek(place, first)
        while await reader.position(place) < end:
            for record in (await reader.getmany(place, timeout_ms=1000)).get(place, []):
                yield record
    finally:
        await clients.halt(reader)


def _body(record: ConsumerRecord) -> Struct | None:
    """Return the decoded body; None: the record is not oversight's, and is logged.

    If it replaced a figure, that release is published again.
    """
    try:
        type_ = headers.type_of(record.headers)
        if type_ not in (FigureReleased.TYPE, ReleaseMade.TYPE):
            raise Malformed("unknown-type")
        return codec.decode(type_, codec.fingerprint(type_), record.value or b"")
    except Malformed as error:
        _passed_over(record, error.reason)
        return None


def _passed_over(record: ConsumerRecord, reason: str) -> None:
    log().error("feed passed over", service="oversight", topic=ReleaseMade.TOPIC, offset=record.offset, reason=reason)
