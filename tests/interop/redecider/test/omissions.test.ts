/** What did not happen, and which bundle and engine decided: sections 15.3 and 15.6, on decoded copies of the exports. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isInput, typeName } from "../src/case/answers.js";
import type { Entry, Log } from "../src/log/entries.js";
import { judgeLog } from "../src/judge/run.js";
import { addAlarm, addBundle, addQuarantine, endLater, headsAfter, minute, sayLost } from "./changes.js";
import { body, copyOfClean, drop, firstOf, loadExport, renumber } from "./clean.js";

/** The findings of some codes: code, entry, weight. */
function found(log: Log, ...codes: string[]): [string, number, string][] {
  return judgeLog(log).tally.findings.filter((one) => codes.includes(one.code)).map((one) => [one.code, one.entry, one.weight]);
}

const knocks = ["knock-sent", "knock-failed", "rung-failed"];

const isDecision = (log: Log, index: number): boolean => log.entries[index]!.kind === "DECISION";

test("BUNDLE_EARLY: the broker had the bundle after the decision", () => {
  const log = copyOfClean();
  const at = addBundle(log);
  const last = log.entries.findLastIndex((entry) => entry.index < at && entry.body?.head && entry.kafkaTime < log.entries[at]!.kafkaTime - 60_000);
  body(log, last).head.facts.bundle = 2;
  assert.deepEqual(found(log, "BUNDLE_EARLY"), [["BUNDLE_EARLY", last, "unchecked"]]);
});

test("BUNDLE_OLD is unchecked beside an older engine", () => {
  const log = copyOfClean();
  const heads = headsAfter(log, addBundle(log, 250));
  const older = heads.at(-1)!;
  for (const index of heads) if (index !== older) body(log, index).head.facts.bundle = 2;
  body(log, older).head.facts.engine = 4;
  assert.deepEqual(found(log, "BUNDLE_OLD"), [["BUNDLE_OLD", older, "unchecked"]]);
  body(log, older).head.facts.engine = 5;
  assert.deepEqual(found(log, "BUNDLE_OLD"), [["BUNDLE_OLD", older, "bad"]]);
});

test("ENGINE_OLD is named once", () => {
  const log = copyOfClean();
  const start = log.entries.find((entry) => entry.kind === "DECISION")!.recordedAt;
  const late = log.entries.filter((entry) => entry.body?.head && isDecision(log, entry.index) && entry.recordedAt > start + 90 * minute);
  for (const entry of late) entry.body.head.facts.engine = 4;
  assert.equal(found(log, "ENGINE_OLD").length, 1);
});

test("DUE_EARLY: an alarm is answered before its time", () => {
  const log = copyOfClean();
  const at = log.entries.findIndex((entry) => entry.body?.head?.kind === "DUE");
  body(log, at).head.due += 2 * minute;
  assert.deepEqual(found(log, "DUE_EARLY"), [["DUE_EARLY", at, "bad"]]);
});

test("INPUT is unchecked where the topic was not read to its end", () => {
  const log = loadExport("lies/no-input");
  const heartbeat = log.entries.findLast((entry) => entry.kind === "HEARTBEAT")!;
  heartbeat.body.unread["referral-intake/6"] = 2;
  assert.deepEqual(found(log, "INPUT").map(([, , weight]) => weight), ["unchecked"]);
});

test("FREE_FALSE: two partitions within a minute have either order, one partition has not", () => {
  const log = copyOfClean();
  const opened = log.entries[firstOf(log, "offer-opened", (one) => one.kind === "PLACE" && one.service.endsWith(".beds"))]!;
  const { service } = opened.body;
  // The last answer of another partition before it, which could not count this place.
  const near = log.entries.findLast((entry) => entry.partition !== opened.partition && entry.index < opened.index && entry.body?.head?.facts?.free[service] !== undefined)!;
  near.recordedAt = opened.recordedAt + minute;
  assert.deepEqual(found(log, "FREE_FALSE"), []);
  near.recordedAt += 1;
  assert.deepEqual(found(log, "FREE_FALSE"), [["FREE_FALSE", near.index, "bad"]]);
});

