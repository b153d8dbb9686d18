"""The directory lists with which keys an agency signs; what is wrong there is told before it can come into force."""

from __future__ import annotations

from pathlib import Path

import pytest

from referral.cli.app import run
from referral.domain.policy import PolicyErrors, compile
from referral.domain.policy.reading.agencies import KEYS, signing_key
from referral.hsds.agency_yaml import facts, holds, keeping_keys, text_of
from referral.tlog.note_keys import COSIGNATURE, ED25519, SignerKey, verifier
from tests.harness.audit_log import FILES

PATH = "directory/school-drita.yaml"


def key(number: int = 1, name: str = "school-drita", kind: int = ED25519) -> str:
    return SignerKey(name, kind, bytes([number]) * 32).verifier.encode().decode()


def listing(signing: str) -> dict[str, bytes]:
    return {**FILES, PATH: FILES[PATH] + f"signing: {signing}\n".encode()}


def test_keys_are_read_as_c2sp_writes_them() -> None:
    found = compile(listing(f'{{must: true, keys: ["{key(1)}", "{key(2)}"]}}')).agencies["school-drita"].signing
    assert found.must and [one.public for one in found.keys] == [verifier(key(n).encode()).public for n in (1, 2)]
    assert not compile(FILES).agencies["school-drita"].signing.keys


@pytest.mark.parametrize(
    ("signing", "says"),
    [
        (f'{{keys: ["{key(name="csw-prizren")}"]}}', "a key of school-drita has the name school-drita"),
        (f'{{keys: ["{key()}", "{key()}"]}}', "stands here twice"),
        (f'{{keys: ["{key(kind=COSIGNATURE)}"]}}', "a key is name+id+base64"),
        ('{keys: ["school-drita"]}', "a key is name+id+base64"),
        ("{must: true, keys: []}", "who must sign needs a key"),
        ("{must: true}", "keys is missing"),
        ("{must: perhaps, keys: []}", "value perhaps is not known"),
        ("{keys: [], secret: x}", "secret is not known here"),
        (f"{{keys: [{', '.join(chr(34) + key(n) + chr(34) for n in range(KEYS + 1))}]}}", f"at most {KEYS} keys"),
    ],
)
def test_what_is_wrong_with_keys_is_told_with_its_line(signing: str, says: str) -> None:
    with pytest.raises(PolicyErrors) as caught:
        compile(listing(signing))
    assert any(error.startswith(f"{PATH}:") and says in error for error in caught.value.errors), caught.value.errors


def test_a_key_has_one_spelling() -> None:
    word = key()
    for at in range(len(word)):
        assert signing_key(word[:at] + chr(ord(word[at]) ^ 1) + word[at + 1 :]) is None
    assert signing_key(word + "=") is None and signing_key("") is None and signing_key(word) is not None


def test_an_import_of_the_directory_keeps_the_keys() -> None:
    new = listing(f'{{must: true, keys: ["{key()}"]}}')[PATH]
    assert holds(facts(new)) and facts(text_of(facts(new))) == facts(new)
    assert facts(keeping_keys(FILES[PATH], new))["signing"] == {"must": "true", "keys": [key()]}
    assert keeping_keys(FILES[PATH], None) == keeping_keys(FILES[PATH], FILES[PATH]) == FILES[PATH]


def test_the_command_makes_a_key_once_and_prints_the_line_for_the_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "school.key"
    assert run(["agency", "key", "school-drita", "--file", str(file)]) == 0
    line = capsys.readouterr().out.strip()
    assert signing_key(line) is not None and file.stat().st_mode & 0o777 == 0o600
    assert run(["agency", "key", "school-drita", "--file", str(file)]) == 0
    assert capsys.readouterr().out.strip() == line
    assert compile(listing(f'{{keys: ["{line}"]}}')).agencies["school-drita"].signing.keys
    assert run(["agency", "key", "csw-prizren", "--file", str(file)]) == 2
    file.write_text("no key")
    assert run(["agency", "key", "school-drita", "--file", str(file)]) == 2
    assert "PRIVATE" not in capsys.readouterr().out
