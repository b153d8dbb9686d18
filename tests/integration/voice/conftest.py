"""What the tests of calls share: prompts, a folder for each called party, and calls with little patience."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from referral.channels import Handed, Outgoing, Refused, Unreached, prompts
from referral.channels.voice import Patience, Trunk, Voice
from tests.harness.telephone import NUMBER, absent

OUT = Outgoing(NUMBER, "3f0a91bc-0000-4000-8000-000000000000", "4711", "sq", False, "https://inbox.example/")
HURRY = Patience(dialled=8.0, rings=2.0, listens=4.0, noted=0.3)
"""Waits that a test can afford. What is dialled may take its time: the machine does much else."""


@pytest.fixture(autouse=True)
def programs() -> None:
    if lacks := absent("baresip", "setpriv", "espeak-ng", "sox"):
        pytest.skip(f"{lacks}: apt-get install baresip-core util-linux espeak-ng sox")


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of prompts, made once."""
    folder = tmp_path_factory.mktemp("prompts")
    if not absent("espeak-ng", "sox"):
        prompts.make(folder)
    return folder


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Make a folder of a called party."""

    def make(name: str) -> Path:
        (tmp_path / name).mkdir()
        return tmp_path / name

    yield make


class Caller:
    """Calls through a trunk of this machine."""

    def __init__(self, sounds: Path) -> None:
        self._sounds = sounds

    def voice(self, port: int, patience: Patience = HURRY, **more: object) -> Voice:
        return Voice(replace(Trunk("127.0.0.1", port, self._sounds), **more), patience)  # type: ignore[arg-type]

    async def call(self, port: int, out: Outgoing = OUT, patience: Patience = HURRY, **more: object) -> Handed | Refused | Unreached:
        """Call, and return how it ended. more: of the Trunk."""
        voice = self.voice(port, patience, **more)
        await voice.open()
        try:
            return await voice.send(out)
        except (Refused, Unreached) as end:
            return end
        finally:
            await voice.close()


@pytest.fixture
def caller(sounds: Path) -> Caller:
    return Caller(sounds)
