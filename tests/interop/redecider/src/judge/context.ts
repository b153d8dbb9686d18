/** What the judgement of one event may look at. */
import type { Value } from "../log/avro.js";
import type { Entry } from "../log/entries.js";
import type { Answer } from "../case/answers.js";
import type { CaseState, Offer, Track } from "../case/state.js";
import type { Bundle } from "../policy/bundle.js";
import type { Procedure, Step } from "../policy/procedure.js";
import type { Kind, Tally } from "./tally.js";

export interface Facts {
  now: number;
  engine: number;
  free: Record<string, number>;
  bundle: number | null;
}

export interface Context {
  tally: Tally;
  answer: Answer;
  facts: Facts;
  bundle: Bundle;
  /** The state before this event. */
  state: CaseState;
  /** The offers as they were before the whole answer. */
  before: Map<string, Offer>;
  /** The input that the answer names; null of an alarm or a lost record. */
  input: Entry | null;
  entry: Entry;
  body: Value;
  /** Place of the event in its answer. */
  place: number;
}

export function compare(context: Context, kind: Kind, rule: string, expected: unknown, found: unknown): boolean {
  return context.tally.compare(kind, context.entry.index, rule, expected, found);
}

export function trackOf(context: Context, offer?: Offer): Track | undefined {
  return context.state.tracks.get(offer ? offer.track : context.body.track_id);
}

export function stepOf(procedure: Procedure | undefined, id: string): Step | undefined {
  return procedure?.steps.find((step) => step.id === id);
}

/** Whether a procedure that another one opened in this answer takes this over from it: events.md calls the rule so. */
export function isCarriedOver(context: Context): boolean {
  const { body, state, answer } = context;
  const track: string | undefined = body.track_id ?? state.offers.get(body.offer_id)?.track;
  return body.why.rule === "carried-over" && answer.events.some((entry) => entry.type.startsWith("track-changed.") && entry.body.track_id === track && entry.body.state === "OPENED" && entry.body.opened_by !== null);
}

/** The events of this answer before this one. */
export function earlier(context: Context): Entry[] {
  return context.answer.events.slice(0, context.place);
}

export function happenedBefore(context: Context, type: string, fields: Record<string, unknown>): boolean {
  return earlier(context).some(
    (entry) => entry.type.startsWith(`${type}.v`) && Object.entries(fields).every(([name, value]) => entry.body[name] === value),
  );
}
