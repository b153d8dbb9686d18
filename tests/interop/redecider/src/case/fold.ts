/** Folds one decision into the state of its case. */
import type { Entry } from "../log/entries.js";
import type { Procedure } from "../policy/procedure.js";
import { typeName } from "./answers.js";
import { fillsSeat, offersOf, lastRound, type CaseState, type Offer, type Round } from "./state.js";

type Body = any;
/** Says which procedure has a digest. */
export type FindProcedure = (digest: string) => Procedure | undefined;

export function fold(state: CaseState, entry: Entry, find: FindProcedure): void {
  state.count++;
  const body: Body = entry.body;
  const handler = handlers[typeName(entry)];
  if (handler) handler(state, body, find);
  else state.unfolded.add(typeName(entry));
}

/** Whoever answers was told, however late. */
const answered = { acknowledged: true, unheard: false, excused: false };

const handlers: Record<string, (state: CaseState, body: Body, find: FindProcedure) => void> = {
  "case-opened": (state, body) => {
    Object.assign(state, { opened: true, drill: body.drill, traits: body.traits, consent: body.consent, excluded: body.excluded, referralAgency: body.agency });
  },
  "case-changed": (state, body) => {
    Object.assign(state, { traits: body.traits, consent: body.consent, excluded: body.excluded });
  },
  "case-closed": (state) => void (state.closed = true),
  "track-changed": foldTrack,
  "step-opened": foldStep,
  "step-done": (state, body) => {
    const round = roundOf(state, body);
    if (!round) return;
    round.outcome = body.outcome;
    round.doneAt = state.count;
    mark(state, body, "done");
    if (round.kind === "DECIDE" && !withoutCode.has(body.outcome)) settle(state, body, round, body.outcome);
  },
  "offer-opened": foldOffer,
  "offer-acknowledged": (state, body) => {
    change(state, body, { ...answered, due: body.due, dueWhat: body.due_what });
    tell(state, body);
  },
  "offer-accepted": (state, body) => {
    change(state, body, { ...answered, accepted: true, held: false, kept: false, open: true, how: null, due: body.due, dueWhat: body.due_what });
    tell(state, body);
    markSeats(state, body.offer_id, "accepted", (offer) => offer.accepted);
  },
  "offer-arrived": (state, body) => {
    change(state, body, { ...answered, accepted: true, arrived: true, due: body.due, dueWhat: body.due_what });
    tell(state, body);
    markSeats(state, body.offer_id, "arrived", (offer) => offer.arrived);
    markSeats(state, body.offer_id, "present", (offer) => offer.arrived);
  },
  "offer-held": (state, body) => change(state, body, { held: true, due: body.due, dueWhat: body.due === null ? "" : "hold", kept: body.due === null, keptReason: body.reason }),
  "offer-escalated": (state, body) => {
    const offer = state.offers.get(body.offer_id);
    const anew = body.reason === "acknowledger-excluded" ? { acknowledged: false } : {};
    if (offer) Object.assign(offer, { ...anew, rung: body.rung, due: body.due, dueWhat: body.due_what, excused: offer.unheard, told: offer.told.filter((rung) => rung !== body.rung) });
  },
  "offer-closed": (state, body) => {
    change(state, body, { open: false, how: body.how, due: null, dueWhat: "", kept: false });
    silent(state, body);
    if (body.how !== "COMPLETED") return;
    const offer = state.offers.get(body.offer_id);
    if (offer && offer.kind !== "DECIDE") markCompleted(state, offer);
  },
  "offer-reopened": (state, body) => {
    change(state, body, { open: true, how: null, arrived: body.arrived, due: body.due, dueWhat: body.due_what });
    const round = roundOf(state, { ...body, round: state.offers.get(body.offer_id)?.round });
    if (round && body.done_at !== null) Object.assign(round, { outcome: null, doneAt: null });
  },
  "offer-unheard": (state, body) => {
    const offer = state.offers.get(body.offer_id);
    if (!offer) return;
    const inTime = !body.away && body.why.rule !== "told-late";
    Object.assign(offer, { unheard: body.away, excused: offer.excused || body.away });
    offer.told = [...offer.told.filter((rung) => rung !== body.rung), ...(inTime ? [body.rung] : [])];
  },
  "undo-allowed": () => {},
  "input-ignored": () => {},
  "referral-attached": () => {},
  "case-linked": () => {},
  "case-raised": () => {},
  "change-proposed": (state) => void state.unfolded.add("change-proposed"),
  "deadline-passed": (state, body) => {
    const offer = state.offers.get(body.offer_id);
    if (!offer) return;
    offer.missed.push(body.what);
    if (offer.due === body.was_due) offer.due = null;
    if (body.what !== "acknowledge") return;
    const round = roundOf(state, { track_id: offer.track, step: offer.step, round: offer.round });
    if (round) round.acknowledgeMissed = true;
  },
  "decision-recorded": (state, body) => {
    const round = roundOf(state, body);
    if (!round) return;
    for (const offer of offersOf(state, body.track_id, body.step, body.round, body.seat)) if (offer.open) offer.code = body.code;
    if (body.seat >= 0) {
      round.codes[body.seat] = body.code;
      answerFor(round, body.seat, body.by);
    }
    if (body.how === "DESK") round.byDesk = true;
    if (body.seat === -1 || round.seats.length === 1) settle(state, body, round, body.code);
  },
  "needs-person": (state, body) => {
    state.tasks.set(body.task_id, {
      id: body.task_id,
      desk: body.desk,
      about: body.about,
      track: body.track_id,
      step: body.step,
      seat: body.seat,
      rung: body.rung,
      due: body.due,
      offer: body.offer_id ?? null,
    });
  },
  "person-not-needed": (state, body) => void state.tasks.delete(body.task_id),
};

