"""A witness answers as tlog-witness says, and whatever it is asked it never puts its name under two histories of one log."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from referral.errors import Malformed, Unproven
from referral.tlog import checkpoint, merkle, note, note_keys, witness
from referral.tlog.checkpoint import Checkpoint
from referral.tlog.note import Note
from referral.tlog.note_keys import COSIGNATURE, ED25519, SignerKey
from referral.tlog.witness import SIZE, Answer
from tests.harness.made_log import LOG, NOW, ORIGIN, WITNESSES, Log, made

TREE = made(40)
FORK = Log([*TREE.entries[:10], *(b"another " + entry for entry in TREE.entries[10:])])
LOGS = {ORIGIN: [LOG.verifier]}
KEYS = WITNESSES[:1]


def signed(tree: Log, size: int) -> Note:
    return tree.signed(size, witnesses=())


def proof(tree: Log, old: int, size: int) -> list[bytes]:
    return merkle.consistency(tree.nodes, old, size) if 0 < old <= size else []


def ask(body: bytes, last: Checkpoint | None = None) -> Answer:
    """What the first witness answers when this is what it cosigned last."""
    return witness.answer(body, LOGS, {ORIGIN: last} if last else {}, KEYS, NOW)


def body(old: int, size: int, tree: Log = TREE) -> bytes:
    return witness.body(old, proof(tree, old, size), signed(tree, size))


def test_a_log_is_witnessed_from_its_beginning_on() -> None:
    last, sizes = None, [0, 0, 1, 2, 7, 7, 31, 40]
    for old, size in pairwise([0, *sizes]):
        answer = ask(body(old, size), last)
        assert (answer.status, answer.keep) == (200, TREE.checkpoint(size))
        (cosigned,) = witness.cosigned(signed(TREE, size), answer.body, [KEYS[0].verifier])
        assert note_keys.unpack(cosigned.value)[0] == NOW
        last = answer.keep
    assert ask(body(0, 40)).keep == TREE.checkpoint(40)


def test_a_body_is_what_the_specification_shows() -> None:
    lines = body(3, 7).decode().split("\n")
    assert lines[0] == "old 3"
    assert lines[5] == ""
    assert lines[6:9] == TREE.checkpoint(7).text.decode().split("\n")[:3]
    request = witness.parse(body(3, 7))
    assert (request.old, list(request.proof), request.said) == (3, proof(TREE, 3, 7), TREE.checkpoint(7))


LAST = TREE.checkpoint(20)
OTHER = SignerKey("other.example", ED25519, bytes([9]) * 32)
STRANGER = Checkpoint(OTHER.name, 20, bytes(32)).sign(OTHER)
UNSIGNED = Note(TREE.checkpoint(30).text, (note.sign(TREE.checkpoint(30).text, OTHER, 0),))
SPOILED = Note(TREE.checkpoint(30).text, (note.sign(b"another text\n", LOG, 0),))
BOTH = Note(UNSIGNED.text, (*signed(TREE, 30).signatures, *SPOILED.signatures))
EMPTY = Checkpoint(ORIGIN, 0, bytes(32)).sign(LOG)


@pytest.mark.parametrize(
    ("posted", "status"),
    [
        (body(20, 30), 200),
        (body(20, 20), 200),
        (witness.body(20, [], STRANGER), 404),
        (witness.body(20, proof(TREE, 20, 30), UNSIGNED), 403),
        (witness.body(20, proof(TREE, 20, 30), SPOILED), 403),
        (witness.body(20, proof(TREE, 20, 30), BOTH), 403),
        (body(31, 30), 400),
        (body(20, 19), 400),
        (body(19, 30), 409),
        (body(0, 30), 409),
        (body(0, 0), 409),
        (body(25, 30), 409),
        (body(20, 30, FORK), 422),
        (body(20, 20, FORK), 422),
        (witness.body(20, [], signed(TREE, 30)), 422),
        (witness.body(20, [merkle.EMPTY], signed(TREE, 20)), 422),
        (witness.body(20, [*proof(TREE, 20, 30), merkle.EMPTY], signed(TREE, 30)), 422),
        (witness.body(20, proof(TREE, 20, 31), signed(TREE, 30)), 422),
    ],
)
def test_every_request_has_the_answer_of_the_specification(posted: bytes, status: int) -> None:
    answer = ask(posted, LAST)
    assert answer.status == status, answer.body
    assert (answer.keep is None) is (status != 200)
    assert (answer.type == SIZE) is (status == 409)
    if status == 409:
        assert answer.body == b"20\n"
        assert witness.size(answer.body) == 20


def test_from_nothing_the_proof_is_empty_and_an_empty_tree_has_one_root() -> None:
    assert ask(witness.body(0, [merkle.EMPTY], signed(TREE, 30))).status == 422
    assert ask(witness.body(0, [], EMPTY)).status == 422
    assert ask(body(5, 30)).body == b"0\n"
    assert ask(body(0, 30), TREE.checkpoint(0)).status == 200


GOOD = body(20, 30)


@pytest.mark.parametrize(
    "posted",
    [
        b"",
        GOOD[1:],
        GOOD[:-1],
        GOOD.replace(b"\n", b"\r\n"),
        GOOD.replace(b"\n\n", b"\n", 1),
        *(
            GOOD.replace(b"old 20", word)
            for word in (b"old 020", b"old +20", b"old 2_0", b"old  20", b"old 20 ", b"old", b"old ", b"Old 20", b"old -20")
        ),
        GOOD.replace(b"old 20\n", b"old 9223372036854775808\n"),
        GOOD.replace(b"old 20\n", b"old 20\n" + b"A" * 43 + b"=\n" + b"A" * 43 + b"B\n"),
        witness.body(20, [merkle.EMPTY] * 64, signed(TREE, 30)),
        witness.body(20, [merkle.EMPTY[1:]], signed(TREE, 30)),
        witness.body(20, [], replace(signed(TREE, 30), text=b"not a checkpoint\n")),
        witness.body(20, [], Note(UNSIGNED.text, UNSIGNED.signatures * 101)),
        b"old 20\n" + b"x" * 1_100_000,
    ],
)
def test_what_is_no_request_is_answered_so_and_nothing_is_kept(posted: bytes) -> None:
    answer = ask(posted, LAST)
    assert (answer.status, answer.keep) == (400, None)
    assert answer.body.endswith(b"\n")


def test_a_request_that_is_too_long_is_not_even_read() -> None:
    with pytest.raises(Malformed, match="witness: it is longer"):
        witness.parse(GOOD + bytes(1_100_000))


def test_a_witness_does_not_speak_for_a_log_nor_a_log_for_a_witness() -> None:
    with pytest.raises(ValueError, match="type 4"):
        witness.answer(GOOD, LOGS, {ORIGIN: LAST}, [replace(KEYS[0], kind=ED25519)], NOW)
    with pytest.raises(ValueError, match="type 1"):
        LAST.sign(replace(LOG, kind=COSIGNATURE))


def test_all_keys_of_a_witness_sign_and_the_log_takes_those_that_it_knows() -> None:
    answer = witness.answer(GOOD, LOGS, {ORIGIN: LAST}, WITNESSES, NOW)
    known = [WITNESSES[2].verifier, WITNESSES[0].verifier]
    found = witness.cosigned(signed(TREE, 30), answer.body, known)
    assert [signature.name for signature in found] == ["witness.example/a", "witness.example/c"]
    with pytest.raises(Unproven, match="none of the known keys"):
        witness.cosigned(signed(TREE, 30), answer.body, [OTHER.verifier])
    with pytest.raises(Unproven, match="does not hold"):
        witness.cosigned(signed(TREE, 31), answer.body, known)
    for torn in (b"", answer.body[:-1], b"\n" + answer.body, answer.body * 34):
        with pytest.raises(Malformed):
            witness.cosigned(signed(TREE, 30), torn, known)


@pytest.mark.parametrize("answer", [b"", b"20", b"020\n", b"20\n\n", b" 20\n", b"20\r\n", b"twenty\n"])
def test_a_size_that_is_spelled_otherwise_is_refused(answer: bytes) -> None:
    with pytest.raises(Malformed):
        witness.size(answer)


@st.composite
def requests(draw: st.DrawFn) -> tuple[int, int, bool, bool]:
    """old, size, of which history, and with a proof of which."""
    return draw(st.integers(0, 40)), draw(st.integers(0, 40)), draw(st.booleans()), draw(st.booleans())


@given(st.lists(requests(), max_size=25), st.booleans())
def test_a_witness_never_signs_two_histories(asked: Sequence[tuple[int, int, bool, bool]], honest: bool) -> None:
    """The log's key is in the wrong hands: requests of both histories come in any order, most of them for what was cosigned last."""
    last: Checkpoint | None = None
    kept: list[Checkpoint] = []
    for old, size, fork, other in asked:
        tree, prover = (FORK if fork else TREE), (FORK if other else TREE)
        old = (last.size if last else 0) if honest or size % 2 else old
        answer = ask(witness.body(old, proof(prover, old, size), signed(tree, size)), last)
        if answer.keep:
            last = answer.keep
            kept.append(last)
    for before, after in pairwise(kept):
        assert before.size <= after.size
    histories = [[tree.checkpoint(said.size) for said in kept] for tree in (TREE, FORK)]
    assert kept in histories


