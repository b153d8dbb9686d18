/** Records by their position, and what is set aside there: the words of section 15.6 about lost records and unanswered ones. */
import type { Entry } from "../log/entries.js";

const sequenced = new Set(["EVENT", "DECISION", "DISCLOSURE", "ERASURE"]);

export function positionOf(place: { topic: string; partition: number; offset: number }): string {
  return `${place.topic}/${place.partition}/${place.offset}`;
}

export class Positions {
  private readonly records = new Map<string, Entry>();
  /** Positions that a quarantine record of routing names. */
  private readonly quarantined = new Set<string>();
  /** Positions that a quarantine record with reason `foreign` disowns. */
  private readonly disowned = new Set<string>();
  private readonly ahead = new Set<Entry>();
  private readonly twins = new Set<Entry>();
  /** Topic and partition → the highest offset of a record that some decision answers. */
  private readonly answered = new Map<string, number>();

  constructor(entries: Entry[]) {
    const causes = new Set(entries.filter((entry) => entry.kind === "DECISION" && !entry.forged).map((entry) => entry.causeId));
    for (const entry of entries) {
      if (entry.offset >= 0 && entry.kind !== "GAP") this.records.set(positionOf(entry), entry);
      if (entry.kind === "QUARANTINE" && !entry.forged && entry.body && keyHolds(entry)) {
        if (entry.body.reader === "routing") this.quarantined.add(positionOf(entry.body));
        if (entry.body.reason === "foreign") this.disowned.add(positionOf(entry.body));
      }
      // A foreign record may repeat the id of another one, so that only records with a sequence count.
      if (sequenced.has(entry.kind) && entry.topic !== "referral-routing" && !entry.forged && causes.has(entry.eventId)) {
        const partition = `${entry.topic}/${entry.partition}`;
        this.answered.set(partition, Math.max(this.answered.get(partition) ?? -1, entry.offset));
      }
    }
    this.findForks(entries.filter((entry) => !entry.forged && entry.caseId !== null && (sequenced.has(entry.kind) || entry.kind === "FORK")));
  }

  /** Twins have one sequence; a fork with a sequence of its own shows that higher ones before it were written ahead. */
  private findForks(entries: Entry[]): void {
    const bySequence = new Map<string, Entry[]>();
    const name = (entry: Entry): string => `${entry.topic}/${entry.caseId}/`;
    for (const entry of entries) {
      const same = bySequence.get(name(entry) + entry.caseSeq) ?? [];
      if (entry.kind === "FORK" && same.length === 0) {
        for (const one of entries) if (one.index < entry.index && name(one) === name(entry) && one.caseSeq > entry.caseSeq) this.ahead.add(one);
      }
      bySequence.set(name(entry) + entry.caseSeq, [...same, entry]);
    }
    for (const same of bySequence.values()) if (same.length > 1) for (const one of same) this.twins.add(one);
  }

  at(place: { topic: string; partition: number; offset: number }): Entry | undefined {
    return this.records.get(positionOf(place));
  }

  isQuarantined(place: { topic: string; partition: number; offset: number }): boolean {
    return this.quarantined.has(positionOf(place));
  }

  /** Ahead, a twin or disowned: routing need not answer it. */
  isSetAside(entry: Entry): boolean {
    return this.ahead.has(entry) || this.twins.has(entry) || this.disowned.has(positionOf(entry));
  }

  /** A record that routing could not take as the next one of its case. */
  isOdd(entry: Entry | undefined): boolean {
    return entry !== undefined && (entry.forged || this.ahead.has(entry) || this.twins.has(entry) || ["FORK", "FOREIGN", "UNREADABLE"].includes(entry.kind));
  }

  laterIsAnswered(entry: Entry): boolean {
    return (this.answered.get(`${entry.topic}/${entry.partition}`) ?? -1) > entry.offset;
  }
}

export function keyHolds(entry: Entry): boolean {
  const body = entry.body;
  return entry.payload?.key?.toString() === `${body.reader}/${positionOf(body)}`;
}
