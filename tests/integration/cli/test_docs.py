"""docs/agencies.md and docs/auditors.md are run, block by block, against a real stack; what they promise to print is compared."""

from __future__ import annotations

import ast
import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from referral.cli.stack import up
from referral.local.config import StackConfig
from referral.local.stack import Stack
from services.intake import crowd
from services.intake.model import REUSED

ROOT = Path(__file__).parents[3]
AGENCIES, AUDITORS = ROOT / "docs" / "agencies.md", ROOT / "docs" / "auditors.md"
FENCE = re.compile(r"^```(sh|python) run\n(.*?)^```\n(?:```output\n(.*?)^```\n)?", re.M | re.S)
BLOCK_S = 120
"""Longest run of one block; each takes a second or two on an idle machine."""


@dataclass(frozen=True)
class Block:
    """where: file:line. promised: what it prints, with … for anything; None when nothing is promised."""

    where: str
    language: str
    text: str
    promised: str | None


def blocks(page: Path) -> Iterator[Block]:
    """The blocks marked `run`, in order."""
    whole = page.read_text("utf-8")
    for found in FENCE.finditer(whole):
        where = f"{page.name}:{whole.count(chr(10), 0, found.start()) + 1}"
        yield Block(where, found[1], found[2], found[3])


def matches(promised: str, printed: str) -> bool:
    """Whether the output is as promised: … stands for anything, and space for any space (tables have room)."""
    words = [re.escape(part) for part in re.split(r"\s*…\s*", promised.strip())]
    pattern = ".*?".join(re.sub(r"(\\ |\\\n|\s)+", r"\\s+", word) for word in words)
    return re.fullmatch(pattern, printed.strip(), re.S) is not None


def test_a_broken_promise_is_seen() -> None:
    assert matches('{"id":"…"}', '{"id":"4711"}\n') and matches("a … b\nc", "a  x   b \n c")
    assert not matches('{"id":"…"}', '{"name":"4711"}') and not matches("one", "one two")


async def run_page(page: Path, stack: Stack, folder: Path) -> None:
    """Every block in one shell after another; what a block exports, the next ones see, and they stand where it stood."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REFERRAL_")}
    environment |= stack.environment | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "160", "NO_COLOR": "1"}
    for name in ("engines", "examples", "policy", "schemas", "tests"):
        (folder / name).symlink_to(ROOT / name)
    state = folder / "state"
    state.touch()
    for block in blocks(page):
        text = block.text if block.language == "sh" else f"python - <<'PROGRAM'\n{block.text}PROGRAM\n"
        script = f'. "{state}"\n{text}\n{{ export -p; echo "cd \\"$PWD\\""; }} > "{state}"\n'
        run = await asyncio.to_thread(
            subprocess.run,
            ["bash", "-eu", "-c", script],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BLOCK_S,
            check=False,
        )
        assert run.returncode == 0, f"{block.where} ended with {run.returncode}:\n{run.stdout}"
        if block.promised is not None:
            assert matches(block.promised, run.stdout), f"{block.where} promised\n{block.promised}\nand printed\n{run.stdout}"


@pytest.mark.servers
async def test_the_pages_for_agencies_and_auditors_do_what_they_say(tmp_path_factory: pytest.TempPathFactory) -> None:
    assert sum(1 for _ in blocks(AGENCIES)) >= 12 and sum(1 for _ in blocks(AUDITORS)) >= 3
    async with up.running(StackConfig(data=tmp_path_factory.mktemp("docs"), drill=True, witnesses=3)) as stack:
        for page in (AGENCIES, AUDITORS):
            await run_page(page, stack, tmp_path_factory.mktemp(page.stem))


def test_every_problem_has_a_row_and_every_row_a_problem() -> None:
    rows = AGENCIES.read_text("utf-8").partition("| code | status |")[2]
    told = set(re.findall(r"`([a-z0-9-]+)`", "".join(row.split("|")[1] for row in rows.splitlines()[1:] if row.startswith("| `"))))
    by_router_or_wire = {"not-found", "method-not-allowed", "seal", "body", "no-http", "https-only", "two-lengths"}
    by_router_or_wire |= {"certificate-missing", "certificate-of-another", "certificate-unseen"}  # of referral/runtime/peer.py
    by_router_or_wire |= {"too-often"}  # of referral/runtime/http_server.py
    by_router_or_wire |= {"not-logged-yet"}  # of referral/runtime/keys/log_proof.py, which the eraser asks as well
    assert told - by_router_or_wire == _problems()


def _problems() -> set[str]:
    """The codes in the source of intake's agency doors; those of persons' doors stand in docs/operators.md."""
    intake = ROOT / "services" / "intake"
    elsewhere = ("pages/", "erasure/", "accounts/rules", "accounts/store", "accounts/basic_auth", "__main__", "recover")
    found: set[str] = set()
    named = {"REUSED": REUSED, "EARLY": crowd.EARLY}
    for file in intake.rglob("*.py"):
        calls = [node for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Call)]
        for call in calls if not file.relative_to(intake).as_posix().startswith(elsewhere) else ():
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            number = {"Rejected": 0, "unknown": 0, "_choice": 3, "refusal": 1}.get(name)
            if number is None or len(call.args) <= number or (name == "refusal" and file.stem != "problems"):
                continue
            if any(isinstance(node, ast.Constant) and str(node.value).startswith("REFERRAL_") for node in call.args[1:2]):
                continue  # what an operator must set
            words = [named[n.id] for n in ast.walk(call.args[number]) if isinstance(n, ast.Name) and n.id in named]
            words += [n.value for n in ast.walk(call.args[number]) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
            found |= {f"unknown-{word}" if name == "unknown" else word for word in words}
    return found - {"unknown-"}
