"""Each service has the keys that it needs and no other: what its file holds, opens and yields, and what it does not."""

from __future__ import annotations

import itertools
import re
from functools import partial
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from referral.errors import Malformed, Rejected
from referral.local.config import StackConfig, environment
from referral.runtime import process
from referral.runtime.keys import case_keys, service_keys
from referral.runtime.keys.case_keys import CaseKeys, Keys
from referral.runtime.keys.secret_box import SecretBox
from referral.runtime.keys.service_keys import BETWEEN, INTAKE, LENT, OWN, PURPOSES, MasterKeys, ServiceKeys, readers
from referral.runtime.settings import CHECKOUT, SERVICES, Settings, load
from referral.wire import topics
from services.intake.casefile import sections
from tests.attacks.taken_over import addresses

MASTER = MasterKeys(bytes(range(32)))
OPERATOR = Keys(MASTER)
OF = {service: Keys(MASTER.of(service)) for service in SERVICES}
CASE = "9f5c1a3e-0000-4000-8000-000000000001"
COMMANDS = {"operator"}
"""Purposes of the operator alone: names for who gave a command."""
PURPOSE = re.compile(r"""\.(?:hmac|box)\(\s*(?:["']([a-z-]+)["']|([A-Z_]+))""")


def secrets(keys: ServiceKeys) -> set[bytes]:
    """Everything in a service's file that others must not learn."""
    return {keys.secret, *keys.purposes.values()}


def test_a_service_opens_the_events_and_intake_alone_the_file() -> None:
    made = OPERATOR.made([CASE])
    key = made[CASE]
    assert isinstance(key, CaseKeys) and key.file is not None and key.file != bytes(key)
    for maker in (OF[INTAKE], OPERATOR):
        forms = maker.wrap(CASE, key)
        assert set(forms) == set(readers())
        for reader, wrapped in forms.items():
            assert not {bytes(key), key.file} & {wrapped[at : at + 32] for at in range(len(wrapped))}
            for service, keys in [*OF.items(), ("an operator", OPERATOR)]:
                opened = keys.unwrap({CASE: {reader: wrapped}}).get(CASE)
                assert (opened is not None) is (service in (reader, INTAKE, "an operator")), f"{service}, what is {reader}'s"
                if opened is not None:
                    file = opened.file if isinstance(opened, CaseKeys) else None
                    assert (opened, file) == (key, key.file if reader == INTAKE else None)
    row = sections.seal(sections.box(key), b"a name", CASE, "identity", "1")
    for service in readers():
        own = OF[service].unwrap({CASE: {service: OF[INTAKE].wrap(CASE, key)[service]}})[CASE]
        if service == INTAKE:
            assert sections.unseal(sections.box(own), row, CASE, "identity", "1") == b"a name"
            continue
        with pytest.raises(ValueError, match="events alone"):
            sections.box(own)
        for file in {bytes(own), service_keys.derived(own, "case-file"), *secrets(MASTER.of(service))}:
            with pytest.raises(Malformed):
                sections.unseal(SecretBox("case file", file), row, CASE, "identity", "1")


def test_a_form_is_bound_to_its_case_and_reader_and_no_reader_makes_one_for_another() -> None:
    forms = OF[INTAKE].wrap(CASE, OPERATOR.made([CASE])[CASE])
    assert not OF["routing"].unwrap({"another": {"routing": forms["routing"]}, CASE: {"routing": forms["audit"]}})
    assert not OF["eraser"].wrap(CASE, bytes(32)), "it makes and opens no key"
    for reader, other in itertools.permutations(set(readers()) - {INTAKE}, 2):
        assert other not in OF[reader].wrap(CASE, bytes(32)), f"{reader} wraps for {other}"
    strangers = Keys(bytes(32)).wrap(CASE, bytes(32))
    assert not [service for service in SERVICES if OF[service].unwrap({CASE: strangers})]
    with pytest.raises(Rejected, match="was not made of the key"):
        OF["routing"]._unwrap(CASE, "routing", strangers["routing"])
    with pytest.raises(Rejected, match="a key of routing, and the database's role is that of audit"):
        OF["routing"]._unwrap(CASE, "audit", forms["audit"])


