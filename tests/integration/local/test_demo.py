"""`referral demo` from its first line to the verdict, in a process of its own, with all that it says on the loopback interface."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from referral.cli.stack import cast, story
from referral.local import ports
from referral.runtime import http_listener
from tests.harness import loopback
from tests.harness.loopback import Loopback

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("demo")]
COMMAND = (sys.executable, "-c", "import sys; from referral.cli import main; main()", "demo", "--json", "--data")
READY, JUDGED, LAST = "ready after", "referral doctor", "a page for each role"
STAND_INS = ("mail", "handset")
"""What a local stack has in the place of a relay and of telephones. Each says so to whoever looks: no real person is behind it."""


@dataclass
class Demo:
    """A demo that has ended. ports: on which its processes listened when it was ready. tls, plain: the answers of each port."""

    data: Path
    code: int = -1
    out: str = ""
    told: str = ""
    ports: dict[int, int] = field(default_factory=dict)
    late: dict[int, int] = field(default_factory=dict)
    tls: dict[int, str] = field(default_factory=dict)
    plain: dict[int, bytes] = field(default_factory=dict)
    capture: Loopback | None = None
    refused: str = ""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A whole demo, recorded where this process may do that."""
    made = Demo(tmp_path_factory.mktemp("demo") / "d")
    with ExitStack() as recording:
        try:
            made.capture = recording.enter_context(Loopback())
        except OSError as error:
            made.refused = f"nothing is recorded: {error.strerror}; CAP_NET_RAW is needed"
        with (made.data.parent / "out").open("w+") as out:
            process = subprocess.Popen([*COMMAND, str(made.data)], stdout=out, stderr=subprocess.PIPE, text=True)
            try:
                _follow(made, process)
                made.code = process.wait()
            finally:
                process.kill()
            out.seek(0)
            made.out = out.read()
    yield made


def _follow(made: Demo, process: subprocess.Popen[str]) -> None:
    """Read what it tells. Look at its ports once it is ready, and once more at its end."""
    assert process.stderr is not None
    for line in process.stderr:
        made.told += line
        if READY in line:
            made.ports = loopback.listening(_pids(made, process))
            if made.capture is not None:
                made.capture.only(made.ports)
            with ThreadPoolExecutor(8) as asking:
                made.tls = dict(zip(made.ports, asking.map(loopback.speaks_tls, made.ports), strict=True))
                made.plain = dict(zip(made.ports, asking.map(loopback.says_plainly, made.ports), strict=True))
        if JUDGED in line:
            made.late = loopback.listening(_pids(made, process))


def _pids(made: Demo, process: subprocess.Popen[str]) -> list[int]:
    return [process.pid, *loopback.holding(made.data / "lock")]


def test_the_demo_is_told_to_its_end_and_its_log_is_good(demo: Demo) -> None:
    assert demo.code == 0, demo.told
    assert json.loads(demo.out) == {"audit verify": 0, "doctor": 0}
    told = [
        "✉ police-prishtine.duty-officer",
        "✆ SMS to +999440101: USHTRIM.",
        "✆ +999440101 rings: Ky është ushtrim.",
        "nobody answers",
        "✆ +999440101 rings: Ky është ushtrim.",
        "she presses 1",
        "has seen it",
        "declines",
        "now its back-up",
        "the case is closed",
        LAST,
        *("/refer", "/help", "/inbox", "police-prishtine.duty-officer", "/agency", "/overview", "coordinator-prishtine.", "/unverified"),
        *("/auditor", "made-up-auditor", "/oversight", "made-up-committee"),
    ]
    rest = demo.told
    for words in told:
        assert words in rest, f"{words!r} is not told, or not after what comes before it:\n{demo.told}"
        rest = rest.partition(words)[2]


def test_every_port_speaks_tls_and_nothing_in_clear_but_the_stand_ins(demo: Demo) -> None:
    known = ports.before(demo.data / "ports.json")
    names = {number: name for name, number in known.items()}
    stand_ins = {known[name] for name in STAND_INS}
    assert len(demo.ports) >= 17, "five services by two, three witnesses, the broker by two, and the stand-ins"
    assert demo.late == demo.ports, "no port was opened later"
    assert {names.get(port, port) for port, version in demo.tls.items() if version != "TLSv1.3"} == set(STAND_INS)
    answers = {answer for port, answer in demo.plain.items() if answer and port not in stand_ins}
    assert answers == {http_listener.IN_CLEAR}, "in clear a port says one thing alone, the same to everybody: that it speaks https"
    assert demo.plain[known["mail"]].startswith(b"220 "), "the probe hears what is said in clear"
    assert not (stand_ins - set(demo.ports))


def markers(demo: Demo) -> dict[str, bytes]:
    """Words that whoever listens would want: of the child, of those who ask and answer, of each protocol, and every secret that travels."""
    people = cast.load(demo.data)
    told = story.demo()
    written = [text for section in told.referral["file"].values() for text in section.values()] + list(told.texts.values())
    agencies = ("school-drita", "police-prishtine", "advocate-prishtine", "advocate-gjilan", "csw-prishtine", "shelter-linden")
    case_id = demo.told.partition("receipt: case ")[2].split()[0]
    spoken = ["demo-referral", case_id, "NO_CAPACITY", '"found_in"', '"offer_id"', '"receipt', '"word"']
    http = ["POST /v1/", "GET /v1/", "authorization: bearer", "Authorization: Bearer", "idempotency-key", "/told", "/add-checkpoint"]
    kafka = [f"referral-{topic}" for topic in ("intake", "routing", "notification", "policy", "keys")] + ["ce_id", "consumer-"]
    found = {text: text.encode() for text in (*written, *spoken, *http, *kafka)}
    found |= {f"token of {name}": token.encode() for name, token in [*((a, people.tokens[a]) for a in agencies), *people.readers.items()]}
    found |= {f"key {file.name}": file.read_bytes().strip() for file in (demo.data / "keys").glob("*.key")}
    return found | {"password": people.password.encode(), "login": b64encode(f"police-prishtine.duty-officer:{people.password}".encode())}


def test_a_recording_of_the_loopback_interface_holds_nothing_of_it(demo: Demo) -> None:
    if demo.capture is None:
        pytest.skip(demo.refused)
    wanted, flows = markers(demo), demo.capture.of(demo.ports)
    known = ports.before(demo.data / "ports.json")
    clear = {known[name] for name in STAND_INS}
    assert demo.capture.lost == 0, f"{demo.capture.lost} frames came too fast"
    assert len(wanted) >= 40 and sum(len(data) for _, data in flows) > 1_000_000, "there was something to look for, and to look at"
    heard = b"".join(data for flow, data in flows if clear & set(flow))
    assert b"police-prishtine.duty-officer@example.org" in heard and b"USHTRIM" in heard, "what the stand-ins are told is in clear"
    found = {(word, flow) for flow, data in flows for word, form in wanted.items() if form in data}
    assert found == set(), {word for word, _ in found}
    other = [(flow, loopback.records(data)) for flow, data in flows if not clear & set(flow)]
    ours = (b"GET /readyz", http_listener.IN_CLEAR[:40])
    broken = [(flow, data) for flow, data in other if data and not data.startswith(ours)]
    assert broken == [], f"{len(broken)} streams of {len(other)} hold something else than records of TLS, and are not our own question"
