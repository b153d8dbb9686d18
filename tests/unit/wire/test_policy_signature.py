"""Which policy bundles are believed: signed by two signers, in their order, or pinned; and who signs the next one."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import structs

from referral.errors import Malformed
from referral.wire.signed import trust_lines
from referral.wire.signed.policy_signature import Believed, Trusted
from tests.harness import made_log
from tests.harness.policies import KEEPER, LINES, OFFICE, STRANGER, TRUSTED, bundle

ONE, TWO, THREE = ({"a.yaml": word} for word in (b"one", b"two", b"three"))


def written(key: Ed25519PrivateKey) -> str:
    return b64encode(key.public_key().public_bytes_raw()).decode()


def signers(**keys: Ed25519PrivateKey) -> bytes:
    return b"signers:\n" + "".join(f"  {name}: {written(key)}\n" for name, key in keys.items()).encode()


def test_the_witness_policy_names_signers_and_pins() -> None:
    digest = bundle(1, ONE).digest
    found = trust_lines.policy_keepers(made_log.policy() + LINES + trust_lines.pin_line(1, digest))
    assert found == Trusted(TRUSTED.signers, {1: digest})
    assert trust_lines.policy_keepers(b"quorum none\n# a remark about a policy-signer\n") == Trusted()


@pytest.mark.parametrize(
    "line",
    [
        "# policy-signer",
        "# policy-signer keeper ed25519",
        "# policy-signer keeper ed25519 x",
        f"# policy-signer keeper rsa {written(STRANGER)}",
        f"# policy-signer Keeper ed25519 {written(STRANGER)}",
        f"# policy-signer keeper ed25519 {written(STRANGER)} more",
        f"# policy-signer policy-keeper ed25519 {written(STRANGER)}",
        f"# policy-signer third ed25519 {written(KEEPER)}",
        "# policy-bundle 1",
        "# policy-bundle x " + "0" * 64,
        "# policy-bundle 1 " + "0" * 63,
    ],
)
def test_a_line_with_a_mistake_is_named(line: str) -> None:
    """A signer with two names or two keys would be two persons."""
    with pytest.raises(Malformed, match="line 3"):
        trust_lines.policy_keepers(LINES + line.encode() + b"\n")


def test_two_signers_put_a_bundle_into_force_one_does_not() -> None:
    for keys in ((), (KEEPER,), (KEEPER, KEEPER), (KEEPER, STRANGER), (STRANGER, STRANGER)):
        assert Believed(trusted=TRUSTED).take(bundle(1, ONE, keys=keys)) == "policy-signatures"
    for keys in ((KEEPER, OFFICE), (OFFICE, KEEPER), (KEEPER, OFFICE, STRANGER)):
        believed = Believed(trusted=TRUSTED)
        assert believed.take(bundle(1, ONE, keys=keys)) == ""
        assert set(believed.signed[1]) == {"policy-keeper", "oversight-office"}


def test_thousands_of_signatures_are_not_looked_at() -> None:
    good = bundle(1, ONE)
    assert Believed(trusted=TRUSTED).take(structs.replace(good, signatures=good.signatures * 1000)) == "policy-signatures"


def test_every_field_that_is_signed_is_checked() -> None:
    good: dict[str, Any] = {
        name: getattr(bundle(2, TWO, at=5, before=ONE, valid_from=5), name) for name in bundle(1, ONE).__struct_fields__
    }
    for name, other in (("number", 3), ("digest", "0" * 64), ("valid_from", 4), ("before", "0" * 64), ("files", THREE)):
        believed = Believed(trusted=TRUSTED)
        assert believed.take(bundle(1, ONE)) == ""
        assert believed.take(type(bundle(1, ONE))(**{**good, name: other})) != "", name
        assert believed.take(type(bundle(1, ONE))(**good)) == "", "what came between changes nothing"


def test_order_time_and_repetition() -> None:
    believed = Believed(trusted=TRUSTED)
    assert believed.take(bundle(2, TWO)) == "policy-sequence"
    assert believed.take(bundle(1, ONE, at=4, valid_from=5)) == "policy-early"
    assert believed.take(bundle(1, ONE)) == ""
    assert believed.take(bundle(1, ONE)) == "repeated"
    assert believed.take(bundle(1, TWO)) == "policy-sequence"
    assert believed.take(bundle(2, TWO)) == believed.take(bundle(2, TWO, before=TWO)) == "policy-predecessor"


def test_a_pinned_bundle_needs_no_signature_and_no_other_files_have_its_digest() -> None:
    believed = Believed(trusted=Trusted(TRUSTED.signers, {1: bundle(1, ONE).digest}))
    assert believed.take(bundle(1, TWO, keys=())) == "policy-signatures"
    assert believed.take(bundle(1, TWO, keys=(), digest=bundle(1, ONE).digest)) == "policy-digest"
    assert believed.take(bundle(1, ONE, keys=())) == "" and believed.signed[1] == ()
    assert believed.take(bundle(2, TWO, before=ONE, keys=())) == "policy-signatures"
    assert believed.take(bundle(2, TWO, before=ONE)) == ""


def test_the_two_signers_name_others_and_a_pin_brings_the_files_signers_back() -> None:
    changing = {**TWO, "signers.yaml": signers(keeper=STRANGER, office=OFFICE)}
    believed = Believed(trusted=TRUSTED)
    assert believed.take(bundle(1, ONE)) == ""
    assert believed.take(bundle(2, changing, before=ONE, keys=(STRANGER, OFFICE))) == "policy-signatures", (
        "the new ones do not name themselves"
    )
    assert believed.take(bundle(2, changing, before=ONE)) == ""
    assert believed.take(bundle(3, THREE, before=changing)) == "policy-signatures"
    assert believed.take(bundle(3, THREE, before=changing, keys=(STRANGER, OFFICE))) == ""
    lost = Believed(trusted=Trusted(TRUSTED.signers, {2: bundle(2, changing).digest}))
    for one in (bundle(1, ONE), bundle(2, changing, keys=()), bundle(3, THREE, before=changing)):
        assert lost.take(one) == ""


@pytest.mark.parametrize(
    "text", [b"x: [", b"signers: {}\n", signers(keeper=KEEPER), signers(one=KEEPER, two=KEEPER), b"signers:\n  one: x\n  two: y\n"]
)
def test_signers_that_cannot_be_read_come_into_force_by_no_signature(text: bytes) -> None:
    files: Mapping[str, bytes] = {**ONE, "signers.yaml": text}
    assert Believed(trusted=TRUSTED).take(bundle(1, files)) == "policy-signers"