def test_a_restored_witness_signs_the_same_again() -> None:
    """It crashed after it kept and before it answered: the log asks with the old size, hears the new one, and asks again."""
    answer = ask(body(20, 30), LAST)
    assert ask(body(20, 30), answer.keep).body == b"30\n"
    again = ask(body(30, 30), answer.keep)
    assert again.body == answer.body
    assert checkpoint.parse(signed(TREE, 30).text) == again.keep


def extended(size: int, *more: bytes) -> Note:
    """The log's checkpoint with lines of its own behind it, signed with them."""
    text = TREE.checkpoint(size).text + b"".join(line + b"\n" for line in more)
    return Note(text, (note.sign(text, LOG, 0),))


def test_a_checkpoint_with_extension_lines_is_cosigned_with_them() -> None:
    """tlog-checkpoint allows them; it was 400, while docs/auditors.md says that any log may ask."""
    asked = extended(7, b"some 1", b"other 2")
    answer = ask(witness.body(0, (), asked))
    assert (answer.status, answer.keep) == (200, TREE.checkpoint(7)), answer.body
    (cosigned,) = witness.cosigned(asked, answer.body, [KEYS[0].verifier])
    assert note_keys.unpack(cosigned.value)[0] == NOW
    shown = note.parse(answer.note)
    assert shown.text == asked.text and note.check(shown, [LOG.verifier, KEYS[0].verifier]).keys() == {LOG.verifier, KEYS[0].verifier}
    assert ask(witness.body(7, proof(TREE, 7, 31), extended(31, b"x")), answer.keep).status == 200
    assert ask(witness.body(7, (), extended(7, b"another")), answer.keep).status == 200, "it is the same tree"
    with pytest.raises(Malformed):
        checkpoint.parse(asked.text)  # who audits takes none


def test_an_extension_line_that_is_empty_is_none() -> None:
    text = TREE.checkpoint(7).text + b"\n"
    assert ask(witness.body(0, (), Note(text + b"x\n", (note.sign(text + b"x\n", LOG, 0),)))).status == 400
