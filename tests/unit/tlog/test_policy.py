"""Whom to believe is read from one file, and a proof is good only with the entry, the log and the quorum that it names."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from referral.errors import Malformed, Unproven
from referral.tlog import merkle, note, proof_file, witness_policy
from referral.tlog.note import Note
from referral.tlog.note_keys import COSIGNATURE, ED25519, SignerKey
from tests.harness.made_log import LOG, NOW, ORIGIN, WITNESSES, made, policy

TREE = made(21)
GOOD = TREE.proof(13)
DATA = GOOD.encode()
LEAF = TREE.leaves[13]
ALL = witness_policy.parse(policy())


def vkey(number: int, kind: int = COSIGNATURE) -> str:
    return SignerKey(f"k{number}.example", kind, bytes([40 + number]) * 32).verifier.encode().decode()


EXAMPLE = f"""
# the example of tlog-policy, with its keys
log {vkey(0, ED25519)}

witness X1 {vkey(1)}
witness X2 {vkey(2)} https://x2.example/
\twitness \t X3   {vkey(3)}  \t
group X-witnesses 2 X1 X2 X3
  # more of them
witness Y1 {vkey(4)}
witness Y2 {vkey(5)}
witness Y3 {vkey(6)}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""
NAMES = ("X1", "X2", "X3", "Y1", "Y2", "Y3")


def test_the_example_of_the_specification_means_what_it_says() -> None:
    found = witness_policy.parse(EXAMPLE.encode())
    assert [log.name for log in found.logs] == ["k0.example"]
    assert [witness.name for witness in found.witnesses] == list(NAMES)
    assert [witness.url for witness in found.witnesses[:2]] == ["", "https://x2.example/"]
    for seen in chain.from_iterable(combinations(NAMES, count) for count in range(7)):
        wanted = sum(name[0] == "X" for name in seen) >= 2 and any(name[0] == "Y" for name in seen)
        assert found.satisfied(set(seen)) is wanted


def test_a_quorum_is_a_witness_a_group_or_none() -> None:
    one = f"witness a {vkey(1)}\nwitness b {vkey(2)}\n"
    assert witness_policy.parse(f"{one}quorum b\n".encode()).satisfied({"b"})
    assert not witness_policy.parse(f"{one}quorum b\n".encode()).satisfied({"a"})
    assert witness_policy.parse(f"{one}quorum none\n".encode()).satisfied(set())
    assert witness_policy.parse(b"quorum none\n").satisfied(set())
    with pytest.raises(Unproven, match="no key is known"):
        witness_policy.accept(witness_policy.parse(b"quorum none\n"), TREE.signed())


def test_names_are_bytes_without_a_meaning() -> None:
    text = b"witness \xff " + vkey(1).encode() + b"\nwitness \xe2\x84\xaa " + vkey(2).encode() + b"\nwitness K " + vkey(3).encode()
    found = witness_policy.parse(text + b"\ngroup g any K \xff \xe2\x84\xaa\nquorum \xff\n")
    assert len({witness.name for witness in found.witnesses}) == 3
    assert found.satisfied({found.witnesses[0].name})
    ascii(str(found))


