"""Base class of every generated event struct: a frozen value whose `repr` shows ids and no other content."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import Struct


class Value(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A quiet value. It is never part of a cycle, so the garbage collector need not track it.

    IDS: the fields that hold an id, which `repr` shows; for everything else use `msgspec.to_builtins`.
    """

    IDS: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in self.IDS]
