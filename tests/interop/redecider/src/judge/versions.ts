/** Which bundle and which version of the rules decided, against the decisions around: BUNDLE_OLD, BUNDLE_EARLY and ENGINE_OLD of section 15.3. */
import type { Entry } from "../log/entries.js";
import type { Answer } from "../case/answers.js";
import type { PolicyChain } from "../policy/chain.js";
import type { Bundle } from "../policy/bundle.js";
import { brokerTime, minute } from "./horizon.js";
import type { Tally } from "./tally.js";

interface Made {
  first: Entry;
  bundle: number;
  engine: number;
}

export class Versions {
  private readonly made: Made[] = [];
  private namedOld = false;

  constructor(answers: Answer[], private readonly chain: PolicyChain, private readonly entries: Entry[]) {
    for (const { head, events } of answers) {
      if (head?.facts) this.made.push({ first: events[0]!, bundle: head.facts.bundle ?? 0, engine: head.facts.engine });
    }
  }

  /** The bundle that decides; null if there is none to judge by. */
  check(tally: Tally, answer: Answer): Bundle | null {
    const first = answer.events[0]!;
    const { bundle: number, engine }: { bundle: number | null; engine: number } = answer.head.facts;
    this.checkEngine(tally, first, engine);
    const named = number === null ? undefined : this.chain.numbered(number);
    if (!named) {
      tally.find(first.index, "POLICY_MISSING", "bad", `no believed bundle has the number ${number}`);
      return null;
    }
    const before = tally.findings.length;
    const entry = this.entries[this.chain.entryOf(named.number)!]!;
    if (brokerTime(first) < brokerTime(entry) - minute) tally.find(first.index, "BUNDLE_EARLY", "unchecked", `the broker had bundle ${number} later than the decision`);
    this.checkOld(tally, first, named.number, engine);
    if (tally.findings.length === before) tally.agree("bundle");
    return named;
  }

  private checkOld(tally: Tally, first: Entry, number: number, engine: number): void {
    const newer = this.made.filter((one) => one.bundle > number && this.chain.numbered(one.bundle) && isBefore(one.first, first));
    if (newer.length > 0) {
      const weight = newer.every((one) => engine < one.engine) ? "unchecked" : "bad";
      tally.find(first.index, "BUNDLE_OLD", weight, `bundle ${number} decides, and the entry ${newer[0]!.first.index} before was decided by bundle ${newer[0]!.bundle}`);
      return;
    }
    const waiting = this.chain.believed.find((one) => one.number > number && brokerTime(this.entries[one.entry]!) < first.recordedAt - minute);
    if (waiting) tally.find(first.index, "BUNDLE_OLD", "unchecked", `bundle ${number} decides, and the broker had bundle ${waiting.number} before`);
  }

  private checkEngine(tally: Tally, first: Entry, engine: number): void {
    const newer = this.made.find((one) => one.engine > engine && one.first.recordedAt < first.recordedAt - 60 * minute);
    if (!newer || this.namedOld) return;
    this.namedOld = true;
    tally.find(first.index, "ENGINE_OLD", "unchecked", `version ${engine} of the rules decides, an hour after version ${newer.engine} did at entry ${newer.first.index}`);
  }
}

function isBefore(one: Entry, first: Entry): boolean {
  return (one.partition === first.partition && one.offset < first.offset) || one.recordedAt < first.recordedAt - minute;
}
