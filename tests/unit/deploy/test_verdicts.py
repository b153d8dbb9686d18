"""The table of `make deploy-test`: every file has its turn, and what did not run is not called good."""

from __future__ import annotations

from tests.deploy.__main__ import HERE, jobs, read

REPORT = """<testsuites><testsuite name="pytest">
<testcase classname="tests.deploy.test_image" name="test_small" time="2.5">
<properties><property name="figure" value="171 MB"/></properties></testcase>
<testcase classname="tests.deploy.test_image" name="test_engine" time="0.1"><skipped message="no dockerd"/></testcase>
<testcase classname="tests.deploy.test_image" name="test_red" time="1"><failure message="assert 1 == 2&#10;more"/></testcase>
<testcase classname="tests.deploy.test_image" name="test_broken" time="1"><error message="fixture"/></testcase>
</testsuite></testsuites>"""


def test_each_verdict_has_its_note() -> None:
    rows = [(row.name, row.verdict, list(row.notes)) for row in read(REPORT)]
    assert rows == [
        ("deploy/test_image.py::test_small", "good", ["171 MB"]),
        ("deploy/test_image.py::test_engine", "skipped", ["no dockerd"]),
        ("deploy/test_image.py::test_red", "FAILED", ["assert 1 == 2"]),
        ("deploy/test_image.py::test_broken", "FAILED", ["fixture"]),
    ]


def test_every_file_has_its_turn_once() -> None:
    places = [place.partition("::")[0] for job in jobs([]) for place in job]
    assert {f"tests/deploy/{path.name}" for path in HERE.glob("test_*.py")} <= set(places)
    assert len(places) == len(set(places)) + 1, "the two of test_servers_ha.py have a turn each"
    assert jobs(["one.py", "two.py"]) == [("one.py", "two.py")]
