"""The operator's commands for calls, as a person types them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

from referral.runtime.settings import CHECKOUT
from tests.harness.telephone import NUMBER, telephone

Place = Callable[[str], Path]


async def run(*words: str, **variables: object) -> tuple[int, str]:
    """Run `referral …`; return its exit code and what it printed."""
    told = {name: str(value) for name, value in variables.items()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "referral.cli", *words),
        cwd=CHECKOUT,
        env={**os.environ, **told},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert b"Traceback" not in said, said.decode()
    return process.returncode or 0, said.decode()


async def test_an_operator_makes_prompts_and_calls_himself(place: Place) -> None:
    """A file that is there is judged, and never overwritten."""
    own, folder = b"RIFF, of somebody's own", place("prompts")
    assert (await run("prompts", "make", str(folder)))[0] == 0
    (folder / "en-noted.wav").write_bytes(own)
    code, said = await run("prompts", "make", str(folder))
    assert code == 1 and "en-noted.wav" in said and (folder / "en-noted.wav").read_bytes() == own
    (folder / "en-noted.wav").unlink()
    code, said = await run("prompts", "make", str(folder))
    assert code == 0 and "made en-noted.wav" in said and "kept sq-keys.wav" in said
    async with telephone(place("callee")) as callee:
        told = {"REFERRAL_SIP": f"127.0.0.1:{callee.port}", "REFERRAL_SIP_TLS": "never", "REFERRAL_PROMPTS": folder}
        calling = asyncio.create_task(run("prompts", "call", NUMBER, **told))
        await callee.press("1")
        assert await calling == (0, "voice-1: answered, LOOKS\n")
        code, said = await run("prompts", "call", "+38344000999", **told)
        assert code == 1 and said.startswith("voice-1: wrong-number (") and "999" not in said
    code, said = await run("prompts", "call", NUMBER)
    assert code == 2 and "REFERRAL_SIP" in said
