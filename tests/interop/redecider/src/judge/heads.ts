/** Findings about heads, causes, times and ids of the answers of one case: sections 15.2 and 15.3. */
import type { Entry } from "../log/entries.js";
import { derive } from "../case/ids.js";
import type { Answer, CaseEntries } from "../case/answers.js";
import { minute, type Horizon } from "./horizon.js";
import type { Tally } from "./tally.js";

/** Versions of the rules that this program judges. */
export const engines = new Set([3, 4, 5]);
export const newestEngine = 5;

export interface HeadCheck {
  /** The input that the answer names. */
  input: Entry | null;
  /** Whether its statements can be compared. */
  sound: boolean;
  /** Whether the case can be judged further. */
  ends: boolean;
}

export function checkHead(tally: Tally, own: CaseEntries, answer: Answer, causes: Set<string>, time: number, horizon: Horizon): HeadCheck {
  const first = answer.events[0]!;
  const bad = (code: string, message: string): void => tally.find(first.index, code, "bad", message);
  const head = answer.head;
  if (!head) {
    bad("HEAD_MISSING", "the answer does not say upon what it was decided");
    return { input: null, sound: false, ends: true };
  }
  const input = head.kind === "RECORD" ? entryAt(own, head) : null;
  if (head.kind === "RECORD" && (!input || input.body === null)) {
    const weight = !input && mayCome(horizon, first, head) ? "unchecked" : "bad";
    tally.find(first.index, "INPUT", weight, `no readable entry of this case stands at ${head.topic}/${head.partition}/${head.offset}`);
    return { input: null, sound: false, ends: true };
  }
  let sound = true;
  if (causes.has(answer.causeId)) {
    bad("DECIDED_TWICE", "an earlier answer has the same cause");
    return { input, sound: false, ends: false };
  }
  causes.add(answer.causeId);
  checkIds(tally, answer);
  const cause = causeOf(answer, input);
  if (cause !== answer.causeId) {
    bad("CAUSE_DIFFERS", `the cause is ${cause}, and the answer names ${answer.causeId}`);
    sound = false;
  }
  const now: number = head.facts.now;
  if (now < first.recordedAt - minute || now > Math.max(first.recordedAt, time) + minute) {
    bad("DECIDED_AT", `limits were judged at ${inWords(now)}, and it was recorded at ${inWords(first.recordedAt)}`);
  }
  if (head.kind === "DUE" && head.due > now + minute) bad("DUE_EARLY", `the alarm of ${inWords(head.due)} was answered at ${inWords(now)}`);
  if (!engines.has(head.facts.engine)) {
    tally.find(first.index, "OTHER_ENGINE", "unchecked", `the rules have version ${head.facts.engine}, which is not here`);
    sound = false;
  }
  if (["engine-failed", "ENGINE_FAILED"].includes(first.body.why.rule)) {
    tally.find(first.index, "ENGINE_FAILED", "unchecked", "the rules failed, and a person was asked");
    sound = false;
  }
  return { input, sound, ends: false };
}

function checkIds(tally: Tally, answer: Answer): void {
  answer.events.forEach((entry, place) => {
    if (derive(answer.causeId, String(place)) !== entry.eventId) tally.find(entry.index, "EVENT_ID", "bad", `the id does not follow from the cause and place ${place}`);
    if (place > 0 && entry.body?.head) tally.find(entry.index, "DECISION_DIFFERS", "bad", "a later event of an answer has a head");
  });
}

function entryAt(own: CaseEntries, head: { topic: string; partition: number; offset: number }): Entry | null {
  return own.inputs.find((entry) => entry.topic === head.topic && entry.partition === head.partition && entry.offset === head.offset) ?? null;
}

export function causeOf(answer: Answer, input: Entry | null): string | null {
  const head = answer.head;
  if (head.kind === "RECORD") return input?.eventId ?? null;
  if (head.kind === "DUE") return derive(answer.caseId, `due:${head.due}:${answer.seqBefore}`);
  return derive(answer.caseId, `lost:${head.topic}:${head.lost_seq}:${head.partition}:${head.offset}`);
}

/** The record may stand in the part of the log that is not read yet. */
function mayCome(horizon: Horizon, first: Entry, head: { topic: string; partition: number }): boolean {
  return horizon.last !== null && (first.index > horizon.last.index || !horizon.endsKnown || horizon.isUnread(head.topic, head.partition));
}

export function inWords(time: number): string {
  return new Date(time / 1000).toISOString();
}
