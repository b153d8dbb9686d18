"""Decide whether a policy bundle is to be believed: two signers have signed it. Pure; services, `recover` and auditors use this alone.

The first signers stand in `trust.toml`; the log names them in comments of its policy file, which `trust.py` writes (docs/decisions/0043):

    # policy-signer policy-keeper ed25519 <base64 of 32 bytes>
    # policy-bundle 3 <digest>

The second line pins a bundle that nobody need have signed: one of before there were signatures, or of before all keys were lost. A bundle
with a file `signers.yaml` names the signers of those that follow.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct, field

from referral.domain.events import PolicyActivated, PolicySignature
from referral.domain.policy.reading.reader import PolicyErrors, Reader
from referral.domain.policy.reading.signers import read_signers
from referral.domain.signers import NAME, NEEDED, public_key
from referral.errors import Malformed
from referral.wire import ed25519, policy_digest

BEGIN = b"referral-policy-bundle-v1\n"
"""First bytes of what a signer signs, so that the signature fits no other statement."""
MOST = 16
"""Signatures that a bundle may carry (ours): a forged one with thousands would keep every reader busy at each start."""
SIGNER, PIN, KIND = [b"#", b"policy-signer"], [b"#", b"policy-bundle"], b"ed25519"


class Trusted(Struct, frozen=True):
    """Trust of a reader. signers: name → public key. pins: number of a bundle → its digest, believed without signatures."""

    signers: Mapping[str, bytes] = {}
    pins: Mapping[int, str] = {}


NOBODY = Trusted()


def signer_line(name: str, public: bytes) -> str:
    """Return the line of a witness policy that names a signer."""
    return f"# policy-signer {name} ed25519 {b64encode(public).decode()}\n"


def pin_line(number: int, digest: str) -> str:
    """Return the line of a witness policy that pins a bundle."""
    return f"# policy-bundle {number} {digest}\n"


def named(policy: bytes) -> Trusted:
    """Return the signers and pinned bundles that a witness policy names. Malformed: a bad line."""
    signers, pins = dict[str, bytes](), dict[int, str]()
    for number, line in enumerate(policy.split(b"\n"), 1):
        words = line.split()
        if words[:2] == SIGNER:
            name, public = _signer(words[2:], number)
            if name in signers or public in signers.values():
                raise Malformed("policy", f"line {number} repeats a signer of the policy, or the key of one")
            signers[name] = public
        elif words[:2] == PIN:
            pins.update([_pin(words[2:], number)])
    return Trusted(signers, pins)


def _signer(words: list[bytes], number: int) -> tuple[str, bytes]:
    name, kind, public = [*words, b"", b"", b""][:3]
    found = public_key(public.decode("ascii", "replace"))
    if len(words) != 3 or kind != KIND or found is None or not NAME.fullmatch(name.decode("ascii", "replace")):
        raise Malformed("policy", f"line {number} names no signer of the policy: write `# policy-signer NAME ed25519 <base64 of 32 bytes>`")
    return name.decode(), found


def _pin(words: list[bytes], number: int) -> tuple[int, str]:
    bundle, digest = [*words, b"", b""][:2]
    if len(words) != 2 or not bundle.isdigit() or len(bundle) > 9 or len(digest) != 64:
        raise Malformed("policy", f"line {number} pins no bundle: write `# policy-bundle NUMBER DIGEST`")
    return int(bundle), digest.decode("ascii", "replace")


def statement(number: int, digest: str, valid_from: int, before: str) -> bytes:
    """Return the bytes that a signer signs: one line each."""
    return BEGIN + f"{number}\n{digest}\n{valid_from}\n{before or '-'}\n".encode()


def sign(key: Ed25519PrivateKey, number: int, digest: str, valid_from: int, before: str) -> PolicySignature:
    """Return a signer's signature of a bundle."""
    public = key.public_key().public_bytes_raw()
    return PolicySignature(public=public, signature=key.sign(statement(number, digest, valid_from, before)))


def signed_by(body: PolicyActivated, signers: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the names of those signers who signed this bundle, each once."""
    text = statement(body.number, body.digest, body.valid_from, body.before)
    holding = {one.public for one in body.signatures if ed25519.holds(one.public, one.signature, text)}
    return tuple(name for name, public in signers.items() if public in holding)


class Believed(Struct, kw_only=True):
    """The believed bundles of a topic or a log: for each next number the first that two signers signed.

    trusted: the signers and pins of the witness policy.
    signers: those who sign the next bundle.
    digests: of the believed bundles, by number, dense from 1.
    """

    trusted: Trusted
    signers: Mapping[str, bytes] = field(default_factory=dict)
    digests: dict[int, str] = field(default_factory=dict)
    signed: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """Number → the signers of a bundle; nobody where a pin vouches for it."""

    def __post_init__(self) -> None:
        self.signers = self.signers or self.trusted.signers

    def take(self, body: PolicyActivated) -> str:
        """Believe the next bundle. Return "" or the word for why it is not believed; a believed one that comes again is "repeated"."""
        if self.digests.get(body.number) == body.digest:
            return "repeated"
        if body.number != len(self.digests) + 1:
            return "policy-sequence"
        if policy_digest.digest(body.files) != body.digest:
            return "policy-digest"
        if self.trusted.pins.get(body.number) == body.digest:
            self._believe(body, (), self.trusted.signers)
            return ""
        if body.before != self.digests.get(body.number - 1, ""):
            return "policy-predecessor"
        if body.at < body.valid_from:
            return "policy-early"
        by = signed_by(body, self.signers) if len(body.signatures) <= MOST else ()
        if len(by) < NEEDED:
            return "policy-signatures"
        reader = Reader(body.files)
        try:
            following = read_signers(reader)
            reader.finish()
        except PolicyErrors:
            return "policy-signers"
        self._believe(body, by, following or self.signers)
        return ""

    def _believe(self, body: PolicyActivated, by: tuple[str, ...], following: Mapping[str, bytes]) -> None:
        self.digests[body.number], self.signed[body.number], self.signers = body.digest, by, following
