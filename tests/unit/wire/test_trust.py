"""`trust.toml` is read whole or not at all: no misspelt, missing, doubled or mistyped word takes a wall down."""

from __future__ import annotations

import contextlib
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from referral.errors import Malformed
from referral.wire.signed import trust, trust_lines
from referral.wire.signed.trust import FIELDS, KEYED, OFF, Trust
from tests.harness import erased, made_log, policies, two_operators, writers

INTAKE = erased.INTAKE.intake[0]
PEOPLE = policies.LINES + erased.LINES + writers.LINES + two_operators.LINES
TIMES = (
    b"# signed-from 2026-11-01T00:00:00Z\n# two-operators-from 2026-11-02T00:00:01Z\n# two-operators-for-tokens-from 2026-12-01T00:00:00Z\n"
)
BEFORE = PEOPLE + trust_lines.pin_line(1, "a" * 64) + TIMES + trust_lines.intake_line(INTAKE) + made_log.policy() + b"# a remark\n"
"""A policy file of release 0.1.0 that names everybody."""
TEXT = trust.imported(BEFORE).written().decode()
LINES = TEXT.split("\n")


@dataclass(frozen=True)
class Word:
    """A word on the left of a line of the file. at: number of its line, from 0."""

    at: int
    word: str


WORDS = [
    Word(at, word) for at, line in enumerate(LINES) if " = " in line and line[0] != "#" for word in line.partition(" = ")[0].split(".")[:1]
]


def refusal(text: str) -> str:
    """The words with which a file is refused."""
    with pytest.raises(Malformed) as found:
        trust.read(text.encode())
    assert found.value.reason == "trust"
    return str(found.value)


def test_what_a_file_of_0_1_0_names_is_named_by_the_file_that_is_made_of_it() -> None:
    found = trust.imported(BEFORE)
    assert found == trust.read(TEXT.encode()) == trust.imported(found.logged()), "and the log publishes the same"
    assert found.policy == trust_lines.policy_keepers(BEFORE) and found.erasers == trust_lines.erasers(BEFORE)
    assert found.writers == trust_lines.writers(BEFORE) and found.operators == trust_lines.operators(BEFORE)
    assert found.witness_policy == made_log.policy() + b"# a remark\n", "a comment is a comment"
    assert trust_lines.policy_keepers(found.logged()) == found.policy and trust_lines.operators(found.logged()) == found.operators


def test_a_file_that_names_nobody_says_so() -> None:
    found = trust.imported(made_log.policy())
    assert [field for field in KEYED if f'{field} = "{OFF}"' in found.written().decode()] == [*KEYED]
    assert found.logged() == made_log.policy() and found == trust.read(found.written())


@given(some.sampled_from(WORDS), some.integers(0, 40), some.sampled_from("abexyz_"))
def test_every_misspelt_word_is_refused_with_its_line(word: Word, place: int, letter: str) -> None:
    place %= len(word.word)
    for spelt in (word.word[:place] + word.word[place + 1 :], word.word[:place] + letter + word.word[place:]):
        if not spelt or spelt in FIELDS:
            continue
        said = refusal("\n".join([*LINES[: word.at], LINES[word.at].replace(word.word, spelt, 1), *LINES[word.at + 1 :]]))
        assert f"line {word.at + 1} `{spelt}` is no word of this file: write " in said or "names one" in said, said


@pytest.mark.parametrize("field", FIELDS[: 1 + len(KEYED)])
def test_a_missing_word_is_refused_and_off_must_be_written(field: str) -> None:
    without = [line for line in TEXT.split("\n") if not line.startswith(field)]
    if field == "witness_policy":
        without = TEXT.partition("'''\n")[2].partition("'''\n")[2].split("\n")
    assert f"`{field}` is missing: " in refusal("\n".join(without))
    if field in KEYED:
        put_off = trust.read("\n".join([f'{field} = "{OFF}"', *without]).encode())
        assert put_off != trust.read(TEXT.encode())
        assert "trust: line 1" in refusal("\n".join([f'{field} = "of"', *without]))


@pytest.mark.parametrize("line", [line for line in LINES if " = " in line and "'''" not in line and line[0] != "#"])
def test_a_line_that_stands_twice_or_holds_another_type_is_refused(line: str) -> None:
    number, word = LINES.index(line) + 1, line.partition(" = ")[0]
    assert f"line {len(LINES)}" in refusal(TEXT + line + "\n"), "named twice"
    for value in ("7", '"x"', "[]", "{}", "true", '["x"]', '"off "', '"' + "A" * 42 + '=="'):
        assert f"line {number} " in refusal(TEXT.replace(line, f"{word} = {value}")), value