/** The first alarm after which no other of its partition was answered. */
function lastAlarm(log: Log): Entry {
  const alarms = log.entries.filter((entry) => entry.kind === "DECISION" && entry.body?.head?.kind === "DUE");
  return alarms.find((one) => !alarms.some((other) => other.index > one.index && other.partition === one.partition && other.caseId !== one.caseId))!;
}

/** Takes the answer to an input out of the middle of a partition, and everything that follows in its case. */
function forget(log: Log, head: number): void {
  const { caseId } = log.entries[head]!;
  drop(log, log.entries.filter((entry) => entry.index >= head && entry.caseId === caseId && entry.kind === "DECISION").map((entry) => entry.index));
}

test("OVERDUE is bad where a later alarm of its partition was answered", () => {
  const log = copyOfClean();
  endLater(log, 60 * 24);
  const alarm = lastAlarm(log);
  forget(log, alarm.index);
  const last = log.entries.findLastIndex((entry) => entry.index < alarm.index && entry.caseId === alarm.caseId && entry.kind === "DECISION");
  assert.deepEqual(found(log, "OVERDUE").filter(([, entry]) => entry === last), [["OVERDUE", last, "unchecked"]]);
  addAlarm(log, alarm.partition, alarm.body.head.due + 1, alarm.kafkaTime + 60_000);
  assert.deepEqual(found(log, "OVERDUE").filter(([, entry]) => entry === last), [["OVERDUE", last, "bad"]]);
});

test("OVERDUE is bad where inputs of its partition were answered after it", () => {
  const log = copyOfClean();
  const alarm = lastAlarm(log);
  forget(log, alarm.index);
  const last = log.entries.findLastIndex((entry) => entry.index < alarm.index && entry.caseId === alarm.caseId && entry.kind === "DECISION");
  const weight = (): string[] => found(log, "OVERDUE").filter(([, entry]) => entry === last).map(([, , one]) => one);
  assert.deepEqual(weight(), ["unchecked"]);
  // Two inputs of another case, answered at once, now stand in this partition, ten minutes apart.
  const others = log.entries.filter((entry) => entry.body?.head?.kind === "RECORD" && entry.caseId !== alarm.caseId).slice(0, 2);
  others.forEach((entry, at) => {
    const input = log.entries.find((one) => one.eventId === entry.causeId)!;
    input.kafkaTime = entry.kafkaTime = alarm.body.head.due / 1000 + (6 + 10 * at) * 60_000;
    entry.partition = alarm.partition;
  });
  assert.deepEqual(weight(), ["bad"]);
});

test("NOT_DECIDED is bad where a later alarm was answered", () => {
  const log = loadExport("lies/unanswered");
  const answered = new Set(log.entries.map((entry) => entry.causeId));
  const input = log.entries.find((entry) => isInput(entry) && !answered.has(entry.eventId))!;
  assert.deepEqual(found(log, "NOT_DECIDED"), [["NOT_DECIDED", input.index, "unchecked"]]);
  endLater(log, 60);
  addAlarm(log, input.partition, input.kafkaTime * 1000 + 2 * minute, input.kafkaTime + 180_000);
  assert.deepEqual(found(log, "NOT_DECIDED").filter(([, entry]) => entry === input.index), [["NOT_DECIDED", input.index, "bad"]]);
});

test("NOT_DECIDED is unchecked where routing said that it could not take the input", () => {
  const log = copyOfClean();
  const at = firstOf(log, "offer-acknowledged", (one) => one.due_what === "decide");
  const { caseId, causeId } = log.entries[at]!;
  const input = log.entries.find((entry) => entry.eventId === causeId && entry.kind === "EVENT")!;
  drop(log, [at]);
  renumber(log, caseId!);
  addQuarantine(log, input);
  assert.deepEqual(found(log, "NOT_DECIDED"), [["NOT_DECIDED", input.index, "unchecked"]]);
});

