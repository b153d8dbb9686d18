"""What a signer reads before signing: keys of agencies and limits by name, everything else by its place."""

from __future__ import annotations

from dataclasses import replace

from referral.domain.policy.differences import MOST, differences
from referral.domain.policy.policy import compile
from referral.runtime.settings import CHECKOUT
from referral.tlog.note_keys import ED25519, SignerKey
from referral.wire import policy_digest

FILES = policy_digest.read(CHECKOUT / "policy")
BEFORE = compile(FILES)
SCHOOL, CHILD = "directory/school-drita.yaml", "pathways/trafficking-child.yaml"


def said(path: str, old: bytes, new: bytes) -> tuple[str, ...]:
    assert old in FILES[path]
    return differences(BEFORE, compile({**FILES, path: FILES[path].replace(old, new, 1)}))


def test_the_same_policy_differs_in_nothing_and_the_first_is_called_so() -> None:
    assert differences(BEFORE, compile(FILES)) == ()
    [line] = differences(None, BEFORE)
    assert line == f"the first policy: {len(BEFORE.current)} procedures, {len(BEFORE.agencies)} agencies"


def test_a_changed_limit_is_named_with_both_values() -> None:
    assert said(CHILD, b"acknowledge: 15 min P", b"acknowledge: 20 min P") == (
        "LIMIT trafficking-child/police acknowledge: 15 min P → 20 min P",
    )


def test_a_key_of_an_agency_is_named() -> None:
    keys = [SignerKey("school-drita", ED25519, bytes([seed]) * 32).verifier for seed in (1, 2)]
    policies = [BEFORE]
    for must, key in zip(("true", "false"), keys, strict=True):
        text = f'signing: {{must: {must}, keys: ["{key.encode().decode()}"]}}\n'.encode()
        policies.append(compile({**FILES, SCHOOL: FILES[SCHOOL] + text}))
    ids = [f"school-drita+{key.id.hex()}" for key in keys]
    assert differences(policies[0], policies[1]) == (
        f"KEY of school-drita: {ids[0]} is new",
        "KEY of school-drita: its systems must sign",
    )
    assert differences(policies[1], policies[2]) == (
        f"KEY of school-drita: {ids[1]} is new",
        f"KEY of school-drita: {ids[0]} is taken out",
        "KEY of school-drita: its systems need no longer sign",
    )


def test_new_signers_and_an_agency_that_is_gone_are_named() -> None:
    keys = "".join(f"  {name}: {key}\n" for name, key in (("one", "A" * 43 + "="), ("two", "B" * 42 + "A=")))
    after = compile({**FILES, "signers.yaml": f"signers:\n{keys}".encode()})
    assert differences(BEFORE, after) == ("from the next bundle on other signers sign: one 00000000, two 04104104",)


def test_a_text_of_a_step_and_a_long_list_are_told_shortly() -> None:
    assert said(CHILD, b"version:", b"# a remark\nversion:") == ("procedure trafficking-child: its text is changed, and no step",)
    lines = differences(BEFORE, replace(BEFORE, services={}))
    assert len(lines) == MOST + 1 and lines[-1] == f"and {len(BEFORE.services) - MOST} more changes"
