/** A written procedure in a form that the rules read: each step with its seats, conditions and limits. */
import { parseLimit, type Limit } from "./calendar.js";

export type Conditions = Record<string, string[]>;
export type LimitName = "acknowledge" | "accept" | "present" | "arrive" | "complete" | "decide" | "hold";

export interface Seat {
  name: string;
  /** The role that is searched; null if the seat goes to whoever holds another one. */
  role: string | null;
  /** Reference to the seat whose holder is asked or decides: `support.csw`, `guardian.holder`, `police`. */
  holder: string | null;
  area: string[] | null;
  ladder: string[] | null;
  lastResort: string[];
  requires: string[];
  statutory: boolean;
  mayDecline: string[] | null;
  shows: string[];
}

export interface Place {
  /** Roles in order, or by the code of a decision. */
  roles: string[] | Record<string, string[]>;
  by: string | null;
  untilKnown: string[];
  secure: string[];
  secureNeeds: string[];
}

export interface Step {
  id: string;
  kind: "NOTIFY" | "REQUEST" | "JOINT" | "DECIDE" | "PLACE" | "FEED";
  seats: Seat[];
  after: string[];
  when: Conditions;
  unless: Conditions;
  atOnceWhen: Conditions;
  againWhen: string[];
  once: boolean;
  at: Limit[];
  until: string[];
  withoutConsent: boolean;
  within: Partial<Record<LimitName, Limit>>;
  codes: string[];
  needs: string[];
  agree: boolean;
  onDisagreement: string | null;
  onSilence: string | null;
  place: Place | null;
}

export interface Change {
  when: Conditions;
  switchTo: string | null;
  alsoOpen: string | null;
  pause: boolean;
}

export interface Procedure {
  id: string;
  /** Words of newer rules that it uses, each with its step: this program cannot decide by them. */
  newer: string[];
  digest: string;
  applies: Conditions;
  changes: Change[];
  consentNeeded: boolean;
  onWithdrawal: string;
  never: string[];
  ladder: string[];
  takeBack: Limit | null;
  seal: boolean;
  steps: Step[];
  closeWhen: string[];
}

export function readProcedure(file: any, digest: string): Procedure {
  return {
    id: file.pathway,
    newer: file.steps.flatMap(newerWords),
    digest,
    applies: file.applies,
    changes: (file.changes ?? []).map((change: any) => ({
      when: change.when,
      switchTo: change.switch_to ?? null,
      alsoOpen: change.also_open ?? null,
      pause: change.pause ?? false,
    })),
    consentNeeded: file.consent.needed,
    onWithdrawal: file.consent.on_withdrawal,
    never: file.never,
    ladder: file.ladder ?? [],
    takeBack: file.take_back ? parseLimit(file.take_back) : null,
    seal: file.seal ?? false,
    steps: file.steps.map(readStep),
    closeWhen: file.close_when.done,
  };
}

const limitNames = new Set<string>(["acknowledge", "accept", "present", "arrive", "complete", "decide", "hold"]);
const newerKeys = ["not_same_as", "other_person_than", "secure_ends", "at_most"];

/** What a step says that this program does not know: two persons, entered times, limits that were missed, and who is kept apart. */
function newerWords(step: any): string[] {
  const conditions = [step.when, step.unless, step.at_once_when].flatMap((one) => Object.entries<string[]>(one ?? {}));
  const marks: string[] = [...(step.after ?? []), ...(step.again_when ?? []), ...(step.until ?? []), ...conditions.flatMap(([name, words]) => words.map((word) => `${name}.${word}`))];
  const found = [
    ...newerKeys.filter((key) => key in step),
    ...(typeof (step.ask ?? step.notify ?? "") === "string" ? [] : ["roles by decision"]),
    ...Object.values<any>(step.ask_together ?? {}).flatMap((own) => newerKeys.filter((key) => key in own)),
    ...Object.keys(step.within ?? {}).filter((name) => !limitNames.has(name)),
    ...(step.agree === "two-persons" ? ["two-persons"] : []),
    ...marks.filter((mark) => mark.startsWith("times.") || (mark.endsWith("-missed") && !mark.endsWith(".acknowledge-missed"))),
  ];
  return found.map((word) => `${step.id}: ${word}`);
}

function readStep(step: any): Step {
  return {
    id: step.id,
    kind: kindOf(step),
    seats: seatsOf(step),
    after: step.after ?? [],
    when: step.when ?? {},
    unless: step.unless ?? {},
    atOnceWhen: step.at_once_when ?? {},
    againWhen: step.again_when ?? [],
    once: step.once ?? false,
    at: (step.at ?? []).map(parseLimit),
    until: step.until ?? [],
    withoutConsent: step.without_consent ?? false,
    within: Object.fromEntries(Object.entries(step.within ?? {}).filter(([name]) => limitNames.has(name)).map(([name, text]) => [name, parseLimit(text as string)])),
    codes: step.decide ?? [],
    needs: step.needs ?? [],
    agree: step.agree === "all",
    onDisagreement: step.on_disagreement ?? null,
    onSilence: step.on_silence ?? null,
    place: step.place
      ? {
          roles: step.place,
          by: step.by ?? null,
          untilKnown: step.until_known ?? [],
          secure: step.secure ?? [],
          secureNeeds: step.secure_needs ?? [],
        }
      : null,
  };
}

function kindOf(step: any): Step["kind"] {
  if (step.notify) return "NOTIFY";
  if (step.ask_together) return "JOINT";
  if (step.ask) return "REQUEST";
  if (step.decide) return "DECIDE";
  return step.place ? "PLACE" : "FEED";
}

function seatsOf(step: any): Seat[] {
  const seat = (name: string, role: string | null, holder: string | null, own: any = {}): Seat => ({
    name,
    role,
    holder,
    area: own.area ?? step.area ?? null,
    ladder: own.ladder ?? step.ladder ?? null,
    lastResort: own.last_resort ?? step.last_resort ?? [],
    requires: own.requires ?? step.requires ?? [],
    statutory: own.statutory ?? step.statutory ?? false,
    mayDecline: own.may_decline ?? step.may_decline ?? null,
    shows: own.shows ?? step.shows ?? [],
  });
  if (step.ask_together) return Object.entries<any>(step.ask_together).map(([name, own]) => seat(name, own.role, null, own));
  if (step.decide) return step.who.map((holder: string) => seat(holder, null, holder));
  if (step.place) return [seat("place", "place", null)];
  const asked: string | Record<string, string[]> | undefined = step.ask ?? step.notify;
  if (!asked) return [];
  if (typeof asked !== "string") return [seat(step.id, Object.values(asked)[0]![0]!, null)];
  return asked.includes(".") ? [seat(asked, null, asked)] : [seat(asked, asked, null)];
}
