/** Rungs that were reached and never told: NOT_KNOCKED of section 15.6. */
import { typeName, type CaseEntries } from "../case/answers.js";
import type { Entry } from "../log/entries.js";
import { brokerTime, minute, type Horizon } from "./horizon.js";
import { rungsOf, type Rung } from "./rungs.js";
import type { Tally } from "./tally.js";

const day = 24 * 60 * minute;

export class Knocks {
  /** Times of every record of the notifier. */
  private readonly records: number[];
  /** Partition → whole minutes in which the notifier was at work. */
  private readonly atWork = new Map<number, Set<number>>();
  private readonly pauses: Entry[];
  private readonly resumes: Entry[];

  constructor(private readonly tally: Tally, private readonly horizon: Horizon, cases: CaseEntries[], entries: Entry[]) {
    this.records = entries.filter((entry) => entry.topic === "referral-notification" && !entry.forged && entry.kind !== "GAP").map(brokerTime);
    const acts = entries.filter((entry) => entry.kind === "ADMINISTRATION" && entry.body);
    this.pauses = acts.filter((entry) => entry.body.command === "duty pause");
    this.resumes = acts.filter((entry) => entry.body.command === "duty resume");
    for (const own of cases) this.addWork(own);
  }

  private addWork(own: CaseEntries): void {
    const reports = own.all.filter((entry) => ["knock-sent", "knock-failed", "rung-failed"].includes(typeName(entry)));
    for (const entry of own.all) {
      if (entry.kind !== "DECISION" || !["offer-opened", "offer-escalated", "needs-person"].includes(typeName(entry))) continue;
      const next = reports.find((one) => one.index > entry.index);
      if (!next || brokerTime(next) - brokerTime(entry) > minute) continue;
      const minutes = this.atWork.get(next.partition) ?? new Set<number>();
      this.atWork.set(next.partition, minutes.add(Math.floor(brokerTime(entry) / minute)));
    }
  }

  check(own: CaseEntries): void {
    this.checkArrivals(own);
    const { last, drill, end } = this.horizon;
    if (!last) return;
    for (const rung of rungsOf(own)) {
      const { partition } = rung.entry;
      if ((rung.entry.drill && !drill) || (rung.left && rung.left.index > last.index)) continue;
      if (isTold(own, rung)) continue;
      const reached = brokerTime(rung.entry);
      const until = rung.left ? brokerTime(rung.left) : end;
      const waited = until - reached;
      const isRead = this.horizon.isRead("referral-notification", partition);
      const known = isRead ? waited : Math.min(until, this.horizon.knownUntil("referral-notification", partition)) - reached;
      if (waited < patience(rung) || known < patience(rung)) continue;
      const [weight, why] = isRead ? this.weigh(rung, reached, waited) : ["unchecked" as const, "newer records of its partition are unread"];
      this.tally.find(rung.entry.index, "NOT_KNOCKED", weight, `nobody was told of rung ${rung.number} for ${Math.floor(waited / minute)} minutes: ${why}`);
    }
  }

  /** A message is said to have arrived, and none was sent to that rung. */
  private checkArrivals(own: CaseEntries): void {
    const sent = new Set<string>();
    let sequence = 0;
    for (const entry of own.all) {
      if (entry.topic !== "referral-notification" || entry.kind !== "EVENT" || entry.forged || !entry.body) continue;
      if (entry.caseSeq === sequence + 1) sequence += 1;
      const rung = `${entry.body.offer_id} ${entry.body.rung}`;
      if (["knock-sent", "knock-delivered"].includes(typeName(entry))) sent.add(rung);
      if (typeName(entry) === "rung-reached" && entry.caseSeq === sequence && !sent.has(rung)) {
        this.tally.find(entry.index, "NOT_KNOCKED", "bad", `a message is said to have reached rung ${entry.body.rung}, and none was sent`);
      }
    }
  }

  private weigh(rung: Rung, reached: number, waited: number): ["bad" | "unchecked", string] {
    const left = rung.left?.index ?? Infinity;
    const paused = this.pauses.some((pause) => pause.index < left && !this.resumes.some((one) => one.index > pause.index && one.index < rung.entry.index));
    if (paused) return ["unchecked", "an act had paused the notifier"];
    if (this.horizon.end >= reached + day && !this.records.some((time) => time > reached && time <= reached + day)) return ["bad", "the notifier wrote nothing for a day"];
    const counts = isUrgent(rung) || (rung.passed && waited >= day);
    if (rung.left && counts && this.workedBetween(rung.entry.partition, reached, brokerTime(rung.left) - 6 * minute)) return ["bad", "the notifier was at work meanwhile"];
    return ["unchecked", "nothing shows whether the notifier was at work"];
  }

  private workedBetween(partition: number, from: number, to: number): boolean {
    return [...(this.atWork.get(partition) ?? [])].some((one) => one * minute >= from && (one + 1) * minute <= to);
  }
}

function isUrgent(rung: Rung): boolean {
  return rung.due !== null && rung.due <= rung.entry.recordedAt + 120 * minute;
}

/** How long a rung may wait before it is judged. */
function patience(rung: Rung): number {
  if (rung.passed) return 14 * minute;
  return isUrgent(rung) ? 14 * minute + (rung.due! - rung.entry.recordedAt) / 3 : day;
}

/** Any record of the notifier, but that a message arrived, names this offer or task and this rung. */
function isTold(own: CaseEntries, rung: Rung): boolean {
  return own.all.some((entry) => {
    const body = entry.topic === "referral-notification" && entry.kind === "EVENT" && typeName(entry) !== "rung-reached" ? entry.body : null;
    return body !== null && (body.offer_id === rung.about || body.task_id === rung.about) && body.rung === rung.number;
  });
}
