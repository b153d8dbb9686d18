"""Check the digest of its words that a sender sends (docs/record-signature.md): intake signs what it records. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from referral.errors import Rejected
from referral.wire import event_digest
from services.intake.messages import strict_json
from services.intake.messages.signatures import Request


class Said(Struct, frozen=True, kw_only=True):
    """The digest of a body's words, with the salt of its sender."""

    salt: str
    digest: str

    def check(self, recorded: Mapping[str, Any]) -> None:
        """Check the words of the event that intake is about to record. Rejected: they are others."""
        if event_digest.digest(self.salt, recorded) != self.digest:
            raise differs(event_digest.DIGEST_HEADER.title())

    def __repr__(self) -> str:
        return "Said()"


def sent(request: Request, media: str) -> Said | None:
    """Return the digest of the words of a request; None where it has none. Rejected: half of it, of a file, or of another body."""
    salt, digest = (request.headers.get(name, ()) for name in (event_digest.SALT_HEADER, event_digest.DIGEST_HEADER))
    if not salt and not digest:
        return None
    if request.method != "POST" or media != "application/json":
        raise _bad("send it with the POST of one JSON body, and with nothing else")
    if len(salt) != 1 or not event_digest.SALT.fullmatch(salt[0]):
        raise _bad("send Referral-Event-Salt once: 22 to 100 printable characters without a space, at random")
    if len(digest) != 1 or not event_digest.DIGEST.fullmatch(digest[0]):
        raise _bad("send Referral-Event-Digest once: 64 hexadecimal digits in lower case")
    said = Said(salt=salt[0], digest=digest[0])
    body = strict_json.read(request.body)
    if isinstance(body, dict):  # the handler refuses any other
        said.check(event_digest.words_of_body(body))
    return said


def differs(where: str) -> Rejected:
    """Return the refusal of a digest of other words."""
    hint = "it is not the digest of this body's words: build them as docs/record-signature.md says, and test with its vectors"
    return Rejected("event-digest-differs", where, hint, status=400)


def _bad(hint: str) -> Rejected:
    return Rejected("bad-event-digest", event_digest.DIGEST_HEADER.title(), hint, status=400)
