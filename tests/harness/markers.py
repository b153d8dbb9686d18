"""Words and digits that nobody else writes, and the usual codings in which they could leave."""

from __future__ import annotations

import json
import urllib.parse
from base64 import b64encode


def codings(text: str) -> list[bytes]:
    """Return a text as it is, as JSON escapes it, as an address or a mail would, in UTF-16, in hexadecimal, and inside of base64."""
    plain = text.encode()
    escaped = json.dumps(text)[1:-1].encode()
    wide = [text.encode("utf-16-le"), text.encode("utf-16-be")]
    return [plain, escaped, urllib.parse.quote(text).encode(), *wide, plain.hex().encode(), *_inside(plain)]


def _inside(plain: bytes) -> list[bytes]:
    """Return its base64 for each of the three places at which it can begin, without the signs that depend on what stands beside it.

    A sign holds six bits. Fewer of them would be found by chance.
    """
    return [b64encode(bytes(before) + plain + bytes(2))[-(-before * 8 // 6) : (before + len(plain)) * 8 // 6] for before in range(3)]
