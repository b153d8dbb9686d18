/** Which limit runs after which event: "Set the limits of a step" in policy.md. */
import type { Bundle } from "../policy/bundle.js";
import type { Limit } from "../policy/calendar.js";
import type { LimitName, Step } from "../policy/procedure.js";
import type { CaseState, Offer, Track } from "../case/state.js";
import { timeOf } from "./conditions.js";

export interface Due {
  due: number | null;
  due_what: string;
}

const none: Due = { due: null, due_what: "" };
const inOrder: LimitName[] = ["acknowledge", "accept", "decide", "present", "arrive", "complete"];
const afterAcknowledging: LimitName[] = ["accept", "decide", "present", "arrive", "complete"];

/** The limit that runs from the offer on. */
export function firstLimit(step: Step): { name: LimitName; limit: Limit } | null {
  const name = inOrder.find((one) => step.within[one]);
  return name ? { name, limit: step.within[name]! } : null;
}

/** The step and the seat whose limit begins, and when. */
export interface Start {
  bundle: Bundle;
  state: CaseState;
  track: Track;
  step: Step;
  seat: number;
  now: number;
}

function begin(start: Start, name: LimitName | undefined): Due {
  if (!name) return none;
  const { bundle, step, seat } = start;
  const limit = name === "decide" && seat > 0 && step.within.second ? step.within.second : step.within[name]!;
  return { due: bundle.calendar.end(beginning(start, name), limit), due_what: name };
}

/** From an entered time, never from later than now; while it is not known, from the beginning of the procedure. */
function beginning({ state, track, step, now }: Start, name: LimitName): number {
  return name === "decide" && step.from !== null ? Math.min(timeOf(state, step.from) ?? track.since, now) : now;
}

function keep(offer: Offer): Due {
  return { due: offer.due, due_what: offer.dueWhat };
}

export function dueOnOffer(start: Start): Due {
  return start.step.kind === "NOTIFY" ? none : begin(start, firstLimit(start.step)?.name);
}

/** A limit that runs from the offer on runs through, whoever acknowledges meanwhile. */
export function dueOnAcknowledging(start: Start, offer: Offer): Due {
  const { step } = start;
  if (offer.dueWhat !== "acknowledge" && offer.dueWhat !== "") return keep(offer);
  if (!step.within.acknowledge) return keep(offer);
  return begin(start, afterAcknowledging.find((name) => step.within[name]));
}

export function dueOnAccepting(start: Start, offer: Offer): Due {
  const next = (["present", "arrive", "complete"] as LimitName[]).find((name) => start.step.within[name]);
  return next !== undefined && offer.dueWhat === next ? keep(offer) : begin(start, next);
}

export function dueOnArriving(start: Start, offer: Offer): Due {
  const next: LimitName | undefined = start.step.within.complete ? "complete" : undefined;
  return next !== undefined && offer.dueWhat === next ? keep(offer) : begin(start, next);
}

/** The limit that the last word of a step meets: with it the step is done. */
export function lastWord(step: Step): "accepted" | "arrived" | "completed" {
  if (step.within.complete) return "completed";
  return step.within.present || step.within.arrive ? "arrived" : "accepted";
}
