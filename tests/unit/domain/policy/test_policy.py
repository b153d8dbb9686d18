"""A policy with an error is refused with file, line and what is allowed; the one we ship is complete."""

from __future__ import annotations

import pytest

from referral.domain.policy import PolicyErrors, compile
from referral.domain.policy.directory import LANGUAGES
from referral.domain.policy.policy import RIGHTS
from referral.domain.policy.reading import questions
from referral.proof import engines
from tests.stories.teller import POLICY

FILES = {path.relative_to(POLICY).as_posix(): path.read_bytes() for path in POLICY.rglob("*.yaml")}
PATHWAY = "pathways/trafficking-child.yaml"
SHIPPED = compile(FILES)


def with_change(path: str, old: str, new: str) -> dict[str, bytes]:
    assert old in FILES[path].decode(), f"{old} is not in {path}"
    return {**FILES, path: FILES[path].decode().replace(old, new, 1).encode()}


def line_of(path: str, text: str) -> int:
    return next(n for n, line in enumerate(FILES[path].decode().splitlines(), 1) if text in line)


@pytest.mark.parametrize(
    ("path", "old", "new", "says"),
    [
        (PATHWAY, "ask: police-thbs", "ask: police-thsb", "did you mean police-thbs?"),
        (PATHWAY, "acknowledge: 15 min", "acknowledge: 15 minutes", "a limit is a number, one of min"),
        (PATHWAY, "after: [police.accepted] ", "after: [polize.accepted] ", "did you mean police?"),
        (PATHWAY, "on_silence: keep-place", "on_silence: go-home", "word go-home is not known"),
        (PATHWAY, "shows: [identity, location", "shows: [identity, adress", "section adress is not known"),
        (PATHWAY, "never: [detention", "never: [detentoin", "did you mean detention?"),
        (PATHWAY, "secure_needs: [risk.HIGH", "secure_needs: [risk.HIHG", "HIHG is not known of step risk"),
        (PATHWAY, "    on_disagreement: not-agreed", "    on_disagreement: VERY_HIGH", "word VERY_HIGH is not known"),
        (PATHWAY, "statutory: true ", "statutory: maybe ", "value maybe is not known"),
        (PATHWAY, "age: [child, uncertain]", "age: [child, unsure]", "age unsure is not known"),
        (PATHWAY, "switch_to: trafficking-adult", "switch_to: nowhere", "pathway nowhere is not known"),
        (PATHWAY, "who: [police, support, csw]", "who: [police, support.cwd, csw]", "seat cwd is not known of step support"),
        (PATHWAY, "id: health", "id: health\n    colour: red", "colour is not known here"),
        (
            PATHWAY,
            "    again_when: [shelter.arrived]",
            "    once: true\n    again_when: [shelter.arrived]",
            "a step that happens once has no again_when",
        ),
        ("municipalities.yaml", "desk: desk-prizren", "desk: csw-prizren", "desk of prizren must be an agency with desk: true"),
        ("municipalities.yaml", "region: prizren", "region: prizrn", "did you mean prizren?"),
        ("municipalities.yaml", "coordinator: coordinator-prizren", "coordinator: somebody", "or null where there is none"),
        ("directory/csw-prizren.yaml", "covers: [prizren]", "covers: [prizen]", "did you mean prizren?"),
        ("directory/csw-prizren.yaml", "reach: WEB", "reach: PIGEON", "reach PIGEON is not known"),
        ("directory/csw-prizren.yaml", "en:", "de:", "de is not known here"),
        ("directory/csw-prizren.yaml", "ladder: [focal-point, back-up, head-of-unit]", "ladder: [focal-point]", "two rungs at least"),
        ("directory/shelter-linden.yaml", "places: 1", "places: one", "a whole number from 0 to 10000"),
        ("directory/csw-prizren.yaml", "above: dsw", "above: dwd", "dwd is no agency of this directory"),
        ("codes.yaml", "rom: {sq", "rom: {qs", "sq is missing"),
        ("casefile.yaml", "personal: true", "personal: perhaps", "value perhaps is not known"),
        ("calendars/XK.yaml", 'day: "2026-01-01"', 'day: "2026-13-01"', "a day is written"),
    ],
)
def test_an_error_names_file_line_and_what_is_allowed(path: str, old: str, new: str, says: str) -> None:
    with pytest.raises(PolicyErrors) as refused:
        compile(with_change(path, old, new))
    said = [error for error in refused.value.errors if says in error]
    assert said, refused.value.errors
    line = int(said[0].split(":")[1])
    assert said[0].startswith(f"{path}:") and abs(line - line_of(path, old.strip())) <= 5


