"""Load the texts of a timeline. Commands print English; whoever shows another language brings its texts, as the auditor's pages do."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Protocol

import msgspec

FILE = Path(__file__).with_name("words.yaml")


Name = Callable[[str, str], str]
"""(kind, code) → its name in the reader's language; the code itself where it has none."""
_CODE = re.compile(" ⟦([^⟧]*)⟧")
"""The code behind a name in a sentence, so that a page can show it apart."""


def as_logged(kind: str, code: str) -> str:
    """Return the code: commands print what was logged."""
    return code


def named(name: Name, kind: str, code: str) -> str:
    """Return the name of a code with the code behind it; the code alone where it has no name."""
    found = name(kind, code)
    return code if found == code else f"{found} ⟦{code}⟧"


def without_codes(text: str) -> str:
    """Return a sentence without the codes behind its names."""
    return _CODE.sub("", text)


def codes(*texts: str) -> tuple[str, ...]:
    """Return the codes behind the names of sentences, each once, in order."""
    return tuple(dict.fromkeys(code for text in texts for code in _CODE.findall(text)))


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
