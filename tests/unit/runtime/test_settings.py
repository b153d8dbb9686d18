"""A file of settings: each word has its type, a wrong one is named with its line, a variable overrides one value, nobody else looks."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from msgspec import structs

from referral import typed_toml
from referral.errors import Rejected
from referral.runtime import settings
from referral.runtime.settings import CHECKOUT, FILE, Settings
from tests.harness import settings_page

WHOLE = """
kafka = "a:1,b:2"
log_beat_s = 30
drill_clock = true
tls = "/tls"
operator_keys = ["/one", "/two"]
caps = {sms = 5}
help_number = ""

[[sip]]
server = "one@trunk.example"
tls = "never"

[[sip]]
server = "two@trunk.example"
password_file = "/password"

[[sms]]
url = "https://gateway.example/sms"
names = {to = "recipient", username = ""}
statuses = {422 = "wrong-number"}

[watchman]
expects = ["west"]
beat_key_file = "/beat"
"""
READS = {
    "referral/runtime/settings.py": "it is the one",
    "referral/channels/baresip.py": "PATH, of the program that it starts",
    "referral/local/child.py": "children inherit what they do not set",
    "referral/local/data_folder.py": "the user's folders (XDG)",
    "referral/cli/stack/demo.py": "its verdict commands are those of a shell beside the stack, which it sets",
    "referral/cli/stack/up.py": "it takes away what a stack's `environment` file has set",
}
"""Modules that touch the environment, each with its reason."""


@pytest.fixture
def read(tmp_path: Path):
    """Read a file, with variables."""

    def made(text: str, **variables: str) -> Settings:
        (tmp_path / "x.toml").write_text(text)
        return settings.read({FILE: str(tmp_path / "x.toml"), **{f"REFERRAL_{name}": value for name, value in variables.items()}})

    return made


def test_every_type_of_a_file(read) -> None:
    found = read(WHOLE)
    assert (found.kafka, found.log_beat_s, found.drill_clock, found.tls) == ("a:1,b:2", 30, True, Path("/tls"))
    assert found.operator_keys == (Path("/one"), Path("/two")) and found.caps == {"sms": 5}
    assert [(one.server, one.tls, one.password_file) for one in found.sip] == [
        ("one@trunk.example", "never", None),
        ("two@trunk.example", "required", Path("/password")),
    ]
    assert found.sms[0].names == {"to": "recipient", "username": ""} and found.sms[0].statuses == {422: "wrong-number"}
    assert found.watchman.expects == {"west"} and found.watchman.sip == () and [one.server for one in found.smtp] == ["localhost:25"]


@pytest.mark.parametrize(
    ("right", "wrong", "line", "said"),
    [
        ("log_beat_s", "log_beats_s", 3, "unknown.*`log_beats_s`: it is no setting: write `log_beat_s`"),
        ("log_beat_s = 30", "log_beat_s = 301", 3, "malformed.*<= 300.*a receipt promises ten minutes"),
        ("log_beat_s = 30", 'log_beat_s = "30"', 3, "Expected `int`, got `str`"),
        ("drill_clock = true", "drill_clock = 1", 4, "`drill_clock`"),
        ("sms = 5", "fax = 5", 7, "`caps`"),
        ("sms = 5", "sms = 0", 7, "`caps`"),
        ('tls = "never"', 'tsl = "never"', 12, "`sip.tsl`: it is no setting: write `tls`"),
        ('password_file = "', 'password_fil = "', 16, "`sip.password_fil`: it is no setting: write `password_file`"),
        ("two@trunk.example", "two words@trunk.example", 15, "write user@host"),
        ("https:", "http:", 19, "password-in-clear"),
        ("wrong-number", "wrong", 21, "`sms.statuses`"),
        ("[watchman]", "[watchmen]", 23, "write `watchman`"),
        ("beat_key_file", "beat_key_files", 25, "`watchman.beat_key_files`"),
        ('beat_key_file = "/beat"', "", 23, "missing.*`watchman.beat_key_file`"),
        ("[[sip]]", "[[sip]", 10, "no TOML"),
    ],
)
def test_a_wrong_word_is_named_with_its_line_and_the_remedy(read, right: str, wrong: str, line: int, said: str) -> None:
    with pytest.raises(Rejected, match=said) as refused:
        read(WHOLE.replace(right, wrong, 1) if right != "two@trunk.example" else WHOLE.replace(right, wrong))
    assert refused.value.where == FILE and f"line {line}" in str(refused.value) and "x.toml" in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match=r"missing at REFERRAL_SETTINGS: .*none.toml cannot be read"):
        settings.read({FILE: str(tmp_path / "none.toml")})


def test_a_variable_overrides_one_value(read) -> None:
    found = read(WHOLE, LOG_BEAT_S="0", CAPS="voice=7", SIP_TLS="never", WATCHMAN_EXPECTS="east, north", OPERATOR_KEYS="/a:/b", TLS="")
    assert (found.log_beat_s, found.caps, found.kafka, found.tls) == (0, {"voice": 7}, "a:1,b:2", None)
    assert [(one.server, one.tls) for one in found.sip] == [("one@trunk.example", "never"), ("two@trunk.example", "never")]
    assert found.watchman.expects == {"east", "north"} and found.operator_keys == (Path("/a"), Path("/b"))
    assert [one.user for one in read(WHOLE, SIP_USER="x,").sip] == ["x", ""]


def test_a_list_that_a_variable_names_has_nothing_of_the_files(read) -> None:
    """Else one trunk would be sent the password of another."""
    (only,) = read(WHOLE, SIP="new@trunk.example", SIP_TLS="never").sip
    assert (only.server, only.password_file) == ("new@trunk.example", None)
    assert read(WHOLE, SIP="").sip == ()


def test_an_error_of_a_variable_names_the_variable(read) -> None:
    for name, value in {"LOG_BEAT_S": "often", "SIP_TLS": "maybe", "SIP_USER": "a,b,c", "CAPS": "sms", "SIP": "a b", "HTTP": "x"}.items():
        with pytest.raises(Rejected) as refused:
            read(WHOLE, **{name: value})
        assert refused.value.where == f"REFERRAL_{name}"


def test_what_is_written_is_read_again(read) -> None:
    found = structs.replace(read(WHOLE), instance="")
    text = typed_toml.written(Settings, typed_toml.tomllib.loads(WHOLE), "of a test")
    assert structs.replace(read(text), instance="") == found and "help_number" not in text
    assert "# Seconds between two checkpoints of the log, at most 300: a receipt promises ten minutes (ours).\nlog_beat_s = 30\n" in text


def test_every_word_has_a_meaning_and_every_meaning_a_word() -> None:
    for kind in (Settings, settings.Watchman, settings.SmtpServer, settings.SmsGateway, settings.SipTrunk):
        fields = {one.encode_name for one in structs.fields(kind)}
        assert (
            fields - typed_toml.words(kind).keys() == ({"beside_older"} if kind is Settings else set())
            and not typed_toml.words(kind).keys() - fields
        )
    assert all(row.readers and row.meaning for row in settings_page.rows())


def test_no_other_module_looks_at_the_environment() -> None:
    found = {
        path.relative_to(CHECKOUT).as_posix()
        for folder in ("referral", "services")
        for path in (CHECKOUT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if (isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv"))
        or (isinstance(node, ast.alias) and node.name in ("environ", "environb", "getenv"))
    }
    assert found == READS.keys()
