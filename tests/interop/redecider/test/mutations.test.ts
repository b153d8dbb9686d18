/** Facts and omissions that are changed in a decoded clean export: each is told apart, by its own statement and at its entry. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { typeName } from "../src/case/answers.js";
import type { Log } from "../src/log/entries.js";
import { judgeLog } from "../src/judge/run.js";
import { body, copyOfClean, drop, firstOf, renumber } from "./clean.js";
import { addBundle, headsAfter, sayLost } from "./changes.js";

interface Told {
  /** Kinds of statement that differ, with their entries. */
  differ?: [string, number][];
  /** Findings that are no differing statement. */
  find?: [string, number][];
}

/** Exactly these statements differ, and exactly these findings stand. */
function isTold(log: Log, told: Told): void {
  const { tally } = judgeLog(log);
  assert.deepEqual(tally.differences.map((one) => [one.kind, one.entry]), told.differ ?? []);
  assert.deepEqual(tally.findings.filter((one) => one.code !== "DECISION_DIFFERS").map((one) => [one.code, one.entry]), told.find ?? []);
  assert.notEqual(tally.exitCode(), 0);
}

test("a copy of the clean export that is only renumbered is clean", () => {
  const log = copyOfClean();
  renumber(log, log.entries[firstOf(log, "deadline-passed")]!.caseId!);
  const { tally } = judgeLog(log);
  assert.deepEqual([tally.differences, tally.findings], [[], []]);
});

test("1 another agency is asked", () => {
  const log = copyOfClean();
  const at = firstOf(log, "offer-opened", (one) => one.role === "social-worker");
  Object.assign(body(log, at), { agency: "csw-peje", service: "csw-peje.duty" });
  isTold(log, { differ: [["agency", at]] });
});

test("2 it has until an earlier time", () => {
  const log = copyOfClean();
  const at = firstOf(log, "offer-accepted", (one) => one.due !== null);
  body(log, at).due -= 60_000_000;
  isTold(log, { differ: [["due", at]] });
});

test("3 another number of places is free", () => {
  const log = copyOfClean();
  const at = log.entries.findIndex((entry) => entry.kind === "DECISION" && Object.keys(entry.body?.head?.facts.free ?? {}).length > 0);
  const { free } = body(log, at).head.facts;
  free[Object.keys(free)[0]!] += 1;
  isTold(log, { find: [["FREE_FALSE", at]] });
});

test("4 an old bundle decides, though the broker has a newer one", () => {
  const log = copyOfClean();
  const later = headsAfter(log, addBundle(log, 250));
  const { tally } = judgeLog(log);
  assert.ok(later.length > 0);
  assert.deepEqual(tally.findings.filter((one) => one.code === "BUNDLE_OLD").map((one) => one.entry), later);
  assert.equal(tally.exitCode(), 3);
});

test("4 an old bundle decides, though a newer one has decided before", () => {
  const log = copyOfClean();
  const [newer, older] = headsAfter(log, addBundle(log, 250)).filter((index) => body(log, index).head.kind === "RECORD");
  body(log, newer!).head.facts.bundle = 2;
  log.entries.forEach((entry) => entry.index > older! && entry.body?.head && (entry.body.head.facts.bundle = 2));
  const { findings } = judgeLog(log).tally;
  const weights = findings.filter((one) => one.code === "BUNDLE_OLD" && one.entry === older).map((one) => one.weight);
  assert.deepEqual(weights, [log.entries[older!]!.recordedAt > log.entries[newer!]!.recordedAt + 60_000_000 || log.entries[older!]!.partition === log.entries[newer!]!.partition ? "bad" : "unchecked"]);
});

test("5 the last decision of an answer is left out, and the rest is numbered again", () => {
  const log = copyOfClean();
  const at = log.entries.findIndex((entry, index) => {
    const [before, after] = [log.entries[index - 1], log.entries[index + 1]];
    return entry.kind === "DECISION" && entry.body && typeName(entry) === "step-done" && before?.causeId === entry.causeId && after?.causeId !== entry.causeId;
  });
  const before = at - 1;
  drop(log, [at]);
  renumber(log, log.entries[before]!.caseId!);
  isTold(log, { differ: [["complete", before]] });
});

test("5 a decision is left out, and nothing is numbered again", () => {
  const log = copyOfClean();
  const at = firstOf(log, "undo-allowed");
  const next = log.entries.findIndex((entry, index) => index > at && entry.kind === "DECISION" && entry.caseId === log.entries[at]!.caseId);
  drop(log, [at]);
  isTold(log, { differ: [["complete", at - 1]], find: [["SEQUENCE_GAP", next]] });
});

test("6 an input is not answered, and a later one is", () => {
  const log = copyOfClean();
  const at = firstOf(log, "offer-acknowledged", (one) => one.due_what === "decide");
  const { caseId, causeId } = log.entries[at]!;
  const input = log.entries.findIndex((entry) => entry.eventId === causeId && entry.kind === "EVENT");
  drop(log, [at]);
  renumber(log, caseId!);
  isTold(log, { find: [["NOT_DECIDED", input]] });
});

test("7 an alarm is not answered", () => {
  const log = copyOfClean();
  const at = log.entries.findLastIndex((entry) => entry.body?.head?.kind === "DUE");
  const { caseId } = log.entries[at]!;
  const later = log.entries.filter((entry) => entry.index >= at && entry.caseId === caseId).map((entry) => entry.index);
  const last = log.entries.findLastIndex((entry) => entry.index < at && entry.kind === "DECISION" && entry.caseId === caseId);
  drop(log, later);
  isTold(log, { find: [["OVERDUE", last]] });
});

test("8 a rung is skipped", () => {
  const log = copyOfClean();
  const at = firstOf(log, "offer-escalated");
  body(log, at).rung += 1;
  isTold(log, { differ: [["rung", at]] });
});

test("9 another procedure's file begins", () => {
  const log = copyOfClean();
  const at = firstOf(log, "track-changed", (one) => one.pathway === "child-labour");
  body(log, at).digest = body(log, firstOf(log, "track-changed", (one) => one.pathway === "disability")).digest;
  isTold(log, { differ: [["procedure", at]] });
});

test("10 an agency may see more", () => {
  const log = copyOfClean();
  const at = firstOf(log, "offer-opened", (one) => one.kind === "NOTIFY");
  body(log, at).shows.push("identity");
  isTold(log, { differ: [["shows", at]] });
});

test("11 a step is closed without its answer", () => {
  const log = copyOfClean();
  const at = firstOf(log, "offer-acknowledged");
  const acknowledged = log.entries[at]!;
  const offer = body(log, firstOf(log, "offer-opened", (one) => one.offer_id === acknowledged.body.offer_id));
  const done = { ...acknowledged, type: "step-done.v1", caseSeq: 0, body: { head: null, why: acknowledged.body.why, track_id: offer.track_id, step: offer.step, round: 0, outcome: "done" } };
  log.entries.splice(at + 1, 0, done);
  log.entries.forEach((entry, index) => (entry.index = index));
  renumber(log, acknowledged.caseId!);
  isTold(log, { differ: [["ended", at + 1]] });
});

test("12 a record is said to be lost that stands in the log", () => {
  const log = copyOfClean();
  const { at } = sayLost(log);
  const { tally } = judgeLog(log);
  const found = tally.findings.filter((one) => one.entry === at).map((one) => [one.code, one.weight]);
  // Nobody was told of the task that was made up for it.
  assert.deepEqual(found, [["LOST_FALSE", "bad"], ["NOT_KNOCKED", "unchecked"]]);
  assert.deepEqual(tally.differences, []);
});
