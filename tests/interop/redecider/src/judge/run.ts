/** Judges a whole log: every answer of every case, in the order of the log. */
import type { Entry, Log } from "../log/entries.js";
import { groupCases, type Answer, type CaseEntries } from "../case/answers.js";
import { fold, type FindProcedure } from "../case/fold.js";
import { emptyCase, openOffers, offersOf, type CaseState } from "../case/state.js";
import { PolicyChain } from "../policy/chain.js";
import type { Bundle } from "../policy/bundle.js";
import type { Context } from "./context.js";
import { judgeEvent } from "./events.js";
import { checkForm, checkToldLost } from "./facts.js";
import { checkHead } from "./heads.js";
import { Horizon } from "./horizon.js";
import { Knocks } from "./knocks.js";
import { omissions } from "./omissions.js";
import { checkFree, Places } from "./places.js";
import { Positions } from "./positions.js";
import { Tally } from "./tally.js";
import { Unanswered } from "./unanswered.js";
import { Versions } from "./versions.js";

export interface Verdict {
  tally: Tally;
  entries: number;
  cases: number;
  answers: number;
}

interface Run {
  tally: Tally;
  chain: PolicyChain;
  places: Places;
  horizon: Horizon;
  versions: Versions;
  unanswered: Unanswered;
}

interface CaseRun {
  own: CaseEntries;
  state: CaseState;
  causes: Set<string>;
  /** Statements are compared until one differs: what follows from a wrong decision proves nothing. */
  compares: boolean;
  /** A step with a word that this program does not know has begun: its statements are not decided any more. */
  newer: boolean;
  /** The case is judged no further. */
  ended: boolean;
  /** A finding ended its judgement: what did not happen in it is not judged (section 15.6). */
  broken: boolean;
}

/** The page does not say which findings end the judgement of a case; these leave it in a state that proves nothing (GAPS.md). */
const endsJudgement = new Set(["CAUSE_DIFFERS", "DECIDED_TWICE", "DECISION_DIFFERS", "EVENT_ID", "HEAD_MISSING", "INPUT", "OTHER_ENGINE", "POLICY_MISSING"]);

/** The chain of policies may be given where many logs with the same bundles are judged. */
export function judgeLog(log: Log, chain = new PolicyChain(log.entries)): Verdict {
  const tally = new Tally();
  for (const damage of log.damage) tally.find(damage.entry, damage.code, "bad", damage.message);
  for (const finding of chain.findings) tally.find(finding.entry, finding.code, "bad", finding.message);
  const { entries } = log;
  const cases = groupCases(entries);
  const answers = cases.flatMap((own) => own.answers);
  const horizon = new Horizon(entries);
  const run: Run = {
    tally,
    chain,
    horizon,
    places: new Places(cases, horizon),
    versions: new Versions(answers, chain, entries),
    unanswered: new Unanswered(tally, horizon, new Positions(entries), answers, entries),
  };
  const knocks = new Knocks(tally, horizon, cases, entries);
  const runs = cases.map((own): CaseRun => ({ own, state: emptyCase(), causes: new Set(), compares: true, newer: false, ended: false, broken: false }));
  const inOrder = runs.flatMap((one) => one.own.answers.map((answer) => ({ one, answer }))).sort((a, b) => a.answer.events[0]!.index - b.answer.events[0]!.index);
  for (const { one, answer } of inOrder) {
    if (one.own.closed) tally.skip("answer of a case without a key");
    else if (!one.ended) judgeAnswer(run, one, answer);
  }
  for (const one of runs) {
    if (one.own.closed) checkKey(tally, one.own);
    if (one.own.closed || one.ended) continue;
    checkSequence(tally, one.own);
    if (one.broken) continue;
    run.unanswered.checkInputs(one.own);
    checkToldLost(tally, one.own, entries, horizon);
    run.unanswered.checkLimit(one.own, nextLimit(one.state));
    knocks.check(one.own);
  }
  addDifferences(tally);
  return { tally, entries: entries.length, cases: cases.length, answers: inOrder.length };
}

/** A case that cannot be opened is not judged: an erased one never, another one not with these keys (section 14.5). */
function checkKey(tally: Tally, own: CaseEntries): void {
  if (own.all.some((entry) => entry.kind === "ERASURE")) tally.skip("case that was erased");
  else tally.find(own.all[0]!.index, "KEY_GONE", "unchecked", `no key opens the case ${own.id}`);
}

/** Said of each event of a case that this program does not decide: never a verdict. */
export const newerRules = "not decided: written by newer rules";

/** Whether a step begins in this answer that says what this program does not know. */
function beginsNewer(answer: Answer, state: CaseState, find: FindProcedure): boolean {
  return answer.events.some((entry) => {
    if (!entry.type.startsWith("step-opened.")) return false;
    const { track_id: track, step } = entry.body;
    const opened = answer.events.find((one) => one.type.startsWith("track-changed.") && one.body.track_id === track)?.body.digest;
    return find(opened ?? state.tracks.get(track)?.digest ?? "")?.newer.some((word) => word.startsWith(`${step}: `)) ?? false;
  });
}