W1, W2 = f"witness a {vkey(1)}\n", f"witness b {vkey(2)}\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (W1, "no line"),
        ("", "newline"),
        (W1 + "quorum a", "newline"),
        (W1 + "quorum a\nquorum a\n", "line 3"),
        ("quorum a\n" + W1, "line 1"),
        (W1 + "quorum b\n", "line 2"),
        (W1 + "quorum\n", "line 2"),
        (W1 + "quorum a b\n", "line 2"),
        (W1 + W1 + "quorum a\n", "line 2"),
        (W1 + W2.replace("b", "a", 1).replace("witness b", "witness a") + "quorum a\n", "line 2"),
        (W1 + f"witness b {vkey(1)}\nquorum a\n", "line 2"),
        (f"log {vkey(1, ED25519)}\nlog {vkey(1, ED25519)} https://again.example/\nquorum none\n", "line 2"),
        (f"log {vkey(1)}\nquorum none\n", "line 1"),
        (f"witness a {vkey(1, ED25519)}\nquorum a\n", "line 1"),
        (f"witness none {vkey(1)}\nquorum none\n", "line 1"),
        ("witness a\nquorum a\n", "line 1"),
        (f"witness a {vkey(1)[:-4]}\nquorum a\n", "line 1"),
        (f"witness a {vkey(1)} https://a.example/ more\nquorum a\n", "line 1"),
        ("log\nquorum none\n", "line 1"),
        (W1 + "group g any\nquorum g\n", "line 2"),
        (W1 + "group g any b\nquorum g\n", "line 2"),
        (W1 + "group g any g\nquorum g\n", "line 2"),
        (W1 + "group g any none\nquorum g\n", "line 2"),
        (W1 + "group a any a\nquorum a\n", "line 2"),
        (W1 + "group none any a\nquorum none\n", "line 2"),
        (W1 + W2 + "group g all a a\nquorum g\n", "line 3"),
        (W1 + W2 + "group g all a b\ngroup h any a\nquorum g\n", "line 4"),
        *((W1 + W2 + f"group g {least} a b\nquorum g\n", "line 3") for least in ("0", "3", "01", "+1", "1_0", "-1", "some", "Any", "²")),
        (W1.replace("\n", "\r\n") + "quorum a\n", "line 1"),
        (W1 + "quorum a\0\n", "line 2"),
        (W1 + "#\x7f\nquorum a\n", "line 2"),
        (W1 + "\v\nquorum a\n", "line 2"),
        (W1 + "quorum\u00a0a\n", "line 2"),
        (W1 + "Quorum a\n", "line 2"),
        (W1 + "quorum a # comment\n", "line 2"),
        (W1 + "#" * 1_000_000 + "\nquorum a\n", "longer"),
    ],
)
def test_a_policy_with_a_mistake_is_refused_with_its_line(text: str, line: str) -> None:
    with pytest.raises(Malformed, match=f"policy: .*{line}"):
        witness_policy.parse(text.encode())


def test_a_checkpoint_is_believed_with_the_quorum_and_not_without() -> None:
    for quorum, wanted in (("any", 1), ("2", 2), ("all", 3)):
        rules = witness_policy.parse(policy(quorum))
        for count in range(4):
            signed = TREE.signed(witnesses=WITNESSES[:count])
            if count < wanted:
                with pytest.raises(Unproven, match=r"quorum: 'seen' is wanted, seen by (nobody|'w1')"):
                    witness_policy.accept(rules, signed)
            else:
                accepted = witness_policy.accept(rules, signed)
                assert accepted.checkpoint == TREE.checkpoint()
                assert accepted.witnesses == dict.fromkeys(("w1", "w2", "w3")[:count], NOW)


def test_one_witness_twice_is_one_witness() -> None:
    signed = TREE.signed(witnesses=[WITNESSES[0]] * 2)
    again = Note(signed.text, (*signed.signatures, note.sign(signed.text, WITNESSES[0], NOW + 1)))
    with pytest.raises(Unproven, match="seen by 'w1'"):
        witness_policy.accept(witness_policy.parse(policy("2")), again)


def test_the_log_does_not_count_as_its_own_witness() -> None:
    as_witness = replace(LOG, kind=COSIGNATURE)
    signed = TREE.signed(witnesses=())
    both = Note(signed.text, (*signed.signatures, note.sign(signed.text, as_witness, NOW)))
    with pytest.raises(Unproven, match="nobody"):
        witness_policy.accept(witness_policy.parse(policy("any")), both)


@pytest.mark.parametrize("size", [1, 2, 20, 21])
def test_a_proof_is_written_read_and_holds(size: int) -> None:
    for index in range(size):
        for extra in (None, b"", b"\0extra"):
            proof = replace(TREE.proof(index, size), extra=extra)
            assert proof_file.parse(proof.encode()) == proof
        accepted = proof_file.check(proof, TREE.leaves[index], ALL)
        assert accepted.checkpoint == TREE.checkpoint(size)


