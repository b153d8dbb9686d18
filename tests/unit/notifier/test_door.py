"""The notifier's public door, as far as it needs no database."""

from __future__ import annotations

from typing import Any

import httpx

from services.notifier import door


async def test_a_body_that_is_nested_deeper_than_python_goes_is_no_form() -> None:
    """It needs the secret of the callback; it was answered by 500."""
    nobody: Any = None
    app = door.made(nobody, nobody, "secret").application()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://notifier.test") as http:
        answer = await http.post("/sms/secret/reply", content=b'{"x":' + b"[" * 3990)
    assert (answer.status_code, answer.content) == (200, b"")
