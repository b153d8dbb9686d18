"""Load the templates of pages."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def load(*folders: Path) -> Environment:
    """Return the templates of these folders, the first that has a name. One that names an unknown value raises."""
    return Environment(loader=FileSystemLoader(folders), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
