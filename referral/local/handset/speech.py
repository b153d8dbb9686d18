"""Make the words of a call audible with espeak-ng, where it is installed. It is a GPL program: it is run, never imported."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from referral.channels.prompts import SPEECHES

SPEED = "150"
"""Words a minute, as in the prompts of a real call."""
LIMIT_SECONDS = 10.0
"""Limit of one run (ours); a prompt takes a tenth of a second."""


def here() -> bool:
    """Return whether espeak-ng is installed."""
    return shutil.which("espeak-ng") is not None


async def wav(text: str, language: str) -> bytes | None:
    """Return the spoken text as a WAV file, of a language of speech; None: no espeak-ng, no such language, or it failed."""
    program = shutil.which("espeak-ng")
    if program is None or language not in SPEECHES:
        return None
    with tempfile.TemporaryDirectory(prefix="referral-speech-") as folder:
        sound = Path(folder) / "call.wav"
        run = await asyncio.create_subprocess_exec(program, "-v", SPEECHES[language].voice, "-s", SPEED, "-w", str(sound), "--", text)
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                code = await run.wait()
        except TimeoutError:
            run.kill()
            code = await run.wait()
        return sound.read_bytes() if code == 0 and sound.exists() else None
