"""Vectors of every line of the policy file and of `trust.toml` (section 11)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from referral.errors import Malformed
from referral.tlog import witness_policy
from referral.wire.signed import trust, trust_lines, writer_signature
from referral.wire.signed.trust import Trust
from tests.harness.made_log import policy
from tests.vectors.form import Vector, VectorFile, bad, good, public

KEYS = {seed: b64encode(public(seed)).decode() for seed in range(0x71, 0x7B)}
ONE, TWO = KEYS[0x71], KEYS[0x72]
DIGEST = "ab" * 32
WRITERS = "".join(f"# writer {name} ed25519 {KEYS[0x73 + n]}\n" for n, name in enumerate(writer_signature.OWNERS.values()))
TIME = "2026-12-01T00:00:00Z"
LINES = {
    "intake": f"# intake ed25519 {ONE}\n",
    "writer": WRITERS,
    "writer-until": f"# writer routing ed25519 {ONE}\n{WRITERS}# writer-until {ONE} {TIME}\n",
    "signed-from": WRITERS + f"# signed-from {TIME}\n",
    "policy-signer": f"# policy-signer keeper ed25519 {ONE}\n# policy-signer office ed25519 {TWO}\n",
    "policy-bundle": f"# policy-bundle 3 {DIGEST}\n",
    "approver": f"# approver desk-1 ed25519 {ONE}\n# approver desk-2 ed25519 {TWO}\n",
    "operator": f"# operator one ed25519 {ONE}\n# operator two ed25519 {TWO}\n",
    "two-operators-from": f"# operator one ed25519 {ONE}\n# operator two ed25519 {TWO}\n# two-operators-from {TIME}\n",
    "two-operators-for-tokens-from": (
        f"# operator one ed25519 {ONE}\n# operator two ed25519 {TWO}\n# two-operators-for-tokens-from {TIME}\n"
    ),
}
"""Word of a line of ours → lines that are good. A new word needs some here, and a row in section 11."""
REFUSED = (
    ("intake", "another kind of key", f"# intake rsa {ONE}\n"),
    ("intake", "a key of 31 bytes", f"# intake ed25519 {b64encode(bytes(31)).decode()}\n"),
    ("intake", "a word too many", f"# intake ed25519 {ONE} old\n"),
    ("writer", "three of four", "".join(WRITERS.splitlines(keepends=True)[:3])),
    ("writer", "a service that writes no topic", f"# writer audit ed25519 {ONE}\n"),
    ("writer-until", "a key of 31 bytes", f"{WRITERS}# writer-until {b64encode(bytes(31)).decode()} {TIME}\n"),
    ("writer-until", "no time", f"{WRITERS}# writer-until {ONE}\n"),
    ("signed-from", "no time", "# signed-from yesterday\n"),
    ("signed-from", "a time without an offset", "# signed-from 2026-12-01T00:00:00\n"),
    ("policy-signer", "a name twice", f"# policy-signer keeper ed25519 {ONE}\n# policy-signer keeper ed25519 {TWO}\n"),
    ("policy-signer", "two signers with one key", f"# policy-signer keeper ed25519 {ONE}\n# policy-signer office ed25519 {ONE}\n"),
    ("policy-signer", "a name in capitals", f"# policy-signer Keeper ed25519 {ONE}\n"),
    ("policy-bundle", "a digest of 63 digits", f"# policy-bundle 3 {DIGEST[1:]}\n"),
    ("policy-bundle", "a number of ten digits", f"# policy-bundle 1234567890 {DIGEST}\n"),
    ("approver", "two approvers with one key", f"# approver desk-1 ed25519 {ONE}\n# approver desk-2 ed25519 {ONE}\n"),
    ("approver", "no key", "# approver desk-1 ed25519\n"),
    ("operator", "one alone", f"# operator one ed25519 {ONE}\n"),
    ("operator", "a name twice", f"# operator one ed25519 {ONE}\n# operator one ed25519 {TWO}\n"),
    ("two-operators-from", "no time", f"# operator one ed25519 {ONE}\n# operator two ed25519 {TWO}\n# two-operators-from now\n"),
    (
        "two-operators-for-tokens-from",
        "no time",
        f"# operator one ed25519 {ONE}\n# operator two ed25519 {TWO}\n# two-operators-for-tokens-from now\n",
    ),
)
"""Word → why a reader refuses these lines."""


def named(text: str) -> dict[str, Any]:
    """Return whom a policy file names, as `verify` reads it. Malformed."""
    data = text.encode()
    erasers, operators = trust_lines.erasers(data), trust_lines.operators(data)
    signers, writers = trust_lines.policy_keepers(data), trust_lines.writers(data)
    return {
        "intake": erasers.intake,
        "approvers": erasers.approvers,
        "signed_from_ms": erasers.since,
        "policy_signers": signers.signers,
        "policy_bundles": signers.pins,
        "writers": writers.keys,
        "writers_until_ms": {b64encode(key).decode(): at for key, at in writers.ends.items()},
        "operators": operators.keys,
        "two_operators_from_ms": operators.since,
        "two_operators_for_tokens_from_ms": operators.tokens,
    }


def policy_lines() -> VectorFile:
    """Each line of ours alone, all together, what is a comment, the C2SP lines, and lines that a reader refuses."""
    base = policy().decode()
    found = [_named(f"line {word}", lines) for word, lines in LINES.items()]
    found.append(_named("all lines", base + "".join(dict.fromkeys("".join(LINES.values()).splitlines(keepends=True)))))
    found.append(_named("two keys of intake", LINES["intake"] + f"# intake ed25519 {TWO}\n"))
    found.append(_named("the later of two times", WRITERS + f"# signed-from {TIME}\n# signed-from 2027-01-01T00:00:00+01:00\n"))
    found.append(_named("tabs and several spaces", f"#\tintake   ed25519 {ONE}\n"))
    found.append(_named("comments: no space, another word, a capital", f"#intake ed25519 {ONE}\n# note intake\n# Intake ed25519 {ONE}\n"))
    for word, why, lines in REFUSED:
        try:
            named(lines)
        except Malformed:
            found.append(bad(f"line {word}: {why}", why, f"line {word}", policy_text=lines))
            continue
        raise AssertionError(f"{word}: {why}")
    parsed = witness_policy.parse(policy())
    found.append(good("C2SP lines log, witness, group, quorum", policy_text=base, quorum_text=parsed.quorum, groups=parsed.groups))
    return VectorFile("11", found)


def _named(name: str, lines: str) -> Vector:
    return good(name, policy_text=lines, named=named(lines))


def whole() -> Trust:
    """Return a trust that names everybody."""
    text = policy().decode() + "".join(dict.fromkeys("".join(LINES.values()).splitlines(keepends=True)))
    return trust.imported(text.encode())


def trusts() -> VectorFile:
    """`trust.toml` with every field, with each field off or absent, and files that a reader refuses."""
    text = whole().written().decode()
    found = [good("every field", trust_text=text, **_held(text))]
    others = {f"field {field} off": _off(text, field) for field in trust.KEYED}
    others |= {f"field {field} absent": _without(text, field) for field in trust.FIELDS[6:]}
    found += [good(name, trust_text=other, **_held(other)) for name, other in others.items()]
    for name, why, changed in _refused(text):
        try:
            trust.read(changed.encode())
        except Malformed:
            found.append(bad(name, why, "every field", trust_text=changed))
            continue
        raise AssertionError(name)
    return VectorFile("11", found)


def _held(text: str) -> dict[str, Any]:
    """Return the lines in the log's form that say the same."""
    return {"policy_text": trust.read(text.encode()).logged().decode()}


def _without(text: str, field: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if line.split(" = ")[0].split(".")[0] != field)


def _off(text: str, field: str) -> str:
    return _without(text, field) + f'{field} = "off"\n'


def _refused(text: str) -> Iterator[tuple[str, str, str]]:
    for field in trust.FIELDS[1:6]:
        yield f"field {field} missing", "a wall is down only where the file says so", _without(text, field)
    yield "field witness_policy missing", "the log and its witnesses", 'intake = "off"\n'
    yield "an unknown word", "a misspelt word would name nobody", text + 'aprovers = "off"\n'
    yield "one operator", "two or none", _without(text, "operators") + f'operators.one = "{ONE}"\n'
    yield "three writers", "four or none", "".join(line for line in text.splitlines(keepends=True) if "writers.intake" not in line)
    yield (
        "lines of the log in witness_policy",
        "here a comment is a comment",
        text.replace("quorum seen\n", f"quorum seen\n{LINES['intake']}"),
    )
    yield "a time without an offset", "a time of which place?", text.replace(f"signed_from = {TIME}", "signed_from = 2026-12-01T00:00:00")