@pytest.mark.parametrize("broken", [b"a: [", b"\xff\xfe", b"", b"- just\n- a list\n", b"x" * 2_000_000, b"&a [*a]"])
@pytest.mark.parametrize("path", [PATHWAY, "codes.yaml", "municipalities.yaml", "directory/dsw.yaml", "calendars/XK.yaml"])
def test_no_file_can_do_worse_than_be_refused(path: str, broken: bytes) -> None:
    with pytest.raises(PolicyErrors) as refused:
        compile({**FILES, path: broken})
    assert any(error.startswith(path) for error in refused.value.errors)


@pytest.mark.parametrize("path", sorted(p for p in FILES if p.count("/") == 0 and p not in (RIGHTS, engines.FILE, questions.FILE)))
def test_a_missing_file_is_named(path: str) -> None:
    """An earlier bundle has no questions: it is read as it was. A folder without them is refused by `referral policy check`."""
    with pytest.raises(PolicyErrors):
        compile({name: data for name, data in FILES.items() if name != path})


def test_everything_that_people_see_has_a_name_in_four_languages() -> None:
    for kind, things in (("agency", SHIPPED.agencies), ("municipality", SHIPPED.municipalities), ("section", SHIPPED.sections)):
        for id in things:
            assert all(SHIPPED.names(kind, id, language) for language in LANGUAGES)
    assert SHIPPED.names("reason", "NO_CAPACITY", "sr-Cyrl") == "Нема места"
    assert SHIPPED.names("reason", "no such code", "sq") == "no such code"


def test_the_directory_has_the_38_municipalities_each_with_a_desk() -> None:
    assert len(SHIPPED.municipalities) == 38
    for place in SHIPPED.municipalities.values():
        assert SHIPPED.agencies[place.desk].desk
        assert all(place.id in SHIPPED.municipalities[near].neighbours for near in place.neighbours), place.id
    assert SHIPPED.municipalities["novoberde"].coordinator == ""


def test_a_municipality_lies_in_an_area_of_each_kind_and_a_bundle_without_kinds_is_read() -> None:
    """Novobërdë: statistically with Prishtinë, before the court and the police of Gjilan."""
    place = SHIPPED.municipalities["novoberde"]
    assert (place.region, place.areas["court-district"], place.areas["police-region"]) == ("prishtine", "gjilan", "gjilan")
    assert [s.agency for s in SHIPPED.serving("court", "court-district", "novoberde")] == ["court-gjilan"]
    assert [s.agency for s in SHIPPED.serving("court", "region", "novoberde")] == ["court-gjilan"], "region is of whichever kind"
    others = [s.agency for s in SHIPPED.serving("court", "other-court-district", "novoberde")]
    assert others == [f"court-{d}" for d in ("mitrovice", "peje", "prishtine", "prizren", "ferizaj", "gjakove")]
    assert others == [s.agency for s in SHIPPED.serving("court", "other-region", "novoberde")]
    assert [s.agency for s in SHIPPED.serving("court", "home-court-district", "novoberde", "junik")] == ["court-peje"]
    assert [s.agency for s in SHIPPED.serving("social-worker", "home", "novoberde", "junik")] == ["csw-junik"]
    assert not SHIPPED.serving("court", "home-court-district", "novoberde"), "the home is not known"
    assert not SHIPPED.serving("court", "court-district", ""), "where the person is, is not known"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("court-district: gjakove", "court-district: gjakovë", "did you mean gjakove?"),
        ("court-district: gjakove, ", "", "court-district is missing"),
        ("  health-region: [", "  home-office: [", "home-office means something else already"),
        ("  health-region: [", "  other-office: [", "other-office means something else already"),
        ("  health-region: [", "  neighbour: [", "neighbour means something else already"),
    ],
)
def test_areas_of_a_kind_are_named_whole_and_their_words_mean_one_thing(old: str, new: str, says: str) -> None:
    with pytest.raises(PolicyErrors) as found:
        compile(with_change("municipalities.yaml", old, new))
    assert any(says in error for error in found.value.errors), found.value.errors


def test_a_procedure_stays_known_to_its_tracks_when_a_newer_one_is_in_force() -> None:
    newer = compile(with_change(PATHWAY, "acknowledge: 15 min P", "acknowledge: 20 min P"), before=SHIPPED)
    old, new = (next(pathway for pathway in policy.current if pathway.id == "trafficking-child") for policy in (SHIPPED, newer))
    assert newer.pinned[old.digest] == old and new.digest != old.digest
    assert newer.directory == SHIPPED.directory


def test_the_directory_digest_changes_with_any_file_of_it() -> None:
    assert compile(with_change("directory/shelter-linden.yaml", "places: 1", "places: 2")).directory != SHIPPED.directory
