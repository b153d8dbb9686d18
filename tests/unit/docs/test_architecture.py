"""The map of the code names every folder and every file of it, with the purpose that the file itself states."""

from __future__ import annotations

from tests.harness import architecture


def test_the_map_names_every_folder_once() -> None:
    marked = [mark[2] for mark in architecture.MARK.finditer(architecture.PAGE.read_text("utf-8"))]
    assert sorted(marked) == architecture.folders()


def test_the_map_states_the_purpose_of_every_file() -> None:
    text = architecture.PAGE.read_text("utf-8")
    assert text == architecture.page(text), "write it anew: make generate"
