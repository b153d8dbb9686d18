"""Calls to a real telephone (baresip): only a key makes a person, and what is heard is what was sent."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy
import pytest

from referral.channels import Handed, Unreached, Unsure, Word, baresip, prompts
from referral.channels.message import WORDINGS
from referral.channels.voice import Patience
from referral.runtime.settings import CHECKOUT
from tests.harness.telephone import NUMBER, telephone
from tests.harness.waiting import until
from tests.integration.voice.conftest import HURRY, OUT, Caller

Place = Callable[[str], Path]
RINGS = Patience(dialled=8.0, rings=60.0, listens=60.0, noted=0.3)
"""For a call that the test itself ends."""


def likeness(heard: bytes, sent: bytes) -> float:
    """Return the correlation of what was heard with the part of what was sent that fits best, from -1 to 1."""
    one, all_ = (numpy.frombuffer(samples, "<i2").astype(float) for samples in (heard, sent))
    size = 1 << (len(one) + len(all_)).bit_length()
    shifted = numpy.fft.irfft(numpy.fft.rfft(all_, size) * numpy.conj(numpy.fft.rfft(one, size)), size)
    lag = int(numpy.argmax(shifted[: len(all_)]))
    length = min(len(one), len(all_) - lag)
    return float(numpy.corrcoef(one[:length], all_[lag : lag + length])[0, 1])


@pytest.mark.parametrize(("key", "word"), [("1", Word.LOOKS), ("2", Word.CANNOT)])
async def test_a_key_is_an_answer_and_is_confirmed(key: str, word: Word, caller: Caller, sounds: Path, place: Place) -> None:
    async with telephone(place("callee")) as callee:
        calling = asyncio.create_task(caller.call(callee.port, patience=replace(HURRY, noted=3.0)))
        await callee.press("9")  # no answer
        await callee.press(key)
        assert await calling == Handed(word)
        noted = prompts.read(sounds / "sq-noted.wav")
        assert likeness(noted, await callee.heard()) >= 0.95  # the confirmation is in what was heard


async def test_each_hears_the_own_language(caller: Caller, sounds: Path, place: Place) -> None:
    """All at once, and each compared with every prompt: a test that takes any sound for the right one would pass whatever is played."""

    async def hear(language: str, drill: bool) -> tuple[str, bytes]:
        async with telephone(place(f"{language}-{drill}")) as callee:
            await caller.call(callee.port, replace(OUT, language=language, drill=drill))
            return f"{prompts.speech(language)}{'-exercise' if drill else ''}", await callee.heard()

    heard = await asyncio.gather(*(hear(language, drill) for language in WORDINGS for drill in (False, True)))
    tapes = {
        f"{language}{'-exercise' if drill else ''}": prompts.tape(prompts.recorded(sounds, out, prompts.parts(out)))
        for language in prompts.SPEECHES
        for drill in (False, True)
        for out in (replace(OUT, language=language, drill=drill),)
    }
    for name, samples in heard:
        like = {other: likeness(samples, sent) for other, sent in tapes.items()}
        assert max(like, key=lambda other: like[other]) == name and like[name] >= 0.95, like


async def test_silence_is_nobody(caller: Caller, place: Place) -> None:
    async with telephone(place("callee")) as callee:
        assert str(await caller.call(callee.port)) == "no-key"
        await callee.sees("CALL_CLOSED")


async def test_a_mailbox_is_nobody(caller: Caller, sounds: Path, place: Place) -> None:
    """It answers, speaks for long, and presses nothing."""
    speaks = f"aufile,{sounds / 'en-keys.wav'}"
    async with telephone(place("callee"), source=speaks) as callee:
        assert str(await caller.call(callee.port)) == "no-key"
        await callee.sees("CALL_RTPESTAB")


async def test_who_hangs_up_in_the_middle_has_not_answered(caller: Caller, place: Place) -> None:
    async with telephone(place("callee")) as callee:
        calling = asyncio.create_task(caller.call(callee.port, patience=RINGS))
        await callee.sees("CALL_ESTABLISHED")
        callee.command("hangup")
        assert str(await calling) == "no-key"


async def test_who_hangs_up_after_the_key_has_answered(caller: Caller, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(ours := place("ours")))
    async with telephone(place("callee")) as callee:
        calling = asyncio.create_task(caller.call(callee.port, patience=replace(RINGS, noted=30.0)))
        await callee.press("1")
        await until(lambda: [*ours.glob("call-*/then.wav")], what="the confirmation begins")
        callee.command("hangup")
        assert await calling == Handed(Word.LOOKS)


async def test_who_declines_has_declined_or_is_busy(caller: Caller, place: Place) -> None:
    """A telephone that is asked to hang up while it rings says 486 Rejected or 603, as it was made."""
    async with telephone(place("callee"), "manual") as callee:
        calling = asyncio.create_task(caller.call(callee.port, patience=RINGS))
        await callee.sees("CALL_INCOMING")
        callee.command("hangup")
        assert str(await calling) in ("busy", "declined")


async def test_it_stops_ringing_when_nobody_answers(caller: Caller, place: Place) -> None:
    async with telephone(place("callee"), "manual") as callee, asyncio.timeout(30):
        assert str(await caller.call(callee.port)) == "rings-out"
        await callee.sees("CALL_INCOMING")
        await callee.sees("CALL_CLOSED")


async def test_a_cancelled_call_hangs_up(caller: Caller, place: Place) -> None:
    async with telephone(place("callee"), "manual") as callee:
        calling = asyncio.create_task(caller.call(callee.port, patience=RINGS))
        await callee.sees("CALL_INCOMING")
        calling.cancel()
        await callee.sees("CALL_CLOSED")
        with pytest.raises(asyncio.CancelledError):
            await calling


async def test_a_closed_line_hangs_up(caller: Caller, place: Place) -> None:
    async with telephone(place("callee"), "manual") as callee:
        line = caller.voice(callee.port, RINGS)
        calling = asyncio.create_task(line.send(OUT))
        await callee.sees("CALL_INCOMING")
        await line.close()
        await callee.sees("CALL_CLOSED")
        with pytest.raises(Unsure, match="no-answer"):
            await calling


KILLED = """
import asyncio, sys
from pathlib import Path
from referral.channels import Outgoing
from referral.channels.voice import Trunk, Voice
out = Outgoing(sys.argv[2], "3f0a91bc", "4711", "sq", False, "https://inbox.example/")
asyncio.run(Voice(Trunk("127.0.0.1", int(sys.argv[1]), Path(sys.argv[3]))).send(out))
"""


@pytest.mark.parametrize("answers", ["manual", "auto"])
async def test_when_we_are_killed_the_telephone_stops_ringing(
    answers: str, sounds: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that was answered: nobody is left with a handset that nobody speaks into. The next start removes the call's folder."""
    monkeypatch.setattr("tempfile.tempdir", str(folder := place("ours")))
    async with telephone(place("callee"), answers) as callee:
        words, own = (str(callee.port), NUMBER, str(sounds)), {**os.environ, "TMPDIR": str(folder)}
        ours = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, *words, cwd=CHECKOUT, env=own)
        await callee.sees("CALL_INCOMING" if answers == "manual" else "CALL_ESTABLISHED")
        [left] = folder.iterdir()
        baresip.sweep()
        assert (left / "call.wav").exists(), "a call that is under way keeps its files"
        program = Path(f"/proc/{child(ours.pid)}")
        ours.kill()
        await ours.wait()
        await callee.sees("CALL_CLOSED", lambda: f"The program of the call {'still runs' if program.exists() else 'has ended'}.")
        baresip.sweep()
        assert [*folder.iterdir()] == []


