/** Statements about procedures and steps: when they begin, and when they, offers and cases end. */
import { lastRound, offersOf, openTracks, roundsOf, type CaseState, type Offer, type Round, type Track } from "../case/state.js";
import type { Step } from "../policy/procedure.js";
import { allLinesHold, anyLineHolds, consentWord, everySeat, markHolds, mayBegin } from "../rules/conditions.js";
import { firstRole } from "../rules/holders.js";
import { lastWord } from "../rules/limits.js";
import { compare, stepOf, trackOf, type Context } from "./context.js";

export function judgeTrack(context: Context): void {
  const { body, state, bundle, tally, input } = context;
  const track = trackOf(context);
  const procedure = track?.procedure;
  if (body.state === "OPENED") {
    const own = bundle.procedure(body.pathway);
    const running = openTracks(state).some((one) => one.pathway === body.pathway);
    const opener = body.opened_by === null ? null : state.tracks.get(body.opened_by);
    const follows =
      opener === null
        ? own !== undefined && (allLinesHold(state, null, own.applies) || input?.type.startsWith("instruction-given.") === true)
        : opener?.procedure?.changes.some((one) => [one.switchTo, one.alsoOpen].includes(body.pathway) && allLinesHold(state, opener, one.when)) === true;
    const expected = { digest: own?.digest, running: false, follows: true, outcome: "", paused_by: "" };
    compare(context, "procedure", "applies, or changes of the procedure that opens it", expected, { digest: body.digest, running, follows, outcome: body.outcome, paused_by: body.paused_by });
    return;
  }
  if (!track || !procedure) {
    tally.skip("end of a procedure that no bundle holds");
    return;
  }
  const named = compare(context, "procedure", "a procedure keeps the file with which it began", { digest: track.digest, pathway: track.pathway, opened_by: track.openedBy, ended: false, paused_by: body.state === "PAUSED" ? body.paused_by : "" }, { digest: body.digest, pathway: body.pathway, opened_by: body.opened_by ?? track.openedBy, ended: track.state === "ENDED", paused_by: body.paused_by });
  if (!named) return;
  if (body.state === "ENDED" && body.outcome === "done") {
    compare(context, "ended", "close_when", [], unmetOf(state, track));
  } else if (body.state === "ENDED" && body.outcome === "consent-withdrawn") {
    const ends = procedure.onWithdrawal === "stop" && ["refused", "withdrawn", "expired"].includes(consentWord(state));
    compare(context, "ended", "on_withdrawal: stop, also after a refusal or the end of a consent", true, ends);
  } else if (body.state === "SWITCHED") {
    compare(context, "ended", "switch_to", true, procedure.changes.some((one) => one.switchTo !== null && allLinesHold(state, track, one.when)));
  } else if (body.state === "ENDED" && !input?.type.startsWith("instruction-given.") && !bundle.hasCode("outcome", body.outcome)) {
    compare(context, "ended", "a procedure ends with a code of the list of outcomes", "such a code", body.outcome);
  } else tally.skip(`procedure ${body.state.toLowerCase()} by ${body.outcome || "a rule that is not written on the page"}`);
}

/** What still keeps a procedure open: steps that must be done, and rounds that are under way. */
export function unmetOf(state: CaseState, track: Track): string[] {
  const procedure = track.procedure!;
  const unmet = procedure.closeWhen.filter((id) => {
    const step = stepOf(procedure, id);
    const round = lastRound(track, id);
    if (round) return round.outcome === null;
    return step !== undefined && isNeeded(state, track, step);
  });
  const underWay = [...track.rounds].filter(([, rounds]) => rounds.some((round) => round.outcome === null)).map(([id]) => id);
  return [...new Set([...unmet, ...underWay])];
}

/** A step that never began is not needed if its circumstances do not hold. */
export function isNeeded(state: CaseState, track: Track, step: Step): boolean {
  return allLinesHold(state, track, step.when) && !anyLineHolds(state, track, step.unless);
}

export function judgeStepOpened(context: Context): void {
  const { body, state, facts, bundle, tally } = context;
  const track = trackOf(context);
  const step = stepOf(track?.procedure, body.step);
  if (!track || !step) {
    compare(context, "step", "the step stands in the procedure of its track", "such a step", "none");
    return;
  }
  const rounds = roundsOf(track, step.id);
  if (rounds.length > 0 && step.at.length > 0) {
    tally.skip("step that is repeated at its times");
    return;
  }
  if (context.input?.type.startsWith("instruction-given.") && context.input.body.word === "REOPEN") {
    tally.skip("step that a desk reopened");
    return;
  }
  const ready = mayBegin(state, track, step);
  const expected = {
    begins: "",
    round: rounds.length,
    kind: step.kind,
    seats: step.seats.map((seat) => firstRole(track.procedure!, seat)),
    starts: step.at.length > 0 ? bundle.calendar.end(facts.now, step.at[0]!) : null,
  };
  const found = { begins: ready.why, round: body.round, kind: body.kind, seats: body.seats, starts: body.starts };
  compare(context, "step", "after, when, unless, at_once_when, again_when, at", expected, found);
}

