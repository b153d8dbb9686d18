"""A policy whose table of rights or list of engines is missing, or is not the one that this program has, is not put into force."""

from __future__ import annotations

import pytest

from referral.cli.policy import policy_folder
from referral.domain.policy import compile
from referral.domain.policy.policy import RIGHTS
from referral.proof import engines
from referral.runtime.settings import CHECKOUT
from referral.wire import policy_digest

FILES = policy_digest.read(CHECKOUT / "policy")
WITHOUT = {path: data for path, data in FILES.items() if path != RIGHTS}
ROW = b"is: [live], in: [standing], then: allow with record"


def test_the_shipped_table_is_taken() -> None:
    found, errors = policy_folder.check(FILES)
    assert found is not None and errors == ()


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (WITHOUT, "the file is missing"),
        ({**FILES, RIGHTS: FILES[RIGHTS].replace(ROW, ROW.replace(b" with record", b""), 1)}, "other rights than this program has"),
        ({**FILES, RIGHTS: FILES[RIGHTS].replace(b"then: allow", b"then: alow", 1)}, "a decision is `allow`"),
    ],
    ids=["missing", "other", "wrong"],
)
def test_any_other_is_refused(files: dict[str, bytes], says: str) -> None:
    found, errors = policy_folder.check(files)
    assert found is None
    assert any(error.startswith(f"{RIGHTS}:") and says in error for error in errors), errors


@pytest.mark.parametrize(
    "files",
    [
        {path: data for path, data in FILES.items() if path != engines.FILE},
        {**FILES, engines.FILE: b"engines:\n"},
        {**FILES, engines.FILE: b"?"},
    ],
    ids=["missing", "other", "wrong"],
)
def test_a_policy_that_does_not_name_the_engines_of_this_program_is_refused(files: dict[str, bytes]) -> None:
    found, errors = policy_folder.check(files)
    assert found is None
    assert errors == (
        f"{engines.FILE}:0:0: it does not name the frozen engines of this program; they change with the program: copy its file",
    )


def test_words_and_comments_of_the_file_may_differ() -> None:
    found, _ = policy_folder.check({**FILES, **{path: FILES[path] + b"# signed\n" for path in (RIGHTS, engines.FILE)}})
    assert found is not None


def test_the_table_decides_no_way_of_a_case() -> None:
    assert compile(WITHOUT).directory == compile(FILES).directory
    assert policy_digest.digest(WITHOUT) != policy_digest.digest(FILES)