function judgeAnswer(run: Run, one: CaseRun, answer: Answer): void {
  const { tally, chain } = run;
  const { state, own } = one;
  if (answer.events.some((entry) => entry.body === null)) {
    tally.skip("answer with an event that cannot be opened");
    one.ended = true;
    return;
  }
  const found = tally.findings.length;
  const head = checkHead(tally, own, answer, one.causes, state.time, run.horizon);
  if (head.ends) {
    one.ended = true;
    return;
  }
  const facts = answer.head.facts;
  const limit = nextLimit(state);
  const bundle = run.versions.check(tally, answer);
  const find: FindProcedure = (digest) => chain.withProcedure(digest)?.procedureByDigest(digest);
  one.newer ||= beginsNewer(answer, state, find);
  const decides = one.compares && head.sound && bundle !== null;
  const compares = decides && !one.newer;
  state.time = Math.max(state.time, facts.now);
  const before = tally.differences.length;
  if (decides) checkFacts(run, one, answer, bundle, limit);
  const offers = structuredClone(state.offers);
  answer.events.forEach((entry, place) => {
    if (compares && tally.differences.length === before) {
      judgeEvent({ tally, answer, facts, bundle, state, before: offers, input: head.input, entry, body: entry.body, place } satisfies Context);
    } else if (one.newer) tally.skip(newerRules);
    else tally.skip(compares ? "event after a difference" : "event of an answer that cannot be compared");
    fold(state, entry, find);
  });
  if (compares && tally.differences.length === before) checkComplete(run, one, answer, bundle, head.input);
  if (tally.differences.length > before) one.compares = false;
  if (tally.differences.length > before || tally.findings.slice(found).some((one) => endsJudgement.has(one.code))) one.broken = true;
}

function checkFacts(run: Run, one: CaseRun, answer: Answer, bundle: Bundle, limit: number | null): void {
  const { tally } = run;
  const first = answer.events[0]!;
  checkForm(tally, answer);
  checkFree(tally, answer, bundle, run.places);
  if (answer.head.kind === "DUE") {
    const { due } = answer.head; // before its time it changes nothing, and DUE_EARLY says so
    tally.compare("limit", first.index, "an alarm is that of the case's next limit", { due: limit }, { due });
  }
  else checkUntold(tally, answer, limit);
  if (answer.head.kind === "LOST") run.unanswered.checkLost(one.own, answer);
}

/** The page does not say what the answer to a record does with a limit that has passed already (GAPS.md). */
function checkUntold(tally: Tally, answer: Answer, limit: number | null): void {
  if (limit !== null && limit <= answer.head.facts.now) tally.skip("limit that had passed when another input was decided");
}

function checkComplete(run: Run, one: CaseRun, answer: Answer, bundle: Bundle, input: Entry | null): void {
  const { tally } = run;
  const last = answer.events.at(-1)!;
  const ignored = answer.events[0]!.type.startsWith("input-ignored.");
  if (one.state.unfolded.size > 0) {
    tally.skip(`end of an answer after ${[...one.state.unfolded].join(", ")}`);
    return;
  }
  const undo = missingUndo(one.state, answer, input);
  const left = omissions(one.state, bundle, answer.head.facts.now, ignored ? "" : answer.head.kind);
  tally.compare("complete", last.index, "an answer ends when nothing follows any more", [], [...undo, ...left]);
}

/** Whoever has completed a part may take it back, while nobody else was asked because of it. A decision is not taken back. */
function missingUndo(state: CaseState, answer: Answer, input: Entry | null): string[] {
  const said = input?.type.startsWith("response-submitted.") && input.body.word === "COMPLETE" ? input.body : null;
  const offer = said && state.offers.get(said.offer_id);
  const track = offer && state.tracks.get(offer.track);
  if (!offer || !track || track.state !== "OPEN" || offer.how !== "COMPLETED" || !track.procedure?.takeBack) return [];
  const others = answer.events.some((entry) => ["offer-opened.", "undo-allowed.", "needs-person."].some((type) => entry.type.startsWith(type)));
  return others ? [] : [`nobody says until when ${offer.step} may be taken back`];
}

/** The sequence of decisions has no gap: a decision that was taken out leaves one. */
function checkSequence(tally: Tally, own: CaseEntries): void {
  let last = 0;
  for (const entry of own.answers.flatMap((answer) => answer.events)) {
    if (entry.caseSeq > last + 1) tally.find(entry.index, "SEQUENCE_GAP", "bad", `decision ${last + 1} of the case is missing`);
    last = Math.max(last, entry.caseSeq);
  }
}

/** The earliest limit of a case after its last answer: the finding OVERDUE in section 15.6. */
export function nextLimit(state: CaseState): number | null {
  const limits: number[] = [];
  for (const task of state.tasks.values()) if (task.due !== null) limits.push(task.due);
  for (const offer of openOffers(state)) {
    if (offer.due !== null && state.tracks.get(offer.track)?.state === "OPEN") limits.push(offer.due);
  }
  const consent = state.consent;
  if (consent?.state === "GIVEN" && consent.until !== null && consent.until > state.time) limits.push(consent.until);
  for (const track of state.tracks.values()) {
    if (track.state === "ENDED") continue;
    for (const [step, rounds] of track.rounds) {
      for (const round of rounds) {
        const begun = round.outcome !== null || offersOf(state, track.id, step, round.number).length > 0;
        if (round.starts !== null && !begun && round.starts > state.time) limits.push(round.starts);
      }
    }
  }
  return limits.length > 0 ? Math.min(...limits) : null;
}

/** A statement that differs means that the rules lead to something else: one finding for each entry. */
function addDifferences(tally: Tally): void {
  for (const entry of new Set(tally.differences.map((one) => one.entry))) {
    const named = tally.differences.filter((one) => one.entry === entry).map((one) => one.kind);
    tally.find(entry, "DECISION_DIFFERS", "bad", `statements that differ: ${[...new Set(named)].join(", ")}`);
  }
  tally.findings.sort((a, b) => a.entry - b.entry || a.code.localeCompare(b.code));
}
