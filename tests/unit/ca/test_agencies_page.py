"""The commands of docs/agencies.md that make and renew a certificate without our program: the old one and the new one are both good."""

from __future__ import annotations

import re
import ssl
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from referral.ca import authority, identity, names, renewal
from referral.runtime.settings import CHECKOUT

NOW = datetime.now(UTC).replace(microsecond=0)
PAGE = (CHECKOUT / "docs" / "agencies.md").read_text()
"""The page."""


def blocks() -> tuple[str, str]:
    """The lines that make the request, and the one that puts the answer into the folder."""
    [block] = re.findall(r"```sh\n(openssl req .*?)```", PAGE, re.DOTALL)
    lines = block.splitlines()
    return "\n".join(lines[:2]), lines[2]


def made(ca: authority.Place, folder: Path) -> Path:
    """A folder as an agency has it that follows the page."""
    folder.mkdir()
    ask, put = blocks()
    subprocess.run(["sh", "-ec", ask], cwd=folder, check=True, capture_output=True)
    answer = authority.sign(ca, (folder / "request.pem").read_bytes(), names.parse("agency/school-drita"), NOW)
    (folder / "answer.pem").write_bytes(answer)
    subprocess.run(["sh", "-ec", put], cwd=folder, check=True, capture_output=True)
    return folder


def shaken(server: Path, client: Path) -> int:
    """The serial number of the certificate that a server takes from this client; SSLError: it takes none."""
    ours, theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=client / "authority.pem")
    ours.load_cert_chain(server / "identity.pem")
    ours.load_verify_locations(server / "authority.pem")
    ours.load_verify_locations(server / "revoked.pem")
    ours.verify_mode, ours.verify_flags = ssl.CERT_REQUIRED, ours.verify_flags | ssl.VERIFY_CRL_CHECK_CHAIN
    theirs.load_cert_chain(client / "identity.pem")
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = theirs.wrap_bio(to_client, to_server, server_hostname="localhost")
    answering = ours.wrap_bio(to_server, to_client, server_side=True)
    waiting = [asking, answering]
    while waiting:
        for end in tuple(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                pass
    shown = answering.getpeercert()
    assert shown is not None
    return int(str(shown["serialNumber"]), 16)


def test_a_certificate_that_is_made_and_renewed_by_the_page_is_taken_and_the_old_one_beside_it(tmp_path: Path) -> None:
    ca = authority.place(tmp_path / "ca")
    authority.init(ca, NOW, f"file://{tmp_path / 'ca'}")
    server = tmp_path / "intake"
    renewal.create(ca, server, identity.request(server, names.parse("service/intake"), ("localhost",)), NOW)
    old, new = made(ca, tmp_path / "old"), made(ca, tmp_path / "new")
    assert len({shaken(server, old), shaken(server, new)}) == 2
    assert "Renew your certificate" in PAGE and (new / "identity.pem").stat().st_mode & 0o077 == 0
