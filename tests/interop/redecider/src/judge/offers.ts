/** Statements about offers: who is asked, what they see, until when, and which rung is knocked. */
import type { Seat, Step } from "../policy/procedure.js";
import { liveOffer, type Offer, type Round, type Track } from "../case/state.js";
import { search, wasTried } from "../rules/candidates.js";
import { barredFrom, holderOf, type Held } from "../rules/holders.js";
import { dueOnAccepting, dueOnAcknowledging, dueOnArriving, dueOnOffer } from "../rules/limits.js";
import { compare, happenedBefore, stepOf, trackOf, type Context } from "./context.js";

export function judgeOfferOpened(context: Context): void {
  const { body, state, facts, bundle } = context;
  const track = trackOf(context);
  const step = stepOf(track?.procedure, body.step);
  const round = track?.rounds.get(body.step)?.find((one) => one.number === body.round);
  const seat = step?.seats[body.seat];
  if (!track || !step || !round || !seat) {
    compare(context, "agency", "an offer is of a seat of a round that has begun", "such a seat", "none");
    return;
  }
  const held = seat.holder === null ? undefined : holderOf(state, track, seat.holder);
  judgeAgency(context, track, step, round, seat, held);
  judgeShows(context, track, step, round, seat, held);
  compare(context, "due", "within, from facts.now", dueOnOffer({ bundle, state, track, step, seat: body.seat, now: facts.now }), { due: body.due, due_what: body.due_what });
  const agency = bundle.agencies.get(body.agency);
  const wanted = step.seats[body.seat]!.ladder ?? held?.offer.ladder ?? track.procedure!.ladder;
  const common = wanted.filter((rung) => agency?.ladder.includes(rung));
  const ladder = common.length > 0 ? common : agency?.ladder ?? [];
  compare(context, "rung", "ladder of the step and of the agency, from its first rung", { ladder, rung: 0 }, { ladder: body.ladder, rung: body.rung });
}

function judgeAgency(context: Context, track: Track, step: Step, round: Round, seat: Seat, held: Held | undefined): void {
  const { body, state, facts, bundle, input, tally } = context;
  const found = { service: body.service, agency: body.agency, role: body.role, reach: body.reach, urgency: body.urgency, kind: body.kind, passed: context.body.why.passed };
  const expect = (service: string, role: string, passed: unknown): boolean => {
    const agency = bundle.services.get(service)?.agency;
    const expected = { service, agency: agency?.id, role, reach: agency?.reach, urgency: state.traits.urgency, kind: step.kind, passed };
    return compare(context, "agency", "the kind of the step, area, the directory, facts.free, exclusions", expected, found);
  };
  if (round.outcome !== null) {
    compare(context, "agency", "a step that is done asks nobody", null, found);
  } else if (round.starts !== null && round.starts > facts.now) {
    compare(context, "agency", "a round asks nobody before it starts", null, found);
  } else if (input?.type.startsWith("instruction-given.") && ["OFFER", "TRANSFER"].includes(input.body.word)) {
    tally.skip("agency that a desk chose");
  } else if (liveOffer(state, track.id, step.id, round.number, body.seat)) {
    compare(context, "agency", "a seat that is filled or asked for is not offered again", null, found);
  } else if (step.twoPersons && body.seat > 0 && round.codes[0] === undefined) {
    compare(context, "agency", "the second person is asked when the first has decided", null, found);
  } else if (seat.holder !== null) {
    if (step.form && step.twoPersons && body.seat > 0) tally.skip("whether a form points to more than was decided, and a second person is needed");
    if (held && wasTried(state, track, step, round.number, body.seat, held.offer.service)) tally.skip("agency that is asked after the holder of a seat");
    else if (held) expect(held.offer.service, held.offer.role, []);
    else tally.skip("agency for a seat whose holder is gone");
  } else {
    const result = search({ state, track, step, seat, index: body.seat, round: round.number, bundle, now: facts.now, free: facts.free });
    if (!result) tally.skip("agency for a step without an area, or a person without a municipality");
    else if (!result.chosen) compare(context, "agency", "no candidate is left", null, found);
    else expect(result.chosen.service.id, result.chosen.role, result.passed.slice(0, 32));
  }
}

