"""What /openapi.json says is what comes back: every operation is called, and its answer has the documented form and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from referral.domain import events as e
from tests.harness.line.intake_stack import BODY, WHY, Stack, new_id, offer, track

pytestmark = pytest.mark.servers
Json = dict[str, Any]
TYPES: dict[str, Any] = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict, "null": type(None)}
KNOWN = {
    "$ref", "title", "description", "type", "anyOf", "enum", "properties", "required", "additionalProperties", "items", "default",
    "pattern", "minLength", "example", "maxLength", "format", "discriminator",
}  # fmt: skip


def wrong(document: Json, schema: Json, value: Any, where: str = "$") -> Iterator[str]:
    """Where a value is not what a schema says; an object has no field that is not named."""
    assert not set(schema) - KNOWN, (where, set(schema) - KNOWN)
    if "$ref" in schema:
        yield from wrong(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], value, where)
    if "anyOf" in schema and all(list(wrong(document, one, value, where)) for one in schema["anyOf"]):
        yield f"{where}: none of anyOf"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: not in enum"
    kind = schema.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or (kind == "integer" and isinstance(value, bool))):
        yield f"{where}: not {kind}"
        return
    if kind == "array" and "items" in schema:
        for i, item in enumerate(value):
            yield from wrong(document, schema["items"], item, f"{where}[{i}]")
    if kind == "object":
        fields = schema.get("properties", {})
        yield from (f"{where}.{name}: missing" for name in schema.get("required", ()) if name not in value)
        for name, inner in value.items():
            more = schema.get("additionalProperties", {} if not fields else False)
            if name not in fields and more is False:
                yield f"{where}.{name}: not documented"
            elif isinstance(found := fields.get(name, more), dict):
                yield from wrong(document, found, inner, f"{where}.{name}")


async def test_the_document_is_whole(intake: Stack) -> None:
    document = (await intake.http.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1") and document["info"]["title"] and document["info"]["version"]
    names = set()
    for path, methods in document["paths"].items():
        assert path.startswith("/v1/")
        for method, operation in methods.items():
            assert method in ("get", "post", "put") and operation["summary"] and operation["responses"]
            assert operation["operationId"] not in names
            names.add(operation["operationId"])
            told = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert told == {part[1:-1] for part in path.split("/") if part.startswith("{")}
            assert all(p["required"] for p in operation["parameters"] if p["in"] == "path")
    refs = set(references(document))
    assert refs == {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    schemes = document["components"]["securitySchemes"]
    assert {name: (one["type"], one.get("scheme")) for name, one in schemes.items()} == {
        "token": ("http", "bearer"),
        "certificate": ("mutualTLS", None),
    }
    assert document["security"] == [{name: [] for name in schemes}], "both are needed"


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from ([node["$ref"]] if "$ref" in node else [])
        for inner in node.values():
            yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


async def test_every_answer_has_the_form_that_is_documented(intake: Stack) -> None:
    document = (await intake.http.get("/openapi.json")).json()
    receipt = await intake.submit(key="first")
    case, offer_id, later = receipt["case_id"], new_id(), new_id()
    task = e.NeedsPerson(why=WHY, task_id=new_id(), desk="desk-prizren", about="x", track_id=None, step="", seat=0, rung=0, due=None)
    await intake.decided(case, track(), offer("police", offer_id), offer("police", later, due=None, due_what=""), task)
    ids = {"referral_id": receipt["referral_id"], "case_id": case, "offer_id": offer_id, "key": "first", "section": "narrative"}
    consent = {"state": "GIVEN", "basis": "consent", "giver": "parent", "until": "2030-01-01T00:00:00Z"}
    bodies: dict[str, tuple[str, Any]] = {
        "submitReferral": ("school", BODY),
        "writeSection": ("police", {"text": "more"}),
        "respondToOffer": ("police", {"word": "ACKNOWLEDGE"}),
        "takeBackAnswer": ("police", {"word": "COMPLETE"}),
        "recordConsent": ("school", consent),
        "recordTraits": ("police", BODY["traits"]),
        "excludeActor": ("school", {"kind": "RELATION", "actor": "parent"}),
        "giveInstruction": ("desk-prizren", {"word": "STOP", "reason": "OTHER"}),
        "withdrawReferral": ("school", {"reason": "MISTAKE"}),
    }
    askers = {"getReferral": "school", "getSubmission": "school", "getCase": "desk-prizren", "listSectionVersions": "desk-prizren"}
    every = [(path, method, op) for path, methods in document["paths"].items() for method, op in methods.items()]
    for path, method, operation in sorted(every, key=lambda one: one[2]["operationId"] == "withdrawReferral"):  # after it its sender is out
        name = operation["operationId"]
        if name in ("getReceiptProof", "getIngressKey"):  # they need a log, a key: test_intake_proof.py
            continue
        agency, body = bodies.get(name, (askers.get(name, "police"), None))
        headers = intake.token(agency) | ({"Idempotency-Key": new_id()} if body else {})
        good = await intake.http.request(method, path.format(**ids), json=body, headers=headers)
        judge(document, operation, good, bad=False)
        if name not in ("listOffers", "listCodes", "getStatus"):
            nothing = path.format(**dict.fromkeys(ids, "none"))
            judge(document, operation, await intake.http.request(method, nothing, json=[], headers=intake.token(agency)), bad=True)
        if name in bodies:
            assert not list(wrong(document, operation["requestBody"]["content"]["application/json"]["schema"], body)), name


def judge(document: Json, operation: Json, answer: httpx.Response, *, bad: bool) -> None:
    name, responses = operation["operationId"], operation["responses"]
    assert (answer.status_code >= 400) == bad, (name, answer.text)
    said = responses["default"] if bad else responses[str(answer.status_code)]
    schema = said["content"][answer.headers["content-type"]]["schema"]
    assert not list(wrong(document, schema, answer.json())), (name, answer.text)


def test_this_judge_sees_what_is_wrong() -> None:
    schema: Json = {"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}, "required": ["a"]}
    assert list(wrong({}, schema, {"a": None})) == []
    for value in ({}, {"a": 1}, {"a": "x", "b": 1}, []):
        assert list(wrong({}, schema, value))


async def test_generators_understand_the_document(intake: Stack) -> None:
    """What public linters and generators of clients stumbled over: each was a client that did not compile, or that sent nothing."""
    document = (await intake.http.get("/openapi.json")).json()
    assert document["servers"] and document["info"]["license"] and document["tags"]
    reserved = {"case", "file", "for", "if", "in", "is", "return", "import", "switch", "default", "class", "package"}
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["operationId"] not in reserved and operation["tags"] and "4XX" in operation["responses"]
            assert all(parameter["schema"].get("type") for parameter in operation["parameters"]), (
                "an enum without a type is no string in Go"
            )
    for name, schema in document["components"]["schemas"].items():
        for field, kind in schema.get("properties", {}).items():
            assert "default" not in kind, f"{name}.{field}: a default makes it a field that must be sent"
            if field.endswith("_at") and "signature" not in schema["properties"]:  # what is signed is text: unit/intake has it
                assert "date-time" in str(kind), f"{name}.{field}"
    assert "/v1/ingress-key" in document["paths"] and document["paths"]["/v1/ingress-key"]["get"]["security"] == []


async def test_what_a_call_does_not_know_is_refused_and_codes_can_be_asked_for(intake: Stack) -> None:
    odd = await intake.http.get("/v1/offers?limit=1&page=2", headers=intake.token("police"))
    assert (odd.status_code, odd.json()["code"], odd.json()["where"]) == (400, "unknown-parameter", "query parameter limit")
    twice = await intake.http.get("/v1/offers?state=open&state=all", headers=intake.token("police"))
    assert (twice.status_code, twice.json()["where"]) == (400, "query parameter state"), "which one is meant?"
    named = await intake.http.get("/v1/offers?Lule Shembull=1", headers=intake.token("police"))
    assert named.status_code == 400 and "Lule" not in named.text
    found = (await intake.http.get("/v1/codes", headers=intake.token("police"))).json()
    assert found["bundle"] == intake.door.lists().number and "prizren" in found["codes"]["municipality"]


async def test_who_sent_more_than_one_answer_shows_learns_so(intake: Stack) -> None:
    case = (await intake.submit(key="many"))["case_id"]
    await intake.decided(case, track(), *(offer("police", new_id()) for _ in range(201)))
    found = (await intake.http.get("/v1/offers?state=all", headers=intake.token("police"))).json()
    assert (len(found["offers"]), found["more"]) == (200, True)
    found = (await intake.http.get("/v1/offers", headers=intake.token("police"))).json()
    assert (len(found["offers"]), found["more"]) == (201, False)
