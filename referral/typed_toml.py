"""Read a TOML file into a Struct: unknown words are refused, variables override single values, docstrings say what each word means. Pure.

A docstring has one paragraph for each word, `name (who reads it): Meaning.`; what it does not name is no word of the file. A variable is
named as the path of its word, in capitals with `_` between. Of a list of tables it has one value for each table, comma-separated, or one
for all; the variable of the list itself has the first word of each table, and replaces the list. An empty variable, as an empty text in the
file, stands for the default.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args, get_origin

from msgspec import Struct, ValidationError, convert, structs, to_builtins

from referral.errors import Rejected

T = TypeVar("T", bound=Struct)
PARAGRAPH = re.compile(r"^ {4}([\w-]+)(?: \(([^)]+)\))?: (.+)$", re.M)
TRAIL = re.compile(r"^(.*?)(?: - at (?:`key` in )?`\$(.*)`)?$", re.S)


class Unfit(ValueError):
    """A value is unfit, or does not fit another one. word: its name in the table. code: of the refusal."""

    def __init__(self, word: str, what: str, code: str = "malformed") -> None:
        super().__init__(what)
        self.word, self.code = word, code


class Word(NamedTuple):
    """What a docstring says of a word. readers: empty in a table, whose own word has them."""

    readers: str
    meaning: str


def words(kind: type[Struct]) -> dict[str, Word]:
    """Return each word of a table."""
    folded = re.sub(r"\n {8,}", " ", kind.__doc__ or "")
    return {name: Word(readers, meaning) for name, readers, meaning in PARAGRAPH.findall(folded)}


def table(kind: Any) -> type[Struct] | None:
    """Return the Struct of a table, or of each table of a list; None: the type is that of a value."""
    one = next(iter(get_args(kind)), None) if get_origin(kind) is tuple else kind
    return one if isinstance(one, type) and issubclass(one, Struct) else None


def fields(kind: type[Struct]) -> dict[str, structs.FieldInfo]:
    """Return the field of each word, in the docstring's order."""
    named = {one.encode_name: one for one in structs.fields(kind)}
    return {word: named[word] for word in words(kind)}


def read(kind: type[T], file: str, environment: Mapping[str, str], prefix: str) -> T:
    """Read a file. file: the variable with its path; without one, variables alone count. prefix: begins the name of each variable.

    Rejected: the file cannot be read, a word of it is unknown, or a value is malformed; with its line and the remedy.
    """
    return _Reading(file, environment, prefix).whole(kind)


def given(kind: type[Struct], file: str, environment: Mapping[str, str], prefix: str) -> dict[str, Any]:
    """Return the words that a file and the variables give, as `written` takes them. Rejected: as `read`."""
    reading = _Reading(file, environment, prefix)
    return reading.table(kind, reading.found)


class _Reading:
    """The reading of one file. found: the decoded TOML."""

    def __init__(self, file: str, environment: Mapping[str, str], prefix: str) -> None:
        self._file, self._environment, self._prefix = file, environment, prefix
        self._path = environment.get(file, "")
        try:
            self._text = Path(self._path).read_text("utf-8") if self._path else ""
            self.found = tomllib.loads(self._text)
        except OSError as error:
            raise Rejected("missing", file, f"{self._path} cannot be read: {error.strerror}") from None
        except ValueError as error:
            raise Rejected("malformed", file, f"{self._path} is no TOML, or names something twice: {error}") from None

    def whole(self, kind: type[T]) -> T:
        """Return the Struct of the file and the variables. Rejected."""
        try:
            return convert(self.table(kind, self.found), kind, str_keys=True, dec_hook=_custom)
        except ValidationError as error:
            what, place = _parts(error)
            names, rows = tuple(re.findall(r"[.](\w+)", place)), [int(row) for row in re.findall(r"\[(\d+)\]", place)]
            if isinstance(error.__cause__, Unfit):
                raise self._refused(what, (*names, error.__cause__.word), error.__cause__.code, *rows) from None
            raise self._refused(f"{what}. {_meaning(kind, names)}", names, "malformed", *rows) from None

    def table(self, kind: type[Struct], found: Mapping[str, Any], *path: str) -> dict[str, Any]:
        """Return a table of the file with the values of variables. Rejected."""
        made = self._known(kind, found, *path)
        for word, one in fields(kind).items():
            here, inner, variable = (*path, word), table(one.type), self._variable(*path, word)
            if inner is None:
                if (text := self._environment.get(variable)) is not None:
                    made.pop(word, None)
                    made |= {word: _value(one.type, text, variable, _meaning(kind, (word,)))} if text else {}
            elif get_origin(one.type) is tuple:
                default = to_builtins(one.default)
                rows = self._rows(inner, default if self._environment.get(variable) == "" else made.get(word, default), *here)
                made.pop(word, None)
                made |= {word: rows} if rows != default else {}
            elif isinstance(made.get(word, {}), dict):
                made[word] = self.table(inner, made.get(word, {}), *here)
        return made

    def _known(self, kind: type[Struct], found: Mapping[str, Any], *path: str, row: int = 0) -> dict[str, Any]:
        """Return the words of a table of the file that stand for something. Rejected: one is unknown."""
        known = fields(kind)
        for word in found:
            if word not in known:
                near = difflib.get_close_matches(word, known, 1)
                remedy = (
                    f"write `{near[0]}`"
                    if near
                    else "docs/reference/settings.md has each; a word without a table stands above the first table"
                )
                raise self._refused(f"it is no setting: {remedy}", (*path, word), "unknown", row)
        return {word: value for word, value in found.items() if value != ""}

    def _rows(self, kind: type[Struct], found: Any, *path: str) -> Any:
        """Return a list of tables of the file with the values of variables. Rejected: a variable has a value too many."""
        if not isinstance(found, Sequence) or not all(isinstance(row, dict) for row in found):
            return found
        rows = [self._known(kind, row, *path, row=number) for number, row in enumerate(found)]
        (first, _), *others = fields(kind).items()
        if text := self._environment.get(self._variable(*path)):
            rows = [{first: value.strip()} for value in text.split(",") if value.strip()]
        for word, one in others if rows else ():
            variable = self._variable(*path, word)
            values = [value.strip() for value in self._environment.get(variable, "").split(",")]
            if len(values) not in (1, len(rows)):
                several = f"one value for all, or one for each of the {len(rows)} in {self._variable(*path)}, comma-separated"
                raise Rejected("malformed", variable, several)
            for number, row in enumerate(rows):
                if text := values[number % len(values)]:
                    row[word] = _value(one.type, text, variable, _meaning(kind, (word,)))
        return rows

    def _variable(self, *path: str) -> str:
        return "_".join((self._prefix, *path)).upper()

    def _refused(self, what: str, path: tuple[str, ...], code: str, row: int = 0) -> Rejected:
        """Name the variable of a value, or the line of the file. In a list the variable of the first word is that of the list."""
        variables = [self._variable(*path), self._variable(*path[:-1])]
        given = [variable for variable in variables if self._environment.get(variable)]
        if given or not self._path:
            return Rejected(code, (given or variables)[0], what)
        number = line(self._text, path, row)
        return Rejected(code, self._file, f"{self._path}:{f' line {number}' if number else ''} `{'.'.join(path)}`: {what}")


