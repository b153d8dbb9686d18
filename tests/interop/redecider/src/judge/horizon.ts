/** How far the log was read, and until when: the words of section 15.6. */
import type { Entry } from "../log/entries.js";

export const minute = 60_000_000;
export const late = 5 * minute;

/** The broker's time of a record, in microseconds. */
export function brokerTime(entry: Entry): number {
  return entry.kafkaTime * 1000;
}

export class Horizon {
  /** The last heartbeat; null if the log has none. */
  readonly last: Entry | null;
  /** The newest heartbeat at least five minutes before it; null if there is none. */
  readonly earlier: Entry | null;
  /** Operators may move the clock of this system. */
  readonly drill: boolean;
  /** What stands more than five minutes before it could have been followed by something else. */
  readonly end: number;

  constructor(entries: Entry[]) {
    const heartbeats = entries.filter((entry) => entry.kind === "HEARTBEAT" && entry.body);
    this.last = heartbeats.at(-1) ?? null;
    this.earlier = heartbeats.findLast((one) => one.loggedAt <= this.last!.loggedAt - late) ?? null;
    this.drill = heartbeats[0]?.body.drill ?? false;
    const before = this.last?.index ?? Infinity;
    const honest = entries.filter((entry) => entry.index < before && !entry.forged && entry.kafkaTime > 0 && brokerTime(entry) <= entry.loggedAt + minute);
    const newest = honest.reduce((time, entry) => Math.max(time, brokerTime(entry)), 0);
    this.end = this.drill || !this.last ? newest : Math.max(newest, this.last.loggedAt);
  }

  /** The time until which a partition is known; 0 if it is not. */
  knownUntil(topic: string, partition: number): number {
    if (this.isRead(topic, partition)) return this.end;
    const { last, earlier, drill } = this;
    if (!last || !earlier || drill || !this.endsKnown || earlier.body.ends === null) return 0;
    const stood = earlier.body.ends[topic]?.[partition] ?? 0;
    return last.body.unread[`${topic}/${partition}`] < stood ? 0 : earlier.loggedAt - minute;
  }

  get endsKnown(): boolean {
    return this.last !== null && this.last.body.ends !== null;
  }

  isUnread(topic: string, partition: number): boolean {
    return this.last !== null && `${topic}/${partition}` in this.last.body.unread;
  }

  isRead(topic: string, partition: number): boolean {
    return this.endsKnown && !this.isUnread(topic, partition);
  }
}
