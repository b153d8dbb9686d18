/** A written procedure in a form that the rules read: each step with its seats, conditions and limits. */
import { parseLimit, type Limit } from "./calendar.js";

export type Conditions = Record<string, string[]>;
export type LimitName = "acknowledge" | "accept" | "present" | "arrive" | "complete" | "decide" | "second" | "hold";

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
  /** Seats of other steps whose agencies are never asked for this one. */
  notSameAs: string[];
  /** Seats whose persons never answer for this one; `step#0` is the first seat of the same round. */
  otherPersonThan: string[];
  /** Roles by the code of a decision, where that says whom to ask. */
  rolesBy: { step: string; table: Record<string, string[]> } | null;
}

export interface Place {
  /** Roles in order, or by the code of a decision. */
  roles: string[] | Record<string, string[]>;
  by: string | null;
  untilKnown: string[];
  secure: string[];
  secureNeeds: string[];
  secureEnds: string[];
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
  /** Rounds in which somebody came or finished, after which no further one begins; 0: no limit. */
  atMost: number;
  at: Limit[];
  until: string[];
  withoutConsent: boolean;
  within: Partial<Record<LimitName, Limit>>;
  /** The entered time from which its limit counts. */
  from: string | null;
  codes: string[];
  needs: string[];
  /** Two persons decide, one after the other. */
  twoPersons: boolean;
  /** The form points to a level: whether a decision lies below it, and whether a second person is needed, is not decided here. */
  form: boolean;
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
  /** Words that this program does not know, each with its step: once such a step begins, its case is not decided any more. */
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

const limitNames = new Set<string>(["acknowledge", "accept", "present", "arrive", "complete", "decide", "second", "hold"]);

/** Every word of a step that policy.md says. */
const knownWords = new Set(
  `id ask ask_together decide place notify feed by who forbid needs form agree on_disagreement on_silence until_known secure secure_needs secure_ends every
  area ladder last_resort requires not_same_as other_person_than statutory may_decline shows writes contacts basis guidance
  after when unless at_once_when again_when once at_most at then_every until without_consent within`.split(/\s+/),
);
const agreements = new Set(["all", "two-persons", "two-below"]);

/** What a step says that this program does not know: a word of rules that are newer than it. */
function newerWords(step: any): string[] {
  const found = [
    ...Object.keys(step).filter((word) => !knownWords.has(word)),
    ...Object.keys(step.within ?? {}).filter((name) => name !== "from" && !limitNames.has(name)),
    ...(step.agree === undefined || agreements.has(step.agree) ? [] : [`agree: ${step.agree}`]),
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
    atMost: step.at_most ?? 0,
    at: (step.at ?? []).map(parseLimit),
    until: step.until ?? [],
    withoutConsent: step.without_consent ?? false,
    within: Object.fromEntries(Object.entries(step.within ?? {}).filter(([name]) => limitNames.has(name)).map(([name, text]) => [name, parseLimit(text as string)])),
    from: step.within?.from ?? null,
    codes: step.decide ?? [],
    needs: step.needs ?? [],
    twoPersons: step.agree === "two-persons" || step.agree === "two-below",
    form: step.form !== undefined,
    onDisagreement: step.on_disagreement ?? null,
    onSilence: step.on_silence ?? null,
    place: step.place
      ? {
          roles: step.place,
          by: step.by ?? null,
          untilKnown: step.until_known ?? [],
          secure: step.secure ?? [],
          secureNeeds: step.secure_needs ?? [],
          secureEnds: step.secure_ends ?? [],
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
    notSameAs: own.not_same_as ?? step.not_same_as ?? [],
    otherPersonThan: own.other_person_than ?? step.other_person_than ?? [],
    rolesBy: null,
  });
  if (step.ask_together) return Object.entries<any>(step.ask_together).map(([name, own]) => seat(name, own.role, null, own));
  if (step.decide) {
    const seats: Seat[] = step.who.map((holder: string) => seat(holder, null, holder));
    if (!String(step.agree).startsWith("two-")) return seats;
    const second = seats[1] ?? { ...seats[0]!, name: `${seats[0]!.name}.second` };
    return [seats[0]!, { ...second, otherPersonThan: [...second.otherPersonThan, `${step.id}#0`] }];
  }
  if (step.place) return [seat("place", "place", null)];
  const asked: string | Record<string, string[]> | undefined = step.ask ?? step.notify;
  if (!asked) return [];
  if (typeof asked !== "string") return [{ ...seat("table", Object.values(asked)[0]![0]!, null), rolesBy: { step: step.by, table: asked } }];
  return asked.includes(".") ? [seat(asked, null, asked)] : [seat(asked, asked, null)];
}
