"""The cards of topics.yaml, and the partition of a case."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from aiokafka.partitioner import murmur2 as theirs
from hypothesis import given
from hypothesis import strategies as st

from referral.wire import topics
from tests.harness.wire_values import FOLDER

CARDS = topics.load(FOLDER / "topics.yaml")

# org.apache.kafka.common.utils.UtilsTest.testMurmur2, as signed numbers.
PUBLISHED = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("data", "number"), PUBLISHED.items())
def test_murmur2_is_kafka_s(data: bytes, number: int) -> None:
    assert topics.murmur2(data) == number & 0xFFFFFFFF


@given(st.binary(max_size=80))
def test_murmur2_agrees_with_aiokafka(data: bytes) -> None:
    assert topics.murmur2(data) == theirs(data)


@given(st.uuids())
def test_a_case_goes_where_kafka_s_own_partitioner_would_put_it(case: UUID) -> None:
    assert topics.partition(str(case)) == (theirs(str(case).encode()) & 0x7FFFFFFF) % 12


def test_the_partition_of_a_case_never_moves() -> None:
    assert [topics.partition(f"00000000-0000-4000-8000-{n:012x}") for n in range(8)] == [5, 6, 2, 3, 7, 4, 5, 1]


def test_every_topic_has_a_card_and_case_topics_are_kept_for_ever() -> None:
    for name, card in CARDS.items():
        assert card.writers, name
        assert card.readers, name
        if card.key == "case_id":
            assert card.sealed
            assert card.partitions == topics.PARTITIONS == 12
            assert card.config["retention.ms"] == "-1"
            assert card.config["message.timestamp.type"] == "LogAppendTime"


def test_an_agency_has_a_topic_of_its_own() -> None:
    name, card = topics.ingress(CARDS, "school-gjakova")
    assert name == "ingress.school-gjakova"
    assert card.config["retention.ms"] == str(72 * 3600 * 1000)


CARD = "writers: [a]\n    readers: [b]\n    key: case_id\n    sealed: true\n    partitions: 12\n    config: {}\n    holds: x"


@pytest.mark.parametrize(
    ("card", "said"),
    [
        (CARD.replace("partitions: 12", "partitions: 6"), "a case topic has 12 partitions"),
        (CARD.replace("writers: [a]\n    ", ""), "missing required field `writers`"),
        (CARD + "\n    colour: red", "unknown field `colour`"),
        (CARD.replace("config: {}", "config: {retention.ms: -1}"), "Expected `str`"),
        ("[]", "Expected `object`"),
    ],
)
def test_a_wrong_card_is_refused_by_name(tmp_path: Path, card: str, said: str) -> None:
    path = tmp_path / "topics.yaml"
    path.write_text(f"topics:\n  some-topic:\n    {card}\n", "utf-8")
    with pytest.raises(topics.TopicError) as error:
        topics.load(path)
    assert "some-topic" in str(error.value)
    assert said in str(error.value)


@pytest.mark.parametrize("text", ["", "topics: [1", "topics: 1", "other: {}", "[]"])
def test_a_broken_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "topics.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(topics.TopicError):
        topics.load(path)