def test_no_file_holds_a_secret_of_another_service_nor_yields_one() -> None:
    """The file's bytes are searched, and what its keys derive for every word; a token's key is known to its two
    ends alone, and to whom it is lent."""
    words = {*PURPOSES, *BETWEEN, *OWN, *COMMANDS}
    files = {service: MASTER.of(service) for service in SERVICES}
    assert {word: [s for s in SERVICES if word in files[s].purposes] for word in PURPOSES} == {w: [s] for w, s in PURPOSES.items()}
    for mine, other in itertools.permutations(SERVICES, 2):
        assert not secrets(files[mine]) & secrets(files[other]) and MASTER._master not in secrets(files[mine])
    for word in words:
        holds = {service for service in SERVICES if _has(files[service], word)}
        assert holds == (
            {PURPOSES[word]}
            if word in PURPOSES
            else {INTAKE, BETWEEN[word], *([LENT[word]] if word in LENT else [])}
            if word in BETWEEN
            else _all(word)
        ), word
        if word not in OWN:
            assert {files[service].purpose(word) for service in holds} <= {MASTER.purpose(word)}
    assert len({files[service].purpose("quarantine") for service in SERVICES}) == len(SERVICES)


def _all(word: str) -> set[str]:
    return set(SERVICES) if word in OWN else set()


def _has(keys: ServiceKeys, word: str) -> bool:
    try:
        keys.purpose(word)
    except LookupError:
        return False
    return True


def test_a_purpose_is_used_by_the_service_that_has_it_and_by_no_other() -> None:
    seen, shared = set(), (CHECKOUT / "referral/runtime/keys/secret_box.py").read_text("utf-8")
    for path in sorted((CHECKOUT / "services").rglob("*.py")):
        service, text = path.relative_to(CHECKOUT / "services").parts[0], path.read_text("utf-8")
        for word, constant in PURPOSE.findall(text):
            word = word or re.findall(rf'^{constant} = "([a-z-]+)"', text + "\n" + shared, re.M)[0]
            seen.add(word)
            assert PURPOSES.get(word, service if word in OWN else "") == service, f"{path}: {word}"
    assert seen - OWN == PURPOSES.keys() - {"book", "callback"}, "methods of `Keys` use these"


def test_the_readers_are_those_of_the_topic_cards() -> None:
    """Take a reader off every card of events, and intake wraps for it no more."""
    path = CHECKOUT / "schemas" / "avro" / "topics.yaml"
    cards = topics.load(path)
    events = [card for name, card in cards.items() if name in ("referral-intake", "referral-routing", "referral-notification")]
    assert set(service_keys.readers()) == {reader for card in events for reader in card.readers}
    assert set(MASTER.of(INTAKE).partners) == set(service_keys.readers()) - {INTAKE}


def test_a_key_file_is_written_once_and_refused_where_it_is_unfit(tmp_path: Path) -> None:
    folder, (settings, own) = tmp_path / "services", (Settings(kafka="", database="", instance="t"), Settings)
    service_keys.write(folder, MASTER)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    service_keys.write(folder, MASTER)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before and set(before) == set(SERVICES)
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())
    for service in SERVICES:
        assert service_keys.read(folder / service) == MASTER.of(service) and repr(MASTER.of(service)) == f"ServiceKeys({service})"
    for name in (name for name in SERVICES if MASTER.of(name).purposes):
        whole = MASTER.of(name)
        fewer = structs.replace(whole, purposes=dict(list(whole.purposes.items())[1:]))
        (folder / name).write_bytes(msgspec.json.encode(fewer))
    service_keys.write(folder, MASTER)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before, "the file of an earlier release gets what this one adds"
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())
    with pytest.raises(Rejected, match="made of another master key"):
        service_keys.write(folder, MasterKeys(bytes(32)))
    with pytest.raises(Rejected, match="keys of routing, and this is audit"):
        case_keys.read(own(kafka="", database="", instance="t", service_key_file=folder / "routing"), "audit")
    with pytest.raises(Rejected, match="REFERRAL_MASTER_KEY_FILE"):
        case_keys.read(settings)
    (folder / "audit").chmod(0o640)
    (folder / "notifier").write_text("{}")
    (folder / "intake").write_bytes(before["intake"].replace(b'"version": 1', b'"version": 2'))
    for name, why in {"audit": "chmod 600", "notifier": "prepare", "none": "prepare", "intake": "newer release"}.items():
        with pytest.raises(Rejected, match=why):
            service_keys.read(folder / name)


async def _never(_: Settings) -> None:
    raise AssertionError("it starts")


def test_a_service_starts_without_the_master_key_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A local stack gives its services no master key; a service that is given one ends before it reads it."""
    for service in SERVICES:
        variables = environment(StackConfig(), addresses(), service)
        assert not variables.get(case_keys.MASTER) and variables[service_keys.FILE].endswith(service)
        for more, error, said in (
            ({}, AssertionError, "it starts"),
            ({case_keys.MASTER: "/m"}, Rejected, "take this variable from its environment"),
            ({service_keys.FILE: ""}, Rejected, service_keys.FILE),
        ):
            monkeypatch.setattr(process, "load", partial(load, {**variables, **more}))
            with pytest.raises(error, match=said):
                process.start(_never)
    assert environment(StackConfig(), addresses())[case_keys.MASTER]
