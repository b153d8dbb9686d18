"""The printed sheet of a desk, when the public page is flooded."""

from __future__ import annotations

import uuid

from referral.cli.admin import desk_sheet
from referral.runtime import i18n
from tests.harness import shipped


def test_a_flood_is_one_line_and_everything_else_is_listed() -> None:
    compiled = shipped.compiled()

    def task(about: str) -> dict[str, object]:
        return {"desk": "desk-prizren", "case_id": str(uuid.uuid4()), "about": about, "step": "", "pathway": ""}

    tasks = [task("confirm-referral") for _ in range(300)] + [task("no-procedure") for _ in range(20)]
    for language, words in i18n.load(desk_sheet.TEXTS).items():
        sheet = desk_sheet._sheet("desk-prizren", {"desk-prizren": ([], list(tasks))}, compiled, words)
        assert len(sheet.tasks) == desk_sheet.CROWD + 20 + 1
        assert "290" in sheet.tasks[-1].lines[0], language
        assert sheet.tasks[-1].lines[0] in desk_sheet.plain([sheet], words, 0)
        assert "<b></b>" not in desk_sheet.page([sheet], words, 0)
    few = desk_sheet._sheet("desk-prizren", {"desk-prizren": ([], tasks[: desk_sheet.CROWD])}, compiled, words)
    assert len(few.tasks) == desk_sheet.CROWD
