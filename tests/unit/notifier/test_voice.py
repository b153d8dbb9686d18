"""A call without a call: settings of the trunk, what the end of a call means, spoken words, sound files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from referral.channels import Outgoing, Refused, prompts, voice
from referral.channels.message import WORDINGS
from referral.channels.prompts import SPEECHES, Part, spoken, tape
from referral.channels.voice import NUMBER, Patience, Phase, Trunk, failure
from referral.errors import Rejected
from referral.runtime import settings

OUT = Outgoing("+38344000111", "3f0a91bc", "4711", "sq", False, "https://inbox.example/")
WORDS = frozenset(yaml.safe_load((Path(__file__).parents[3] / "policy" / "codes.yaml").read_text("utf-8"))["knock-reason"])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of prompts, on a machine that has every program."""
    monkeypatch.setattr(voice, "absent", list)
    for language in prompts.SPEECHES:
        for part in Part:
            prompts.write(prompts.path(tmp_path, language, part), prompts.silence(0.1))
    return tmp_path


def trunks(told: dict[str, str]) -> dict[str, Trunk]:
    return voice.trunks(settings.read(told))


def trunk(told: dict[str, str]) -> Trunk:
    return trunks(told)["voice-1"]


def test_settings_of_a_trunk(folder: Path) -> None:
    (folder / "password").write_text("s3cret\n")
    (folder / "ca.pem").touch()
    told = {"REFERRAL_SIP": "sip:+38338000111@trunk.example.org", "REFERRAL_PROMPTS": str(folder)}
    secret = {"REFERRAL_SIP_USER": "ministry", "REFERRAL_SIP_PASSWORD_FILE": str(folder / "password")}
    secure = trunk(told | secret | {"REFERRAL_SIP_CA": str(folder / "ca.pem")})
    assert secure.account() == (
        "<sip:+38338000111@trunk.example.org:5061;transport=tls>;regint=0;audio_codecs=pcma,pcmu;auth_user=ministry;auth_pass=s3cret"
        ";mediaenc=srtp-mand"
    )
    clear = trunk({**told, "REFERRAL_SIP": "10.0.0.5:5080", "REFERRAL_SIP_TLS": "never"})
    assert clear.account() == "<sip:inbox@10.0.0.5:5080;transport=udp>;regint=0;audio_codecs=pcma,pcmu"
    assert clear.uri("+38344000111") == "sip:+38344000111@10.0.0.5:5080"
    assert "s3cret" not in repr(secure) + str(secure)


@pytest.mark.parametrize(
    ("where", "change"),
    [
        ("REFERRAL_SIP", {"REFERRAL_SIP": "a b@host"}),
        ("REFERRAL_SIP", {"REFERRAL_SIP": "inbox@host:99999"}),
        ("REFERRAL_SIP", {"REFERRAL_SIP": "inbox@host;transport=udp"}),
        ("REFERRAL_SIP", {"REFERRAL_SIP": "inbox@host>;auth_pass=x"}),
        ("REFERRAL_SIP_TLS", {"REFERRAL_SIP_TLS": "offered"}),
        ("REFERRAL_SIP_CA", {"REFERRAL_SIP_TLS": "required"}),
        ("REFERRAL_SIP_CA", {"REFERRAL_SIP_TLS": "required", "REFERRAL_SIP_CA": "/nonexistent"}),
        ("REFERRAL_SIP_USER", {"REFERRAL_SIP_USER": "a;b"}),
        ("REFERRAL_SIP_PASSWORD_FILE", {"REFERRAL_SIP_PASSWORD_FILE": "/nonexistent"}),
        ("REFERRAL_PROMPTS", {"REFERRAL_PROMPTS": ""}),
        ("sq-exercise.wav", {"REFERRAL_PROMPTS": "/nonexistent"}),
    ],
)
def test_a_setting_that_is_wrong_is_named(where: str, change: dict[str, str], folder: Path) -> None:
    right = {"REFERRAL_SIP": "inbox@127.0.0.1", "REFERRAL_SIP_TLS": "never", "REFERRAL_PROMPTS": str(folder)}
    assert trunk(right)
    with pytest.raises(Rejected) as caught:
        trunk(right | change)
    assert caught.value.where == where