def test_a_proof_is_for_one_entry_at_one_place_in_one_tree() -> None:
    with pytest.raises(Unproven, match="another root"):
        proof_file.check(GOOD, TREE.leaves[12], ALL)
    with pytest.raises(Unproven, match="another root"):
        proof_file.check(replace(GOOD, index=12), LEAF, ALL)
    with pytest.raises(Unproven, match="outside"):
        proof_file.check(replace(GOOD, index=21), LEAF, ALL)
    with pytest.raises(Unproven, match="another root"):
        proof_file.check(replace(GOOD, checkpoint=made(21, "other").signed().encode()), LEAF, ALL)
    with pytest.raises(Unproven, match="quorum"):
        proof_file.check(TREE.proof(13, witnesses=WITNESSES[1:]), LEAF, ALL)


def test_the_lines_of_a_proof_are_those_of_the_specification() -> None:
    first, extra, index, *hashes = replace(GOOD, extra=b"abc").encode().partition(b"\n\n")[0].decode().split("\n")
    assert (first, extra, index) == ("c2sp.org/tlog-proof@v1", "extra YWJj", "index 13")
    assert hashes == [b64encode(hash_).decode() for hash_ in merkle.inclusion(TREE.nodes, 13, 21)]


HEAD = b"c2sp.org/tlog-proof@v1\n"
HASH = b64encode(GOOD.hashes[0]) + b"\n"
REST = b"\n" + GOOD.checkpoint


@pytest.mark.parametrize(
    "data",
    [
        DATA.replace(b"\n", b"\r\n"),
        DATA.replace(b"@v1", b"@v2"),
        DATA[1:],
        HEAD + REST,
        HEAD + b"index 13\n" + b"extra YWJj\n" + HASH + REST,
        HEAD + b"extra YWJj\nextra YWJj\nindex 13\n" + REST,
        HEAD + b"extra YWJ\nindex 13\n" + REST,
        HEAD + b"extra  YWJj\nindex 13\n" + REST,
        HEAD + b"extra\nindex 13\n" + REST,
        *(
            HEAD + b"index" + word + b"\n" + HASH + REST
            for word in (b"", b" ", b" 013", b" +13", b" 1_3", b"  13", b" 13 ", b" -1", b"\t13")
        ),
        HEAD + b"index 9223372036854775808\n" + HASH + REST,
        HEAD + b"Index 13\n" + HASH + REST,
        HEAD + b"index 13\n" + HASH[:-2] + b"\n" + REST,
        HEAD + b"index 13\n" + HASH[4:] + REST,
        HEAD + b"index 13\n" + b" " + HASH + REST,
        HEAD + b"index 13\n" + HASH * 64 + REST,
        HEAD + b"index 13\n" + HASH + REST[1:],
        HEAD + b"\nindex 13\n" + HASH + REST,
        b"",
    ],
)
def test_a_proof_that_is_spelled_otherwise_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed) as found:
        proof_file.check(proof_file.parse(data), LEAF, ALL)
    assert not isinstance(found.value, Unproven)


@pytest.mark.parametrize(
    "change", [lambda byte: byte ^ 1, lambda byte: byte ^ 0x20, lambda byte: (byte + 3) % 256], ids=["bit", "case", "plus 3"]
)
def test_every_changed_byte_of_a_proof_is_refused(change: Callable[[int], int]) -> None:
    for place in range(len(DATA)):
        data = bytearray(DATA)
        data[place] = change(data[place])
        with pytest.raises(Malformed):
            proof_file.check(proof_file.parse(bytes(data)), LEAF, ALL)


@given(st.data())
def test_lines_that_are_left_out_doubled_or_moved_are_refused(data: st.DataObject) -> None:
    """Signatures may stand in any order and come twice; everything else has its place."""
    found = DATA.splitlines(keepends=True)
    first = data.draw(st.integers(0, len(found) - 1))
    second = data.draw(st.integers(0, len(found) - 1))
    moved = [*found[:first], *found[first + 1 :]]
    if data.draw(st.booleans()):
        moved.insert(second, found[first])
    if data.draw(st.booleans()):
        moved.insert(first, found[second])
    fixed = len(found) - 1 - len(WITNESSES)
    same = moved[:fixed] == found[:fixed] and set(moved[fixed:]) == set(found[fixed:])
    try:
        accepted = proof_file.check(proof_file.parse(b"".join(moved)), LEAF, ALL)
    except Malformed:
        assert not same
    else:
        assert same
        assert accepted.checkpoint == TREE.checkpoint()
        assert accepted.checkpoint.origin == ORIGIN
