/** Who holds a seat: the agency that accepted it, or that decided as it. */
import type { Seat } from "../policy/procedure.js";
import { lastRound, liveOffer, type CaseState, type Offer, type Track } from "../case/state.js";

export interface Held {
  offer: Offer;
  /** The seat's own words in the procedure: its duties and ladder go with it. */
  seat: Seat;
}

/** The holder that a reference names: `police`, `support.csw`, `guardian.holder`. */
export function holderOf(state: CaseState, track: Track, reference: string): Held | undefined {
  const [stepId, name] = reference.split(".") as [string, string | undefined];
  const step = track.procedure?.steps.find((one) => one.id === stepId);
  const round = lastRound(track, stepId);
  if (!step || !round) return undefined;
  const index = name === undefined || name === "holder" ? 0 : step.seats.findIndex((seat) => seat.name === name);
  const offer = index < 0 ? undefined : liveOffer(state, track.id, stepId, round.number, index);
  if (!offer || !(offer.accepted || offer.how === "COMPLETED")) return undefined;
  return { offer, seat: originalSeat(state, track, step.seats[index]!) };
}

/** A seat that was filled by a holder has the duties of the seat that this one held first. */
function originalSeat(state: CaseState, track: Track, seat: Seat): Seat {
  return seat.holder === null ? seat : holderOf(state, track, seat.holder)?.seat ?? seat;
}
