"""Read what an image's archive holds, file by file, and say in which files two archives differ."""

from __future__ import annotations

import hashlib
import json
import tarfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, Any


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, folder or link of an image. md5: as Debian's packages list it; sha256: as deploy/kafka/jars.lock does; empty: no file."""

    kind: str
    mode: str
    owner: str
    time: float
    link: str
    md5: str
    sha256: str

    @property
    def is_file(self) -> bool:
        """Return whether it is a plain file; a second name of one counts as one."""
        return self.kind == "file"


KINDS = {tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.LNKTYPE: "file", tarfile.SYMTYPE: "link", tarfile.DIRTYPE: "folder"}


def read(archive: Path) -> dict[str, Entry]:
    """Return path → what stands there, of all layers together."""
    found: dict[str, Entry] = {}
    with tarfile.open(archive) as whole:
        for layer in _document(whole, "manifest.json")[0]["Layers"]:
            with tarfile.open(fileobj=_opened(whole, layer)) as files:
                for file in files:
                    found[file.name.removeprefix("./").rstrip("/")] = _entry(files, file)
    return found


def config(archive: Path) -> dict[str, Any]:
    """Return what the archive says about how to run it."""
    with tarfile.open(archive) as whole:
        return _document(whole, _document(whole, "manifest.json")[0]["Config"])  # type: ignore[no-any-return]


def differences(first: Path, second: Path) -> list[str]:
    """Return in what two archives differ, a line each: the file and the property of it. Empty: they are the same byte for byte."""
    if first.read_bytes() == second.read_bytes():
        return []
    here, there = read(first), read(second)
    lines = [f"{path}: only in the first" for path in sorted(here.keys() - there.keys())]
    lines += [f"{path}: only in the second" for path in sorted(there.keys() - here.keys())]
    lines += [
        f"{path}: {one.name} {getattr(here[path], one.name)}, {getattr(there[path], one.name)}"
        for path in sorted(here.keys() & there.keys())
        for one in fields(Entry)
        if getattr(here[path], one.name) != getattr(there[path], one.name)
    ]
    said, other = config(first), config(second)
    lines += [f"config: {name}" for name in sorted(said.keys() | other.keys()) if said.get(name) != other.get(name)]
    return lines or ["the archives themselves: order or headers of their parts"]


def _entry(files: tarfile.TarFile, file: tarfile.TarInfo) -> Entry:
    content = _opened(files, file).read() if file.isfile() or file.islnk() else None
    md5, sha256 = ("", "") if content is None else (hashlib.md5(content).hexdigest(), hashlib.sha256(content).hexdigest())
    kind = KINDS.get(file.type, f"type {file.type!r}")
    return Entry(kind, oct(file.mode), f"{file.uid}:{file.gid}", file.mtime, file.linkname, md5, sha256)


def _document(whole: tarfile.TarFile, name: str) -> Any:
    return json.load(_opened(whole, name))


def _opened(whole: tarfile.TarFile, name: str | tarfile.TarInfo) -> IO[bytes]:
    file = whole.extractfile(name)
    assert file is not None, f"{name} is no file in the archive"
    return file
