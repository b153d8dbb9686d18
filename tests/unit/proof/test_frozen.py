"""Frozen engines: their bytes never change, they have no way out, and a decision of an earlier version is made again by its own."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

import pytest
from msgspec import structs

from referral.domain.events import OfferOpened, PolicyActivated
from referral.domain.policy import ENGINE
from referral.errors import Malformed
from referral.proof import engines
from referral.proof.audit import frozen
from referral.proof.audit.frozen import EngineProcess, FrozenEngines
from referral.proof.engines import EngineAway
from referral.proof.history.case import unseal
from referral.proof.verify.log import verify
from referral.proof.verify.report import Weight
from referral.runtime.settings import CHECKOUT
from tests.harness import freeze
from tests.harness.audit_log import Log, story
from tests.unit.proof.test_branches import write
from tests.unit.proof.test_verify import resealed

RELEASED = {"4.zip": "e94eae961c902a10ac0bf7af8b4ed0f72dadeedaaa1a1df4d5cb29465f7e4932"}
"""The digest of each frozen engine that was released. A line is added here, and none is ever changed."""
EARLIER = range(3, ENGINE)
"""Versions of released logs that the program's own rules do not decide."""


def test_the_engines_of_earlier_releases_are_the_bytes_that_were_released() -> None:
    files = sorted((CHECKOUT / "engines").glob("*.zip"))
    assert {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files} == RELEASED
    assert set(frozen.own().values()) == set(RELEASED.values())


def test_each_version_that_a_released_log_has_is_named() -> None:
    assert set(EARLIER) <= set(frozen.own()), "a change of decisions freezes the engine before it: `make freeze`"


def test_the_same_sources_always_make_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = freeze.frozen(freeze.sources())
    moved = [tmp_path / path.relative_to(freeze.ROOT) for path in freeze.sources()]
    for path in moved:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((freeze.ROOT / path.relative_to(tmp_path)).read_bytes())
        os.utime(path, (1, 1))
    monkeypatch.setattr(freeze, "ROOT", tmp_path)
    assert freeze.frozen(moved) == made


def test_the_file_holds_what_the_rules_import_of_ours_and_nothing_that_reaches_out() -> None:
    names = {path.relative_to(freeze.ROOT).as_posix() for path in freeze.sources()}
    needed = ("domain/decide", "domain/rules/timeouts", "domain/policy/reading/seats", "wire/compiled/shared", "errors")
    assert {f"referral/{name}.py" for name in needed} <= names
    assert not {name for name in names if name.startswith(("services/", "referral/runtime", "referral/cli", "referral/proof"))}


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """The file of an engine that somebody else made."""
    return tmp_path / "evil.zip"


SESSION = """
import os
class EngineSession:
    def answer(self, asked):
        try:
            return {"said": repr(CODE)}
        except BaseException as error:
            return {"said": f"{type(error).__name__}: {error}"}
"""


def asked(path: Path, code: str) -> str:
    """What an engine of one line of code answers: what that returned, or the exception."""
    with zipfile.ZipFile(path, "w") as file:
        for package in ("referral/", "referral/wire/"):
            file.writestr(package + "__init__.py", "")
        file.writestr("referral/wire/engine_session.py", SESSION.replace("CODE", code))
    process = EngineProcess(path)
    try:
        return str(process.ask({})["said"])
    finally:
        process.close()


@pytest.mark.parametrize(
    "code",
    [
        "__import__('socket').create_connection(('127.0.0.1', 9))",
        "__import__('socket').socket()",
        "__import__('subprocess').run(['true'])",
        "os.system('true')",
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
        "open('/tmp/engine-wrote', 'w')",
        "os.open('/tmp/engine-wrote', os.O_CREAT | os.O_WRONLY)",
        "os.remove('/tmp/engine-wrote')",
        "os.mkdir('/tmp/engine-made')",
        "__import__('ctypes').CDLL(None)",
        "__import__('resource').setrlimit(0, (1, 1))",
    ],
)
def test_an_engine_reaches_no_network_writes_no_file_and_starts_no_process(made: Path, code: str) -> None:
    assert asked(made, code).startswith("PermissionError"), code


