"""Define the spoken words of a call, make them as sound files, and read them. They say that something waits, and never what.

The program speaks by espeak-ng and sox, which are run and never imported (GPL). A recording that an agency puts into the folder is kept.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from referral.channels import Outgoing
from referral.errors import Rejected

RATE = 8000
"""Samples per second of a telephone (ITU-T G.711); one channel of 16 bits."""
LEAD_SECONDS, GAP_SECONDS = 0.6, 1.5
"""Silence before the first word, while a person lifts the handset, and after each prompt, in which a key is pressed (ours)."""
TIMES = 2
"""The prompt is spoken so often (P): once for whoever was asleep, once to decide."""
MOST_SECONDS = 8.0
"""Longest recording of one part (ours)."""
PROMPT_SECONDS = 15.0
"""Longest prompt, of all its parts. Two of them with their gaps fit into the time that a call listens (voice.Patience)."""
NOTED_SECONDS = 5.0
"""Longest confirmation, of all its parts: voice.Patience.noted."""
WORDS_A_MINUTE = "155"
"""Speed of speech, by ear: espeak-ng's own 175 is too fast for a bad line. The longest prompt then takes less than PROMPT_SECONDS."""
PROGRAMS = ("espeak-ng", "sox")
MAKE_SECONDS = 30.0
"""Limit for one run of a program that makes a file; it takes a tenth of a second."""


class Part(StrEnum):
    """A sound file; a call plays several, one after another.

    EXERCISE: it is one. LINE: who calls, and why this person. URGENT, REQUEST: one thing waits. The next nine: so many wait.
    UNCONFIRMED: nobody has confirmed it yet. KEYS: what each key does. NOTED, NOTED_ALL: the key has counted, for one thing or for all that
    wait. WATCHMAN: who calls an operator.
    """

    EXERCISE = "exercise"
    LINE = "line"
    URGENT = "urgent"
    REQUEST = "request"
    TWO = "requests-2"
    THREE = "requests-3"
    FOUR = "requests-4"
    FIVE = "requests-5"
    SIX = "requests-6"
    SEVEN = "requests-7"
    EIGHT = "requests-8"
    NINE = "requests-9"
    MANY = "requests-many"
    UNCONFIRMED = "unconfirmed"
    KEYS = "keys"
    NOTED = "noted"
    NOTED_ALL = "noted-all"
    WATCHMAN = "watchman"


NUMBERS = (Part.TWO, Part.THREE, Part.FOUR, Part.FIVE, Part.SIX, Part.SEVEN, Part.EIGHT, Part.NINE, Part.MANY)
"""Numbers of waiting requests, from two on; the last one for ten and more (ours): whoever has so many opens the inbox in any case."""


@dataclass(frozen=True, slots=True)
class Speech:
    """The spoken words of one language. voice: name of the voice in espeak-ng. requests: of NUMBERS."""

    voice: str
    exercise: str
    line: str
    urgent: str
    request: str
    requests: tuple[str, ...]
    unconfirmed: str
    keys: str
    noted: str
    noted_all: str
    watchman: str

    def words(self, *parts: Part) -> str:
        """Return what is spoken."""
        return " ".join(map(self._part, parts))

    def _part(self, part: Part) -> str:
        if part in NUMBERS:
            return self.requests[NUMBERS.index(part)]
        return str(getattr(self, part.value.replace("-", "_")))