test("LOST_UNPROVEN: the record can be read, and routing says that it could not", () => {
  const log = copyOfClean();
  const { at, input } = sayLost(log);
  addQuarantine(log, input);
  assert.deepEqual(found(log, "LOST_FALSE", "LOST_UNPROVEN"), [["LOST_UNPROVEN", at, "unchecked"]]);
});

test("LOST_FALSE: a record is said to be lost of which nothing shows that it was", () => {
  const log = copyOfClean();
  const { at } = sayLost(log);
  const head = body(log, at).head;
  Object.assign(head, { lost_seq: 4711, offset: 4711 });
  renumber(log, log.entries[at]!.caseId!);
  assert.deepEqual(found(log, "LOST_FALSE"), [["LOST_FALSE", at, "bad"]]);
});

/** Whether the notifier says something of another offer within a minute after one was opened. */
function isAtWorkBeside(log: Log, offer: { offer_id: string }): boolean {
  const opened = log.entries[firstOf(log, "offer-opened", (one) => one.offer_id === offer.offer_id)]!;
  const after = (entry: Entry): number => entry.kafkaTime - opened.kafkaTime;
  return log.entries.some((entry) => knocks.includes(typeName(entry)) && entry.body?.offer_id !== offer.offer_id && after(entry) >= 0 && after(entry) < 60_000);
}

/** Takes away what the notifier says of one rung that is left after a while. */
function silence(log: Log): number {
  const escalated = log.entries.filter((entry) => entry.body && typeName(entry) === "offer-escalated").map((entry) => entry.body.offer_id);
  const opened = firstOf(log, "offer-opened", (one) => escalated.includes(one.offer_id) && isAtWorkBeside(log, one));
  const { offer_id: offer, rung } = body(log, opened);
  const told = log.entries.filter((entry) => entry.topic === "referral-notification" && entry.body?.offer_id === offer && entry.body.rung === rung);
  for (const entry of told) entry.body = { ...entry.body, rung: 99 };
  return opened;
}

test("NOT_KNOCKED is bad where the notifier was at work, and unchecked where nothing shows it or it was paused", () => {
  const log = copyOfClean();
  const opened = silence(log);
  assert.deepEqual(found(log, "NOT_KNOCKED"), [["NOT_KNOCKED", opened, "bad"]]);
  const idle = copyOfClean();
  silence(idle);
  for (const entry of idle.entries) if (knocks.includes(typeName(entry))) entry.kafkaTime += 61_000;
  assert.deepEqual(found(idle, "NOT_KNOCKED"), [["NOT_KNOCKED", opened, "unchecked"]]);
  const act = log.entries.find((entry) => entry.kind === "ADMINISTRATION" && entry.index < opened)!;
  act.body = { ...act.body, command: "duty pause" };
  assert.deepEqual(found(log, "NOT_KNOCKED"), [["NOT_KNOCKED", opened, "unchecked"]]);
});

test("NOT_KNOCKED is bad where the notifier wrote nothing for a day", () => {
  const log = copyOfClean();
  const opened = silence(log);
  endLater(log, 60 * 48);
  const from = log.entries[opened]!.kafkaTime;
  for (const entry of log.entries) if (entry.topic === "referral-notification" && entry.kafkaTime > from) entry.kafkaTime = from - 1;
  assert.ok(found(log, "NOT_KNOCKED").some(([, entry, weight]) => entry === opened && weight === "bad"));
});

test("without a heartbeat only the rows that need none are judged", () => {
  const log = copyOfClean();
  drop(log, log.entries.filter((entry) => entry.kind === "HEARTBEAT").map((entry) => entry.index));
  silence(log);
  assert.deepEqual(found(log, "NOT_KNOCKED", "OVERDUE", "NOT_DECIDED"), []);
});
