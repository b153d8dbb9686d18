"""The directory goes out as HSDS 3 and comes back the same; what must never be stored is refused by its place in the document."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from referral.cli.app import run
from referral.domain.policy.directory import HOME, LANGUAGES, Agency, Service
from referral.domain.policy.reading.agencies import read_agency
from referral.domain.policy.reading.reader import Reader
from referral.hsds import reader as hsds_read
from referral.hsds import writer
from referral.hsds.document import DAYS, KEPT, OPTIONAL
from tests.stories import teller
from tests.stories.teller import POLICY

FILES = {path.relative_to(POLICY).as_posix(): path.read_bytes() for path in POLICY.rglob("*.yaml")}
SHIPPED = teller.policy()
HOMES = SHIPPED.properties[HOME]
DIRECTORY = {path: data for path, data in FILES.items() if path.startswith("directory/")}
SENT = writer.exported(FILES, SHIPPED, "2026-11-25T08:00:00+00:00")
SOME = ("court-peje", "csw-prizren", "desk-prizren", "dsw", "ombudsperson", "police-country", "shelter-linden", "shelter-swallow")
FEW = writer.exported({path: data for path, data in DIRECTORY.items() if Path(path).stem in SOME}, SHIPPED, "2026-11-25T08:00:00+00:00")
"""A small one, of agencies that have what can be broken."""
PUBLISHED = {
    "organization": "id! name! description! alternate_name email website additional_websites year_incorporated legal_status logo uri"
    " parent_organization_id",
    "organization_identifier": "id! organization_id! identifier_scheme identifier_type! identifier!",
    "service": "id! organization_id! name! status! program_id alternate_name description url additional_urls email interpretation_services"
    " application_process fees_description accreditations eligibility_description minimum_age maximum_age assured_date assurer_email alert"
    " last_modified",
    "phone": "id! location_id service_id organization_id contact_id service_at_location_id number! extension type description",
    "service_area": "id! service_id service_at_location_id name description extent extent_type uri",
    "schedule": "id! service_id location_id service_at_location_id valid_from valid_to dtstart timezone until count wkst freq interval"
    " byday byweekno bymonthday byyearday description opens_at closes_at schedule_link attending_type notes",
    "service_capacity": "id! service_id! unit_id! available! updated! maximum description",
    "unit": "id! name! scheme identifier uri",
    "language": "id! service_id location_id phone_id name code note",
    "attribute": "id! link_id! taxonomy_term_id! link_entity! link_type value label",
    "taxonomy": "id! name! description! uri version",
    "taxonomy_term": "id! name! description! code parent_id taxonomy language taxonomy_id term_uri",
}
"""Fields of the published schema of HSDS 3.2 in its tabular form (openreferral/specification, schema/*.json); `!`: required there."""


def test_every_agency_comes_back_byte_for_byte() -> None:
    read = hsds_read.imported(json.loads(json.dumps(SENT)), HOMES)
    assert read.faults == ()
    assert read.files == DIRECTORY


def test_every_field_is_one_of_the_published_schema_and_none_that_it_needs_is_missing() -> None:
    assert set(SENT) == set(PUBLISHED) == set(KEPT)
    for table, fields in PUBLISHED.items():
        known = {field.rstrip("!") for field in fields.split()}
        needed = {field.rstrip("!") for field in fields.split() if field.endswith("!")}
        assert set(KEPT[table]) <= known, table
        assert needed.isdisjoint(OPTIONAL)
        for row in SENT[table]:
            assert needed <= set(row) <= set(KEPT[table]), (table, row)


def test_rows_name_rows_that_are_there_by_ids_of_their_own() -> None:
    ids = {table: {row["id"] for row in rows} for table, rows in SENT.items()}
    assert all(len(ids[table]) == len(SENT[table]) for table in SENT)
    links = {"organization_id": "organization", "service_id": "service", "unit_id": "unit", "taxonomy_id": "taxonomy"}
    links |= {"taxonomy_term_id": "taxonomy_term", "parent_organization_id": "organization"}
    for rows in SENT.values():
        for row in rows:
            for field, table in links.items():
                assert field not in row or row[field] in ids[table], (field, row)


def test_nothing_says_where_a_home_is() -> None:
    homes = {service.agency for service in SHIPPED.services.values() if service.roles & HOMES}
    keys = {row["organization_id"] for row in SENT["organization_identifier"] if row["identifier"] in homes}
    assert len(keys) == len(homes) > 10
    told = [row for row in SENT["attribute"] if row["link_id"] in keys and row["link_type"] == "municipality"]
    assert told == []


words = st.sampled_from
few: Callable[[Any], Any] = lambda pool: st.lists(words(pool), min_size=1, max_size=4, unique=True)  # noqa: E731
names = st.text(st.characters(codec="utf-8", categories=("L", "P", "S"), exclude_characters="@\u2028\u2029"), min_size=1, max_size=20)
AREAS = (*SHIPPED.municipalities, "region:peje", "court-district:gjilan", "country")


@st.composite
def agencies(draw: st.DrawFn) -> dict[str, Any]:
    hour = draw(st.integers(0, 22))
    hours = {"days": draw(few(tuple(DAYS))), "from": f"{hour:02}:30", "to": f"{draw(st.integers(hour + 1, 23)):02}:45"}
    services = []
    for n in range(draw(st.integers(0, 3))):
        service: dict[str, Any] = {"id": f"made-up.s{n}", "roles": draw(few(("court", "judge", "school", "hospital")))}
        service["covers"] = draw(few(AREAS))
        low = draw(st.integers(0, 120))
        more = {"ages": [low, draw(st.integers(low, 120))], "sexes": draw(few(("female", "male"))), "places": draw(st.integers(0, 99))}
        more["tags"] = ["trained-interviewer"]
        services.append({**service, **{name: value for name, value in more.items() if draw(st.booleans())}})
    agency = {"agency": "made-up", "names": {language: draw(names) for language in LANGUAGES}, "services": services}
    agency |= {"municipality": draw(words((None, *SHIPPED.municipalities))), "reach": draw(words(("WEB", "PHONE", "SYSTEM")))}
    agency |= {
        "languages": draw(few(SHIPPED.codes["language"])),
        "ladder": draw(st.permutations(("focal-point", "back-up", "head-of-unit"))),
    }
    more = {"desk": draw(st.booleans()), "above": "dsw", "hours": hours, "telephone": f"+999{draw(st.integers(10**5, 10**9))}"}
    return {**agency, **{name: value for name, value in more.items() if draw(st.booleans())}}


def read_alone(data: bytes) -> tuple[Agency, tuple[Service, ...]]:
    reader = Reader({"directory/made-up.yaml": data, "directory/dsw.yaml": b""})
    found = read_agency(
        reader.open("directory/made-up.yaml"), "directory/made-up.yaml", SHIPPED.codes, SHIPPED.municipalities, SHIPPED.properties
    )
    reader.finish()
    return found


ENDS_IN_HTTP = {
    "agency": "made-up",
    "names": dict.fromkeys(LANGUAGES, "http"),
    "services": [{"id": "made-up.s0", "roles": ["court"], "covers": ["country"]}],
    "municipality": None,
    "reach": "WEB",
    "languages": ["sq"],
    "ladder": ["focal-point", "back-up", "head-of-unit"],
}
"""Its service is called "http: Court", which is no link."""


@given(agencies())
@example(ENDS_IN_HTTP)
def test_any_agency_comes_back_with_the_same_meaning(agency: dict[str, Any]) -> None:
    data = yaml.safe_dump(agency, allow_unicode=True, sort_keys=False).encode()
    files = {"directory/made-up.yaml": data, "directory/dsw.yaml": DIRECTORY["directory/dsw.yaml"]}
    files["directory/ombudsperson.yaml"] = DIRECTORY["directory/ombudsperson.yaml"]
    read = hsds_read.imported(writer.exported(files, SHIPPED, ""), HOMES)
    assert read.faults == ()
    assert read_alone(read.files["directory/made-up.yaml"]) == read_alone(data)


def changed(change: Callable[[dict[str, Any]], object]) -> tuple[str, ...]:
    document = copy.deepcopy(FEW)
    change(document)
    read = hsds_read.imported(document, HOMES)
    assert not read.faults or not read.files
    return read.faults


def set_(table: str, number: int, /, **values: object) -> Callable[[dict[str, Any]], object]:
    return lambda document: document[table][number].update(values)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d.update(address=[{"id": "1", "address_1": "Main Street 1"}]), "address[0]: no address is ever stored"),
        (lambda d: d.update(location=[{"id": "1", "latitude": 42.6}]), "location[0]: no location is ever stored"),
        (lambda d: d.update(contact=[{"id": "1", "name": "Example Person"}]), "contact[0]: no person is ever stored"),
        (set_("phone", 0, number="038 000 000"), "phone[0].number: a number in international form"),
        (set_("phone", 0, contact_id="1"), "phone[0].contact_id: is not kept here"),
        (set_("phone", 0, organization_id="nowhere"), "phone[0].organization_id: belongs to nothing"),
        (lambda d: d["phone"].append({**d["phone"][0], "id": "another"}), "an agency has one office telephone"),
        (lambda d: d.update(service_at_location=[{"id": "1"}]), "service_at_location[0]: no location"),
        (lambda d: d.update(funding=[{"id": "1"}]), "funding[0]: is not kept here"),
        (lambda d: d.update(servise=[{"id": "1"}]), "did you mean service?"),
        (set_("organization", 3, email="a@example.org"), "organization[3].email: no e-mail address is ever stored"),
        (set_("organization", 3, website="https://example.org"), "organization[3].website: no address"),
        (set_("organization", 3, contacts=[{"name": "Example Person"}]), "organization[3].contacts: no person"),
        (set_("organization", 3, locations=[{"name": "x"}]), "organization[3].locations: no location"),
        (set_("organization", 3, tax_id="9"), "organization[3].tax_id: is not kept here"),
        (set_("service", 5, description="Ring us"), "service[5].description: is not kept here"),
        (set_("service", 5, status="defunct"), "service[5].status: only what is active"),
        (set_("service", 5, name="Ring +383 44 000 000"), "service[5].name: this looks like"),
        (set_("organization", 2, description="write to x@example.org"), "organization[2].description: this looks like"),
        (set_("service_capacity", 1, maximum=-1), "service_capacity[1].maximum: a whole number"),
        (set_("service_capacity", 1, maximum="4"), "service_capacity[1].maximum: a whole number"),
        (set_("service_area", 1, uri="urn:other"), "service_area[1].uri: urn:referral:area:"),
        (set_("schedule", 0, byday="1MO"), "schedule[0].byday: weekly hours"),
        (set_("schedule", 0, freq="MONTHLY"), "schedule[0].byday: weekly hours"),
        (set_("language", 0, service_id="nowhere"), "language[0].service_id: belongs to nothing"),
        (set_("attribute", 0, taxonomy_term_id="nowhere"), "attribute[0].taxonomy_term_id: no term"),
        (set_("attribute", 0, link_type="colour"), "attribute[0].link_type"),
        (set_("organization_identifier", 0, identifier="../etc"), "organization_identifier[0].identifier: an id of the scheme"),
        (set_("organization", 4, id="another"), "organization[4].id: no organization_identifier"),
        (set_("organization", 0, name=5), "organization[0].name: text is expected"),
        (set_("organization", 0, parent_organization_id="x"), "organization[0].parent_organization_id: no organization"),
        (lambda d: d["organization"].append(d["organization"][0]), "stands in this table twice"),
        (lambda d: d["service"][0].pop("status"), "service[0].status: is missing"),
        (lambda d: d.update(service="all"), "service: a list of objects is expected"),
        (lambda d: d["service"].insert(0, "x"), "service[0]: an object is expected"),
    ],
)
def test_what_is_not_kept_is_refused_by_its_place(change: Callable[[dict[str, Any]], object], says: str) -> None:
    assert any(says in fault for fault in changed(change)), changed(change)[:5]


def test_a_home_with_a_municipality_is_refused() -> None:
    home = next(n for n, row in enumerate(FEW["organization"]) if "Linden" in row["name"])
    link = {"id": "new", "link_id": FEW["organization"][home]["id"], "link_entity": "organization", "link_type": "municipality"}
    term = next(row["id"] for row in FEW["taxonomy_term"] if row["code"] == "municipality:prizren")
    faults = changed(lambda d: d["attribute"].append({**link, "taxonomy_term_id": term}))
    assert any(fault.startswith(f"organization[{home}].municipality: where people are kept safe") for fault in faults)


def test_a_home_with_a_telephone_is_refused() -> None:
    home = next(row["id"] for row in FEW["organization"] if "Linden" in row["name"])
    faults = changed(lambda d: d["phone"].append({"id": "new", "organization_id": home, "number": "+99928000001"}))
    assert any("where people are kept safe has no telephone" in fault for fault in faults)


@pytest.mark.parametrize("sign", ["x, tags: [detention]", "x]\nreach: PHONE", "}", "a: b", "[", "#", "\x00"])
def test_no_code_can_write_another_line_into_a_file(sign: str) -> None:
    role = next(n for n, row in enumerate(FEW["taxonomy_term"]) if row["code"] == "role:court")
    assert any("signs that no file can hold" in fault for fault in changed(set_("taxonomy_term", role, code=f"role:{sign}")))


@pytest.mark.parametrize("document", [None, 3, [], "x", [[]], {"organization": {}}, {"organization": [{}]}, {"attribute": [{"id": []}]}])
def test_no_document_can_do_worse_than_be_refused(document: object) -> None:
    read = hsds_read.imported(document, HOMES)
    assert read.faults and not read.files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(POLICY, tmp_path / "policy"))


def test_the_commands_take_it_out_and_bring_it_in(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, court = tmp_path / "directory.json", folder / "directory" / "court-peje.yaml"
    assert run(["policy", "directory", "export", str(folder), "--out", str(file)]) == 0
    before = court.read_bytes()
    court.write_bytes(before.replace(b"16:00", b"15:00"))
    (folder / "directory" / "school-kline.yaml").unlink()
    assert run(["policy", "directory", "import", str(file), "--into", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "changed  directory/court-peje.yaml" in said and "new  directory/school-kline.yaml" in said
    assert {path.name: path.read_bytes() for path in (folder / "directory").iterdir()} == {Path(p).name: d for p, d in DIRECTORY.items()}
    assert court.read_bytes() == before


def test_a_document_that_means_nothing_good_writes_nothing(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "directory.json"
    for change, says in (
        (lambda d: d.update(address=[{"id": "1"}]), "directory.json: address[0]: no address"),
        (lambda d: next(row for row in d["taxonomy_term"] if row["code"] == "reach:WEB").update(code="reach:PIGEON"), "PIGEON"),
    ):
        document = copy.deepcopy(SENT)
        change(document)  # type: ignore[no-untyped-call]
        file.write_text(json.dumps(document), "utf-8")
        (folder / "directory" / "court-peje.yaml").unlink(missing_ok=True)
        assert run(["policy", "directory", "import", str(file), "--into", str(folder)]) == 1
        assert says in capsys.readouterr().err
        assert not (folder / "directory" / "court-peje.yaml").exists()
    file.write_text('{"organization": [', "utf-8")
    assert run(["policy", "directory", "import", str(file)]) == 1
    assert "directory.json:1: JSON in UTF-8 is expected" in capsys.readouterr().err
