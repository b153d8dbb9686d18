"""The agencies' SDK: publish referrals, read your agency's offers and cases, answer. Needs only httpx (and cryptography to check
receipts, sign and encrypt).

    from referral.client import Client
    with Client("https://127.0.0.1:8080", token="…", identity="agencies/school-drita") as referral:
        receipt = referral.submit(body, key="our-record-4711")

Every call that changes something is safe to repeat: the client retries a lost connection or a 503 with the same key, and the same
key with the same body always returns the same receipt.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import secrets
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

Json = dict[str, Any]

JSON = "application/json"
TIMEOUT_S = 10.0
"""Longest wait for one answer, in seconds; intake itself gives up after 5 s (our default)."""
ATTEMPTS = 5
"""Attempts of one call while the other side is away (our default: 8 to 20 s in all)."""
AGAIN = (502, 503, 504)
"""Statuses after which the client retries: intake, or a proxy before it, is away."""
LATER = ("wait-your-turn", "too-often")
"""Codes of a 429 after which it sends the same again: there is room within seconds."""


class Problem(Exception):
    """The pipeline refused the request (RFC 9457).

    status: HTTP status.
    code: a stable word.
    where: JSON path, field or header.
    hint: what to do.
    """

    def __init__(self, status: int, body: Json) -> None:
        self.status = status
        self.code = str(body.get("code") or body.get("title") or "problem")
        self.where = str(body.get("where", ""))
        self.hint = str(body.get("hint") or body.get("detail") or "")
        super().__init__(f"{status} {self.code}" + (f" at {self.where}" if self.where else "") + (f": {self.hint}" if self.hint else ""))


class Unsigned(Exception):
    """Intake did not sign a receipt: a program between you and intake answered in its place. Telephone the desk and the operator."""


class RecordedOtherwise(Exception):
    """Intake took your call and recorded other words than you sent, or does not sign what it recorded. Telephone the desk and the operator,
    and keep body, salt and receipt for the Ombudsperson."""


class Away(Exception):
    """The pipeline did not answer any of the attempts. Send the same again later: a repeat is accepted only once.

    answered: a server did answer, and reported that the pipeline is away.
    """

    def __init__(self, what: str, *, answered: bool = False) -> None:
        super().__init__(what)
        self.answered = answered


REFERRALS = "/v1/referrals"


class Client:
    """One agency's connection. Not for use by several threads at once.

    url: base URL of intake: https, or on this machine.
    token: the agency's bearer token.
    identity: folder of the agency's certificate (`referral ca install`), without which intake refuses the token over TLS.
    authority: file of the authorities that you believe (PEM); by default those in `identity`, or else the public ones.
    signing_key: the text of the file that `referral agency key` wrote; with it, the client signs every call that changes something
    (RFC 9421).
    policy: the witness policy file that the operator gave you; with it, the client checks each receipt and raises Unsigned if it is not
    intake's.

    ValueError: the url is neither https nor on this machine, or a key or the policy is not one. TypeError: text for bytes, or bytes for
    text. ImportError: cryptography is missing, and needed. OSError: a file of the certificate or the authorities cannot be used.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        identity: Path | str | None = None,
        authority: Path | str | None = None,
        signing_key: str | None = None,
        policy: bytes | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        seconds: Callable[[], float] = time.time,  # noqa: TID251 - this is the agency's machine, and its clock
    ) -> None:
        if not _safe(url):
            raise ValueError("a token travels by https only, or to this machine: write https:// before the host")
        self._key = SigningKey(signing_key) if signing_key else None
        self._intake = _intake_keys(policy) if policy is not None else None
        self._token = token.encode()
        headers = {"Authorization": f"Bearer {token}"}
        verify = _context(identity, authority)
        self._http = httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT_S, transport=transport, verify=verify)
        self._sleep, self._seconds = sleep, seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _checked(self, receipt: Json, digest: str = "") -> Json:
        """Return a receipt, or the receipts of a file, unchanged. digest: of the words that were sent; empty where none was taken.

        Unsigned: intake has not signed one. RecordedOtherwise: intake has recorded other words, or did not sign which.
        """
        if self._intake is not None:
            for row in receipt.get("rows", [receipt]):
                if "event_id" in row:
                    _check(row, self._intake)
        if digest and "event_id" in receipt:
            _check_words(receipt, digest, self._intake)
        return receipt

    # ---- publish
    def submit(self, referral: Json | bytes, *, key: str | None = None, salt: str | None = None) -> Json:
        """Publish one referral.

        key: your own number for it (Idempotency-Key); without one, a random key protects this call only.
        salt: hides its words in their digest: 22 to 100 random characters that you keep beside the body, never beside the receipt, to show
        later what you sent. Without one, a salt of your token and the key compares what intake recorded, as long as you have that token.

        Returns {referral_id, case_id, event_id, received_at, logged_by, signature, event_digest, event_signature}: a promise, signed by
        intake, that these words are in the log at `logged_by`. Keep it; with `"file": "later"` in it, `write` each section later. Raises
        Problem, Away, RecordedOtherwise; with the policy file Unsigned.
        """
        return self._send("POST", REFERRALS, referral, key=key or secrets.token_hex(16), salt=salt)

    def salt_of(self, key: str) -> str:
        """Return the salt of the words that `submit` sends under this key without one of yours. Keep it beside the body: another token
        makes another one."""
        return self._salt(REFERRALS, key)

    def submit_file(self, records: bytes, media: str = "text/csv") -> Json:
        """Publish records in HTCDS form: a CSV, or JSON (application/vnd.htcds+json). A wrong record does not stop the others.

        Returns {taken, repeated, refused, rows, ignored}. You may send a file again at any time: a row is accepted only once.
        """
        return self._send("POST", REFERRALS, records, media=media)

    def referral(self, referral_id: str) -> Json:
        """Return the state of a referral that you published."""
        return self._get(f"/v1/referrals/{_part(referral_id)}")

    def proof(self, referral_id: str, *, wait: float = 360) -> bytes:
        """Return the proof that a referral that you published is in the log: a C2SP `.tlog-proof`. Keep it with the receipt.

        `referral receipt` checks both offline. wait: longest wait, in seconds. The log is signed every five minutes, so that nobody
        can tell from it when you referred a child.
        Raises Problem (not-logged-yet after that wait), Away.
        """
        for left in range(int(wait), -1, -1):
            try:
                return self._answer("GET", f"/v1/referrals/{_part(referral_id)}/proof", accept="text/plain").content
            except Problem as problem:
                if problem.code != "not-logged-yet" or not left:
                    raise
            self._sleep(1)
        raise AssertionError("the last attempt returns or raises")

    def submission(self, key: str) -> Json:
        """Return the results of everything that you sent under this key, by HTTP or Kafka.

        Read `refusals` even if `state` is TAKEN: a record of another child under a used number is refused, and no agency receives it.
        """
        return self._checked(self._get(f"/v1/submissions/{_part(key)}"))

    def status(self) -> Json:
        """Return the state of your agency's doors: `doors.kafka` says how far your topic was read, and whether it is read late."""
        return self._get("/v1/status")

    def codes(self) -> Json:
        """Return the words of every code list of the policy in force, and the number of that policy."""
        return self._get("/v1/codes")

    def withdraw(self, referral_id: str, reason: str, *, key: str | None = None) -> Json:
        """Withdraw a referral. For a child this alone ends nothing: a desk decides."""
        return self._send("POST", f"/v1/referrals/{_part(referral_id)}/withdrawal", {"reason": reason}, key=key or secrets.token_hex(16))

    # ---- the case
    def case(self, case_id: str) -> Json:
        """Return the state of a case, as far as your agency may see it."""
        return self._get(f"/v1/cases/{_part(case_id)}")

    def file(self, case_id: str) -> Json:
        """Return the sections that a live offer lets you read. Intake records the reading before it answers."""
        return self._get(f"/v1/cases/{_part(case_id)}/file")

    def write(self, case_id: str, section: str, content: Json) -> Json:
        """Replace one section of the case file."""
        return self._send("PUT", f"/v1/cases/{_part(case_id)}/file/{_part(section)}", content)

    def consent(self, case_id: str, consent: Json, *, key: str | None = None) -> Json:
        """Record a consent given, refused or withdrawn. A withdrawal ends reading at once."""
        return self._send("POST", f"/v1/cases/{_part(case_id)}/consent", consent, key=key or secrets.token_hex(16))

    def traits(self, case_id: str, traits: Json, *, key: str | None = None) -> Json:
        """Record that age was settled, the child moved, or exploitation was found: all traits, as they hold from now on."""
        return self._send("POST", f"/v1/cases/{_part(case_id)}/traits", traits, key=key or secrets.token_hex(16))

    def exclude(self, case_id: str, kind: str, actor: str, *, key: str | None = None) -> Json:
        """Exclude an agency, a member of staff or a relation from the case."""
        return self._send(
            "POST", f"/v1/cases/{_part(case_id)}/exclusions", {"kind": kind, "actor": actor}, key=key or secrets.token_hex(16)
        )

    def instruct(self, case_id: str, instruction: Json, *, key: str | None = None) -> Json:
        """Decide, as a desk, what no rule could."""
        return self._send("POST", f"/v1/cases/{_part(case_id)}/instructions", instruction, key=key or secrets.token_hex(16))

    # ---- offers
    def offers(self, state: str = "open") -> list[Json]:
        """Return your agency's offers, most urgent first."""
        return list(self._get(f"/v1/offers?state={_part(state)}")["offers"])

    def offer(self, offer_id: str) -> Json:
        """Return one offer that your agency holds or held."""
        return self._get(f"/v1/offers/{_part(offer_id)}")

    def respond(self, offer_id: str, word: str, *, key: str | None = None, **more: object) -> Json:
        """Answer an offer: a word of its `words`, with reason=… or code=… as it needs. `submission(key)["became"]`: whether it counted."""
        return self._send("POST", f"/v1/offers/{_part(offer_id)}/responses", {"word": word, **more}, key=key or secrets.token_hex(16))

    def take_back(self, offer_id: str, *, key: str | None = None) -> Json:
        """Take back a COMPLETE that was sent by mistake: until `undo_until` of the offer, while nobody else was asked."""
        return self._send("POST", f"/v1/offers/{_part(offer_id)}/withdrawal", {"word": "COMPLETE"}, key=key or secrets.token_hex(16))

    # ---- how
    def _get(self, path: str) -> Json:
        return self._send("GET", path)

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | bytes | None = None,
        *,
        key: str | None = None,
        media: str = JSON,
        salt: str | None = None,
    ) -> Json:
        words: dict[str, str] = {}
        if method == "POST" and media == JSON and body is not None:
            words = _words_headers(body, salt or self._salt(path, key or secrets.token_hex(16)))
        answer = _body(self._answer(method, path, body, key=key, media=media, words=words))
        return self._checked(answer, words.get(DIGEST, "")) if method == "POST" else answer

    def _salt(self, path: str, key: str) -> str:
        """Return a salt that nobody else can make, the same for a call that is sent again: it gets the same receipt."""
        return hmac.new(self._token, f"referral-event-salt-v1\n{path}\n{key}".encode(), hashlib.sha256).hexdigest()

    def _answer(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | bytes | None = None,
        *,
        key: str | None = None,
        media: str = JSON,
        accept: str = JSON,
        words: Mapping[str, str] = {},
    ) -> httpx.Response:
        headers = {"Accept": accept, **words} | ({"Idempotency-Key": key} if key else {})
        content = None
        if body is not None:
            headers["Content-Type"] = media
            content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        for wait in _waits():
            request = self._http.build_request(method, path, content=content, headers=headers)
            if self._key and method != "GET":
                request.headers.update(_signature(self._key, request, int(self._seconds())))
            try:
                answer = self._http.send(request)
            except httpx.TransportError as error:
                if ALERT in str(error):
                    raise Problem(403, {"code": "certificate-refused", "where": "TLS", "hint": f"{_alert(error)}; {RENEW}"}) from error
                if wait is None:
                    raise Away(f"{method} {path.split('/')[2]}: no answer ({_why(error)})") from error
                self._sleep(wait)
                continue
            if answer.is_success:
                return answer
            if answer.status_code not in AGAIN and (wait is None or _body(answer).get("code") not in LATER):
                raise Problem(answer.status_code, _body(answer))
            if wait is None:
                raise Away(f"{method} {path.split('/')[2]}: the pipeline is away; send the same again later", answered=True)
            asked = answer.headers.get("Retry-After", "")
            self._sleep(max(wait, float(asked) if asked.isascii() and asked.isdigit() else 0))
        raise AssertionError("the last wait is None")


