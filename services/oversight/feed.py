"""Topic `oversight-feed`: a release goes out figure by figure, and its record `release-made` last. Without that one it is not there."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from msgspec import Struct

from referral.domain.events import FigureReleased, ReleaseMade
from referral.domain.record import derived
from referral.runtime import kafka
from referral.runtime.settings import Settings
from referral.wire import codec, headers
from services.oversight.months import closes
from services.oversight.release import Release, digest, key

FAMILY = "2f3b8a52-4a0c-5d0e-8a1b-0e6a3c1d9f77"
"""Any fixed id: event ids of figures are derived from it, so that a figure that is published again is the same event."""
AHEAD = 500
"""Records that are sent before they are awaited: a few hundred kilobytes."""


async def publish(settings: Settings, release: Release) -> None:
    """All of it, in order. Harmless to repeat: the same keys, the same bytes. KafkaError: the broker is away, nothing is lost."""
    writer = kafka.producer(settings)
    await writer.start()
    try:
        for start in range(0, len(release.figures), AHEAD):
            await asyncio.gather(*[await _send(writer, settings, release, figure) for figure in release.figures[start : start + AHEAD]])
        await (await _send(writer, settings, release, release.made))
    finally:
        await kafka.throw_away(writer)


async def _send(
    writer: AIOKafkaProducer, settings: Settings, release: Release, body: FigureReleased | ReleaseMade
) -> asyncio.Future[object]:
    name = f"release/{body.release}" if isinstance(body, ReleaseMade) else key(body)
    number = release.made.release
    # its time is that of the period, so that a release has the same bytes whenever it is published
    told = headers.plain(body.TYPE, id=derived(FAMILY, f"{number}/{name}"), source="oversight", at=closes(release.made.month))
    future: asyncio.Future[object] = await writer.send(
        settings.topic(body.TOPIC), codec.encode(body), key=name.encode(), partition=0, headers=told
    )
    return future


async def read(settings: Settings) -> list[Release]:
    """What the feed says now: the newest of each figure. A release whose figures are not all there has what is left of them."""
    figures: dict[bytes, FigureReleased] = {}
    made: dict[int, ReleaseMade] = {}
    async for record in _records(settings):
        body = _body(record)
        if isinstance(body, ReleaseMade):
            made[body.release] = body
        elif isinstance(body, FigureReleased) and record.key is not None:
            figures[record.key] = body
    by_release = defaultdict[int, list[FigureReleased]](list)
    for _, figure in sorted(figures.items()):
        by_release[figure.release].append(figure)
    return [Release(made=made[number], figures=tuple(by_release[number])) for number in sorted(made)]


def whole(release: Release) -> bool:
    """Whether it is all there, to the byte."""
    return len(release.figures) == release.made.figures and digest(release.figures) == release.made.digest


async def _records(settings: Settings) -> AsyncIterator[ConsumerRecord]:
    reader: AIOKafkaConsumer = kafka.consumer(settings)
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
        await kafka.halt(reader)


def _body(record: ConsumerRecord) -> Struct:
    type_ = headers.type_of(record.headers)
    return codec.decode(type_, codec.fingerprint(type_), record.value or b"")