def test_two_people_have_two_keys_and_one_alone_is_nobody() -> None:
    first, second = [line for line in LINES if line.startswith("approvers.")]
    shared = f"{second.partition(' = ')[0]} = {first.partition(' = ')[2]}"
    assert f"line {LINES.index(second) + 1} repeats the key of another approver" in refusal(TEXT.replace(second, shared))
    assert "names one approver" in refusal(TEXT.replace(second + "\n", ""))
    routing = next(line for line in LINES if line.startswith("writers.routing"))
    assert "names no key of routing" in refusal(TEXT.replace(routing + "\n", ""))
    assert "routing, notifier, oversight" in refusal(TEXT.replace("writers.routing", "writers.audit"))


def test_a_writers_key_may_end_and_the_log_says_so() -> None:
    routing = next(line for line in LINES if line.startswith("writers.routing"))
    old, new = (b64encode(bytes([n]) * 32).decode() for n in (7, 8))
    told = f'writers.routing = ["{new}", "{old} until 2027-03-01T01:00:00+01:00"]'
    found = trust.read(TEXT.replace(routing, told).encode())
    at = int(datetime(2027, 3, 1, tzinfo=UTC).timestamp() * 1000)
    assert found.writers.keys["routing"] == (bytes([8]) * 32, bytes([7]) * 32) and found.writers.ends == {bytes([7]) * 32: at}
    assert trust.read(found.written()) == found, "written as it is read"
    assert trust.imported(found.logged()) == found and trust_lines.writers(found.logged()) == found.writers
    assert f"# writer-until {old} 2027-03-01T00:00:00Z\n".encode() in found.logged()
    number = LINES.index(routing) + 1
    for word in (
        f"{old} until",
        f"{old} until ",
        f"{old} until tomorrow",
        f"{old} until 2027-03-01T00:00:00",
        "x until 2027-03-01T00:00:00Z",
    ):
        assert f"line {number} " in refusal(TEXT.replace(routing, told.replace(f"{old} until 2027-03-01T01:00:00+01:00", word))), word
    assert "ends every key of routing" in refusal(TEXT.replace(routing, f'writers.routing = ["{old} until 2027-03-01T00:00:00Z"]'))


def test_tables_are_read_as_dotted_words_are() -> None:
    lines = [line.partition(".")[2] for line in LINES if line.startswith("approvers.")]
    table = "".join(f"{line}\n" for line in LINES if not line.startswith("approvers.")) + "\n".join(["[approvers]", *lines])
    assert trust.read(table.encode()) == trust.read(TEXT.encode())
    name = lines[1].partition(" = ")[0]
    number = table.split("\n").index(lines[1]) + 1
    assert f"line {number} names no approver" in refusal(table.replace(lines[1], f'{name} = "x"'))


@pytest.mark.parametrize("data", [b"\xff", BEFORE, b"log x\n", b"", b"[", made_log.policy()])
def test_another_file_is_refused_with_the_remedy(data: bytes) -> None:
    with pytest.raises(Malformed, match=r"trust: .*(referral audit trust import FILE|is missing)"):
        trust.read(data)


@pytest.mark.parametrize("line", [line for line in BEFORE.splitlines() if trust._is_old(line)])
def test_a_line_of_0_1_0_is_no_comment_of_the_policy_file(line: bytes) -> None:
    with pytest.raises(Malformed, match=r"line \d+ `# .*referral audit trust import FILE"):
        trust.refuse_old_lines(made_log.policy() + line + b"\n")
    said = refusal(TEXT.replace("quorum seen\n", f"quorum seen\n{line.decode()}\n"))
    assert "witness_policy" in said and "referral audit trust import FILE" in said


def test_a_remark_is_a_remark() -> None:
    remarks = b"# a remark about an approver\n#\n# the log of 2026\n# follows log.example/before\n#   log.example/before\n"
    trust.refuse_old_lines(remarks + made_log.policy())
    assert trust.imported(remarks + made_log.policy()).witness_policy == remarks + made_log.policy()


@given(some.sampled_from(list(PEOPLE.splitlines())), some.integers(0, 40), some.booleans())
def test_no_line_that_0_1_0_passed_over_is_taken_for_a_remark(line: bytes, place: int, dropped: bool) -> None:
    words = line.split()
    place %= len(words[1])
    words[1] = words[1][:place] + (b"" if dropped else b"x") + words[1][place + dropped :]
    with pytest.raises(Malformed, match=r"line 1 `# .*passed it over, so it named nobody"):
        trust.imported(b" ".join(words) + b"\n" + made_log.policy())


@pytest.mark.parametrize(
    "line", [b"#approver a ed25519 x", b"# singed-from 2026-12-01T00:00:00Z", b"  # Writer routing", b"# polic-bundle 1 a"]
)
def test_a_line_that_is_nearly_one_of_0_1_0_is_shown(line: bytes) -> None:
    with pytest.raises(Malformed, match="line 1 "):
        trust.imported(line + b"\n" + made_log.policy())


@given(some.binary(max_size=400))
def test_no_bytes_make_another_error(data: bytes) -> None:
    for read in (trust.read, trust.imported):
        with contextlib.suppress(Malformed):
            assert isinstance(read(data), Trust)
