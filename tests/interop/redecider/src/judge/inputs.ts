/** Whether an answer begins with the event that its input leads to. */
import type { Entry } from "../log/entries.js";
import { typeName } from "../case/answers.js";
import { lastRound, type Offer } from "../case/state.js";
import { barredFrom } from "../rules/holders.js";
import { compare, stepOf, type Context } from "./context.js";

interface Effect {
  type: string;
  fields: Record<string, unknown>;
}

/** One statement about the first event of an answer, and one about any that ignores the input. */
export function judgeFirst(context: Context): void {
  const { entry, body, input, answer, tally, state } = context;
  const type = typeName(entry);
  if (type === "input-ignored") {
    const fields = { alone: answer.events.length, offer_id: body.offer_id };
    const offer = input && typeName(input) === "response-submitted" ? input.body.offer_id : null;
    compare(context, "answer", "an input that changes nothing has one event", { alone: 1, offer_id: offer }, fields);
  }
  if (context.place > 0) return;
  if (answer.head.kind === "DUE") {
    const limits = ["deadline-passed", "needs-person", "offer-opened", "case-changed", "input-ignored", "step-opened", "offer-closed", "track-changed", "person-not-needed"];
    compare(context, "answer", "an alarm leads to a limit that has passed", true, limits.includes(type));
  } else if (answer.head.kind === "LOST") {
    const about = answer.head.lost_reason === "foreign" && context.facts.engine >= 5 ? "record-disowned" : "record-lost";
    compare(context, "answer", "a lost record is put to a desk", { type: "needs-person", about }, { type, about: body.about ?? null });
  } else if (input) {
    const effect = effectOf(context, input);
    if (!effect) tally.skip(`first event after ${typeName(input)}${input.body.word ? ` ${input.body.word}` : ""}`);
    else {
      const found = Object.fromEntries(Object.keys(effect.fields).map((name) => [name, body[name] ?? null]));
      compare(context, "answer", "what the input asks for", effect, { type, fields: found });
    }
  }
  if (type === "case-opened" && input) {
    const said = input.body;
    const expected = { referral_id: said.referral_id, agency: said.agency, traits: said.traits, consent: said.consent, excluded: said.excludes, opened: false, drill: entry.drill };
    const found = { referral_id: body.referral_id, agency: body.agency, traits: body.traits, consent: body.consent, excluded: body.excluded, opened: state.opened, drill: body.drill };
    compare(context, "case", "the referral", expected, found);
  }
  if (type === "case-changed") judgeChange(context);
}

function judgeChange(context: Context): void {
  const { body, input, state, tally } = context;
  const found = { traits: body.traits, consent: body.consent, excluded: body.excluded };
  const now = { traits: state.traits, consent: state.consent, excluded: state.excluded };
  const kind = input ? typeName(input) : "";
  if (kind === "consent-changed") compare(context, "case", "the consent that was recorded", { ...now, consent: input!.body.consent, by: input!.body.agency, lifted: [] }, { ...found, by: body.consent_by, lifted: body.lifted });
  else if (kind === "actor-excluded") {
    const actor = `${input!.body.kind.toLowerCase()}:${input!.body.actor}`;
    compare(context, "case", "the exclusion that was recorded", true, body.excluded.includes(actor) && state.excluded.every((one) => body.excluded.includes(one)));
  } else tally.skip(`change of a case after ${kind || "an alarm"}`);
}

