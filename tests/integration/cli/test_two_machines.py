"""docs/two-machines.md is followed literally: each block is run where it says, on two machines that see nothing but each other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.harness import machines, markers
from tests.harness.page_blocks import blocks
from tests.harness.waiting import comes

PAGE = Path(__file__).parents[3] / "docs" / "two-machines.md"
BLOCK_S = 300
"""Longest run of one block: on an idle machine the longest takes 20 s."""
CHILD = "Testa Shembull"
STATE = """cd school
curl -s https://west.example:8443/v1/referrals/{referral} --cacert answer.pem --cert answer.pem --key key.pem \\
  -H "Authorization: Bearer $(cat token)"
"""
LISTENING = "ss -Htln | awk '{print $4}'"


@pytest.mark.long
@pytest.mark.timeout(1500)
@pytest.mark.skipif(bool(machines.missing()), reason=machines.missing())
def test_two_machines_run_a_line_and_nothing_crosses_their_cable_in_clear(tmp_path: Path) -> None:
    with machines.two(tmp_path) as made:
        for where, block in blocks(PAGE, "sh east", "sh west"):
            made.run(where.removeprefix("sh "), block, BLOCK_S)
        receipt = json.loads((tmp_path / "east" / "school" / "receipt.json").read_text())

        def state() -> str:
            return str(json.loads(made.run("east", STATE.format(referral=receipt["referral_id"]), BLOCK_S))["state"])

        assert comes(lambda: state() == "OFFERED"), state()
        _answers_by_tls_alone(made)
        made.speak_in_clear()
        crossed = made.captured.read_bytes()
    token, password = ((tmp_path / "east" / name).read_text().strip() for name in ("school/token", "keeper.password"))
    for word in (CHILD, token, password, receipt["case_id"], "concern", "SELECT", "referral-intake"):
        assert not [coding for coding in markers.codings(word) if coding in crossed], f"{word} crossed the cable in clear"


def _answers_by_tls_alone(made: machines.Machines) -> None:
    """Every port that the other machine can reach refuses who shows no certificate, or asks for a password within TLS."""
    for host, port in (("west", 8443), ("west", 8444), ("west", 8445), ("west", 8446), ("east", 9092), ("east", 9094)):
        other = "east" if host == "west" else "west"
        plain = made.run(other, f"curl -s --max-time 20 http://{host}.example:{port}/healthz || echo refused", BLOCK_S)
        assert plain.strip() == "refused" or json.loads(plain)["code"] == "https-only", f"{host}:{port} answers in clear: {plain}"
    reached = {line.rpartition(":")[0] for line in made.run("east", LISTENING, BLOCK_S).split()}
    assert reached <= {"10.77.0.1", "[::ffff:10.77.0.1]", "[::ffff:127.0.0.1]", "127.0.0.1"}, reached
    outside = made.run("east", LISTENING + " | grep 10.77", BLOCK_S).split()
    assert {line.rpartition(":")[2] for line in outside} == {"5432", "9092", "9094"}