/** Outcomes of a decision's step that are no code. */
const withoutCode = new Set(["not-needed", "settled", "closed-by-desk", "overtaken", "switched", "exercise-over"]);

/** A code that is only confirmed is no new event. */
function settle(state: CaseState, body: Body, round: Round, code: string): void {
  if (round.code === code) return;
  Object.assign(round, { code, codeAt: state.count });
  mark(state, body, "decided");
  mark(state, body, code);
}

function foldTrack(state: CaseState, body: Body, find: FindProcedure): void {
  if (body.state === "OPENED") {
    state.tracks.set(body.track_id, {
      id: body.track_id,
      pathway: body.pathway,
      digest: body.digest,
      procedure: find(body.digest),
      state: "OPEN",
      openedBy: body.opened_by,
      since: state.time,
      outcome: "",
      rounds: new Map(),
      marks: new Map(),
    });
    state.closed = false;
    return;
  }
  const track = state.tracks.get(body.track_id);
  if (!track) return;
  if (body.state === "PAUSED") track.state = "PAUSED";
  if (body.state === "RESUMED") track.state = "OPEN";
  if (body.state === "ENDED" || body.state === "SWITCHED") Object.assign(track, { state: "ENDED", outcome: body.outcome });
}

function foldStep(state: CaseState, body: Body): void {
  const track = state.tracks.get(body.track_id);
  if (!track) return;
  const round: Round = {
    number: body.round,
    kind: body.kind,
    seats: body.seats,
    starts: body.starts,
    openedAt: state.count,
    outcome: null,
    doneAt: null,
    code: null,
    codeAt: null,
    acknowledgeMissed: false,
    codes: [],
    persons: body.seats.map(() => []),
    byDesk: false,
  };
  track.rounds.set(body.step, [...(track.rounds.get(body.step) ?? []), round]);
}

function foldOffer(state: CaseState, body: Body): void {
  state.offers.set(body.offer_id, {
    id: body.offer_id,
    track: body.track_id,
    step: body.step,
    round: body.round,
    seat: body.seat,
    kind: body.kind,
    role: body.role,
    agency: body.agency,
    service: body.service,
    reach: body.reach,
    ladder: body.ladder,
    rung: body.rung,
    words: body.words,
    reasons: body.reasons,
    codes: body.codes,
    needs: body.needs,
    shows: body.shows,
    due: body.due,
    dueWhat: body.due_what,
    acknowledged: false,
    accepted: false,
    arrived: false,
    held: false,
    kept: false,
    keptReason: "",
    open: true,
    how: null,
    missed: [],
    told: [],
    knocked: body.reach === "WEB" && body.why.engine >= 5,
    unheard: false,
    excused: false,
    code: null,
  });
}

function change(state: CaseState, body: Body, fields: Partial<Offer>): void {
  const offer = state.offers.get(body.offer_id);
  if (offer) Object.assign(offer, fields);
}

/** Whoever answers for a seat is one of its persons; a system is nobody. */
function tell(state: CaseState, body: Body): void {
  const offer = state.offers.get(body.offer_id);
  const round = offer && roundOf(state, { track_id: offer.track, step: offer.step, round: offer.round });
  if (offer && round) answerFor(round, offer.seat, body.by);
}

function answerFor(round: Round, seat: number, by: string | null): void {
  const persons = round.persons[seat];
  if (persons && by !== null && !persons.includes(by)) persons.push(by);
}

/** An offer that expires before anybody has read it was not acknowledged in time. */
function silent(state: CaseState, body: Body): void {
  const offer = state.offers.get(body.offer_id);
  const round = offer && roundOf(state, { track_id: offer.track, step: offer.step, round: offer.round });
  if (round && body.how === "EXPIRED" && !offer.acknowledged && !offer.accepted) round.acknowledgeMissed = true;
}

function roundOf(state: CaseState, body: Body): Round | undefined {
  return state.tracks.get(body.track_id)?.rounds.get(body.step)?.find((round) => round.number === body.round);
}

function mark(state: CaseState, body: Body, word: string): void {
  state.tracks.get(body.track_id)?.marks.set(`${body.step}.${word}`, state.count);
}

/** A mark of a step holds when it holds for each of its seats. */
function markSeats(state: CaseState, offerId: string, word: string, holds: (offer: Offer) => boolean): void {
  const offer = state.offers.get(offerId);
  if (!offer) return;
  const { step, round: number } = offer;
  const track = state.tracks.get(offer.track);
  const round = track && lastRound(track, step);
  if (!track || !round || round.number !== number) return;
  const fills = (seat: number): boolean =>
    offersOf(state, track.id, step, number, seat).some((one) => fillsSeat(one) && holds(one));
  if (round.seats.every((_, seat) => fills(seat))) track.marks.set(`${step}.${word}`, state.count);
}

/** Whoever has completed a part has accepted it. */
function markCompleted(state: CaseState, offer: Offer): void {
  const accepted = offer.accepted;
  offer.accepted = true;
  if (!accepted) markSeats(state, offer.id, "accepted", (one) => one.accepted);
  markSeats(state, offer.id, "completed", (one) => one.how === "COMPLETED");
}
