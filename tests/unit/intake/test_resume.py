"""A form that is carried over the end of its session: only one of ours, and never a password."""

from __future__ import annotations

import pytest

from services.intake.pages import forms

ID = "0b6f2f0e-54f7-4b1c-9d53-0c9f0f2c9a11"
FORM = {"form": "token of a session that is over", "key": "k", "word": "DECIDE", "need.reason": "She trusts nobody (made up)"}
OURS = [f"/offers/{ID}/answer", f"/calls/{ID}/answer", f"/offers/{ID}/take-back", f"/tasks/{ID}/instruct", f"/unverified/{ID}/answer"]
OURS += [f"/offers/{ID}/change/age", f"/tasks/{ID}/change/keep-away"]
OTHERS = ["/me/password", "/signin", "/inbox", "/offers/1/answer", "https://elsewhere.example/", f"//x.example/offers/{ID}/answer", ""]
OTHERS += [f"/offers/{ID}/answer?x=1", f"/offers/{ID}/answer\n", f"/offers/{ID}/write/note", "/agency/invite", "/invitation"]


@pytest.mark.parametrize("path", OURS)
def test_what_was_entered_comes_back_as_it_was_but_for_the_token(path: str) -> None:
    kept = forms.ended(path, FORM)
    again = forms.carried({"form": "new", "login": "x", "password": "y", **kept.hidden})
    assert (again.again, dict(again.fields)) == (path, {name: value for name, value in FORM.items() if name != "form"})
    assert "token" not in str(kept.hidden) and "y" not in again.fields.values()


@pytest.mark.parametrize("path", OTHERS)
def test_nothing_else_is_carried(path: str) -> None:
    assert forms.ended(path, FORM) == forms.NOTHING
    assert forms.carried({"again": path, "kept.word": "ACCEPT"}) == forms.NOTHING
    assert forms.NOTHING.hidden == {}
