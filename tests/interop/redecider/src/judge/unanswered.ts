/** Inputs and limits that nobody answered, and records that were said to be lost: section 15.6. */
import type { Entry } from "../log/entries.js";
import { isInput, type Answer, type CaseEntries } from "../case/answers.js";
import { newestEngine, inWords } from "./heads.js";
import { brokerTime, late, minute, type Horizon } from "./horizon.js";
import type { Positions } from "./positions.js";
import type { Tally } from "./tally.js";

/** What an answer shows about its partition. */
interface Shown {
  partition: number;
  /** When the broker had the answer. */
  stands: number;
  /** Of an alarm. */
  due: number | null;
  /** When the broker had the input, if the answer came within a minute. */
  promptInput: number | null;
}

export class Unanswered {
  private readonly shown: Shown[] = [];

  constructor(private readonly tally: Tally, private readonly horizon: Horizon, private readonly positions: Positions, answers: Answer[], entries: Entry[]) {
    const inputs = new Map(entries.filter(isInput).map((entry) => [entry.eventId, entry]));
    for (const { events, head, causeId } of answers) {
      const first = events[0]!;
      const input = inputs.get(causeId);
      const prompt = input !== undefined && brokerTime(first) - brokerTime(input) <= minute;
      this.shown.push({ partition: first.partition, stands: brokerTime(first), due: head?.kind === "DUE" ? head.due : null, promptInput: prompt ? brokerTime(input) : null });
    }
  }

  /** NOT_DECIDED. A case with an erasure has none. */
  checkInputs(own: CaseEntries): void {
    if (own.all.some((entry) => entry.kind === "ERASURE")) return;
    for (const input of own.inputs) {
      if (own.answers.some((answer) => answers(answer, input)) || this.positions.isSetAside(input)) continue;
      const weight = this.weightOfInput(own, input);
      if (weight) this.tally.find(input.index, "NOT_DECIDED", weight[0], weight[1]);
    }
  }

  private weightOfInput(own: CaseEntries, input: Entry): ["bad" | "unchecked", string] | null {
    const { last, drill, endsKnown } = this.horizon;
    if (this.positions.isQuarantined(input)) return ["unchecked", "no answer names this input, and routing could not take it"];
    if (this.positions.laterIsAnswered(input)) return ["bad", "no answer names this input, and a later record of its partition was answered"];
    if (!last || input.loggedAt >= last.loggedAt - late) return null;
    const partition = own.answers[0]?.events[0]?.partition ?? input.partition;
    if (this.alarmsAnswered(partition).some((due) => due > brokerTime(input) + minute)) return ["bad", "no answer names this input, and a later alarm of its partition was answered"];
    if (drill || (endsKnown && this.horizon.isUnread("referral-routing", partition) && this.horizon.knownUntil("referral-routing", partition) <= brokerTime(input) + late)) return null;
    return ["unchecked", "no answer names this input"];
  }

  /** The alarms that were answered long enough before the end. */
  private alarmsAnswered(partition: number): number[] {
    return this.shown.filter((one) => one.partition === partition && one.due !== null && one.stands < this.horizon.end - late).map((one) => one.due!);
  }

  /** OVERDUE: the next limit of the case after its last answer. */
  checkLimit(own: CaseEntries, due: number | null): void {
    const { last, drill } = this.horizon;
    const answer = own.answers.at(-1);
    if (!last || due === null || !answer) return;
    const { partition } = answer.events[0]!;
    const old = due < last.loggedAt - late;
    const judged = answer.head.facts.engine === newestEngine && this.horizon.isRead("referral-routing", partition);
    const passedOver = (drill || old) && this.alarmsAnswered(partition).some((one) => due < one);
    const found = (weight: "bad" | "unchecked", why: string): void =>
      this.tally.find(answer.events.at(-1)!.index, "OVERDUE", weight, `the limit at ${inWords(due)} has passed, and nothing was decided${why}`);
    if (judged && passedOver) found("bad", ", though a later alarm of its partition was answered");
    else if (judged && !drill && old && this.workedAfter(partition, due)) found("bad", ", though inputs of its partition were answered after it");
    else if (!drill && old && !own.all.some((entry) => entry.index > last.index)) found("unchecked", "");
  }

  private workedAfter(partition: number, due: number): boolean {
    const times = this.shown.filter((one) => one.partition === partition && one.promptInput !== null).map((one) => one.promptInput!);
    const between = times.filter((time) => time > due + late && time < this.horizon.end - late).map((time) => Math.floor(time / minute));
    return between.length > 0 && Math.max(...between) - Math.min(...between) > late / minute;
  }

  /** LOST_FALSE and LOST_UNPROVEN: a record is said to be lost. */
  checkLost(own: CaseEntries, answer: Answer): void {
    const head = answer.head;
    const first = answer.events[0]!;
    const there = own.all.filter((entry) => entry.topic === head.topic && entry.caseSeq === head.lost_seq && entry.kind !== "GAP" && !entry.forged);
    const readable = there.find((entry) => entry.body !== null);
    const record = this.positions.at(head);
    if (readable && (this.positions.isQuarantined(readable) || this.positions.isQuarantined(head))) {
      this.tally.find(first.index, "LOST_UNPROVEN", "unchecked", `the record stands at entry ${readable.index} and can be read, and routing says that it could not read it`);
    } else if (readable && !this.positions.isOdd(record)) {
      this.tally.find(first.index, "LOST_FALSE", "bad", `the record stands at entry ${readable.index} and can be read`);
    } else if (there.length === 0 && !this.positions.isOdd(record) && !revealsGap(own, record, head) && this.standsLong(first)) {
      this.tally.find(first.index, "LOST_FALSE", "bad", "no record of the case has this sequence, and none shows that one is missing");
    } else this.tally.agree("lost");
  }

  private standsLong(first: Entry): boolean {
    return this.horizon.last === null || brokerTime(first) < this.horizon.end - late;
  }
}

/** A record of the case with a later sequence reveals the gap. */
function revealsGap(own: CaseEntries, record: Entry | undefined, head: { topic: string; lost_seq: number }): boolean {
  return record !== undefined && record.caseId === own.id && record.topic === head.topic && record.caseSeq > head.lost_seq;
}

/** A lost record that revealed a gap does not answer the record at the head's position. */
function answers({ head }: Answer, input: Entry): boolean {
  if (!head || head.topic !== input.topic || head.partition !== input.partition || head.offset !== input.offset) return false;
  return head.kind === "RECORD" || (head.kind === "LOST" && head.lost_seq === input.caseSeq);
}
