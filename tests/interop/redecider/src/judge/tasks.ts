/** Statements about desks: which desk is asked, why, and until when. */
import { lastRound, openTracks } from "../case/state.js";
import { search } from "../rules/candidates.js";
import { allLinesHold, consentWord, timeOf } from "../rules/conditions.js";
import { compare, happenedBefore, stepOf, trackOf, type Context } from "./context.js";

const missed: Record<string, string> = { "present-missed": "present", "arrive-missed": "arrive", "complete-missed": "complete", "decide-missed": "decide", "hold-missed": "hold" };

/** Tasks about a record, and not about a procedure. */
const aboutRecords = new Set(["record-lost", "record-disowned"]);

/** Oversight is asked at once. A missed duty by law is proposed to it since version 5 of the rules. */
const forOversight = new Set(["all-excluded", "complaint", "complaint-ours"]);

export function judgeNeedsPerson(context: Context): void {
  const { body, state, facts, tally } = context;
  const before = state.tasks.get(body.task_id);
  const rung = before ? Math.min(before.rung + 1, 2) : forOversight.has(body.about) ? 2 : 0;
  const foundIn: string = state.traits?.found_in ?? "";
  if (state.excluded.some((actor) => actor === `agency:${body.desk}`) || (state.traits === null && !before)) {
    tally.skip("desk of a case that excludes desks, or has no traits");
    return;
  }
  const desk = deskAt(context, foundIn, rung);
  const due = dueOf(context);
  const form = formOf(context);
  const expected = { desk, rung, due: due ?? body.due, stands: true, about: true, ...form };
  const found = {
    desk: body.desk,
    rung: body.rung,
    due: body.due,
    stands: before ? before.due !== null && before.due <= facts.now : stands(context),
    about: context.bundle.hasCode("about", body.about),
    ...Object.fromEntries(Object.keys(form).map((name) => [name, body[name]])),
  };
  compare(context, "desk", "the desk of the municipality, its supervising body, oversight; and why it is asked", expected, found);
  if (due === null) tally.skip(`limit of a desk's task about ${body.about}`);
}

function deskAt(context: Context, foundIn: string, rung: number): string {
  const { bundle } = context;
  if (rung >= 2) return bundle.desks.oversight;
  const first = bundle.municipalities.get(foundIn)?.desk ?? bundle.desks.country;
  return rung === 0 ? first : bundle.agencies.get(first)?.above ?? bundle.desks.oversight;
}

/** The fields of a task that its subject fixes. */
function formOf(context: Context): Record<string, unknown> {
  const { body } = context;
  const about: string = body.about;
  const offer = ["call", "tell", "not-told"].includes(about) ? {} : { offer_id: null };
  if (aboutRecords.has(about)) return { ...offer, track_id: null, step: "", seat: -1 };
  if (about === "persons-differ") return { ...offer, seat: -1 };
  if (about === "consent-missing") return { ...offer, step: "", seat: -1 };
  return about === "confirm-default" ? { ...offer, seat: -1 } : offer;
}

/** Null where the page does not say the limit. */
function dueOf(context: Context): number | null {
  const { body, state, facts, bundle } = context;
  const soon = bundle.calendar.end(facts.now, bundle.desks.repeat);
  if (body.about === "call") return state.offers.get(body.offer_id)?.due ?? null;
  if (body.about === "consent-missing" || body.about === "confirm-default") return bundle.calendar.end(facts.now, bundle.desks.stopped);
  if (body.about in missed || ["no-candidate", "time-missing", "persons-differ"].includes(body.about) || aboutRecords.has(body.about)) return soon;
  return null;
}

/** Whether what the task is about has happened. What is not known here counts as not compared, and stands. */
function stands(context: Context): boolean {
  const { body, state, facts, bundle, answer, tally } = context;
  const track = trackOf(context);
  const step = stepOf(track?.procedure, body.step);
  const about: string = body.about;
  if (about in missed) {
    return context.answer.events.slice(0, context.place).some((entry) => {
      const offer = entry.type.startsWith("deadline-passed.") && entry.body.what === missed[about] ? state.offers.get(entry.body.offer_id) : undefined;
      return offer?.track === body.track_id && offer?.step === body.step && offer?.seat === body.seat;
    });
  }
  if (about === "call") {
    const offer = state.offers.get(body.offer_id);
    return offer !== undefined && offer.open && offer.reach === "PHONE" && !offer.accepted && offer.track === body.track_id && offer.step === body.step && offer.seat === body.seat;
  }
  if (about === "not-told") return state.offers.get(body.offer_id)?.open === true && !wasTold(context, body.offer_id);
  if (about === "complaint" || about === "complaint-ours") return complaintStands(context);
  if (about === "consent-missing") return track !== undefined && track.procedure!.consentNeeded && consentWord(state) !== "given";
  if (about === "confirm-default") return happenedBefore(context, "decision-recorded", { track_id: body.track_id, step: body.step, how: "SILENCE" });
  if (about === "record-lost") return answer.head.kind === "LOST" && context.place === 0;
  if (about === "record-disowned") return context.place === 0 && (answer.head.kind === "LOST" || (context.input !== null && /-disowned\.v/.test(context.input.type)));
  if (about === "no-candidate" && track && step) {
    const seat = step.seats[body.seat];
    const round = track.rounds.get(step.id)?.at(-1);
    if (!seat || !round) return false;
    if (seat.holder !== null) {
      tally.skip("whether nobody is left for a seat that a holder has");
      return true;
    }
    const result = search({ state, track, step, seat, index: body.seat, round: round.number, bundle, now: facts.now, free: facts.free });
    return result === null || result.chosen === null;
  }
  if (about === "no-pathway") return openTracks(state).length === 0 && !bundle.procedures.some((one) => allLinesHold(state, null, one.applies));
  if (about === "time-missing") return step !== undefined && step.from !== null && timeOf(state, step.from) === null;
  if (about === "persons-differ") {
    const round = track && lastRound(track, body.step);
    return round !== undefined && round.outcome === null && new Set(round.seats.map((_, seat) => round.codes[seat])).size > 1;
  }
  if (about === "confirm-referral") return bundle.agencies.get(state.referralAgency)?.unverified ?? false;
  tally.skip(`reason of a desk's task about ${about}`);
  return true;
}

function wasTold({ state }: Context, offerId: string): boolean {
  const offer = state.offers.get(offerId);
  return offer !== undefined && offer.told.includes(offer.rung);
}

/** A limit of this seat has passed in this answer, under a duty by law; whether somebody was told decides whose silence it is. */
function complaintStands(context: Context): boolean {
  const { body, state, facts, tally } = context;
  tally.skip("whether a message came before half of the limit was over");
  return facts.engine >= 5 && context.answer.events.slice(0, context.place).some((entry) => {
    const offer = entry.type.startsWith("deadline-passed.") ? state.offers.get(entry.body.offer_id) : undefined;
    const same = offer?.track === body.track_id && offer?.step === body.step && (body.seat === -1 || offer?.seat === body.seat);
    return same && (body.about === "complaint-ours" || wasTold(context, offer!.id) || offer!.acknowledged);
  });
}

export function judgeNotNeeded(context: Context): void {
  const { body, state } = context;
  const task = state.tasks.get(body.task_id);
  compare(context, "settled", "only an open task is settled", true, task !== undefined);
  context.tally.skip("what settled a desk's task");
}
