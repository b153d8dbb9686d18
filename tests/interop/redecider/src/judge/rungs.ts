/** The rungs that the decisions of a case reach, and when each is left: section 15.6. */
import { typeName, type CaseEntries } from "../case/answers.js";
import type { Entry } from "../log/entries.js";

export interface Rung {
  /** The decision that reached it. */
  entry: Entry;
  /** Id of the offer or of the desk's task. */
  about: string;
  track: string | null;
  number: number;
  due: number | null;
  /** The decision that left it; null if none did. */
  left: Entry | null;
  /** Its limit has passed. */
  passed: boolean;
}

interface Asked {
  track: string;
  step: string;
  round: number;
  seat: number;
}

/** These end the wait for an answer to an offer. */
const leaving = new Set(["offer-acknowledged", "offer-accepted", "offer-arrived", "offer-held", "offer-closed", "offer-reopened"]);

export function rungsOf(own: CaseEntries): Rung[] {
  const walk = new Walk();
  for (const answer of own.answers) for (const entry of answer.events) walk.take(entry);
  return walk.rungs;
}

class Walk {
  readonly rungs: Rung[] = [];
  /** The rung that waits, by offer or task. */
  private readonly waiting = new Map<string, Rung>();
  /** Offers of whose rungs the notifier tells. */
  private readonly asked = new Map<string, Asked>();
  private readonly rungOfTask = new Map<string, number>();
  /** Tasks that share a knock with others of their desk. */
  private readonly shared = new Set<string>();
  /** Track → the rungs that its pause left. */
  private readonly paused = new Map<string, Rung[]>();

  take(entry: Entry): void {
    const body = entry.body;
    const type = typeName(entry);
    if (type === "offer-opened" && !["PHONE", "SYSTEM"].includes(body.reach) && body.why.rule !== "carried-over") {
      this.asked.set(body.offer_id, { track: body.track_id, step: body.step, round: body.round, seat: body.seat });
      this.reach(entry, body.offer_id, body.track_id, body.rung, body.due);
    } else if (type === "offer-escalated" && this.asked.has(body.offer_id)) {
      this.reach(entry, body.offer_id, this.asked.get(body.offer_id)!.track, body.rung, body.due);
    } else if (type === "needs-person") this.takeTask(entry);
    else if (type === "deadline-passed" && body.offer_id !== null) this.leave(entry, body.offer_id, true);
    else if (leaving.has(type)) this.leave(entry, body.offer_id);
    else if (type === "person-not-needed") this.leave(entry, body.task_id);
    else if (type === "decision-recorded") this.takeDecision(entry);
    else if (type === "track-changed") this.takeTrack(entry);
    else if (type === "case-closed") for (const about of [...this.waiting.keys()]) this.leave(entry, about);
  }

  private takeTask(entry: Entry): void {
    const { task_id, rung, due, track_id, about, why } = entry.body;
    if (about === "confirm-referral" || why.rule === "unverified") this.shared.add(task_id);
    if (this.shared.has(task_id)) return;
    const before = this.rungOfTask.get(task_id);
    if (before === rung) return;
    this.rungOfTask.set(task_id, rung);
    if (before !== undefined && rung > before) this.leave(entry, task_id, true);
    this.reach(entry, task_id, track_id, rung, due);
  }

  private takeDecision(entry: Entry): void {
    const { track_id, step, round, seat } = entry.body;
    for (const [about, one] of this.asked) {
      if (one.track === track_id && one.step === step && one.round === round && (seat === -1 || one.seat === seat)) this.leave(entry, about);
    }
  }

  private takeTrack(entry: Entry): void {
    const { track_id, state } = entry.body;
    if (state === "OPENED") return;
    const own = [...this.waiting.values()].filter((rung) => rung.track === track_id);
    for (const rung of own) this.leave(entry, rung.about);
    if (state === "PAUSED") this.paused.set(track_id, own.filter((rung) => this.asked.has(rung.about)));
    if (state !== "RESUMED") return;
    for (const rung of this.paused.get(track_id) ?? []) this.reach(entry, rung.about, track_id, rung.number, rung.due);
    this.paused.delete(track_id);
  }

  private reach(entry: Entry, about: string, track: string | null, number: number, due: number | null): void {
    this.leave(entry, about);
    const rung: Rung = { entry, about, track, number, due, left: null, passed: false };
    this.rungs.push(rung);
    this.waiting.set(about, rung);
  }

  private leave(entry: Entry, about: string, passed = false): void {
    const rung = this.waiting.get(about);
    if (!rung) return;
    Object.assign(rung, { left: entry, passed });
    this.waiting.delete(about);
  }
}
