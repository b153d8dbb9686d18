"""Checkpoints: three lines, believed from the log that they name; no changed byte means something else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from referral.errors import Malformed, Unproven
from referral.tlog import checkpoint, note
from referral.tlog.checkpoint import Checkpoint
from referral.tlog.note import Note
from referral.tlog.note_keys import ED25519, SignerKey
from tests.harness.made_log import LOG, NOW, WITNESSES, made

GOOD = made(7).signed()
DATA = GOOD.encode()
OTHER = SignerKey("other.example", ED25519, bytes([9]) * 32)


def test_a_checkpoint_is_three_lines() -> None:
    made_ = Checkpoint("log.example", 20_852_163, bytes(range(32)))
    assert made_.text == b"log.example\n20852163\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    assert checkpoint.parse(made_.text) == made_
    with pytest.raises(ValueError, match="its own key"):
        made_.sign(LOG)


ROOT = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
SIZES = ["", "07", "00", "+7", "-7", " 7", "7 ", "1_0", "0x7", "7.0", "７", "9223372036854775808", "99999999999999999999", "7\r"]


@pytest.mark.parametrize(
    "text",
    [f"log.example\n{size}\n{ROOT}\n" for size in SIZES]
    + [
        f"log.example\n7\n{ROOT}",
        f"log.example\n7\n{ROOT}\nextension\n",
        f"log.example\n7\n{ROOT}\n\n",
        f"\n7\n{ROOT}\n",
        f"log example\n7\n{ROOT}\n",
        f"log\u2028example\n7\n{ROOT}\n",
        f"log.example\u0085\n7\n{ROOT}\n",
        f"log.example\n7\n{ROOT[:-2]}9=\n",
        f"log.example\n7\n{ROOT[:-1]}\n",
        f"log.example\n7\n{ROOT[4:]}\n",
        f"log.example\n7\n {ROOT}\n",
        f"log.example\n7\n{ROOT} \n",
        "log.example\n7\n\n",
        "log.example\n7\n",
        "",
    ],
    ids=ascii,
)
def test_a_checkpoint_that_is_spelled_otherwise_is_refused(text: str) -> None:
    with pytest.raises(Malformed, match="checkpoint: "):
        checkpoint.parse(text.encode())


def test_a_checkpoint_is_believed_from_the_log_that_it_names() -> None:
    said, found = checkpoint.verify(GOOD, [LOG.verifier])
    assert said == made(7).checkpoint()
    assert list(found) == [LOG.verifier]
    with pytest.raises(Unproven, match="no key is known"):
        checkpoint.verify(GOOD, [OTHER.verifier])
    unsigned = Note(GOOD.text, GOOD.signatures[1:])
    with pytest.raises(Unproven, match="has not signed"):
        checkpoint.verify(unsigned, [LOG.verifier], [WITNESSES[0].verifier])
    foreign = Checkpoint("other.example", 7, bytes(32))
    with pytest.raises(Unproven, match="no key is known"):
        checkpoint.verify(Note(foreign.text, (note.sign(foreign.text, LOG, NOW),)), [LOG.verifier])


@pytest.mark.parametrize(
    "change", [lambda byte: byte ^ 1, lambda byte: byte ^ 0x20, lambda byte: (byte + 3) % 256], ids=["bit", "case", "plus 3"]
)
def test_every_changed_byte_is_refused_or_means_the_same(change: Callable[[int], int]) -> None:
    good, _ = checkpoint.verify(GOOD, [LOG.verifier])
    refused = 0
    for place in range(len(DATA)):
        data = bytearray(DATA)
        data[place] = change(data[place])
        try:
            said, _ = checkpoint.verify(note.parse(bytes(data)), [LOG.verifier])
        except Malformed:
            refused += 1
        else:
            assert said == good
            assert place > len(GOOD.text) + len(GOOD.signatures[0].line)  # only in what strangers signed
    assert refused > len(GOOD.text) + len(GOOD.signatures[0].line)