/** The event to which an input leads by the page alone; null where the page does not decide. */
function effectOf(context: Context, input: Entry): Effect | null {
  const { state } = context;
  const said = input.body;
  const kind = typeName(input);
  if (kind === "referral-submitted") return said.opens && !state.opened ? { type: "case-opened", fields: { referral_id: said.referral_id } } : null;
  if (kind === "instruction-given") return said.word === "SETTLE" ? effectOfSettling(context, said) : null;
  if (kind === "record-disowned" || kind === "knock-disowned") {
    const asked = [...state.tasks.values()].some((task) => task.about === "record-disowned");
    return asked ? { type: "input-ignored", fields: {} } : { type: "needs-person", fields: { about: "record-disowned" } };
  }
  if (kind === "rung-reached") return effectOfReaching(context, said);
  if (kind !== "response-submitted") return null;
  const offer = state.offers.get(said.offer_id);
  const ignored = (reason: string): Effect => ({ type: "input-ignored", fields: { reason, offer_id: said.offer_id } });
  if (!offer) return ignored("UNKNOWN_OFFER");
  if (!offer.open || !offer.words.includes(said.word) || (said.via !== "PHONE" && said.agency !== offer.agency)) return null;
  const own = { offer_id: offer.id, by: said.by };
  const refused = refusalOf(context, offer, said);
  if (refused) return ignored(refused);
  if (offer.kept && said.word !== "ACCEPT") return ignored("REPEATED");
  switch (said.word) {
    case "ACKNOWLEDGE":
      return offer.acknowledged ? ignored("REPEATED") : { type: "offer-acknowledged", fields: own };
    case "ACCEPT":
      return offer.accepted ? ignored("REPEATED") : { type: "offer-accepted", fields: own };
    case "ARRIVE":
      return offer.arrived ? ignored("REPEATED") : { type: offer.accepted ? "offer-arrived" : "offer-accepted", fields: own };
    case "COMPLETE":
      return offer.accepted ? { type: "offer-closed", fields: { offer_id: offer.id, how: "COMPLETED" } } : { type: "offer-accepted", fields: own };
    case "DECIDE":
      if (!offer.codes.includes(said.code)) return ignored("CODE_NOT_ALLOWED");
      if (offer.needs.some((need) => !said.recorded.includes(need))) return ignored("NEEDS_RECORD");
      if (stepOf(state.tracks.get(offer.track)?.procedure, offer.step)?.form) return null; // what its form points to is not read here
      return { type: "decision-recorded", fields: { code: said.code, step: offer.step, seat: offer.seat, how: "PERSON" } };
    default:
      return null;
  }
}

/** A desk's word ends the offers of the step, and decides it. */
function effectOfSettling({ state }: Context, said: any): Effect | null {
  const track = state.tracks.get(said.track_id);
  const step = stepOf(track?.procedure, said.step);
  if (!track || !step || step.kind !== "DECIDE" || step.twoPersons || step.form) return null;
  const left = [...state.offers.values()].find((offer) => offer.open && offer.track === track.id && offer.step === step.id && offer.round === lastRound(track, step.id)?.number);
  if (left) return { type: "offer-closed", fields: { offer_id: left.id, how: "RELEASED", reason: "DESK" } };
  return { type: "decision-recorded", fields: { code: said.target, step: said.step } };
}

const takes = ["ACCEPT", "ARRIVE", "COMPLETE", "DECIDE"];

/** Why this person may not answer for this seat: a system is nobody where persons must differ, and nobody answers for both seats. */
function refusalOf({ state }: Context, offer: Offer, said: any): string {
  const track = state.tracks.get(offer.track);
  const step = stepOf(track?.procedure, offer.step);
  const seat = step?.seats[offer.seat];
  const round = track?.rounds.get(offer.step)?.find((one) => one.number === offer.round);
  if (!track || !step || !seat || !round || !takes.includes(said.word)) return "";
  if (seat.otherPersonThan.length === 0 && (!step.twoPersons || step.form)) return "";
  const by: string | null = said.by ?? said.recorded_by ?? null;
  if (by === null) return "NEEDS_ACCOUNT";
  return barredFrom(track, step.id, round, seat).includes(by) ? "SAME_PERSON" : "";
}

/** Since version 5 a message to the offer's rung that has arrived makes its silence the agency's. */
function effectOfReaching({ state, facts }: Context, said: Entry["body"]): Effect | null {
  const offer = state.offers.get(said!.offer_id);
  if (facts.engine < 5 || !offer?.open || offer.rung !== said!.rung || offer.told.includes(offer.rung)) return null;
  return { type: "offer-unheard", fields: { offer_id: offer.id, rung: offer.rung, away: false } };
}