def test_an_engine_is_asked_and_its_answer_comes_back(made: Path) -> None:
    assert asked(made, "1 + 1") == "2"


def test_where_the_kernel_allows_it_an_engine_is_in_a_network_without_a_device(made: Path) -> None:
    with FrozenEngines(frozen.own()) as found:
        found.of(3)
        process = next(iter(found._started.values()))[0]
        if "network namespace" not in process.walls:
            pytest.skip("this kernel grants no namespace to whoever is not root")
        devices = Path(f"/proc/{process._process.pid}/net/dev").read_text()
    assert [line.split(":")[0].strip() for line in devices.splitlines()[2:]] == ["lo"]


def test_an_engine_that_ends_is_away_and_not_a_verdict(made: Path) -> None:
    with pytest.raises(EngineAway, match="has ended"):
        asked(made, "os._exit(1)")


def test_a_program_that_the_policy_does_not_name_is_not_run() -> None:
    with FrozenEngines({3: "0" * 64}) as found, pytest.raises(EngineAway, match="none in engines/ of this program has that digest"):
        found.of(3)


def test_a_version_that_nobody_names_is_away_and_the_words_say_what_to_do() -> None:
    with FrozenEngines(frozen.own()) as found, pytest.raises(EngineAway, match="take a newer program"):
        found.of(ENGINE + 1)


def activated(number: int, text: str) -> PolicyActivated:
    return PolicyActivated(number=number, digest="", at=0, files={"engines.yaml": text.encode()}, valid_from=0, before="")


def test_the_newest_bundle_that_names_a_program_counts_before_this_programs_own_name_for_it() -> None:
    mine, old, new = ("a" * 64, "b" * 64, "c" * 64)
    bundles = {
        2: activated(2, f"# signed\nengines:\n  3: {new}\n"),
        1: activated(1, f"engines:\n  3: {old}\n  5: {old}\n"),
        3: activated(3, "?"),
    }
    assert engines.named({3: mine, 4: mine}, bundles) == {3: new, 4: mine, 5: old}


@pytest.mark.parametrize("line", ["  3: 12", "  x: " + "a" * 64, "  3: " + "A" * 64, "others:", "3: " + "a" * 64])
def test_a_line_that_names_no_program_is_refused(line: str) -> None:
    with pytest.raises(Malformed):
        engines.read(f"engines:\n{line}\n".encode())


def test_a_log_of_the_engine_before_is_good_by_its_own_program_and_unchecked_without() -> None:
    log = Log(engine=ENGINE - 1)
    case_id = story(log)
    with FrozenEngines(frozen.own()) as found:
        report = verify(log.entries, log.keys, engines=found)
    assert not report.findings and report.counts[f"decisions by engine {ENGINE - 1}"] == report.counts["decisions"] == 3
    without = verify(log.entries, log.keys)
    assert {finding.code for finding in without.findings} == {"OTHER_ENGINE"} and without.exit_code() == 3
    entry = next(e for e in log.entries if e.type == OfferOpened.TYPE)
    body = structs.replace(unseal(entry, log.keys[case_id]).body, agency="police-prishtine")
    with FrozenEngines(frozen.own()) as found:
        changed = [resealed(log, e, body) if e is entry else e for e in log.entries]
        assert [(f.code, f.idx) for f in verify(changed, log.keys, engines=found).findings] == [("DECISION_DIFFERS", entry.idx)]


def test_the_true_branch_of_a_fork_is_found_by_the_program_that_decided() -> None:
    log = Log(engine=ENGINE - 1)
    case_id = story(log)
    entry = next(e for e in log.entries if e.type == OfferOpened.TYPE)
    body = structs.replace(unseal(entry, log.keys[case_id]).body, agency="police-prishtine")
    fork = write(log, case_id, body, entry.case_seq, cause=entry.cause_id, event_id=entry.event_id)
    with FrozenEngines(frozen.own()) as found:
        report = verify(log.entries, log.keys, engines=found)
    assert [(f.code, f.idx) for f in report.findings if f.weight is Weight.BAD] == [("DECISION_DIFFERS", fork.idx)]
    assert report.counts["decisions re-executed"] == 3
