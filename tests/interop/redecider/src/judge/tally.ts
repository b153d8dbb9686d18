/** Counts statements that agree, collects those that differ, and names what was not compared. */
import { isDeepStrictEqual } from "node:util";

export type Weight = "bad" | "unchecked" | "note";

export interface Finding {
  entry: number;
  code: string;
  weight: Weight;
  message: string;
}

export interface Difference {
  kind: Kind;
  entry: number;
  rule: string;
  expected: unknown;
  found: unknown;
}

/** The kinds of statement, with what each says. */
export const kinds = {
  head: "the head has the fields of its kind, and no others",
  procedure: "this procedure begins, by this file",
  step: "this step begins, now or later, with these seats",
  agency: "this agency is asked, and no other before it",
  shows: "it may see and answer this",
  due: "it has until then",
  rung: "this rung is knocked",
  limit: "a limit has passed",
  ended: "the offer, the step, the procedure or the case has ended",
  desk: "a desk is asked",
  answer: "the input is answered by this event",
  case: "the case holds what the input says",
  decided: "this code was decided",
  settled: "a desk's task is settled",
  undo: "the answer may be taken back until then",
  complete: "nothing that follows is left out",
  ids: "the id that the event makes follows from its cause",
  why: "procedure, directory and engine are those that it names",
  free: "so many places are free, over all cases",
  bundle: "no newer bundle was in use, and this one had come",
  lost: "this record was lost",
} as const;

export type Kind = keyof typeof kinds;

export class Tally {
  readonly agreed = new Map<Kind, number>();
  readonly differences: Difference[] = [];
  readonly findings: Finding[] = [];
  readonly notCompared = new Map<string, number>();

  /** One statement. Values are compared, not bytes. Returns whether it agrees. */
  compare(kind: Kind, entry: number, rule: string, expected: unknown, found: unknown): boolean {
    if (isDeepStrictEqual(expected, found)) {
      this.agree(kind);
      return true;
    }
    this.differences.push({ kind, entry, rule, expected, found });
    return false;
  }

  /** A statement that agrees; where it would not, a finding of its own stands. */
  agree(kind: Kind): void {
    this.agreed.set(kind, (this.agreed.get(kind) ?? 0) + 1);
  }

  skip(name: string): void {
    this.notCompared.set(name, (this.notCompared.get(name) ?? 0) + 1);
  }

  find(entry: number, code: string, weight: Weight, message: string): void {
    this.findings.push({ entry, code, weight, message });
  }

  exitCode(): 0 | 1 | 3 {
    if (this.differences.length > 0 || this.findings.some((finding) => finding.weight === "bad")) return 1;
    return this.findings.some((finding) => finding.weight === "unchecked") ? 3 : 0;
  }
}