def line(text: str, path: tuple[str, ...], row: int = 0) -> int:
    """Return the number of the line that begins a word, else a table above it; 0: none is found. row: which one of a list of tables."""
    for wanted in (path[:length] for length in range(len(path), 0, -1)):
        above, seen = tuple[str, ...](), Counter[tuple[str, ...]]()
        for number, one in enumerate(text.split("\n"), 1):
            is_table = one.lstrip().startswith("[")
            here = tuple(word.strip(" \t\"'[]") for word in one.partition("#" if is_table else "=")[0].split("."))
            if is_table:
                above = here
                seen[above] += 1
            elif "=" in one:
                here = (*above, *here)
            else:
                continue
            if here[: len(wanted)] == wanted and max(seen[above] - 1, 0) == row:
                return number
    return 0


def written(kind: type[Struct], values: Mapping[str, Any], about: str) -> str:
    """Return a file with these words, each below the first sentence of its meaning. about: its first line."""
    return "\n".join((f"# {about}", *_lines(kind, values), ""))


def _lines(kind: type[Struct], values: Mapping[str, Any], *path: str) -> list[str]:
    """Return the lines of a table: those of its own words, and behind them those of the tables in it."""
    plain, tables = list[str](), list[str]()
    for word, one in fields(kind).items():
        value, inner, comment = values.get(word), table(one.type), f"# {_meaning(kind, (word,)).partition('. ')[0].rstrip('.')}."
        if not value and value not in (0, False):
            continue
        if inner is None:
            plain += ["", comment, f"{word} = {_text(value)}"]
            continue
        several = get_origin(one.type) is tuple
        name = ".".join((*path, word))
        for row in value if several else (value,):
            tables += ["", comment, f"[[{name}]]" if several else f"[{name}]", *_lines(inner, row, *path, word)]
    return [*plain, *tables]


def _text(value: Any) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(str(key))} = {_text(one)}' for key, one in value.items())}}}"
    if isinstance(value, list | tuple | frozenset):
        return f"[{', '.join(map(_text, value))}]"
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)


def _value(kind: Any, text: str, variable: str, meaning: str) -> Any:
    """Return the value of a variable. Rejected: it is malformed."""
    parts: Any = text
    if get_origin(kind) in (tuple, frozenset):
        parts = [part.strip() for part in text.split(os.pathsep if get_args(kind)[0] is Path else ",") if part.strip()]
    elif get_origin(kind) is dict:
        pairs = [word.partition("=") for word in re.split(r"[,\s]+", text) if word]
        if not all(equals for _, equals, _ in pairs):
            raise Rejected("malformed", variable, f"write words like NAME=VALUE. {meaning}")
        parts = {name: value for name, _, value in pairs}
    try:
        return convert(parts, kind, strict=False, str_keys=True, dec_hook=_custom)
    except ValidationError as error:
        raise Rejected("malformed", variable, f"{_parts(error)[0]}. {meaning}") from None


def _meaning(kind: type[Struct], path: tuple[str, ...]) -> str:
    """Return the meaning of a word, or of the last one above it that has one."""
    one = fields(kind).get(path[0]) if path else None
    if one is None:
        return ""
    inner = table(one.type)
    return (_meaning(inner, path[1:]) if inner else "") or words(kind)[path[0]].meaning


def _parts(error: ValidationError) -> tuple[str, str]:
    """Return what is wrong, and where."""
    found = TRAIL.fullmatch(str(error))
    return (found[1], found[2] or "") if found else (str(error), "")


def _custom(kind: type, value: Any) -> Any:
    return Path(value) if kind is Path and isinstance(value, str | Path) else value
