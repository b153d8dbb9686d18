/** Judges one decision: dispatches to the statements of its type, and adds those that every event has. */
import { derive } from "../case/ids.js";
import { typeName } from "../case/answers.js";
import type { Value } from "../log/avro.js";
import { compare, isCarriedOver, type Context } from "./context.js";
import { judgeFirst } from "./inputs.js";
import { judgeDeadline, judgeEscalated, judgeOfferAnswered, judgeOfferOpened, judgeUndo, judgeUnheard } from "./offers.js";
import { judgeCaseClosed, judgeDecision, judgeOfferClosed, judgeStepDone, judgeStepOpened, judgeTrack } from "./steps.js";
import { judgeNeedsPerson, judgeNotNeeded } from "./tasks.js";

const judges: Record<string, (context: Context) => void> = {
  "case-opened": () => {},
  "case-changed": () => {},
  "input-ignored": () => {},
  "case-closed": judgeCaseClosed,
  "track-changed": judgeTrack,
  "step-opened": judgeStepOpened,
  "step-done": judgeStepDone,
  "offer-opened": judgeOfferOpened,
  "offer-acknowledged": (context) => judgeOfferAnswered(context, "acknowledged"),
  "offer-accepted": (context) => judgeOfferAnswered(context, "accepted"),
  "offer-arrived": (context) => judgeOfferAnswered(context, "arrived"),
  "offer-held": (context) => judgeOfferAnswered(context, "held"),
  "offer-escalated": judgeEscalated,
  "offer-unheard": judgeUnheard,
  "offer-closed": judgeOfferClosed,
  "deadline-passed": judgeDeadline,
  "decision-recorded": judgeDecision,
  "needs-person": judgeNeedsPerson,
  "person-not-needed": judgeNotNeeded,
  "undo-allowed": judgeUndo,
};

/** These events may stand only at the beginning of an answer: they are what the input asks for. */
const firstOnly = new Set(["case-opened", "offer-acknowledged", "offer-accepted", "offer-arrived", "offer-held", "input-ignored", "referral-attached"]);

export function judgeEvent(context: Context): void {
  const { entry, tally } = context;
  const type = typeName(entry);
  judgeFirst(context);
  const judge = judges[type];
  if (isCarriedOver(context)) tally.skip("what a procedure takes over from the one that opened it");
  else if (judge) judge(context);
  else tally.skip(`event ${type}`);
  if (firstOnly.has(type) && context.place > 0 && !isCarriedOver(context) && !followsOwn(context)) compare(context, "answer", "only the input itself leads to this event", "first", `at place ${context.place}`);
  judgeMadeIds(context);
  judgeWhy(context);
}

/** An acceptance ends the offer that was made to another agency meanwhile, and whoever comes without a word has accepted. */
function followsOwn(context: Context): boolean {
  const { entry, body, state, answer, place } = context;
  const last = answer.events[place - 1]!;
  if (typeName(entry) === "offer-arrived") return typeName(last) === "offer-accepted" && last.body.offer_id === body.offer_id;
  if (typeName(entry) !== "offer-accepted" || typeName(last) !== "offer-closed" || last.body.reason !== "OTHER_ACCEPTED_FIRST") return false;
  const [own, other] = [state.offers.get(body.offer_id), state.offers.get(last.body.offer_id)];
  return own !== undefined && other !== undefined && own.track === other.track && own.step === other.step && own.seat === other.seat;
}

function judgeMadeIds(context: Context): void {
  const { entry, body, answer, state, place } = context;
  const type = typeName(entry);
  const made = (name: string): string => derive(answer.causeId, `${name}:${place}`);
  if (type === "offer-opened") compare(context, "ids", "offer_id", made("offer"), body.offer_id);
  if (type === "track-changed" && body.state === "OPENED") compare(context, "ids", "track_id", made("track"), body.track_id);
  if (type === "needs-person" && !state.tasks.has(body.task_id)) compare(context, "ids", "task_id", made("task"), body.task_id);
  if (type === "case-raised") context.tally.skip("id of a case that is raised: the event does not name the track");
}

/** The page says what `why` holds; to which events a procedure belongs, the log showed (GAPS.md). */
function judgeWhy(context: Context): void {
  const { entry, body, bundle, facts, tally } = context;
  const why: Value = body.why;
  const procedure = procedureOf(context);
  if (procedure === undefined) tally.skip(`procedure in why of ${typeName(entry)}`);
  const type = typeName(entry);
  // Who is asked is compared with those passed over; a desk may be asked because everybody was passed over.
  const passes = type === "offer-opened" || (type === "needs-person" && ["no-candidate", "all-excluded"].includes(body.about));
  const expected = { procedure: procedure ?? why.procedure, directory: bundle.directoryDigest.slice(0, 16), engine: facts.engine, passed: passes ? why.passed : [], rule: true };
  const found = { procedure: why.procedure, directory: why.directory, engine: why.engine, passed: why.passed, rule: bundle.hasCode("rule", why.rule) };
  compare(context, "why", "the digests of procedure and directory, the engine, nobody passed over, and a rule of the list", expected, found);
  tally.skip("which rule of the list why names");
}

function procedureOf(context: Context): string | undefined {
  const { entry, body, state } = context;
  const type = typeName(entry);
  if (["case-opened", "case-changed", "case-closed", "person-not-needed", "input-ignored"].includes(type)) return "";
  if (type === "track-changed" && body.state === "OPENED") return body.opened_by === null ? "" : undefined;
  if (type === "needs-person" && state.tasks.has(body.task_id)) return ""; // repeated
  const track = body.track_id ?? state.offers.get(body.offer_id)?.track ?? null;
  if (track === null) return type === "needs-person" ? "" : undefined;
  return state.tracks.get(track)?.digest.slice(0, 16);
}
