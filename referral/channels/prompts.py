"""Define the spoken words of a call, make them as sound files, and read them. They say that something waits, and never what.

The program speaks by espeak-ng and sox, which are run and never imported (GPL). A recording that an agency puts into the folder is kept.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import wave
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from referral.channels import Outgoing
from referral.errors import Rejected

RATE = 8000
"""Samples per second of a telephone (ITU-T G.711); one channel of 16 bits."""
LEAD_SECONDS, GAP_SECONDS = 0.6, 1.5
"""Silence before the first word, while a person lifts the handset, and after each prompt, in which a key is pressed (ours)."""
TIMES = 3
"""The prompt is spoken so often (P): once for whoever was asleep, once to understand, once to decide."""
MOST_SECONDS = 10.0
"""Longest prompt. Three of them with their gaps fit into the time that a call listens (voice.Patience)."""
WORDS_A_MINUTE = "155"
"""Speed of speech, by ear: espeak-ng's own 175 is too fast for a bad line. The longest prompt then takes less than MOST_SECONDS."""
PROGRAMS = ("espeak-ng", "sox")
MAKE_SECONDS = 30.0
"""Limit for one run of a program that makes a file; it takes a tenth of a second."""


class Part(StrEnum):
    """A sound file. ASK: something waits, press a key. DRILL: the same, and says first that it is a drill. NOTED: the key has counted.

    WATCH, WATCH_DRILL: the same of the watchman, to an operator.
    """

    ASK = "ask"
    DRILL = "drill"
    WATCH = "watch"
    WATCH_DRILL = "watch-drill"
    NOTED = "noted"


@dataclass(frozen=True, slots=True)
class Speech:
    """The spoken words of one language. voice: name of the voice in espeak-ng."""

    voice: str
    ask: str
    drill: str
    watch: str
    noted: str

    def words(self, part: Part) -> str:
        """Return what is spoken."""
        drill = self.drill if part in (Part.DRILL, Part.WATCH_DRILL) else ""
        says = {Part.ASK: self.ask, Part.DRILL: self.ask, Part.WATCH: self.watch, Part.WATCH_DRILL: self.watch, Part.NOTED: self.noted}
        return f"{drill} {says[part]}".lstrip()


# Unread by a native reader: Albanian and Serbian were written without one. Whoever corrects a text keeps the terms of docs/glossary.md.
SPEECHES = {
    "sq": Speech(
        voice="sq",
        ask="Diçka në kutinë tuaj hyrëse pret. Nëse po e shikoni, shtypni një. Nëse nuk mundeni, shtypni dy.",
        drill="Ky është ushtrim.",
        watch="Linja e referimit nuk punon. Nëse po e shikoni, shtypni një. Nëse nuk mundeni, shtypni dy.",
        noted="U shënua. Faleminderit.",
    ),
    "sr": Speech(
        voice="sr",
        ask="Nešto u vašem prijemnom sandučetu čeka. Ako gledate, pritisnite jedan. Ako ne možete, pritisnite dva.",
        drill="Ovo je vežba.",
        watch="Linija za upućivanje ne radi. Ako gledate, pritisnite jedan. Ako ne možete, pritisnite dva.",
        noted="Zabeleženo. Hvala.",
    ),
    "en": Speech(
        voice="en-gb",
        ask="Something in your inbox is waiting. If you are looking at it, press one. If you cannot, press two.",
        drill="This is an exercise.",
        watch="The referral line does not work. If you are looking at it, press one. If you cannot, press two.",
        noted="Noted. Thank you.",
    ),
}
"""By language of speech. Serbian is one speech in two scripts."""
OTHERWISE = "en"


def speech(language: str) -> str:
    """Return the language of speech for a language of writing: `sr` for `sr-Latn` and `sr-Cyrl`."""
    spoken = language.partition("-")[0]
    return spoken if spoken in SPEECHES else OTHERWISE