def test_several_trunks_share_a_setting_or_have_one_each(folder: Path) -> None:
    told = {"REFERRAL_SIP": "first.example, +38338000111@second.example:5062", "REFERRAL_PROMPTS": str(folder), "REFERRAL_SIP_TLS": "never"}
    assert trunks({}) == {}
    made = trunks(told | {"REFERRAL_SIP_USER": ",ministry"})
    assert [(name, one.host, one.port, one.user, one.login) for name, one in made.items()] == [
        ("voice-1", "first.example", 5060, "inbox", ""),
        ("voice-2", "second.example", 5062, "+38338000111", "ministry"),
    ]
    with pytest.raises(Rejected) as caught:
        trunks(told | {"REFERRAL_SIP_USER": "a,b,c"})
    assert caught.value.where == "REFERRAL_SIP_USER"


@pytest.mark.parametrize("password", ["", "a b", 'a"b', "a;auth_user=other", "a<b", "a>b", "ë", "a\nb"])
def test_a_password_cannot_become_a_setting(password: str, folder: Path) -> None:
    (folder / "password").write_text(password)
    told = {"REFERRAL_SIP": "127.0.0.1", "REFERRAL_SIP_TLS": "never", "REFERRAL_PROMPTS": str(folder)}
    with pytest.raises(Rejected) as caught:
        trunk(told | {"REFERRAL_SIP_PASSWORD_FILE": str(folder / "password")})
    assert caught.value.code == "malformed" and (not password.strip() or password not in str(caught.value))


def test_without_the_program_the_settings_say_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Rejected, match="apt-get install baresip-core util-linux"):
        trunk({"REFERRAL_SIP": "127.0.0.1", "REFERRAL_SIP_TLS": "never", "REFERRAL_PROMPTS": str(folder)})


@given(st.sampled_from(Phase), st.one_of(st.integers(300, 699).map(lambda code: f"{code} Marker"), st.text()), st.booleans())
def test_every_end_has_a_word_of_ours(phase: Phase, reason: str, secure: bool) -> None:
    end = failure(phase, reason, secure)
    assert end.args == (str(end),) and str(end) in WORDS and "Marker" not in str(end)
    assert phase is not Phase.ANSWERED or str(end) == "no-key"
    assert not isinstance(end, Refused) or str(end) == "wrong-number"


@pytest.mark.parametrize(
    ("reason", "plain", "secure"),
    [
        ("Connection refused", "server-away", "server-away"),
        ("Connection timed out", "server-away", "server-away"),
        ("Protocol error", "server-away", "not-secured"),
        ("", "server-away", "server-away"),
    ],
)
def test_an_end_without_a_status_is_the_connections(reason: str, plain: str, secure: str) -> None:
    assert (str(failure(Phase.DIALLED, reason, False)), str(failure(Phase.DIALLED, reason, True))) == (plain, secure)


@given(st.text())
def test_only_numbers_of_the_world_are_called(address: str) -> None:
    assert NUMBER.fullmatch(address) is None or (address[0] == "+" and address[1:].isascii() and address[1:].isdigit())


def test_a_call_fits_into_its_lane() -> None:
    most = Patience()
    longest = prompts.LEAD_SECONDS + prompts.TIMES * (prompts.PROMPT_SECONDS + prompts.GAP_SECONDS)
    assert longest <= most.listens
    assert most.dialled + most.rings + most.listens + most.noted + 3 <= voice.SECONDS


def test_the_spoken_words_name_both_keys_and_a_drill_says_so_first() -> None:
    keys = {"sq": ("një", "dy"), "sr-Latn": ("jedan", "dva"), "sr-Cyrl": ("jedan", "dva"), "en": ("one", "two")}
    drills = {"sq": "Ky është ushtrim.", "sr-Latn": "Ovo je vežba.", "sr-Cyrl": "Ovo je vežba.", "en": "This is an exercise."}
    assert set(keys) == set(WORDINGS)
    for language, (one, two) in keys.items():
        for text in ("", "the watchman's"):
            out = Outgoing("+38344000111", "3f0a91bc", "4711", language, False, "https://inbox.example/", text=text)
            words = spoken(out)
            assert 0 < words.find(f" {one}.") < words.find(f" {two},")
            assert spoken(replace(out, drill=True)) == f"{drills[language]} {words}"
    assert spoken(replace(out, language="sr-Latn")) == spoken(replace(out, language="sr-Cyrl"))
    assert spoken(replace(out, language="xx")) == spoken(replace(out, language="en"))