/** Whether the seats of a round have all met its last limit. */
export function isFilled(state: CaseState, track: Track, step: Step, round: Round): boolean {
  if (step.kind === "NOTIFY") return round.seats.every((_, seat) => offersOf(state, track.id, step.id, round.number, seat).length > 0);
  const word = lastWord(step);
  return everySeat(state, track, step.id, round, (offer) => offer.how === "COMPLETED" || (word !== "completed" && offer[word]));
}

export function judgeStepDone(context: Context): void {
  const { body, state } = context;
  const track = trackOf(context);
  const step = stepOf(track?.procedure, body.step);
  const round = track?.rounds.get(body.step)?.find((one) => one.number === body.round);
  if (!track || !step || !round || round.outcome !== null) {
    compare(context, "ended", "a step is done once in each round", "a round under way", round ? `done: ${round.outcome}` : "none");
    return;
  }
  if (body.outcome === "not-needed") {
    compare(context, "ended", "a step whose circumstances no longer hold is not needed, nor one that repeats until this", false, isNeeded(state, track, step) && !step.until.some((mark) => markHolds(state, track, mark)));
  } else if (step.kind === "DECIDE") {
    if (step.form && step.twoPersons && round.code === null && step.codes.includes(body.outcome)) {
      context.tally.skip("whether a form points to more than was decided, and a second person is needed");
      compare(context, "ended", "the decision of the first person", round.codes[0], body.outcome);
    } else if (step.codes.includes(body.outcome) || round.code !== null) compare(context, "ended", "the decision", round.code, body.outcome);
    else judgeOtherOutcome(context);
  } else if (body.outcome === "done") {
    compare(context, "ended", "each seat has met the last limit of the step", true, isFilled(state, track, step, round));
  } else judgeOtherOutcome(context);
}

/** Other outcomes come of a desk, or of the end of the procedure: the page says no more of them. */
function judgeOtherOutcome(context: Context): void {
  const { body, bundle, input, answer, tally } = context;
  const desk = input?.type.startsWith("instruction-given.") ?? false;
  const ends = answer.events.some((entry) => entry.type.startsWith("track-changed.") && entry.body.track_id === body.track_id);
  if ((desk || ends) && bundle.hasCode("outcome", body.outcome)) tally.skip(`step that ends with ${body.outcome}`);
  else compare(context, "ended", "only a desk, or the end of the procedure, ends a step otherwise", "such a cause", body.outcome);
}

export function judgeOfferClosed(context: Context): void {
  const { body, state, input, answer, tally } = context;
  const offer = state.offers.get(body.offer_id);
  if (!offer?.open) {
    compare(context, "ended", "only an open offer ends", "an open offer", offer ? `ended: ${offer.how}` : "none");
    return;
  }
  const response = input?.type.startsWith("response-submitted.") && input.body.offer_id === offer.id ? input.body : null;
  const found = { how: body.how, reason: body.reason };
  switch (body.how) {
    case "COMPLETED":
    case "RETURNED":
    case "DECLINED_BY_AGENCY":
    case "DECLINED_BY_PERSON":
      if (input?.type.startsWith("instruction-given.")) tally.skip("offer that a desk ended");
      else if (offer.kept) compare(context, "ended", "a duty ends when another agency has accepted", { how: "DECLINED_BY_AGENCY", reason: offer.keptReason, other: true }, { ...found, other: otherAccepted(context, offer) });
      else compare(context, "ended", "the answer of its agency", endOf(response, offer), found);
      break;
    case "EXPIRED": {
      const duty = stepOf(state.tracks.get(offer.track)?.procedure, offer.step)?.seats[offer.seat]?.statutory;
      if (duty) tally.skip("whether silence under a duty by law raises a rights case");
      if (body.reason === "all-excluded") tally.skip("ladder on which everybody is excluded");
      else compare(context, "ended", "a limit or a rung that ends it, and whose silence that is", silenceOf(context, offer), body.reason);
      break;
    }
    case "CANCELLED": {
      const track = state.tracks.get(offer.track);
      const step = stepOf(track?.procedure, offer.step);
      const ends = answer.events.some((entry) => entry.type.startsWith("track-changed.") && entry.body.track_id === offer.track);
      if (response && response.offer_id === offer.id) compare(context, "ended", "an agency's own answer cancels nothing", endOf(response, offer), found);
      else if (ends || (track && step && !isNeeded(state, track, step))) compare(context, "ended", "its circumstances no longer hold", true, true);
      else tally.skip("offer that was cancelled");
      break;
    }
    default:
      if (input?.type.startsWith("instruction-given.") || (input && !response)) tally.skip(`offer that ended as ${body.how}`);
      else compare(context, "ended", "the answer of its agency", endOf(response, offer), found);
  }
}

