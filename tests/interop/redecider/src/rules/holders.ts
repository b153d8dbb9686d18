/** Who holds a seat: the agency that accepted it, or that decided as it. */
import type { Procedure, Seat } from "../policy/procedure.js";
import { lastRound, liveOffer, offersOf, roundsOf, type CaseState, type Offer, type Round, type Track } from "../case/state.js";

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

/** The first role of a seat; of a holder's seat that of the seat which it holds. */
export function firstRole(procedure: Procedure, seat: Seat): string {
  if (seat.holder === null) return seat.role ?? "?";
  const place = placeOf(procedure, seat.holder);
  const held = place && procedure.steps.find((one) => one.id === place[0])?.seats[place[1]];
  return held ? firstRole(procedure, held) : "?";
}

/** The step and the number of the seat that a reference names; of a step with one seat `step` and `step.holder` too. */
function placeOf(procedure: Procedure, reference: string): [string, number] | null {
  if (reference.endsWith("#0")) return [reference.slice(0, -2), 0];
  const [stepId, name] = reference.split(".") as [string, string | undefined];
  const seats = procedure.steps.find((one) => one.id === stepId)?.seats ?? [];
  const index = name === undefined || name === "holder" ? 0 : seats.findIndex((seat) => seat.name === name);
  return index < 0 || index >= seats.length ? null : [stepId, index];
}

/** The rounds that count for a seat that must be kept apart: all of another step, of the same step the present one alone. */
function roundsOfOther(track: Track, step: string, own: string, round: Round): Round[] {
  return step === own ? [round] : roundsOf(track, step);
}

/** The accounts that may not answer for this seat, as they answered for one that must be another person's. */
export function barredFrom(track: Track, step: string, round: Round, seat: Seat): string[] {
  const places = seat.otherPersonThan.map((one) => placeOf(track.procedure!, one)).filter((one) => one !== null);
  return [...new Set(places.flatMap(([other, index]) => roundsOfOther(track, other, step, round).flatMap((one) => one.persons[index] ?? [])))];
}

/** Whether an agency holds or held a seat that must be another agency's. */
export function isSameAgency(state: CaseState, track: Track, step: string, round: Round, seat: Seat, agency: string): boolean {
  const places = seat.notSameAs.map((one) => placeOf(track.procedure!, one)).filter((one) => one !== null);
  return places.some(([other, index]) =>
    roundsOfOther(track, other, step, round).some((one) =>
      offersOf(state, track.id, other, one.number, index).some((offer) => offer.agency === agency && (offer.accepted || offer.arrived || offer.how === "COMPLETED")),
    ),
  );
}

/** A seat that was filled by a holder has the duties of the seat that this one held first. */
function originalSeat(state: CaseState, track: Track, seat: Seat): Seat {
  return seat.holder === null ? seat : holderOf(state, track, seat.holder)?.seat ?? seat;
}