def _context(identity: Path | str | None, authority: Path | str | None) -> ssl.SSLContext | bool:
    """Return whom the connection believes and what it shows; True: the public authorities, and nothing."""
    believed = authority or (Path(identity) / "authority.pem" if identity else None)
    if believed is None:
        return True
    own = Path(identity) / "identity.pem" if identity else None
    for file in (believed, own):
        if file is not None and not Path(file).is_file():
            raise FileNotFoundError(f"{file} is not there: name the folder that `referral ca install` or `agency connect` has made")
    context = ssl.create_default_context(cafile=believed)
    if own:
        context.load_cert_chain(own)
    return context


ALERT = "_ALERT_"
"""Stands in OpenSSL's name of an alert: the server ended the handshake, and said why. Sending again does not help."""
RENEW = "ask the operator for another certificate, or use one that has not ended; this line speaks TLS 1.3 alone"


def _alert(error: httpx.TransportError) -> str:
    """Return the alert's words, such as "certificate revoked"."""
    name = str(error).partition(ALERT)[2].partition("]")[0].split()
    return f"the pipeline's TLS says: {' '.join(name[:1]).replace('_', ' ').lower()}"


def _why(error: httpx.TransportError) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "no authority that you believe has signed its certificate; name the authority's file"
    return type(error).__name__