/** The reason with which an offer expires (15.5); empty: nothing ends it. */
function silenceOf(context: Context, offer: Offer): string {
  const passed = context.answer.events.slice(0, context.place).find((entry) => entry.type.startsWith("deadline-passed.") && entry.body.offer_id === offer.id)?.body.what;
  const failed = passed === undefined && context.input?.type.startsWith("rung-failed.") && context.input.body.offer_id === offer.id;
  const top = offer.rung === offer.ladder.length - 1;
  const words: Record<string, string> = { accept: "accept", hold: "hold", decide: "decide", ...(top ? { acknowledge: "ladder-exhausted" } : {}) };
  const limit = failed ? (top ? "ladder-exhausted" : undefined) : words[passed];
  if (limit === undefined) return "";
  if (offer.acknowledged || offer.held) return limit;
  if (offer.reach === "PHONE") return "not-called";
  const untold = passed !== undefined && offer.knocked && !offer.told.includes(offer.rung);
  return untold || offer.excused ? "not-told" : limit;
}

/** Whether another agency accepted this offer's seat in this answer. */
function otherAccepted(context: Context, offer: Offer): boolean {
  return context.answer.events.slice(0, context.place).some((entry) => {
    const other = entry.type.startsWith("offer-accepted.") ? context.state.offers.get(entry.body.offer_id) : undefined;
    return other !== undefined && other.id !== offer.id && other.track === offer.track && other.step === offer.step && other.round === offer.round && other.seat === offer.seat;
  });
}

/** How an agency's own answer ends its offer. A notice is completed when it is acknowledged. */
function endOf(response: any, offer: Offer): { how: string; reason: string } | null {
  if (response === null) return null;
  if (response.word === "ACKNOWLEDGE" && offer.kind === "NOTIFY") return { how: "COMPLETED", reason: "" };
  const ends: Record<string, string> = { COMPLETE: "COMPLETED", DECIDE: "COMPLETED", RETURN: "RETURNED", DECLINE: response.reason === "PERSON_DECLINED" ? "DECLINED_BY_PERSON" : "DECLINED_BY_AGENCY" };
  const how = ends[response.word];
  return how ? { how, reason: response.reason } : null;
}

export function judgeCaseClosed(context: Context): void {
  const { body, state, tally } = context;
  const sealed = [...state.tracks.values()].some((track) => track.procedure?.seal ?? false);
  const found = { open: openTracks(state).length, sealed: body.sealed, code: context.bundle.hasCode("outcome", body.outcome) };
  compare(context, "ended", "every procedure has ended; seal", { open: 0, sealed, code: true }, found);
  if (body.outcome !== "done") tally.skip(`case that ends with ${body.outcome}`);
}

/** A desk's word is that of the first of two persons who has said none; else it agrees with one of them. */
function emptySeat(round: Round): number {
  return round.seats.findIndex((_, seat) => round.codes[seat] === undefined);
}

export function judgeDecision(context: Context): void {
  const { body, state, input } = context;
  const track = trackOf(context);
  const step = stepOf(track?.procedure, body.step);
  const round = track && lastRound(track, body.step);
  if (!track || !step || !round || step.kind !== "DECIDE") {
    compare(context, "decided", "a decision is of a step that decides", "such a step", "none");
    return;
  }
  const found = { seat: body.seat, code: body.code, round: body.round, by: body.by };
  const codes = round.codes.filter((code) => code !== undefined);
  if (body.how === "PERSON") {
    const offer = state.offers.get(input?.body?.offer_id);
    const right = offer?.step === body.step && offer?.open && offer.codes.includes(body.code) && offer.needs.every((need) => input!.body.recorded.includes(need));
    const asPerson = step.twoPersons || step.form || (offer !== undefined && step.seats[offer.seat]!.otherPersonThan.length > 0);
    const by = input?.body?.by ?? (asPerson ? input?.body?.recorded_by : null) ?? null;
    compare(context, "decided", "the answer of the seat's holder, with what it needs", { seat: offer?.seat, code: input?.body?.code, round: round.number, by, right: true }, { ...found, right: right ?? false });
  } else if (body.how === "SILENCE") {
    const missed = context.answer.events.some((entry) => entry.type.startsWith("deadline-passed.") && entry.body.what === "decide" && state.offers.get(entry.body.offer_id)?.step === body.step);
    const offers = offersOf(state, track.id, step.id, round.number);
    const seat = body.seat === -1 || offers.some((offer) => offer.seat === body.seat && offer.missed.includes("decide"));
    compare(context, "decided", "on_silence, once decide has passed", { code: step.onSilence, round: round.number, missed: true, seat: true, by: null }, { code: body.code, round: body.round, missed, seat, by: body.by });
  } else if (body.how === "DESK") {
    const settles = { step: input?.body?.step, code: input?.body?.target, by: input?.body?.by ?? null, seat: step.twoPersons && !step.form ? emptySeat(round) : -1, round: round.number };
    compare(context, "decided", "SETTLE of a desk", settles, { step: body.step, code: body.code, by: body.by, seat: body.seat, round: body.round });
  } else if (body.how === "AGREED") {
    compare(context, "decided", "all decide the same", true, codes.length === round.seats.length && codes.every((code) => code === body.code));
  } else if (body.how === "DISAGREED") {
    compare(context, "decided", "on_disagreement", { code: step.onDisagreement, differ: true }, { code: body.code, differ: new Set(codes).size > 1 });
  } else compare(context, "decided", "a person, agreement, disagreement, silence or a desk decides", "one of these", body.how);
}
