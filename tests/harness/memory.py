"""Search the memory and the environment of a running process, as somebody who has taken it over."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def within(pid: int, wanted: Iterable[bytes]) -> set[bytes]:
    """Those of the wanted bytes that stand in a process's writable memory, as they are or in hexadecimal, or in its environment."""
    forms = {form: one for one in wanted for form in (one, one.hex().encode())}
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    found = {one for form, one in forms.items() if form in environment}
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            place, rights, *_ = line.split()
            if not rights.startswith("rw"):
                continue
            begin, end = (int(part, 16) for part in place.split("-"))
            try:
                memory.seek(begin)
                held = memory.read(end - begin)
            except OSError:  # unmapped meanwhile, or no memory of the process
                continue
            found |= {one for form, one in forms.items() if one not in found and form in held}
    return found