function judgeShows(context: Context, track: Track, step: Step, round: Round, seat: Seat, held: Held | undefined): void {
  const { body, state, tally } = context;
  const duty = held?.seat.statutory ? held.seat : seat;
  const expected = {
    shows: seat.shows,
    words: wordsOf(step),
    reasons: reasonsOf(context, step, duty),
    codes: step.codes,
    needs: step.needs,
    skip: barredFrom(track, step.id, round, seat),
  };
  const found = { shows: body.shows, words: body.words, reasons: body.reasons, codes: body.codes, needs: body.needs, skip: body.skip };
  const limited = (state.consent?.scope ?? []).length > 0 || ["refused", "withdrawn", "expired"].includes(state.consent?.state?.toLowerCase());
  if (limited) {
    tally.skip("sections that the consent limits");
    found.shows = body.shows.every((section: string) => seat.shows.includes(section)) ? seat.shows : body.shows;
  }
  if (state.excluded.some((actor) => !actor.startsWith("agency:"))) {
    tally.skip("codes and members of staff that an exclusion limits");
    found.codes = body.codes.every((code: string) => step.codes.includes(code)) ? step.codes : body.codes;
    found.skip = expected.skip;
  }
  compare(context, "shows", "the step, and the consent's scope", expected, found);
}

/** The answers that are possible now or later. The page names the words; which step has which, the log showed. */
function wordsOf(step: Step): string[] {
  if (step.kind === "NOTIFY") return ["ACKNOWLEDGE"];
  if (step.kind === "DECIDE") return ["ACKNOWLEDGE", "DECIDE", "DECLINE"];
  const arrive = step.within.present || step.within.arrive ? ["ARRIVE"] : [];
  const hold = step.within.hold ? ["HOLD"] : [];
  return ["ACKNOWLEDGE", "ACCEPT", ...arrive, "COMPLETE", "DECLINE", ...hold, "RETURN"];
}

function reasonsOf(context: Context, step: Step, duty: Seat): string[] {
  if (step.kind === "NOTIFY") return [];
  if (step.kind === "DECIDE") return duty.statutory && duty.mayDecline ? duty.mayDecline : ["CONFLICT_OF_INTEREST"];
  return duty.mayDecline ?? context.bundle.codes.get("reason")!;
}

/** Acknowledged, accepted, arrived, held: the next limit, from the end of the one before. */
export function judgeOfferAnswered(context: Context, what: "acknowledged" | "accepted" | "arrived" | "held"): void {
  const { body, state, facts, bundle, tally } = context;
  const offer = state.offers.get(body.offer_id);
  const track = offer && state.tracks.get(offer.track);
  const step = stepOf(track?.procedure, offer?.step ?? "");
  if (!offer || !track || !step) {
    compare(context, "due", "the offer that is answered was made", "an offer", "none");
    return;
  }
  const found = { due: body.due, due_what: body.due_what };
  if (what === "held") {
    const due = step.within.hold ? bundle.calendar.end(facts.now, step.within.hold) : null;
    if (body.due === null) tally.skip("limit of an offer that is kept under a duty");
    else compare(context, "due", "hold, from facts.now", due, body.due);
  } else if (offer.held) {
    tally.skip("limit of an offer that was held");
  } else {
    const rule = { acknowledged: dueOnAcknowledging, accepted: dueOnAccepting, arrived: dueOnArriving }[what];
    compare(context, "due", `within, once ${what}`, rule({ bundle, state, track, step, seat: offer.seat, now: facts.now }, offer), found);
  }
  if (what === "accepted") compare(context, "answer", "an acceptance is late if the offer had ended", !offer.open, body.late);
}

