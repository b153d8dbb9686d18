/** Groups the entries of the log into cases, and the decisions of each case into answers: section 15.1. */
import type { Value } from "../log/avro.js";
import type { Entry } from "../log/entries.js";

export interface Answer {
  caseId: string;
  causeId: string;
  events: Entry[];
  head: Value | null;
  /** `case_seq` of the last decision before this answer; 0 if there is none. */
  seqBefore: number;
}

export interface CaseEntries {
  id: string;
  inputs: Entry[];
  answers: Answer[];
  /** Every entry of the case, in the order of the log. */
  all: Entry[];
  /** Its bodies cannot be opened: it has no key. */
  closed: boolean;
}

const inputTypes = new Set([
  "actor-excluded",
  "answer-withdrawn",
  "consent-changed",
  "instruction-given",
  "knock-answered",
  "knock-disowned",
  "record-disowned",
  "referral-submitted",
  "referral-withdrawn",
  "response-submitted",
  "rung-failed",
  "rung-reached",
  "traits-changed",
]);
const sequenced = new Set(["EVENT", "DECISION", "DISCLOSURE", "ERASURE"]);

/** The name of a type without its version. */
export function typeName(entry: Entry): string {
  return entry.type.replace(/\.v[0-9]+$/, "");
}

export function isInput(entry: Entry): boolean {
  return !entry.forged && sequenced.has(entry.kind) && entry.topic !== "referral-routing" && inputTypes.has(typeName(entry));
}

export function groupCases(entries: Entry[]): CaseEntries[] {
  const cases = new Map<string, CaseEntries>();
  for (const entry of entries) {
    if (entry.caseId === null || entry.forged || entry.kind === "FOREIGN" || entry.kind === "UNREADABLE") continue;
    const own = cases.get(entry.caseId) ?? { id: entry.caseId, inputs: [], answers: [], all: [], closed: false };
    cases.set(entry.caseId, own);
    own.all.push(entry);
    if (isInput(entry)) own.inputs.push(entry);
  }
  for (const own of cases.values()) {
    const decisions = own.all.filter((entry) => entry.kind === "DECISION");
    const bodies = own.all.filter((entry) => entry.kind === "DECISION" || isInput(entry));
    own.closed = bodies.length > 0 && bodies.every((entry) => entry.body === null);
    own.answers = answersOf(own.id, decisions.sort((a, b) => a.caseSeq - b.caseSeq || a.index - b.index));
  }
  return [...cases.values()];
}

function answersOf(caseId: string, decisions: Entry[]): Answer[] {
  const answers: Answer[] = [];
  let seq = 0;
  for (const entry of decisions) {
    const last = answers.at(-1);
    // A second head begins a second answer, also to the same input.
    if (last && last.causeId === entry.causeId && !(entry.body?.head && last.events.length > 0)) last.events.push(entry);
    else answers.push({ caseId, causeId: entry.causeId!, events: [entry], head: entry.body?.head ?? null, seqBefore: seq });
    seq = entry.caseSeq;
  }
  return answers;
}