SAID = {
    "sq": "Linja e kujdestarisë. Jeni në detyrë. {} Do të shikoni tani? Shtypni një. Nuk mundeni? Shtypni dy, dhe thërrasim tjetrin.",
    "sr-Latn": "Dežurna linija. Vi ste dežurni. {} Pogledaćete odmah? Pritisnite jedan. Ne možete? Pritisnite dva, zvaćemo sledećeg.",
    "en": "Duty line. You are on duty. {} Will you look now? Press one. You cannot? Press two, and we call the next person.",
}


@pytest.mark.parametrize("language", SAID)
def test_a_call_says_who_calls_how_much_waits_and_what_each_key_does(language: str) -> None:
    """One thing is urgent only where it is; from two on the number is said, up to nine."""
    waits = {
        "sq": ("Një kërkesë pret.", "Një kërkesë urgjente pret.", "Tri kërkesa presin.", "Më shumë se nëntë kërkesa presin."),
        "sr-Latn": ("Čeka zahtev.", "Čeka hitan zahtev.", "Čekaju tri zahteva.", "Čeka više od devet zahteva."),
        "en": (
            "A request is waiting.",
            "An urgent request is waiting.",
            "Three requests are waiting.",
            "More than nine requests are waiting.",
        ),
    }[language]
    for one, out in zip(waits, ({}, {"urgent": True}, {"waiting": 3}, {"waiting": 26, "urgent": True}), strict=True):
        assert spoken(replace(OUT, language=language, **out)) == SAID[language].format(one)  # type: ignore[arg-type]


def test_a_press_is_confirmed_for_as_many_as_were_said() -> None:
    said = {n: SPEECHES["en"].words(*prompts.confirmation(replace(OUT, waiting=n))) for n in (1, 2, 9, 10, 26)}
    assert said == {
        1: "Noted. Now open your inbox.",
        2: "Noted for all of them. Two requests are waiting.",
        9: "Noted for all of them. Nine requests are waiting.",
        10: "Noted for all of them. More than nine requests are waiting.",
        26: "Noted for all of them. More than nine requests are waiting.",
    }


def test_the_watchman_says_that_the_line_needs_somebody_whatever_is_wrong() -> None:
    said = [spoken(replace(OUT, text="hole-begun", language=language)) for language in SAID]
    assert [words.partition(".")[0] for words in said] == [
        "Linja e referimit ka nevojë për ju",
        "Liniji za upućivanje ste potrebni",
        "The referral line needs you",
    ]


def test_recordings_that_are_too_long_together_are_named(folder: Path) -> None:
    prompts.write(folder / "sr-keys.wav", prompts.silence(7.9))
    prompts.write(folder / "sr-requests-many.wav", prompts.silence(7.9))
    with pytest.raises(Rejected, match="sr: exercise or unconfirmed, line, requests and keys"):
        prompts.complete(folder)


def test_what_is_played_is_the_prompt_twice(folder: Path) -> None:
    prompt = b"\1\0" * prompts.RATE
    played = tape(prompt)
    assert played.count(prompt) == 2 and played.startswith(bytes(2)) and played.endswith(bytes(2))
    assert prompts.seconds(played) == pytest.approx(prompts.LEAD_SECONDS + 2 * (1 + prompts.GAP_SECONDS))


def test_a_recording_of_ones_own_is_kept_and_needs_no_program(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    before = {file.name: file.read_bytes() for file in folder.glob("*.wav")}
    made, kept = prompts.make(folder)
    assert made == [] and sorted(kept) == sorted(before)
    assert {file.name: file.read_bytes() for file in folder.glob("*.wav")} == before
    (folder / "sr-exercise.wav").unlink()
    with pytest.raises(Rejected, match=r"install espeak-ng and sox .*sr-exercise\.wav"):
        prompts.make(folder)


def test_a_recording_that_no_telephone_plays_is_named(folder: Path) -> None:
    file = folder / "sq-keys.wav"
    for samples in (b"", prompts.silence(prompts.MOST_SECONDS + 1)):
        prompts.write(file, samples)
        with pytest.raises(Rejected, match=r"sq-keys\.wav"):
            prompts.complete(folder)
    file.write_bytes(b"RIFF, not really")
    with pytest.raises(Rejected, match=r"8000 Hz, one channel, 16 bits"):
        prompts.complete(folder)


def test_a_trunk_shows_neither_user_nor_password() -> None:
    assert repr(Trunk("h", 1, Path("p"), user="+38338000111", password="s3cret")) == "Trunk(h:1)"
