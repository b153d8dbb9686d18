/** Which limit runs after which event: "Set the limits of a step" in policy.md. */
import type { Bundle } from "../policy/bundle.js";
import type { Limit } from "../policy/calendar.js";
import type { LimitName, Step } from "../policy/procedure.js";
import type { Offer } from "../case/state.js";

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

function begin(bundle: Bundle, step: Step, name: LimitName | undefined, now: number): Due {
  return name ? { due: bundle.calendar.end(now, step.within[name]!), due_what: name } : none;
}

function keep(offer: Offer): Due {
  return { due: offer.due, due_what: offer.dueWhat };
}

export function dueOnOffer(bundle: Bundle, step: Step, now: number): Due {
  return step.kind === "NOTIFY" ? none : begin(bundle, step, firstLimit(step)?.name, now);
}

/** A limit that runs from the offer on runs through, whoever acknowledges meanwhile. */
export function dueOnAcknowledging(bundle: Bundle, step: Step, offer: Offer, now: number): Due {
  if (offer.dueWhat !== "acknowledge" && offer.dueWhat !== "") return keep(offer);
  if (!step.within.acknowledge) return keep(offer);
  return begin(bundle, step, afterAcknowledging.find((name) => step.within[name]), now);
}

export function dueOnAccepting(bundle: Bundle, step: Step, offer: Offer, now: number): Due {
  const next = (["present", "arrive", "complete"] as LimitName[]).find((name) => step.within[name]);
  return next !== undefined && offer.dueWhat === next ? keep(offer) : begin(bundle, step, next, now);
}

export function dueOnArriving(bundle: Bundle, step: Step, offer: Offer, now: number): Due {
  const next: LimitName | undefined = step.within.complete ? "complete" : undefined;
  return next !== undefined && offer.dueWhat === next ? keep(offer) : begin(bundle, step, next, now);
}

/** The limit that the last word of a step meets: with it the step is done. */
export function lastWord(step: Step): "accepted" | "arrived" | "completed" {
  if (step.within.complete) return "completed";
  return step.within.present || step.within.arrive ? "arrived" : "accepted";
}
