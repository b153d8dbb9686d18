"""docs/deploy.md, compose: each block runs as it stands on a real engine; a referral reaches an agency, all is stopped and started again,
nothing is lost, and every container runs as nobody, with nothing."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.deploy import images
from tests.deploy.engine import Engine
from tests.harness.waiting import comes

PAGE = images.ROOT / "docs" / "deploy.md"
BLOCK = re.compile(r"^### \d · ([^\n]*)\n(?:(?!^#).)*?^```sh compose\n(.*?)^```", re.M | re.S)
BLOCK_S = 400
"""Longest run of one block in seconds (ours): the longest takes half a minute on idle cores."""
AGENCY = "school-drita"
CONTAINERS = 13
REFERRAL = {
    "traits": {
        "concern": "trafficking",
        "age": "child",
        "age_band": "12-14",
        "sex": "female",
        "found_in": "prizren",
        "urgency": "urgent",
    },
    "file": {"identity": {"name": "Testa Shembull (made up)"}},
    "drill": True,
}
LOOK = """
print(open("/proc/1/status").read())
for path in ("/etc/x", "/opt/x"):
    try:
        open(path, "w")
    except OSError as error:
        print(error.strerror)
"""
SHELL = "cat /proc/1/status; touch /etc/x /opt/x 2>&1 || true"


class Composed:
    """The folder of the release in which the page's blocks run, and the engine that they start containers in."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder

    def run(self, block: str) -> str:
        """Run a block of the page as root of that machine, and return what it printed. AssertionError: it failed."""
        done = self.engine.inside(["timeout", str(BLOCK_S), "sh", "-eu", "-c", block], within=BLOCK_S + 10, folder=self.folder)
        assert done.returncode == 0, (
            f"exit {done.returncode} (124: not within {BLOCK_S} s)\n{block}\n{done.stdout}{done.stderr}\n{self.state()}"
        )
        return done.stdout

    def state(self) -> str:
        """Return the containers' names and states."""
        return self.engine.docker("ps", "--all", "--format", "{{.Names}} {{.Status}}").stdout

    def healthy(self) -> bool:
        """Return whether every container passes its health check."""
        lines = self.state().splitlines()
        return len(lines) == CONTAINERS and all(line.endswith("(healthy)") for line in lines)

    def started(self) -> dict[str, str]:
        """Return when each broker started."""
        shown = "docker inspect --format '{{.State.StartedAt}}' $(docker-compose ps -q %s)"
        return {name: self.run(shown % name) for name in ("kafka-1", "kafka-2", "kafka-3")}

    def ask(self, *words: str, path: str = "") -> dict[str, object]:
        """Ask intake as an agency does, from outside the containers; return its answer, {} while there is none."""
        school = self.folder / "files" / "agencies" / AGENCY
        to = f"https://line.example:8443/v1/referrals{path}"
        who = ["--cacert", str(school / "authority.pem"), "--cert", str(school / "identity.pem"), "--key", str(school / "identity.pem")]
        token = ["-H", f"Authorization: Bearer {(self.folder / 'token').read_text().strip()}"]
        command = ["curl", "-s", "--max-time", "30", "--resolve", "line.example:8443:127.0.0.1", *who, *token, *words, to]
        done = self.engine.inside(command)
        return json.loads(done.stdout) if done.returncode == 0 and done.stdout.startswith("{") else {}


@pytest.fixture
def line(engine: Engine, tmp_path: Path) -> Iterator[Composed]:
    for program, package in {"docker-compose": "docker-compose", "curl": "curl"}.items():
        if shutil.which(program) is None:
            pytest.skip(f"no {program}: apt-get install {package}")
    shutil.copytree(images.ROOT / "deploy" / "compose", tmp_path / "deploy" / "compose", ignore=shutil.ignore_patterns("files", ".env"))
    (tmp_path / "dist").mkdir()
    for name in images.MADE_OF:
        (tmp_path / "dist" / f"referral-{name}.tar").symlink_to(images.archive(name))
    try:
        yield Composed(engine, tmp_path / "deploy" / "compose")
    finally:
        with contextlib.suppress(AssertionError):
            engine.docker("rm", "--force", "--volumes", *engine.docker("ps", "--all", "--quiet").stdout.split())


@pytest.mark.timeout(1800)
def test_a_line_comes_up_from_nothing_and_comes_back(line: Composed, record_property: Callable[[str, str], None]) -> None:
    *blocks, (_, again) = BLOCK.findall(PAGE.read_text("utf-8"))
    began, took = time.monotonic(), []
    for title, block in blocks:
        start = time.monotonic()
        line.run(block)
        took.append(f"{title} {time.monotonic() - start:.0f}")
    record_property("figure", f"from nothing to an exercise: {time.monotonic() - began:.0f} s ({', '.join(took)})")
    assert comes(line.healthy, within=BLOCK_S), line.state()
    record_property("figure", _walls(line))

    (line.folder / "token").write_text(line.run(f"docker-compose run --rm -T keeper agency token {AGENCY}"))
    body = ("-H", "Content-Type: application/json", "-H", "Idempotency-Key: drita-2026-0001", "-d", json.dumps(REFERRAL))
    receipt = comes(lambda: line.ask(*body).get("referral_id"), within=120)
    assert receipt, line.ask(*body)

    def decided() -> bool:
        """Whether an agency, or at night the desk, has been asked."""
        return line.ask(path=f"/{receipt}").get("state") in ("OFFERED", "WAITING")

    assert comes(decided, within=120), line.ask(path=f"/{receipt}")

    began = time.monotonic()
    line.run(again)
    assert comes(decided, within=BLOCK_S), line.state()
    record_property("figure", f"down, up again, and the referral is there: {time.monotonic() - began:.0f} s")
    assert line.ask(*body).get("referral_id") == receipt  # the same key is the same referral, also after that
    line.run("until docker-compose run --rm -T keeper doctor; do sleep 1; done")
    line.run("docker-compose run --rm -T keeper audit verify --trust /etc/referral/trust.toml")
    _takes_up(line)
    assert comes(line.healthy, within=BLOCK_S), line.state()


def _takes_up(line: Composed) -> None:
    """Finish what a renewal that was killed has left undone: the broker that has not read its certificate starts again."""
    before = line.started()
    line.run("touch files/line/kafka-2/identity.pem && ./renew")
    assert [name for name, at in line.started().items() if at != before[name]] == ["kafka-2"]


def _walls(line: Composed) -> str:
    """Look from inside each container: it is user 10001, has no capability, gets no other, and writes nowhere. Return what was seen."""
    names = line.engine.docker("ps", "--format", "{{.Names}}").stdout.split()
    for name in names:
        words = ("sh", "-c", SHELL) if "kafka" in name or "postgres" in name else ("python3", "-c", LOOK)
        said = line.engine.docker("exec", name, *words).stdout
        seen = dict(text.split(":\t", 1) for text in said.splitlines() if ":\t" in text)
        assert (seen["Uid"].split(), seen["Gid"].split()) == (["10001"] * 4, ["10001"] * 4), name
        assert {int(seen[one], 16) for one in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}, name
        assert (seen["NoNewPrivs"], seen["Seccomp"]) == ("1", "2"), name
        assert said.count("Read-only file system") == 2, said
    return f"{len(names)} containers: uid 10001, no capability, no new privileges, seccomp, read-only"
