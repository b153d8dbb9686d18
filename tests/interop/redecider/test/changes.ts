/** Larger changes of a decoded clean export, each with all ids that follow from it. */
import { derive } from "../src/case/ids.js";
import type { Entry, Log } from "../src/log/entries.js";
import { typeName } from "../src/case/answers.js";
import { digestOfFiles } from "../src/policy/digests.js";
import { body, firstOf, renumber } from "./clean.js";

export const minute = 60_000_000;

/** A pinned second bundle, in the place of the first message after an entry that may go. */
export function addBundle(log: Log, after = log.entries.findLastIndex((entry) => typeName(entry) === "knock-sent") - 1): number {
  const policy = log.entries.find((entry) => entry.kind === "POLICY")!;
  const files = { ...policy.body.files, "guidance/new.en.md": Buffer.from("# New\n") };
  const digest = digestOfFiles(new Map(Object.entries<Buffer>(files)));
  const keys = log.entries[0]!;
  keys.payload = { ...keys.payload!, value: Buffer.concat([keys.payload!.value, Buffer.from(`# policy-bundle 2 ${digest}\n`)]) };
  const at = log.entries.findIndex((entry) => entry.index > after && entry.kind === "EVENT" && typeName(entry) === "knock-sent");
  const { recordedAt, kafkaTime, loggedAt } = log.entries[at]!;
  const content = { ...policy.body, number: 2, digest, files, at: recordedAt, before: policy.body.digest, signatures: [] };
  log.entries[at] = { ...policy, index: at, kafkaTime, loggedAt, body: content };
  return at;
}

/** The answers that were recorded more than a minute after an entry came to the broker. */
export function headsAfter(log: Log, at: number): number[] {
  const time = log.entries[at]!.kafkaTime * 1000 + minute;
  return log.entries.filter((entry) => entry.kind === "DECISION" && entry.body?.head && entry.recordedAt > time).map((entry) => entry.index);
}

/** An answer says that its input was lost, which stands in the log. */
export function sayLost(log: Log): { at: number; input: Entry } {
  const at = firstOf(log, "offer-acknowledged", (one) => one.due_what === "decide");
  const answer = log.entries[at]!;
  const input = log.entries.find((entry) => entry.eventId === answer.causeId)!;
  const head = { ...answer.body.head, kind: "LOST", lost_seq: input.caseSeq, lost_reason: "gap" };
  const task = body(log, firstOf(log, "needs-person", (one) => one.about === "record-lost"));
  answer.type = "needs-person.v2";
  const opened = log.entries.find((entry) => entry.caseId === answer.caseId && entry.body && typeName(entry) === "case-opened")!;
  answer.body = { ...task, head, desk: `desk-${opened.body.traits.found_in}`, due: head.facts.now + 15 * minute };
  renumber(log, answer.caseId!);
  answer.body.task_id = derive(answer.causeId!, "task:0");
  return { at, input };
}

/** A quarantine record of a reader for a position, in the place of a cover entry. */
export function addQuarantine(log: Log, record: Entry, reader = "routing", reason = "body"): number {
  const at = log.entries.findIndex((entry) => entry.kind === "COVER");
  const { topic, partition, offset, caseId, caseSeq } = record;
  const key = Buffer.from(`${reader}/${topic}/${partition}/${offset}`);
  const content = { topic, partition, offset, reader, reason, case_id: caseId, case_seq: caseSeq };
  log.entries[at] = { ...log.entries[at]!, kind: "QUARANTINE", topic: "referral-quarantine", partition: 0, offset: 99, payload: { key, value: Buffer.alloc(0), headers: [] }, body: content };
  return at;
}

/** The last heartbeat comes later, so that the log ends later. */
export function endLater(log: Log, minutes: number): void {
  const last = log.entries.findLastIndex((entry) => entry.kind === "HEARTBEAT");
  const heartbeat = log.entries[last]!;
  log.entries[last] = { ...heartbeat, loggedAt: heartbeat.loggedAt + minutes * minute };
}

/** Another case answers an alarm in a partition. */
export function addAlarm(log: Log, partition: number, due: number, kafkaTime: number): void {
  const answer = log.entries.find((entry) => entry.kind === "DECISION" && entry.body?.head)!;
  const head = { ...answer.body.head, kind: "DUE", topic: "", partition: -1, offset: -1, due };
  log.entries.push({ ...answer, index: log.entries.length, partition, kafkaTime, caseId: "00000000-0000-4000-8000-00000000ffff", causeId: answer.eventId, body: { ...answer.body, head } });
}
