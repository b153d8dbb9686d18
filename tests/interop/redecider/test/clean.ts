/** The clean export, decoded once, and copies of it that a test may change. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import type { Entry, Log } from "../src/log/entries.js";
import { loadLog } from "../src/log/load.js";
import { causeOf } from "../src/judge/heads.js";
import { groupCases, typeName } from "../src/case/answers.js";
import { derive } from "../src/case/ids.js";

/** The compiled tests stand two folders below this program. */
const beside = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** The folders of the vectors and of the exports, of section 17. */
export const vectorsFolder = process.env.JUDGE_VECTORS ?? beside("../vectors/log-format");
export const exportsFolder = process.env.JUDGE_EXPORTS ?? beside("../exports");

export function loadExport(name: string): Log {
  const folder = join(exportsFolder, name);
  return loadLog(join(folder, "export"), join(folder, "auditor.key"));
}

let clean: Log | null = null;

export function cleanLog(): Log {
  clean ??= loadExport("clean");
  return clean;
}

/** A copy whose decisions and inputs may be changed; what only is read is shared. */
export function copyOfClean(): Log {
  const log = cleanLog();
  return { ...log, entries: log.entries.map(copyOf) };
}

function copyOf(entry: Entry): Entry {
  return entry.kind === "DECISION" && entry.body ? { ...entry, body: JSON.parse(JSON.stringify(entry.body)) } : { ...entry };
}

/** Takes entries out of the log as if they had never been written. */
export function drop(log: Log, indexes: number[]): void {
  for (const index of indexes) log.entries[index] = { ...log.entries[index]!, kind: "COVER", topic: "", caseId: null, body: null, payload: null };
}

/** Numbers the decisions of a case again, and derives their ids and causes anew, as somebody would who hides a change. */
export function renumber(log: Log, caseId: string): void {
  const decisions = log.entries.filter((entry) => entry.kind === "DECISION" && entry.caseId === caseId);
  decisions.forEach((entry, at) => (entry.caseSeq = at + 1));
  const own = groupCases(log.entries).find((one) => one.id === caseId)!;
  for (const answer of own.answers) {
    const input = own.inputs.find((one) => answer.head.kind === "RECORD" && one.topic === answer.head.topic && one.offset === answer.head.offset) ?? null;
    const cause = causeOf(answer, input)!;
    answer.events.forEach((entry, place) => Object.assign(entry, { causeId: cause, eventId: derive(cause, String(place)) }));
  }
}

/** The first decision of a type whose body fits. */
export function firstOf(log: Log, type: string, holds: (body: any) => boolean = () => true): number {
  const index = log.entries.findIndex((entry) => entry.kind === "DECISION" && entry.body && typeName(entry) === type && holds(entry.body));
  assert.ok(index >= 0, `the clean export has no such ${type}`);
  return index;
}

export const body = (log: Log, index: number): any => log.entries[index]!.body;
