"""Attacks by whoever may write the policy's topic or table, and by whoever changes the policy for ten seconds: who keeps the old one, and
who says so. (F2a, F2a+ and A6 of the reviews.)"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

from aiokafka import ConsumerRecord

from referral.domain import events as e
from referral.domain.policy import compile
from referral.domain.policy.reading.agencies import signing_key
from referral.errors import Rejected
from referral.proof.entry import Kind
from referral.runtime import policy_feed
from referral.runtime.policy_feed import Chain
from referral.tlog.note_keys import SignerKey
from referral.wire import codec, headers
from referral.wire.signed import agency_keys, trust_lines
from referral.wire.signed.trust_lines import Keyword
from services.audit.ingest import Says, ingest
from services.intake.messages import signatures
from services.intake.policy_view import Lists, of
from services.routing.current_policy import CurrentPolicy
from tests.attacks.ground import Attack, Noticed, copy, verify
from tests.harness import made_log
from tests.harness.audit_log import FILES, Log
from tests.harness.policies import KEEPER, LINES, STRANGER, TRUSTED, bundle
from tests.harness.signing_school import KEY, OTHER, PATH, by_http, refer

TOPIC, TABLE, ONE = "writes referral-policy", "writes routing's table", "writes referral-policy, with one signer's key"
BOTH = "both signers, or whoever has both keys"
READER, RECOVER, RULES, DOOR, VERIFY = "readers of the topic", "recover", "routing", "intake's door", "verify"
SECONDS = 1_000_000
BAD = {**FILES, "codes.yaml": FILES["codes.yaml"] + b"\n# forged\n"}


def record(body: e.PolicyActivated) -> ConsumerRecord:
    told = headers.plain(body.TYPE, id="x", source="routing", at=1)
    return ConsumerRecord("x", 0, 7, 1, 1, str(body.number).encode(), codec.encode(body), None, 0, 0, tuple(told))


def row(body: e.PolicyActivated) -> Any:
    """As it stands in routing's table."""
    return SimpleNamespace(**{**policy_feed.columns(body), "activated": body.at})


def put(log: Log, body: e.PolicyActivated) -> None:
    """It is on the topic, and audit logs it."""
    told = headers.plain(body.TYPE, id=f"00000000-0000-4000-8000-{log.now % 10**12:012}", source="routing", at=log.now)
    log.put(body.TOPIC, 0, str(body.number).encode(), codec.encode(body), told)


def begun() -> Log:
    """A log that names the two signers, and pins the bundle with which it began: nobody signed that one."""
    log = Log()
    pin = trust_lines.pin_line(1, bundle(1, FILES).digest)
    log.entries += ingest([], log._known, [Says(Kind.KEYS, made_log.policy() + LINES + pin)]).entries
    return log


def forged(body: e.PolicyActivated) -> Noticed:
    """It stands on the topic: every reader passes it over, and so does recover, which reads with the same eyes; verify names its entry."""
    chain = Chain(TRUSTED)
    chain.take(record(bundle(1, FILES)))
    said = chain.take(record(body))
    stays = chain.newest is not None and chain.newest.number == 1 and [*chain.bodies] == [1]
    log = begun()
    put(log, body)
    word = f"passed over: {said}; bundle 1 stays in force" if said and stays else ""
    return {READER: word, RECOVER: word, VERIFY: verify(copy(log.entries), keys=log.keys)}


def in_the_table(body: e.PolicyActivated) -> Noticed:
    """It stands in routing's table, as confirmed: routing itself decides by the one before."""
    current = CurrentPolicy(TRUSTED)
    for one in (bundle(1, FILES), body):
        current._take(row(one))
    asyncio.run(current._compile())
    assert current.latest is not None
    return {RULES: "passed over; bundle 1 stays in force" if current.latest.number == 1 else ""}


def replayed() -> Noticed:
    """An old bundle comes again, under its own number and under the next one."""
    chain = Chain(TRUSTED)
    first, second = bundle(1, FILES), bundle(2, BAD, before=FILES)
    for one in (first, second):
        chain.take(record(one))
    again = chain.take(record(first))
    later = chain.take(record(e.PolicyActivated(**{**{n: getattr(first, n) for n in first.__struct_fields__}, "number": 3})))
    stays = chain.newest is not None and chain.newest.number == 2 and again == ""
    return {READER: f"passed over: {later}; bundle 2 stays in force" if later and stays else ""}


def other_signers() -> Noticed:
    """One signer alone names others; so nobody comes into the set by one key."""
    line = "".join(f"  {name}: {public}\n" for name, public in {"one": _written(STRANGER), "two": _written(KEEPER)}.items())
    files = {**FILES, "signers.yaml": f"signers:\n{line}".encode()}
    return forged(bundle(2, files, before=FILES, keys=(KEEPER, STRANGER)))


