/** Conditions and marks of a procedure, tested on the state of a case: "Choose when a step begins" in policy.md. */
import type { Conditions, Step } from "../policy/procedure.js";
import { fillsSeat, lastRound, offersOf, roundsOf, type CaseState, type Offer, type Round, type Track } from "../case/state.js";

const traitNames = new Set(["concern", "age", "age_band", "sex", "found_in", "home", "urgency", "origin", "asylum", "languages", "flags"]);

/** Every line must hold, and one word of a line is enough. */
export function allLinesHold(state: CaseState, track: Track | null, conditions: Conditions): boolean {
  return Object.entries(conditions).every(([name, words]) => lineHolds(state, track, name, words));
}

/** One word of one line is enough. */
export function anyLineHolds(state: CaseState, track: Track | null, conditions: Conditions): boolean {
  return Object.entries(conditions).some(([name, words]) => lineHolds(state, track, name, words));
}

function lineHolds(state: CaseState, track: Track | null, name: string, words: string[]): boolean {
  if (name === "consent") return words.includes(consentWord(state));
  if (name === "times") return words.some((word) => timeOf(state, word) !== null);
  if (traitNames.has(name)) {
    const value: string | string[] = state.traits?.[name] ?? "";
    return Array.isArray(value) ? value.some((one) => words.includes(one)) : words.includes(value);
  }
  return track !== null && words.some((word) => markHolds(state, track, `${name}.${word}`));
}

/** A time that a person has entered; null while it is not known. */
export function timeOf(state: CaseState, code: string): number | null {
  const times: { code: string; at: number }[] = state.traits?.times ?? [];
  return times.find((one) => one.code === code)?.at ?? null;
}

export function consentWord(state: CaseState): string {
  const consent = state.consent;
  if (consent === null) return "unknown";
  if (consent.state === "GIVEN" && consent.until !== null && consent.until <= state.time) return "expired";
  return consent.state.toLowerCase().replace("_", "-");
}

/** Whether a mark such as `support.accepted` or `risk.HIGH` stands now. */
export function markHolds(state: CaseState, track: Track, mark: string): boolean {
  const dot = mark.indexOf(".");
  const step = mark.slice(0, dot);
  const word = mark.slice(dot + 1);
  const round = lastRound(track, step);
  if (!round) return false;
  switch (word) {
    case "accepted":
      return everySeat(state, track, step, round, (offer) => offer.accepted);
    case "present":
    case "arrived":
      return everySeat(state, track, step, round, (offer) => offer.arrived);
    case "completed":
      return everySeat(state, track, step, round, (offer) => offer.how === "COMPLETED");
    case "done":
      return round.outcome !== null;
    case "decided":
      return round.code !== null;
    case "acknowledge-missed":
      return round.acknowledgeMissed;
    case "secure":
    case "misplaced":
      return placeMark(state, track, step, round, word);
    case "accept-missed":
    case "present-missed":
    case "arrive-missed":
    case "complete-missed":
    case "decide-missed":
    case "hold-missed":
      return stillMissed(state, track, step, round, word.slice(0, -"-missed".length));
    default:
      return round.code === word;
  }
}

export function everySeat(state: CaseState, track: Track, step: string, round: Round, holds: (offer: Offer) => boolean): boolean {
  return round.seats.every((_, seat) =>
    offersOf(state, track.id, step, round.number, seat).some((offer) => fillsSeat(offer) && holds(offer)),
  );
}

/** A limit of the newest round has passed, and what it asks for has not happened since. */
function stillMissed(state: CaseState, track: Track, step: string, round: Round, limit: string): boolean {
  if (round.outcome !== null) return false;
  return round.seats.some((_, seat) => {
    const offers = offersOf(state, track.id, step, round.number, seat);
    const live = offers.filter(fillsSeat);
    const met = limit === "accept" ? live.some((one) => one.accepted) : ["present", "arrive"].includes(limit) && live.some((one) => one.arrived);
    return offers.some((one) => one.missed.includes(limit)) && !met;
  });
}

function placeMark(state: CaseState, track: Track, stepId: string, round: Round, word: string): boolean {
  const place = track.procedure?.steps.find((step) => step.id === stepId)?.place;
  const taken = offersOf(state, track.id, stepId, round.number).find((offer) => offer.open && !offer.kept && offer.arrived);
  if (!place || !taken) return false;
  if (word === "secure") return place.secure.includes(taken.role);
  const wanted = rolesOfPlace(track, place);
  return wanted.known && !wanted.roles.includes(taken.role);
}

/** The roles that a place asks for now; `known` if the decision that chooses them has been made. */
export function rolesOfPlace(track: Track, place: NonNullable<Step["place"]>): { roles: string[]; known: boolean } {
  if (Array.isArray(place.roles)) return { roles: place.roles, known: true };
  const code = place.by ? lastRound(track, place.by)?.code ?? null : null;
  const roles = code === null ? undefined : place.roles[code];
  return roles ? { roles, known: true } : { roles: place.untilKnown, known: false };
}

/** Whether the decisions that allow a place that locks people up stand, and none that ends it. */
export function secureAllowed(state: CaseState, track: Track, place: NonNullable<Step["place"]>): boolean {
  return place.secureNeeds.every((mark) => markHolds(state, track, mark)) && !place.secureEnds.some((mark) => markHolds(state, track, mark));
}

/** Rounds in which somebody came or finished; a round that is not needed, or that nobody came to, does not count. */
function roundsUsed(state: CaseState, track: Track, step: Step): number {
  const used = roundsOf(track, step.id).filter((round) =>
    round.outcome === null ? everySeat(state, track, step.id, round, (offer) => offer.arrived || offer.how === "COMPLETED") : round.outcome !== "not-needed",
  );
  return used.length;
}

/** Whether a step may begin a round now, and why not. */
export function mayBegin(state: CaseState, track: Track, step: Step): { ready: boolean; why: string } {
  const no = (why: string): { ready: boolean; why: string } => ({ ready: false, why });
  if (step.kind === "FEED") return no("it only counts");
  if (track.state !== "OPEN") return no(`its procedure is ${track.state}`);
  if (track.procedure!.consentNeeded && !step.withoutConsent && consentWord(state) !== "given") return no("consent is not given");
  if (!allLinesHold(state, track, step.when)) return no("not every line of when holds");
  if (anyLineHolds(state, track, step.unless)) return no("a line of unless holds");
  const round = lastRound(track, step.id);
  if (round) {
    if (step.once) return no("it is done once");
    if (step.atMost > 0 && roundsUsed(state, track, step) >= step.atMost) return no("it has had as many rounds as it may have");
    const newer = step.againWhen.some((mark) => (track.marks.get(mark) ?? -1) > round.openedAt);
    return newer ? { ready: true, why: "" } : no("it has begun, and nothing newer begins another round");
  }
  if (anyLineHolds(state, track, step.atOnceWhen)) return { ready: true, why: "" };
  const missing = step.after.find((mark) => !markHolds(state, track, mark));
  if (missing) return no(`${missing} does not hold`);
  // A step without `after` and `when` that names `again_when` still begins its first round at once.
  return { ready: true, why: "" };
}
