"""The list of operators: its form, two people at least, and no word of it in any error or log."""

from __future__ import annotations

from pathlib import Path

import pytest

from referral.channels import voice
from referral.errors import Rejected
from referral.runtime import settings
from services.watchman import caller, operators
from services.watchman.__main__ import ways
from services.watchman.alarms import Alarm
from services.watchman.reach import Server, trunk

NUMBER = "+38344999001"
SECOND = '{language: en, voice: "+38344999002", sms: "+38344999002"}'
GOOD = f'repeat_minutes: 2\noperators:\n  - {{language: sq, voice: "{NUMBER}"}}\n  - {SECOND}\n'


def file(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    made = tmp_path / "operators.yaml"
    made.write_text(text)
    made.chmod(mode)
    return made


def test_a_list_is_read_and_shows_nobody(tmp_path: Path) -> None:
    found = operators.read(file(tmp_path, GOOD), "voice")
    assert [one.voice for one in found.operators] == [NUMBER, "+38344999002"] and found.repeat_minutes == 2
    assert NUMBER not in repr(found)


@pytest.mark.parametrize(
    ("text", "code"),
    (
        (GOOD.replace("sms:", "fax:"), "malformed"),
        (GOOD.replace("sq", "de"), "malformed"),
        (f'operators: [{{language: sq, voice: "{NUMBER}"}}]', "too-few"),
        (GOOD.replace("voice", "email"), "too-few"),
        (f'operators: "{NUMBER}"', "malformed"),
        (f'operators: ["{NUMBER}', "malformed"),
    ),
)
def test_a_wrong_list_is_refused_without_a_word_of_it(tmp_path: Path, text: str, code: str) -> None:
    with pytest.raises(Rejected) as refused:
        operators.read(file(tmp_path, text), "voice")
    assert refused.value.code == code and "999" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="unreadable at REFERRAL_WATCHMAN_OPERATORS"):
        operators.read(tmp_path / "none.yaml", "voice")


def test_a_list_that_others_may_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="readable"):
        operators.read(file(tmp_path, GOOD, 0o640), "voice")


def test_the_watchman_never_uses_the_notifiers_accounts() -> None:
    told = {"REFERRAL_SMTP": "notifier:25", "REFERRAL_SMTP_FROM": "notifier@example.org", "REFERRAL_PROMPTS": "/there"}
    own = settings.read({**told, "REFERRAL_WATCHMAN_SMTP": "own:25"}).watchman
    assert [(one.server, one.sender) for one in own.smtp] == [("own:25", "inbox@localhost")] and own.prompts is None
    assert settings.read(told).watchman == settings.Watchman()


def test_beats_need_a_key_and_addresses() -> None:
    with pytest.raises(Rejected, match="missing at REFERRAL_WATCHMAN_BEAT_KEY_FILE"):
        settings.read({"REFERRAL_WATCHMAN_EXPECTS": "west"})
    with pytest.raises(Rejected, match="REFERRAL_WATCHMAN_BEAT: "):
        settings.read({"REFERRAL_WATCHMAN_BEAT": "west:80"})


def test_the_notifiers_trunks_are_named_by_their_way() -> None:
    found = settings.read({"REFERRAL_WATCHMAN_TRUNKS": "udp:10.0.0.9:5060, tcp:[::1]:5061"}).watchman.trunks
    assert [trunk(one) for one in found] == [Server("10.0.0.9", 5060, udp=True), Server("::1", 5061)]
    with pytest.raises(Rejected, match="REFERRAL_WATCHMAN_TRUNKS"):
        settings.read({"REFERRAL_WATCHMAN_TRUNKS": "10.0.0.9:5060"})


@pytest.mark.parametrize("language", caller.WORDS)
def test_an_alarm_fits_into_one_sms_in_every_language(language: str) -> None:
    for drill in ("", "USHTRIM. "):
        text = drill + caller.written(tuple(Alarm), language)
        assert len(text) <= 160 and text.isascii()


@pytest.mark.parametrize(
    ("told", "where"),
    [
        ({"REFERRAL_WATCHMAN_SIP": "inbox@127.0.0.1"}, "REFERRAL_WATCHMAN_PROMPTS"),
        ({"REFERRAL_WATCHMAN_SIP": "a b@host"}, "REFERRAL_WATCHMAN_SIP"),
        ({}, "REFERRAL_WATCHMAN_SIP"),
    ],
)
def test_an_error_names_the_watchmans_own_setting(monkeypatch: pytest.MonkeyPatch, told: dict[str, str], where: str) -> None:
    """The notifier's setting of that name is there, and is not meant."""
    monkeypatch.setattr(voice, "absent", list)
    with pytest.raises(Rejected) as caught:
        ways(settings.read({"REFERRAL_PROMPTS": "/there", "REFERRAL_WATCHMAN_SIP_TLS": "never"} | told).watchman)
    assert caught.value.where == where and f"at {where}: " in str(caught.value)
