"""Load the texts of a timeline. Commands print English; whoever shows another language brings its texts, as the auditor's pages do."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Protocol

import msgspec

FILE = Path(__file__).with_name("words.yaml")


class Texts(Protocol):
    """The texts of one language: `texts("key", name=value)` returns a text with its values."""

    def __call__(self, key: str, **values: object) -> str: ...

    def has(self, key: str) -> bool:
        """Return whether there is such a text."""
        ...


class _English:
    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def __call__(self, key: str, **values: object) -> str:
        return self._texts[key].format(**values)

    def has(self, key: str) -> bool:
        return key in self._texts


@cache
def english() -> Texts:
    """Return the English texts, read once."""
    return _English({key: forms["en"] for key, forms in msgspec.yaml.decode(FILE.read_bytes())["texts"].items()})


def coded(texts: Texts, kind: str, code: str) -> str:
    """Return the words of a code, as `rule.limit`; the code itself where it has none."""
    key = f"{kind}.{code}"
    return texts(key) if texts.has(key) else code


def small(texts: Texts, kind: str, code: str) -> str:
    """Return the words of a code, such as NO_CAPACITY; where it has none, the code in small letters, with spaces."""
    key = f"{kind}.{code}"
    return texts(key) if texts.has(key) else code.replace("_", " ").replace("-", " ").lower()
