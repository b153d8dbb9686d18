"""The pure parts of the runtime, and every setting of the clients that aiokafka would have otherwise."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
import structlog
from aiokafka import ConsumerRecord
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from referral.domain.events import Meta, Quarantined, RungFailed
from referral.errors import Malformed, Rejected
from referral.proof import entry
from referral.runtime import observe, settings
from referral.runtime.kafka import clients
from referral.runtime.keys.case_keys import Keys, read, write
from referral.runtime.loop import quarantine, units, writer_mark
from referral.runtime.loop.assignment import names, places
from referral.runtime.loop.quarantine import MANY, WINDOW, Ceiling
from referral.runtime.loop.sequence import DEPTH, FAR, FULL, NONE, SHORT, Last, Verdict, fingerprint, judge
from referral.runtime.postgres.queue import seal, unseal
from referral.runtime.recovery.topic_snapshot import Tape
from referral.runtime.service import Service
from referral.wire import codec, topics
from referral.wire import seal as sealing
from tests.harness.handlers import Functions


async def nothing(tx, batch):
    raise NotImplementedError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("group_id", None),
        ("enable_auto_commit", False),
        ("auto_offset_reset", "none"),
        ("isolation_level", "read_committed"),
        ("check_crcs", True),
    ],
)
def test_a_consumer_has_no_dangerous_default(name: str, value: object) -> None:
    assert clients.CONSUMER[name] == value


@pytest.mark.parametrize(("name", "value"), [("acks", "all"), ("enable_idempotence", True), ("linger_ms", 0), ("compression_type", None)])
def test_a_producer_has_no_dangerous_default(name: str, value: object) -> None:
    assert clients.PRODUCER[name] == value


@pytest.mark.parametrize(
    ("last", "seq", "digest", "verdict"),
    [
        (NONE, 1, b"a", Verdict.NEXT),
        (NONE, 2, b"a", Verdict.GAP),
        (Last(3, b"c"), 4, b"d", Verdict.NEXT),
        (Last(3, b"c"), 3, b"c", Verdict.REPEAT),
        (Last(3, b"c"), 3, b"x", Verdict.FORK),
        (Last(3, b"c"), 1, b"x", Verdict.REPEAT),
        (Last(3, b"c"), 6, b"f", Verdict.GAP),
        (Last(3, b"c"), 3 + FAR, b"f", Verdict.GAP),
        (Last(3, b"c"), 4 + FAR, b"f", Verdict.FAR),
    ],
)
def test_a_sequence_proves(last: Last, seq: int, digest: bytes, verdict: Verdict) -> None:
    assert judge(last, seq, digest) is verdict


def test_many_quarantined_of_one_unit_in_a_while_reach_the_ceiling() -> None:
    ceiling = Ceiling()
    for n in range(MANY - 1):
        ceiling.count("p1", float(n))
    ceiling.count("p2", 1.0)
    assert ceiling.reached(20.0) == set()
    ceiling.count("p1", 20.0)
    assert ceiling.reached(20.0) == {"p1"}
    assert ceiling.reached(20.0 + WINDOW) == set()


def test_of_an_agency_s_refused_records_those_above_the_ceiling_are_one_entry() -> None:
    ceiling = Ceiling()
    bad = [quarantine.Refused("ingress.x", ("ingress.x", 0), n, b"bad", "seal") for n in range(MANY + 5)]
    ours = [quarantine.Refused("p1", ("referral-intake", 1), n, b"bad", "seal") for n in range(MANY + 5)]
    kept = ceiling.bounded([*bad, *ours], 0.0)
    assert kept[:-1] == [*bad[:MANY], *ours], "of our own topics every record is stored"
    assert (kept[-1].reason, kept[-1].number, kept[-1].offset) == (quarantine.MANY_REFUSED, 5, MANY)
    for item in kept:
        ceiling.count(item.unit, 0.0)
    assert ceiling.reached(1.0) == {"p1"}, "an agency's fault shuts no door"
    assert [one.number for one in ceiling.bounded(bad[:2], WINDOW - 1)] == [2]
    assert [one.number for one in ceiling.bounded(bad[:2], WINDOW + 1)] == [1, 1]


def test_a_field_that_is_not_allow_listed_is_dropped_and_of_an_error_only_its_class_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        observe.configure()
        observe.log().error("x", unit="p1", child_name="Arta", exc_info=ValueError("Arta"))
        line = json.loads(capsys.readouterr().err)
    finally:
        structlog.reset_defaults()
    assert line == {"event": "x", "unit": "p1", "kind": "ValueError", "level": "error", "timestamp": line["timestamp"]}


@pytest.mark.parametrize(("error", "hint"), [("ValueError('Arta')", ""), ("Misconfigured('a drill')", "a drill")])
def test_the_last_words_of_a_process_are_where_it_died_and_never_what_was_sent(error: str, hint: str) -> None:
    program = (
        "from referral.errors import Misconfigured\nfrom referral.runtime import observe\nobserve.configure()\n"
        f"try:\n    int('Arta')\nexcept ValueError as cause:\n    raise {error} from cause"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    said = json.loads(done.stderr)
    assert done.returncode == 1 and "Arta" not in done.stderr
    assert (said["event"], said["kind"], said["where"], said["hint"]) == ("died", error.partition("(")[0], "<string>:7", hint)


@pytest.mark.parametrize(
    ("message", "arguments", "said"),
    [
        ("Unable connect to node with id %s: %s", ("bootstrap-0", "Arta"), "Unable connect to node with id %s: %s"),
        ("Topic %s is not available", ("x",), "Topic %s is not available"),
        ("could not reach db.example:5432 as 'Arta' with {'name': 'Arta'}", (), "could not reach … as … with {…: …}"),
        ('refused "Arta Gashi" from <Arta Gashi>', (), "refused … from …"),
        ("case 7f3c-11 of arta@example", (), "case … of …"),
        ("Task exception was never retrieved\nfuture: Arta", (), "Task exception was never retrieved"),
        (ValueError("Arta"), (), "ValueError"),
    ],
)
def test_a_library_s_line_has_its_text_and_no_value(message: object, arguments: tuple[object, ...], said: str) -> None:
    record = logging.LogRecord("aiokafka", logging.ERROR, "client.py", 435, message, arguments, None)
    assert observe.plain(record) == said


def test_a_library_s_line_tells_an_operator_what_went_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        observe.configure()
        logging.getLogger("aiokafka").error("Unable connect to node with id %s: %s", "Arta", "Arta")
        line = json.loads(capsys.readouterr().err)
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers.clear()
    assert (line["event"], line["kind"], line["hint"]) == ("library", "ERROR", "Unable connect to node with id %s: %s")


def test_what_passes_by_itself_at_a_start_is_logged_only_if_it_comes_again(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        observe.configure()
        (handler,) = logging.getLogger().handlers
        for at in (100.0, 101.0, 109.9, 110.0, 111.0):
            text = "Group Coordinator Request failed: %s"
            record = logging.LogRecord("aiokafka.consumer.group_coordinator", logging.ERROR, "", 566, text, ("x",), None)
            record.created = at
            handler.emit(record)
            assert len(capsys.readouterr().err.splitlines()) == (at == 110.0)
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers.clear()


def test_readiness_says_what_speaks_against_it() -> None:
    health = observe.Health()
    health.red("loop", "away")
    health.green("start")
    assert health.not_ready() == {"loop": "away"}
    health.green("loop")
    assert health.not_ready() == {}


def test_the_units_of_a_service() -> None:
    routing = Service("routing", ("referral-intake",), Functions(nothing))
    audit = Service("audit", ("referral-intake", "referral-policy"), Functions(nothing), one_unit=True)
    intake = Service("intake", ("referral-routing",), Functions(nothing), ingress=True)
    assert names(routing, ["ingress.x"]) == [f"p{n}" for n in range(12)]
    assert names(audit, []) == ["all"]
    assert names(intake, ["ingress.x"])[-1] == "ingress.x"
    assert places(audit, "all", {"referral-intake": 2, "referral-policy": 1}) == (
        ("referral-intake", 0),
        ("referral-intake", 1),
        ("referral-policy", 0),
    )
    assert places(intake, "ingress.x", {}) == (("ingress.x", 0),)
    assert units.place(units.word(("ingress.a/b", 3))) == ("ingress.a/b", 3)
    assert units.Unit("ingress.p1", 1, {}).partition is None


@pytest.mark.parametrize("service", ["routing", "audit", "oversight", "intake", "notifier", "eraser", "watchman"])
def test_a_service_without_its_settings_ends_with_one_line_that_says_which(service: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REFERRAL_")}
    done = subprocess.run([sys.executable, "-m", f"services.{service}"], capture_output=True, text=True, env=environment, check=False)
    said = json.loads(done.stderr)
    assert (done.returncode, said["event"]) == (1, "died") and "REFERRAL_KAFKA" in said["hint"]


def test_the_environment_is_refused_with_the_name_of_what_is_wrong() -> None:
    with pytest.raises(Rejected, match="REFERRAL_KAFKA"):
        settings.load({})
    good = {"REFERRAL_KAFKA": "k", "REFERRAL_DATABASE": "postgresql+asyncpg://u:secret@h/d", "REFERRAL_MASTER_KEY_FILE": "f"}
    with pytest.raises(Rejected, match="REFERRAL_HTTP"):
        settings.load({**good, "REFERRAL_HTTP": "localhost"})
    made = settings.load({**good, "REFERRAL_TOPIC_PREFIX": "x.", "REFERRAL_DRILL_CLOCK": "0"})
    assert made.topic("referral-intake") == "x.referral-intake" and made.plain("x.referral-intake") == "referral-intake"
    assert not made.drill_clock
    assert made.log_beat_s == 300 and settings.load({**good, "REFERRAL_LOG_BEAT_S": "0"}).log_beat_s == 0
    for wrong in ("301", "-1", "1.5", "often"):
        with pytest.raises(Rejected, match="REFERRAL_LOG_BEAT_S"):
            settings.load({**good, "REFERRAL_LOG_BEAT_S": wrong})
    assert "secret" not in repr(made)


def test_boxes_and_digests_of_one_purpose_do_not_open_another(tmp_path) -> None:
    write(tmp_path / "k")
    assert (tmp_path / "k").stat().st_mode & 0o77 == 0
    keys = read(settings.Settings(kafka="", database="", master_key_file=tmp_path / "k", instance="t"))
    box = keys.box("a")
    assert box.open(box.seal(b"x", b"row 1"), b"row 1") == b"x"
    for other, context in ((box, b"row 2"), (keys.box("b"), b"row 1")):
        with pytest.raises(Malformed, match="seal"):
            other.open(box.seal(b"x", b"row 1"), context)
    with pytest.raises(Malformed, match="seal"):
        box.open(b"short")
    assert keys.hmac("a", b"x", b"y") != keys.hmac("a", b"xy") != keys.hmac("b", b"xy")
    with pytest.raises(FileExistsError):
        write(tmp_path / "k")
    with pytest.raises(Rejected):
        read(settings.Settings(kafka="", database="", master_key_file=tmp_path / "none", instance="t"))
    with pytest.raises(ValueError, match="32"):
        Keys(b"short")


def test_a_queued_body_opens_only_as_the_row_that_it_is() -> None:
    key = bytes(32)
    assert unseal(seal(b"body", "id", key), "id", key) == b"body"
    assert unseal(seal(b"", "id", None), "id", None) == b""
    for id_, wrong in (("other", key), ("id", b"\1" * 32), ("id", None)):
        with pytest.raises(Malformed):
            unseal(seal(b"body", "id", key), id_, wrong)
    with pytest.raises(ValueError, match="key"):
        seal(b"body", "id", None)


TAPED = "referral-notification"
SECRETS = dict.fromkeys(("referral-intake", "referral-routing", TAPED), b"w" * 32)


def taped(*records: tuple[int, bytes, bool]) -> Tape:
    """A case's topic of these (sequence, key, does it carry the owner's mark), one a millisecond."""
    case, tape = str(uuid.UUID(int=7)), Tape()
    body = RungFailed(offer_id=case, rung=0, reason="nobody-on-duty", at=1)
    partition_ = topics.partition(case)
    for offset, (seq, under, marked) in enumerate(records):
        meta = Meta(
            event_id=case,
            case_id=case,
            case_seq=seq,
            type=RungFailed.TYPE,
            fingerprint=codec.fingerprint(RungFailed.TYPE),
            cause_id=case,
            recorded_at=1,
            source="notifier",
            drill=False,
        )
        value = sealing.seal(under, TAPED, meta, codec.encode(body), bytes(12))
        head = (writer_mark.of(SECRETS[TAPED], fingerprint(value)),) if marked else ()
        record = ConsumerRecord(TAPED, partition_, offset, offset, 0, case.encode(), value, None, 0, 0, head)
        tape.take((TAPED, partition_), record, (), SECRETS)
    tape.believe(writer_mark.since((taped.place[0], taped.at) for taped in tape.all if taped.marked))
    tape.settle({case: bytes(32)})
    return tape


def offsets(tape: Tape) -> list[int]:
    return [t.offset for t in tape.records[TAPED]]


def test_recover_believes_no_sequence_whose_seal_does_not_open() -> None:
    key, other = bytes(32), bytes([1] * 32)
    tape = taped((1, key, False), (9, other, False), (2, key, False), (2, key, False), (3, key, False))
    assert offsets(tape) == [0, 2, 4]
    assert tape.ends[TAPED, topics.partition(str(uuid.UUID(int=7)))][0] == 5


def test_recover_adopts_nothing_that_the_owner_did_not_write() -> None:
    key = bytes(32)
    tape = taped((1, key, False), (2, key, True), (3, key, False), (3, key, True), (4, key, False))
    assert offsets(tape) == [0, 1, 3], "what stands before the first mark is believed by its seal"
    assert [t.offset for t in tape.foreign] == [2, 4]
    (behind,) = tape.numbered(TAPED)
    assert behind.meta.case_seq == 4, "readers believed the last foreign one: the next true record gets a number behind it"


def test_a_database_made_anew_has_another_secret_and_the_seal_decides() -> None:
    assert offsets(taped(*((n, bytes(32), False) for n in (1, 2, 3)))) == [0, 1, 2]


def test_a_mark_is_of_one_writer_and_one_value() -> None:
    name, value = writer_mark.of(b"w" * 32, fingerprint(b"value"))
    assert writer_mark.carries(b"w" * 32, b"value", [("ce_id", b""), (name, value)])
    for secret, of in ((b"x" * 32, b"value"), (b"w" * 32, b"other")):
        assert not writer_mark.carries(secret, of, [(name, value)])
    assert not writer_mark.carries(b"w" * 32, b"value", [(name, b"")]) and not writer_mark.carries(b"w" * 32, None, [])


@given(st.lists(st.integers(1, 3), min_size=1, max_size=20), st.data())
def test_the_last_records_are_remembered_by_their_bytes(jumps: list[int], data: st.DataObject) -> None:
    last, applied = NONE, {}
    for jump in jumps:
        seq = last.seq + jump
        applied[seq] = fingerprint(str(seq).encode())
        last = last.after(seq, applied[seq])
    assert len(last.digest) <= FULL + (DEPTH - 1) * SHORT
    seq = data.draw(st.integers(1, last.seq))
    within = last.seq - seq < DEPTH
    if seq in applied:
        assert judge(last, seq, applied[seq]) is Verdict.REPEAT
    assert judge(last, seq, b"x" * FULL) is (Verdict.FORK if within else Verdict.REPEAT)


def test_two_processes_of_one_container_have_two_names() -> None:
    good = {"REFERRAL_KAFKA": "k", "REFERRAL_DATABASE": "x://", "REFERRAL_MASTER_KEY_FILE": "f"}
    assert settings.load(good).instance != settings.load(good).instance, "a lease of the one would pass for the other's"
    assert settings.load({**good, "REFERRAL_INSTANCE": "intake-1"}).instance == "intake-1"


@pytest.mark.parametrize(
    ("host", "url", "secure"),
    [
        ("127.0.0.1", "", False),
        ("127.0.0.1", "http://localhost:8080", False),
        ("127.0.0.1", "https://inbox.example.org", True),
        ("127.0.0.1", "http://inbox.example.org", True),
        ("0.0.0.0", "", True),
    ],
)
def test_cookies_are_for_https_alone_but_on_loopback(host: str, url: str, secure: bool) -> None:
    good = {"REFERRAL_KAFKA": "k", "REFERRAL_DATABASE": "x://", "REFERRAL_MASTER_KEY_FILE": "f", "REFERRAL_HTTP": f"{host}:1"}
    made = settings.load({**good, "REFERRAL_PUBLIC_URL": url})
    assert made.is_secure(made.public_url) is secure


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_master_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master"
    write(path)
    mine = settings.Settings(kafka="", database="", master_key_file=path, instance="t")
    read(mine)
    path.chmod(mode)
    with pytest.raises(Rejected, match="chmod 600"):
        read(mine)


@pytest.mark.parametrize("size", [0, quarantine.KEPT, quarantine.KEPT + 1, 8 * 1024 * 1024])
def test_a_value_of_any_size_fits_into_the_quarantine_and_is_read_back(size: int) -> None:
    """Quarantining never fails on size: it is what stands between a record and a service that dies of it."""
    item = quarantine.Refused("ingress.x", ("ingress.x", 0), 7, bytes(size), "seal")
    sent = codec.encode(quarantine._sealed(item, bytes(32), "intake", 1))
    assert len(sent) < 512 * 1024
    found = codec.decode(Quarantined.TYPE, codec.fingerprint(Quarantined.TYPE), sent)
    assert isinstance(found, Quarantined) and found.length == size
    plain = AESGCM(bytes(32)).decrypt(found.nonce, found.sealed, b"ingress.x/0/7")
    assert plain == bytes(min(size, quarantine.KEPT))
    whole = hashlib.sha256(bytes(size)).digest()
    assert found.sha256 == (whole if size > quarantine.KEPT else None), "the digest of a short value could be guessed from"


def test_a_quarantine_record_of_before_is_read() -> None:
    body = b"".join((b"\x04ab", b"\x00", b"\x0e", b"\x04cd", b"\x08seal", b"\x00", b"\x00", b"\x02", bytes(12), b"\x02x"))
    found = codec.decode("quarantined.v1", codec.fingerprint("quarantined.v1"), body)
    assert isinstance(found, Quarantined) and (found.sealed, found.length, found.sha256) == (b"x", 0, None)
    assert entry.sort("referral-quarantine", 0, b"k", body, (("ce_type", b"referral.quarantined.v1"),))[0] is entry.Kind.QUARANTINE