def part(out: Outgoing) -> Part:
    """Return what a call asks."""
    if out.text:
        return Part.WATCH_DRILL if out.drill else Part.WATCH
    return Part.DRILL if out.drill else Part.ASK


def spoken(out: Outgoing) -> str:
    """Return the words of a call."""
    return SPEECHES[speech(out.language)].words(part(out))


def path(folder: Path, language: str, part: Part) -> Path:
    """Return the file of a part, e.g. `sq-ask.wav`."""
    return folder / f"{speech(language)}-{part}.wav"


def make(folder: Path) -> tuple[list[str], list[str]]:
    """Make the files that the folder lacks. Return the names of what was made, and of what was there and is unchanged.

    Rejected: a program is absent, or a file that was there does not suit a telephone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {path(folder, language, part): (speech, part) for language, speech in SPEECHES.items() for part in Part}
    kept = [file for file in wanted if file.exists()]
    for file in kept:
        read(file)
    missing = [file for file in wanted if file not in kept]
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing and absent:
        files = ", ".join(file.name for file in missing)
        hint = f"install {' and '.join(absent)} (apt-get install {' '.join(absent)}), or record {files} yourself"
        raise Rejected("missing-program", "", hint)
    for file in missing:
        speech, part = wanted[file]
        say(speech, part, file)
        read(file)
    return [file.name for file in missing], [file.name for file in kept]


def say(speech: Speech, part: Part, file: Path) -> None:
    """Speak a part into a file. The file appears whole or not at all. Rejected: a program failed."""
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".making-") as made:
        raw, done = Path(made, "raw.wav"), Path(made, "done.wav")
        try:
            _run("espeak-ng", "-v", speech.voice, "-s", WORDS_A_MINUTE, "-w", str(raw), speech.words(part))
            _run("sox", str(raw), "-r", str(RATE), "-c", "1", "-b", "16", str(done), "gain", "-n", "-3")
        except (OSError, subprocess.SubprocessError):
            raise Rejected("no-sound", file.name, "espeak-ng or sox failed: run both by hand to see why, or record this file") from None
        done.replace(file)


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=MAKE_SECONDS)  # noqa: S603 (our own words, no shell)


def complete(folder: Path) -> None:
    """Check that a folder holds every file, each fit for a telephone. Rejected: it does not."""
    for language in SPEECHES:
        for part in Part:
            read(path(folder, language, part))


def read(file: Path) -> bytes:
    """Return the samples of a file. Rejected: it is absent, or not what a telephone plays."""
    try:
        with wave.open(str(file), "rb") as sound:
            form = (sound.getframerate(), sound.getnchannels(), sound.getsampwidth())
            samples = sound.readframes(sound.getnframes())
    except FileNotFoundError:
        raise Rejected("no-prompt", file.name, "run `referral prompts make` for this folder, or record it") from None
    except (OSError, EOFError, wave.Error):
        form, samples = (0, 0, 0), b""
    if form != (RATE, 1, 2) or not samples:
        hint = f"a WAV file of {RATE} Hz, one channel, 16 bits: sox yours.wav -r {RATE} -c 1 -b 16 {file.name}"
        raise Rejected("not-for-a-telephone", file.name, hint)
    if seconds(samples) > MOST_SECONDS:
        raise Rejected("too-long", file.name, f"at most {MOST_SECONDS:g} s: it is spoken {TIMES} times, and a call has a limit")
    return samples


def tape(prompt: bytes) -> bytes:
    """Return what a call plays from the moment somebody answers: the prompt several times, with time to press a key after each."""
    return silence(LEAD_SECONDS) + (prompt + silence(GAP_SECONDS)) * TIMES


def silence(length: float) -> bytes:
    """Return silence. length: s."""
    return bytes(2 * round(length * RATE))


def seconds(samples: bytes) -> float:
    """Return the duration of samples, s."""
    return len(samples) / (2 * RATE)


def write(file: Path, samples: bytes) -> None:
    """Write samples as a sound file."""
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(samples)
