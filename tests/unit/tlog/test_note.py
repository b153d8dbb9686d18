"""Signed notes: other people's examples hold, and what is spelled in another way than the one is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from referral.errors import Malformed, Unproven
from referral.tlog import checkpoint, note, note_keys
from referral.tlog.note import Note, Signature
from referral.tlog.note_keys import ED25519, SignerKey, VerifierKey
from tests.harness.made_log import LOG, NOW, ORIGIN, WITNESSES, made

SPECIFICATION = (
    b"example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n",
)
"""The example of C2SP signed-note."""
GO = (
    b"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n",
)
"""The example of golang.org/x/mod/sumdb/note."""
POEM = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
    "— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
)
"""Another one of the specification, with an empty line in its text; no key is published for it."""
GOOD = made(7).signed()
DATA = GOOD.encode()


@pytest.mark.parametrize(("key", "text"), [SPECIFICATION, GO])
def test_the_examples_of_others_hold(key: bytes, text: str) -> None:
    parsed, verifier = note.parse(text.encode()), note_keys.verifier(key)
    assert verifier.encode() == key
    assert parsed.encode() == text.encode()
    assert list(note.check(parsed, [verifier])) == [verifier]
    with pytest.raises(Unproven, match="signature 1"):
        note.check(replace(parsed, text=parsed.text.replace(b"i", b"I")), [verifier])


def test_the_last_empty_line_ends_the_text() -> None:
    parsed = note.parse(POEM.encode())
    assert parsed.text.count(b"\n\n") == 1
    assert parsed.text.endswith(b"sera.\n")
    assert [signature.name for signature in parsed.signatures] == ["quasimodo.example/salvatore"]


def test_log_and_witnesses_are_told_by_name_and_id() -> None:
    everybody = [LOG.verifier, *(witness.verifier for witness in WITNESSES)]
    found = note.check(note.parse(DATA), everybody)
    assert list(found) == everybody
    assert {note_keys.unpack(found[witness.verifier].value)[0] for witness in WITNESSES} == {NOW}


OTHER = SignerKey("other.example", ED25519, bytes([9]) * 32)


def changed(old: str | bytes, new: str | bytes) -> bytes:
    """The good note with one thing in another way, everywhere it stands."""
    old, new = (word.encode() if isinstance(word, str) else word for word in (old, new))
    assert old in DATA
    return DATA.replace(old, new)


def loose(line: bytes) -> bytes:
    """The same signature for a decoder that does not look at the bits below the padding."""
    last = line[-4:-3]
    assert last in b"AQgw"
    return line[:-4] + bytes([last[0] + 1]) + line[-3:]


TRAPS: dict[str, bytes] = {
    "no last newline": DATA[:-1],
    "a second last newline": DATA + b"\n",
    "no signature": GOOD.text + b"\n",
    "no empty line": DATA.replace(b"\n\n", b"\n"),
    "CRLF": DATA.replace(b"\n", b"\r\n"),
    "CR in the text": changed("\n7\n", "\n7\r\n"),
    "NUL in the text": changed("\n7\n", "\n7\0\n"),
    "VT in the text": changed("\n7\n", "\n7\v\n"),
    "tab in a name": changed("— witness.example/a", "— witness.example\t/a"),
    "not UTF-8": changed("\n7\n", b"\n7\xff\n"),
    "a surrogate": changed("\n7\n", b"\n7\xed\xa0\x80\n"),
    "U+0085 in a name": changed("— witness.example/a", "— witness.example\u0085/a"),
    "U+2028 in a name": changed("— witness.example/a", "— witness.example\u2028/a"),
    "no-break space in a name": changed("— witness.example/a", "— witness.example\u00a0/a"),
    "plus in a name": changed("— witness.example/a", "— witness.example+/a"),
    "no name": changed("— witness.example/a", "— "),
    "a hyphen for the dash": changed("— witness.example/a", "- witness.example/a"),
    "two spaces": changed("— witness.example/a ", "— witness.example/a  "),
    "a space behind": changed("=\n— witness.example/a", "= \n— witness.example/a"),
    "no signature behind the name": changed(GOOD.signatures[1].line, "— witness.example/a\n"),
    "an id alone": changed(GOOD.signatures[1].line, "— witness.example/a AAAAAA==\n"),
    "padding left out": changed(GOOD.signatures[0].line, GOOD.signatures[0].line.replace(b"=", b"")),
    "bits below the padding": changed(GOOD.signatures[1].line, loose(GOOD.signatures[1].line)),
    "the other alphabet": changed(GOOD.signatures[0].line, f"— {ORIGIN} ____\n"),
    "junk that decoders skip": changed(GOOD.signatures[0].line, GOOD.signatures[0].line.replace(b"=", b"*=")),
    "101 signatures": GOOD.text + b"\n" + GOOD.signatures[0].line * 101,
    "too long": b"x" * 1_000_000 + b"\n\n" + GOOD.signatures[0].line,
}


@pytest.mark.parametrize("data", TRAPS.values(), ids=TRAPS)
def test_a_note_that_is_spelled_otherwise_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed, match="note: ") as found:
        note.parse(data)
    assert not isinstance(found.value, Unproven)


@given(st.binary(max_size=120))
def test_bytes_at_random_are_refused_as_malformed(data: bytes) -> None:
    for parse in (note.parse, checkpoint.parse, note_keys.verifier, note_keys.signer):
        with pytest.raises(Malformed):
            parse(data)


def test_sixteen_and_a_hundred_signatures_are_taken() -> None:
    many = [SignerKey(f"many.example/{n}", ED25519, bytes([n]) * 32) for n in range(100)]
    for count in (16, 100):
        signed = Note(GOOD.text, tuple(note.sign(GOOD.text, key, NOW) for key in many[:count]))
        assert len(note.check(note.parse(signed.encode()), [key.verifier for key in many])) == count


def test_signatures_of_strangers_are_passed_over() -> None:
    stranger = [
        note.sign(b"something else\n", OTHER, NOW),
        Signature(ORIGIN, b"\0\1\2\3", b"same name, other id"),
        Signature("other.example/of-the-same-id", LOG.verifier.id, b"same id, other name"),
    ]
    noisy = note.parse(Note(GOOD.text, (*stranger, *GOOD.signatures)).encode())
    assert list(note.check(noisy, [LOG.verifier])) == [LOG.verifier]
    with pytest.raises(Unproven, match="none of the known keys"):
        note.check(Note(GOOD.text, tuple(stranger)), [LOG.verifier])


def test_a_bad_signature_by_a_known_key_spoils_the_note() -> None:
    forged = note.sign(b"something else\n", WITNESSES[1], NOW)
    spoiled = Note(GOOD.text, (*GOOD.signatures, forged))
    assert note.check(spoiled, [LOG.verifier])
    with pytest.raises(Unproven, match=r"signature 5 is in the name of witness.example/b"):
        note.check(spoiled, [LOG.verifier, WITNESSES[1].verifier])


def test_a_signature_that_comes_twice_counts_once() -> None:
    again = note.sign(GOOD.text, WITNESSES[0], NOW + 60)
    doubled = note.parse(Note(GOOD.text, (*GOOD.signatures, *GOOD.signatures, again)).encode())
    found = note.check(doubled, [WITNESSES[0].verifier])
    assert found == {WITNESSES[0].verifier: GOOD.signatures[1]}


def test_two_keys_of_one_name_and_id_are_an_error_of_whoever_configured_them() -> None:
    class Twin(VerifierKey, frozen=True):
        @property
        def id(self) -> bytes:
            return LOG.verifier.id

    with pytest.raises(Malformed, match="two keys"):
        note.check(GOOD, [LOG.verifier, Twin(ORIGIN, ED25519, bytes(32))])