def _safe(url: str) -> bool:
    """Return whether no one between this machine and the server can read a token."""
    where = httpx.URL(url)
    return bool(where.host) and (where.scheme == "https" or (where.scheme == "http" and _this_machine(where.host)))


def _this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _waits() -> Iterator[float | None]:
    """Yield the seconds before each further attempt; None after the last."""
    yield from (0.5 * 2**n for n in range(ATTEMPTS - 1))
    yield None


def _body(answer: httpx.Response) -> Json:
    try:
        body = answer.json() if answer.content else {}
    except ValueError:
        body = {"title": "not JSON", "detail": "a program between you and the pipeline answered"}
    return body if isinstance(body, dict) else {}


def _part(text: str) -> str:
    return quote(text, safe="")


def check_receipt(receipt: Json, policy: bytes) -> None:
    """Check that intake signed this receipt. policy: the witness policy file that you have from the operator. Unsigned: it did not.

    Needs cryptography. To check that the promise was kept, use `referral receipt`, or any C2SP verifier with the proof.
    """
    _check(receipt, _intake_keys(policy))


def _intake_keys(policy: bytes) -> list[Any]:
    """Return intake's public keys in a witness policy file. TypeError: it is no content of a file. ValueError: it names none. ImportError:
    cryptography is missing."""
    if not isinstance(policy, bytes):
        raise TypeError("policy is the content of the witness policy file, as bytes: Path(…).read_bytes()")
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise ImportError(CRYPTOGRAPHY) from None
    named = [line.split() for line in policy.splitlines()]
    written = [words[3] for words in named if words[:3] == [b"#", b"intake", b"ed25519"] and len(words) == 4]
    try:
        keys = [Ed25519PublicKey.from_public_bytes(base64.b64decode(key, validate=True)) for key in written]
    except ValueError:
        keys = []
    if not keys:
        raise ValueError("this is no witness policy file: no line of it is `# intake ed25519 KEY`; get it from the operator again")
    return keys