async def test_a_program_that_dies_costs_one_call_and_the_line_goes_on(caller: Caller, place: Place) -> None:
    async with telephone(place("callee")) as callee:
        line = caller.voice(callee.port, RINGS)
        calling = asyncio.create_task(line.send(OUT))
        await callee.sees("CALL_ESTABLISHED")
        os.kill(await until(lambda: child(os.getpid()), what="the program of the call runs"), signal.SIGKILL)
        with pytest.raises(Unsure, match="no-answer"):
            await calling
        callee.events.clear()
        again = asyncio.create_task(line.send(OUT))
        callee.command("hangupall")
        await callee.press("2")
        assert await again == Handed(Word.CANNOT)


def child(of: int) -> int | None:
    """Return the process of a call: a child of that process that runs `baresip -f …/call-…`."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        if parent == of and words[0] == b"baresip" and b"/call-" in words[2]:
            return int(entry.name)
    return None


async def test_nothing_is_left_and_nothing_is_said(
    caller: Caller, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """No file with a number or a password is ever written, none is left, and the program's output goes nowhere."""
    monkeypatch.setattr("tempfile.tempdir", str(place("ours")))
    async with telephone(place("callee"), "manual") as callee:
        calling = asyncio.create_task(caller.call(callee.port, patience=RINGS, password="m4rker-secret", user="inbox"))
        await callee.sees("CALL_INCOMING")
        [folder] = (tmp_path / "ours").iterdir()
        written = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
    assert NUMBER.encode() not in written and NUMBER[1:].encode() not in written and b"m4rker" not in written
    assert not [*(tmp_path / "ours").iterdir()]
    said = capfd.readouterr()
    assert NUMBER[1:] not in said.out + said.err and "baresip" not in said.out + said.err


async def test_an_address_that_is_no_number_is_refused_before_anybody_is_called(caller: Caller) -> None:
    for address in ("", "+383 44 000 111", "044000111", "+38344000111;x=y", "+38344000111\n", "sip:a@example.org", "+3"):
        assert str(await caller.call(9, replace(OUT, address=address))) == "bad-address"


async def test_prompts_that_are_gone_are_our_fault(place: Place) -> None:
    end = await Caller(place("empty")).call(9)
    assert isinstance(end, Unreached) and str(end) == "server-refuses-us"


async def test_a_trunk_that_is_not_there_is_our_fault(caller: Caller) -> None:
    end = await caller.call(9, patience=replace(HURRY, dialled=1.0))
    assert isinstance(end, Unreached) and str(end) == "server-away"