def _written(key: Any) -> str:
    return trust_lines.key_line(Keyword.POLICY_SIGNER, "x", key.public_key().public_bytes_raw()).split()[-1].decode()


def listing(*keys: SignerKey, must: bool = True) -> dict[str, bytes]:
    said = ", ".join(f'"{key.verifier.encode().decode()}"' for key in keys)
    return {**FILES, PATH: FILES[PATH] + f"signing: {{must: {str(must).lower()}, keys: [{said}]}}\n".encode()}


def door(*bundles: tuple[int, dict[str, bytes]]) -> Lists:
    """Return what the door goes by after these bundles. (time, µs; files)"""
    keys: dict[str, agency_keys.AgencyKeys] = {}
    for at, files in bundles:
        policy = compile(files)
        keys = agency_keys.after(keys, agency_keys.listed(policy.agencies), at)
    return of(policy, len(bundles), keys)


def refusal(lists: Lists, key: SignerKey | None, now: int) -> str:
    """Return the answer to a request that this key signed, or nobody."""
    policy = lists.signing_of("school-drita", now)
    try:
        if key is None:
            signatures.of_request(signatures.Request(method="POST", path="/v1/referrals", headers={}, body=b""), "school-drita", policy, 0)
        else:
            found = signing_key(key.verifier.encode().decode())
            assert found is not None
            signatures._key(policy, "school-drita", found.id, "Signature-Input")
    except Rejected as error:
        return str(error)
    return ""


def ten_seconds(mine: dict[str, bytes], signed: e.Signed | None, key: SignerKey | None) -> Noticed:
    """A6: the policy is another one for ten seconds, something is sent by it, and the old policy comes back."""
    honest = listing(KEY)
    log = begun()
    put(log, bundle(2, honest, at=log.now, before=FILES))
    start = log.now
    log.now += 100 * SECONDS
    put(log, bundle(3, mine, at=log.now, before=honest))
    log.now += 5 * SECONDS
    refer(log, signed, "forged", received_at=log.now)
    log.now += 5 * SECONDS
    put(log, bundle(4, honest, at=log.now, before=mine))
    lists = door((start, honest), (start + 100 * SECONDS, mine))
    assert refusal(door((start, honest)), KEY, start) == "", "the true key counts"
    return {DOOR: refusal(lists, key, start + 105 * SECONDS), VERIFY: verify(copy(log.entries), keys=log.keys)}


def attacks() -> Iterator[Attack]:
    must = (READER, RECOVER, VERIFY)
    kinds: tuple[tuple[str, str, Callable[[], e.PolicyActivated]], ...] = (
        ("a bundle that nobody signed", TOPIC, lambda: bundle(2, BAD, before=FILES, keys=())),
        ("a bundle that one signer signed", ONE, lambda: bundle(2, BAD, before=FILES, keys=(KEEPER,))),
        ("a bundle that one signer signed twice", ONE, lambda: bundle(2, BAD, before=FILES, keys=(KEEPER, KEEPER))),
        ("a bundle signed by one signer and a stranger", ONE, lambda: bundle(2, BAD, before=FILES, keys=(KEEPER, STRANGER))),
        ("right signatures over another digest", TOPIC, over_another),
        ("a signed bundle that was to follow another one", TOPIC, lambda: bundle(2, BAD, before=BAD)),
        ("a signed bundle before its time", TOPIC, lambda: bundle(2, BAD, before=FILES, valid_from=9)),
    )
    for what, power, make in kinds:
        yield Attack(what=what, power=power, must=must, run=lambda make=make: forged(make()))
    yield Attack(what="other signers, named by one signer", power=ONE, must=must, run=other_signers)
    yield Attack(what="an old bundle again, as the next one", power=TOPIC, must=(READER,), run=replayed)
    unsigned = partial(in_the_table, bundle(2, BAD, before=FILES, keys=()))
    yield Attack(what="a row that nobody signed", power=TABLE, must=(RULES,), run=unsigned)
    second = by_http(key=OTHER)
    short: tuple[tuple[str, dict[str, bytes], e.Signed | None, SignerKey | None], ...] = (
        ("an agency's key changed for ten seconds", listing(OTHER), second, OTHER),
        ("a second key of an agency for ten seconds", listing(KEY, OTHER), second, OTHER),
        ("an agency's duty to sign lifted for ten seconds", listing(KEY, must=False), None, None),
        ("an agency's keys taken out for ten seconds", FILES, None, None),
    )
    for what, files, signed, key in short:
        yield Attack(what=what, power=BOTH, must=(DOOR, VERIFY), run=partial(ten_seconds, files, signed, key))


def over_another() -> e.PolicyActivated:
    """The signatures of a good bundle under other files."""
    return e.PolicyActivated(
        number=2,
        digest=bundle(2, BAD).digest,
        at=1,
        files=BAD,
        valid_from=0,
        before=bundle(1, FILES).digest,
        signatures=bundle(2, FILES, before=FILES).signatures,
    )