export function judgeEscalated(context: Context): void {
  const { body, state, facts, bundle, tally } = context;
  const offer = state.offers.get(body.offer_id);
  const step = offer && stepOf(state.tracks.get(offer.track)?.procedure, offer.step);
  if (!offer?.open || !step) {
    compare(context, "rung", "only an open offer climbs", "an open offer", "none");
    return;
  }
  if (body.reason === "acknowledger-excluded") {
    tally.skip("rung that is knocked anew because its acknowledger is excluded");
    return;
  }
  if (body.reason === null && context.input && ["traits-changed", "referral-submitted", "instruction-given"].some((type) => context.input!.type.startsWith(`${type}.`))) {
    tally.skip("limit that an entered time shortens");
    return;
  }
  const reasonStands =
    body.reason === "acknowledge"
      ? happenedBefore(context, "deadline-passed", { offer_id: offer.id, what: "acknowledge" })
      : context.input?.type.startsWith("rung-failed.") && context.input.body.offer_id === offer.id && context.input.body.reason === body.reason;
  const next = offer.rung + 1 < offer.ladder.length ? offer.rung + 1 : null;
  compare(context, "rung", "the next rung is woken, after silence or because nobody there can be reached", { rung: next, stands: true }, { rung: body.rung, stands: reasonStands ?? false });
  if (!step.within.acknowledge) tally.skip("limit of a rung that has no time to acknowledge");
  else compare(context, "due", "acknowledge, from facts.now", { due: bundle.calendar.end(facts.now, step.within.acknowledge), due_what: "acknowledge" }, { due: body.due, due_what: body.due_what });
}

export function judgeDeadline(context: Context): void {
  const { body, state, facts, answer } = context;
  const offer: Offer | undefined = state.offers.get(body.offer_id);
  if (body.offer_id === null) {
    context.tally.skip("limit that is of no offer");
    return;
  }
  const expected = { open: true, what: offer?.dueWhat, was_due: offer?.due, passed: true, alarm: "DUE" };
  const found = { open: offer?.open ?? false, what: body.what, was_due: body.was_due, passed: body.was_due <= facts.now, alarm: answer.head.kind };
  compare(context, "limit", "it is the due of the offer, and not after facts.now", expected, found);
}

export function judgeUndo(context: Context): void {
  const { body, state, facts, bundle, answer, before } = context;
  const offer = state.offers.get(body.offer_id);
  const procedure = offer && state.tracks.get(offer.track)?.procedure;
  const was = before.get(body.offer_id);
  if (!offer || !procedure?.takeBack || !was) {
    compare(context, "undo", "take_back of the procedure", "allowed", "never");
    return;
  }
  const asked = answer.events.some((entry) => entry.type.startsWith("offer-opened."));
  const done = happenedBefore(context, "step-done", { track_id: offer.track, step: offer.step, round: offer.round });
  const expected = {
    until: bundle.calendar.end(facts.now, procedure.takeBack),
    arrived: was.arrived,
    due: was.due,
    due_what: was.dueWhat,
    done_at: done ? facts.now : null,
    how: "COMPLETED",
    asked: false,
  };
  const found = { until: body.until, arrived: body.arrived, due: body.due, due_what: body.due_what, done_at: body.done_at, how: offer.how, asked };
  compare(context, "undo", "take_back, while nobody else was asked because of it", expected, found);
}

/** Somebody of a rung has been told, or nobody has: said of the rung that an open offer has reached. */
export function judgeUnheard(context: Context): void {
  const { body, state } = context;
  const offer = state.offers.get(body.offer_id);
  const expected = { open: true, rung: offer?.rung, new: true };
  compare(context, "rung", "the rung of an open offer, said once", expected, { open: offer?.open ?? false, rung: body.rung, new: body.away || !offer?.told.includes(body.rung) });
}
