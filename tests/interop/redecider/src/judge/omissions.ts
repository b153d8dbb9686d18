/** What must stand at the end of an answer: an event that follows from the rules and is left out is found here. */
import { fillsSeat, lastRound, liveOffer, offersOf, openOffers, openTracks, type CaseState, type Offer, type Track } from "../case/state.js";
import type { Bundle } from "../policy/bundle.js";
import { allLinesHold, mayBegin } from "../rules/conditions.js";
import { isFilled, unmetOf } from "./steps.js";

/** Everything that should have happened in this answer and did not, in words; empty if nothing is left out. */
export function omissions(state: CaseState, bundle: Bundle, now: number, head: string): string[] {
  if (!state.opened) return [];
  const found = tasksOfEnded(state);
  if (state.closed) return [...found, ...openTracks(state).map((track) => `the case is closed while ${track.pathway} runs`)];
  const unverified = bundle.agencies.get(state.referralAgency)?.unverified ?? false;
  if (state.tracks.size === 0 && !unverified && state.unfolded.size === 0) {
    for (const procedure of bundle.procedures) if (allLinesHold(state, null, procedure.applies)) found.push(`procedure ${procedure.id} does not begin`);
  }
  for (const track of openTracks(state)) {
    if (track.state === "OPEN" && track.procedure) found.push(...openTrack(state, track, now));
  }
  if (state.tracks.size > 0 && openTracks(state).length === 0) found.push("every procedure has ended, and the case is not closed");
  if (head === "DUE") {
    const late = openOffers(state).filter((offer) => offer.due !== null && offer.due <= now && state.tracks.get(offer.track)?.state === "OPEN");
    found.push(...late.map((offer) => `the limit ${offer.dueWhat} of ${offer.step} has passed, and nobody says so`));
    const tasks = [...state.tasks.values()].filter((task) => task.due !== null && task.due <= now);
    found.push(...tasks.map((task) => `a desk's task about ${task.about} is due, and is not told again`));
  }
  return found;
}

function openTrack(state: CaseState, track: Track, now: number): string[] {
  const found: string[] = [];
  const procedure = track.procedure!;
  for (const step of procedure.steps) {
    if (step.kind !== "FEED" && mayBegin(state, track, step).ready) found.push(`step ${step.id} does not begin`);
    const round = lastRound(track, step.id);
    if (!round || round.outcome !== null) continue;
    if (round.starts !== null && round.starts > now) continue;
    if (step.kind === "DECIDE") {
      const differ = [...state.tasks.values()].some((one) => one.about === "persons-differ" && one.track === track.id && one.step === step.id);
      const all = round.seats.length > 1 && round.seats.every((_, seat) => round.codes[seat] !== undefined);
      if (all && round.code === null && !differ) found.push(`all have decided ${step.id}, and nothing follows`);
      if (round.code !== null) found.push(`step ${step.id} is decided, and not done`);
    } else if (isFilled(state, track, step, round)) found.push(`step ${step.id} is filled, and not done`);
    round.seats.forEach((role, seat) => {
      const offers = offersOf(state, track.id, step.id, round.number, seat);
      const taken = offers.some((offer) => fillsSeat(offer) || offer.code !== null);
      const task = [...state.tasks.values()].some((one) => one.track === track.id && one.step === step.id && (one.seat === seat || one.seat === -1));
      const waits = step.twoPersons && seat > 0 && (step.form || round.codes[0] === undefined);
      if (!taken && !task && !waits && round.code === null) found.push(`nobody is asked for ${role} of ${step.id}, and no desk`);
    });
  }
  found.push(...leftOpen(state, track));
  for (const change of procedure.changes) {
    const target = change.switchTo ?? change.alsoOpen!;
    const begun = [...state.tracks.values()].some((one) => one.pathway === target);
    const task = [...state.tasks.values()].some((one) => one.about === "procedure-unknown" || one.about === "other-pathway");
    if (!begun && !task && allLinesHold(state, track, change.when)) found.push(`procedure ${target} does not begin by a change`);
  }
  for (const offer of openOffers(state)) {
    const called = [...state.tasks.values()].some((task) => task.offer === offer.id);
    if (offer.track === track.id && offer.reach === "PHONE" && !offer.accepted && offer.due !== null && !called) found.push(`no desk calls about ${offer.step}`);
  }
  if (unmetOf(state, track).length === 0) found.push(`close_when holds, and ${track.pathway} does not end`);
  return found;
}

/** Nobody has decided in time, and nothing moves: the offer stays as it is, and a desk is asked. */
function keepsPlace(state: CaseState, track: Track, offer: Offer): boolean {
  const step = track.procedure?.steps.find((one) => one.id === offer.step);
  const asked = [...state.tasks.values()].some((one) => one.about === "decide-missed" && one.track === track.id && one.step === offer.step && one.seat === offer.seat);
  return step?.onSilence === "keep-place" && offer.missed.includes("decide") && asked;
}

function tasksOfEnded(state: CaseState): string[] {
  const left = [...state.tasks.values()].filter((task) => task.track !== null && state.tracks.get(task.track)?.state === "ENDED");
  return left.map((task) => `a desk is still asked about ${task.about} of a procedure that has ended`);
}

/** Offers and tasks that the events of their step should have ended. */
function leftOpen(state: CaseState, track: Track): string[] {
  const found: string[] = [];
  for (const offer of openOffers(state).filter((one) => one.track === track.id)) {
    const round = track.rounds.get(offer.step)?.find((one) => one.number === offer.round);
    if (offer.kind === "DECIDE" && (offer.code !== null || round?.outcome !== null)) found.push(`the decision ${offer.step} was made, and its offer stays open`);
    if (offer.kind === "NOTIFY" && offer.acknowledged) found.push(`the notice of ${offer.step} was read, and its offer stays open`);
    if (offer.kept && liveOffer(state, track.id, offer.step, offer.round, offer.seat)?.accepted) found.push(`the duty of ${offer.agency} for ${offer.step} goes on, though another has accepted`);
    if (offer.kind !== "NOTIFY" && !offer.accepted && !offer.held && offer.due === null && !keepsPlace(state, track, offer)) found.push(`a limit of ${offer.step} has passed, and nothing follows`);
  }
  const calls = [...state.tasks.values()].filter((task) => task.about === "call" && task.track === track.id);
  for (const task of calls) {
    const offer = state.offers.get(task.offer ?? "");
    if (!offer?.open || offer.accepted) found.push(`a desk still calls about ${task.step}, which has its answer`);
    else if (calls.filter((one) => one.offer === task.offer).length > 1) found.push(`two desk's tasks call about ${task.step}`);
  }
  for (const task of state.tasks.values()) {
    const offers = [...state.offers.values()].filter((one) => one.track === task.track && one.step === task.step && one.seat === task.seat);
    const come = offers.some((one) => one.open && one.arrived);
    const confirmed = task.track === track.id && task.about === "confirm-default" && lastRound(track, task.step)?.byDesk === true;
    if (confirmed) found.push(`a desk is still asked to confirm ${task.step}, which it has confirmed`);
    if (task.track === track.id && ["present-missed", "arrive-missed"].includes(task.about) && come) found.push(`a desk still waits for ${task.step}, where somebody is now`);
  }
  return found;
}
