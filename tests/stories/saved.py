"""The stories that are saved under told/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "told"
TOLD = sorted(FOLDER.glob("*.yaml"))
"""Their files."""


def read(name: str) -> dict[str, Any]:
    """A story by its name."""
    found: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text("utf-8"))
    return found