SALT, DIGEST = "Referral-Event-Salt", "Referral-Event-Digest"


def event_digest(body: Json, salt: str) -> str:
    """Return the digest of the words of a body (docs/record-signature.md): its codes, without the content of a section or a text.

    With it an auditor who has your body and salt finds out whether intake recorded what you sent.
    """
    words = {name: value for name, value in body.items() if name not in ("file", "texts", "via", "event_salt")}
    for name, named in (("file", "sections"), ("texts", "recorded")):
        if isinstance(body.get(name), Mapping):
            words[named] = sorted(body[name])
    if words.get("case_id"):
        words.pop("drill", None)
    if isinstance(words.get("excludes"), list | tuple):
        words["excludes"] = [_lower_kind(actor) for actor in words["excludes"]]
    if isinstance(words.get("consent"), Mapping):
        words["consent"] = _in_microseconds(words["consent"])
    if isinstance(words.get("traits"), Mapping):
        words["traits"] = _timed(words["traits"])
    text = json.dumps(_filled(_timed(_in_microseconds(words))), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(b"referral-event-v1\n" + hashlib.sha256(salt.encode()).digest() + text.encode()).hexdigest()


def _words_headers(body: Mapping[str, object] | bytes, salt: str) -> dict[str, str]:
    """Return the headers that bind the words of a body; none for a body that is no JSON object, which intake refuses."""
    try:
        words = json.loads(body) if isinstance(body, bytes) else body
    except ValueError:
        return {}
    return {SALT: salt, DIGEST: event_digest(dict(words), salt)} if isinstance(words, Mapping) else {}


def _lower_kind(actor: Any) -> Any:
    kind, colon, name = actor.partition(":") if isinstance(actor, str) else ("", "", "")
    return f"{kind.lower()}{colon}{name}" if colon else actor


def _in_microseconds(words: Mapping[str, Any]) -> Json:
    """Return the words with the end of a consent in microseconds since 1970 UTC."""
    try:
        since = datetime.fromisoformat(words["until"]) - datetime(1970, 1, 1, tzinfo=UTC)
    except (KeyError, TypeError, ValueError):  # none, or no time with its offset, which intake refuses
        return dict(words)
    return {**words, "until": since // timedelta(microseconds=1)}


def _timed(words: Mapping[str, Any]) -> Json:
    """Return the words of traits with each of their times in microseconds."""
    if not isinstance(words.get("times"), Mapping):
        return dict(words)
    return {**words, "times": {code: _in_microseconds({"until": at})["until"] for code, at in words["times"].items()}}


def _filled(value: Any) -> Any:
    """Return a value without the members that say nothing: empty ones, unknown ones, false, null and -1."""
    if not isinstance(value, Mapping):
        return value
    kept = {name: _filled(inner) for name, inner in value.items()}
    return {
        name: inner for name, inner in kept.items() if not (inner is None or inner is False or inner in ("", "unknown", -1, [], (), {}))
    }


def _check_words(receipt: Json, digest: str, keys: list[Any] | None) -> None:
    told = receipt.get("event_digest")
    if told is not None and told != digest:
        raise RecordedOtherwise(
            f"intake recorded other words than you sent, in the event {receipt['event_id']}: tell the desk and the operator"
        )
    if keys is not None and not _signs(receipt, "referral-event-receipt-v1", "event_signature", keys, "event_digest"):
        raise RecordedOtherwise(
            f"intake did not sign what it recorded in the event {receipt['event_id']}: it is of a release before, or it hides something; "
            "ask the operator"
        )


CRYPTOGRAPHY = "receipts and signatures need cryptography: pip install cryptography"


def _check(receipt: Json, keys: list[Any]) -> None:
    if not _signs(receipt, "referral-receipt-v1", "signature", keys):
        raise Unsigned(
            f"no key of intake has signed the receipt {receipt.get('event_id', '')}: compare the policy file, then tell the operator"
        )


def _signs(receipt: Json, begin: str, signature: str, keys: list[Any], *more: str) -> bool:
    """Return whether a key of intake signed the fields of a receipt, and `more` of them."""
    from cryptography.exceptions import InvalidSignature

    id = receipt.get("referral_id") or receipt.get("id") or ""
    promise = [str(receipt.get(name)) for name in ("case_id", "event_id", "received_at", "logged_by", *more)]
    data = "".join(f"{line}\n" for line in (begin, id, *promise)).encode()
    for key in keys:
        try:
            key.verify(base64.b64decode(str(receipt.get(signature, "")), validate=True), data)
        except (InvalidSignature, ValueError):
            continue
        return True
    return False


class SigningKey:
    """Your agency's signing key, from its text `PRIVATE+KEY+<agency>+<id>+…`. id: as in the directory. ValueError: another text. TypeError,
    ImportError: as `Client`."""

    def __init__(self, written: str) -> None:
        if not isinstance(written, str):
            raise TypeError("a signing key is the text of the file that `referral agency key` wrote: Path(…).read_text()")
        try:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        except ImportError:
            raise ImportError(CRYPTOGRAPHY) from None
        words = written.strip().removeprefix("PRIVATE+KEY+").split("+", 2)
        data = base64.b64decode(words[2], validate=True) if len(words) == 3 else b""
        if not written.startswith("PRIVATE+KEY+") or len(data) != 33:
            raise ValueError("a signing key is one line that begins with PRIVATE+KEY+")
        self.id = f"{words[0]}+{words[1]}"
        self._key = Ed25519PrivateKey.from_private_bytes(data[1:])

    def __repr__(self) -> str:
        return f"SigningKey({self.id})"

    def sign(self, data: bytes) -> bytes:
        """Return the Ed25519 signature of these bytes."""
        return self._key.sign(data)


def encrypt(public_key: bytes, topic: str, body: bytes) -> bytes:
    """Encrypt one record for your topic `ingress.<agency>`: HPKE (RFC 9180), X25519, HKDF-SHA256, AES-256-GCM.

    info: b"referral-ingress-v1\\0" and the topic's name without a stack's prefix.

    public_key: intake's 32 bytes, from GET /v1/ingress-key. Publish the result as the record's value, with header ce_id = your own number.
    """
    from cryptography.hazmat.primitives import hpke
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
    return suite.encrypt(body, X25519PublicKey.from_public_bytes(public_key), info=b"referral-ingress-v1\0" + topic.encode())


def _signature(key: SigningKey, request: httpx.Request, created: int) -> dict[str, str]:
    """Return the headers that sign a request. created: Unix time, seconds."""
    digest = base64.b64encode(hashlib.sha256(request.content).digest()).decode()
    covered = {
        "@method": request.method,
        "@path": request.url.raw_path.partition(b"?")[0].decode(),
        "@authority": request.headers["host"].lower(),
        "content-digest": f"sha-256=:{digest}:",
    }
    more = ("content-type", "idempotency-key", SALT.lower(), DIGEST.lower())
    covered |= {name: request.headers[name] for name in more if name in request.headers}
    params = '({});created={};keyid="{}"'.format(" ".join(f'"{name}"' for name in covered), created, key.id)
    base = "\n".join(f'"{name}": {value}' for name, value in {**covered, "@signature-params": params}.items())
    value = base64.b64encode(key.sign(base.encode())).decode()
    return {"Content-Digest": covered["content-digest"], "Signature-Input": f"sig1={params}", "Signature": f"sig1=:{value}:"}


DSSE = "urn:referral:record-signature.v1"


def sign_record(
    key: SigningKey, topic: str, value: bytes, *, id: str, sequence: int, record_key: str = "", body: bytes = b""
) -> list[tuple[str, bytes]]:
    """Return the headers of a signed record of your topic (docs/record-signature.md): CloudEvents in binary mode, and a DSSE envelope.

    key: your agency's signing key.
    topic: your topic `ingress.<agency>`, without a stack's prefix.
    value: as `encrypt` returned it.
    id: your own number (ce_id).
    sequence: 1, 2, 3 … of your signed records, without a gap.
    record_key: the record's key, as text.
    body: the JSON that you gave to `encrypt`. With its member `event_salt` (22 to 100 random characters) the signature covers its words.
    """
    attributes = {"id": id, "source": f"urn:referral:{topic}", "specversion": "1.0", "type": "referral.referral-submitted.v1"}
    more = {"topic": topic, "key": record_key, "sequence": str(sequence)}
    salt = json.loads(body).get("event_salt", "") if body else ""
    if salt:
        more |= {"eventsalt": salt, "eventdigest": event_digest(json.loads(body), salt)}
    core = ("id", "source", "specversion", "type", "datacontenttype", "dataschema", "subject", "time")
    parts = [*({**attributes, "datacontenttype": JSON}.get(name, "").encode() for name in core), value]
    parts += [part.encode() for pair in more.items() for part in pair]
    payload = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
    signature = key.sign(b"DSSEv1 %d %s %d %s" % (len(DSSE), DSSE.encode(), len(payload), payload))
    signatures = [{"keyid": key.id, "sig": base64.b64encode(signature).decode()}]
    envelope = {"payload": base64.b64encode(payload).decode(), "payloadType": DSSE, "signatures": signatures}
    material = base64.b64encode(json.dumps(envelope).encode()).decode()
    headers = {**attributes, **more, "signedextattrs": ",".join(more), "dssematerial": material}
    headers.pop("eventsalt", None)  # the salt is signed, and stays in the encrypted body
    return [("content-type", JSON.encode()), *((f"ce_{name}", text.encode()) for name, text in headers.items())]