# Unread by a native reader: Albanian and Serbian were written without one. Whoever corrects a text keeps the terms of docs/glossary.md.
SPEECHES = {
    "sq": Speech(
        voice="sq",
        exercise="Ky është ushtrim.",
        line="Linja e kujdestarisë. Jeni në detyrë.",
        urgent="Një kërkesë urgjente pret.",
        request="Një kërkesë pret.",
        requests=(
            *(f"{n} kërkesa presin." for n in ("Dy", "Tri", "Katër", "Pesë", "Gjashtë", "Shtatë", "Tetë", "Nëntë")),
            "Më shumë se nëntë kërkesa presin.",
        ),
        unconfirmed="E pakonfirmuar.",
        keys="Do të shikoni tani? Shtypni një. Nuk mundeni? Shtypni dy, dhe thërrasim tjetrin.",
        noted="U shënua. Tani hapni kutinë hyrëse.",
        noted_all="U shënua për të gjitha.",
        watchman="Linja e referimit ka nevojë për ju.",
    ),
    "sr": Speech(
        voice="sr",
        exercise="Ovo je vežba.",
        line="Dežurna linija. Vi ste dežurni.",
        urgent="Čeka hitan zahtev.",
        request="Čeka zahtev.",
        requests=(
            "Čekaju dva zahteva.",
            "Čekaju tri zahteva.",
            "Čekaju četiri zahteva.",
            *(f"Čeka {n} zahteva." for n in ("pet", "šest", "sedam", "osam", "devet")),
            "Čeka više od devet zahteva.",
        ),
        unconfirmed="Nepotvrđeno.",
        keys="Pogledaćete odmah? Pritisnite jedan. Ne možete? Pritisnite dva, zvaćemo sledećeg.",
        noted="Zabeleženo. Sada otvorite prijemno sanduče.",
        noted_all="Zabeleženo za sve.",
        watchman="Liniji za upućivanje ste potrebni.",
    ),
    "en": Speech(
        voice="en-gb",
        exercise="This is an exercise.",
        line="Duty line. You are on duty.",
        urgent="An urgent request is waiting.",
        request="A request is waiting.",
        requests=(
            *(f"{n} requests are waiting." for n in ("Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")),
            "More than nine requests are waiting.",
        ),
        unconfirmed="Not confirmed.",
        keys="Will you look now? Press one. You cannot? Press two, and we call the next person.",
        noted="Noted. Now open your inbox.",
        noted_all="Noted for all of them.",
        watchman="The referral line needs you.",
    ),
}
"""By language of speech. Serbian is one speech in two scripts."""
OTHERWISE = "en"


def speech(language: str) -> str:
    """Return the language of speech for a language of writing: `sr` for `sr-Latn` and `sr-Cyrl`."""
    spoken = language.partition("-")[0]
    return spoken if spoken in SPEECHES else OTHERWISE


def parts(out: Outgoing) -> tuple[Part, ...]:
    """Return what a call says before a key is pressed."""
    drill = (Part.EXERCISE,) if out.drill else ()
    if out.text:
        return (*drill, Part.WATCHMAN, Part.KEYS)
    unconfirmed = (Part.UNCONFIRMED,) if out.unconfirmed and not out.drill else ()  # a call is short, and an exercise is nobody's report
    return (*drill, Part.LINE, _waiting(out), *unconfirmed, Part.KEYS)


def confirmation(out: Outgoing) -> tuple[Part, ...]:
    """Return what a call says after a key: for how many things it counts."""
    return (Part.NOTED,) if out.text or out.waiting == 1 else (Part.NOTED_ALL, _waiting(out))


def _waiting(out: Outgoing) -> Part:
    if out.waiting == 1:
        return Part.URGENT if out.urgent else Part.REQUEST
    return NUMBERS[min(out.waiting - 2, len(NUMBERS) - 1)]


def spoken(out: Outgoing) -> str:
    """Return the words of a call."""
    return SPEECHES[speech(out.language)].words(*parts(out))


def recorded(folder: Path, out: Outgoing, what: Sequence[Part]) -> bytes:
    """Return the samples of some parts of a call, one after another. Rejected: one is absent, or not what a telephone plays."""
    return b"".join(read(path(folder, out.language, part)) for part in what)


def path(folder: Path, language: str, part: Part) -> Path:
    """Return the file of a part, e.g. `sq-keys.wav`."""
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
    """Check that a folder holds every file, each fit for a telephone, and all of a call short enough. Rejected: it does not."""
    for language in SPEECHES:
        took = {part: seconds(read(path(folder, language, part))) for part in Part}
        number = max(took[part] for part in (Part.URGENT, Part.REQUEST, *NUMBERS))
        first = max(took[Part.EXERCISE], took[Part.UNCONFIRMED])
        asks = first + max(took[Part.LINE] + number, took[Part.WATCHMAN]) + took[Part.KEYS]
        for name, length, most in (
            ("exercise or unconfirmed, line, requests and keys", asks, PROMPT_SECONDS),
            ("noted, or noted-all and requests", max(took[Part.NOTED], took[Part.NOTED_ALL] + number), NOTED_SECONDS),
        ):
            if length > most:
                hint = f"{length:.1f} s together, and a call has {most:g} s for them: record them shorter"
                raise Rejected("too-long", f"{language}: {name}", hint)


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
        raise Rejected("too-long", file.name, f"at most {MOST_SECONDS:g} s: it is a part of what a call says {TIMES} times")
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
