/** Who is asked for a seat: "Choose who is asked" in policy.md, in the order of areas, roles and the directory. */
import type { Agency, Bundle, Municipality, Service } from "../policy/bundle.js";
import type { Seat, Step } from "../policy/procedure.js";
import { lastRound, offersOf, type CaseState, type Track } from "../case/state.js";
import { rolesOfPlace, secureAllowed } from "./conditions.js";
import { isSameAgency } from "./holders.js";
import { firstLimit } from "./limits.js";

export interface Passed {
  service: string;
  reason: string;
}

export interface Search {
  chosen: { service: Service; role: string } | null;
  passed: Passed[];
}

export interface Question {
  state: CaseState;
  track: Track;
  step: Step;
  seat: Seat;
  index: number;
  round: number;
  bundle: Bundle;
  now: number;
  free: Record<string, number>;
}

const bands: Record<string, [number, number]> = { "0-2": [0, 2], "3-5": [3, 5], "0-5": [0, 5], "6-11": [6, 11], "12-14": [12, 14], "15-17": [15, 17], "18-120": [18, 120] };
const weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/** The first candidate whom nothing stands against, and those before it. Null if the pages name no area to search. */
export function search(question: Question): Search | null {
  const { step, seat, track, bundle } = question;
  if (seat.area === null) return null;
  const town = bundle.municipalities.get(question.state.traits?.found_in ?? "");
  if (!town) return null;
  const roles = step.place ? rolesOfPlace(track, step.place).roles : rolesOfSeat(track, seat);
  const passed: Passed[] = [];
  const seen = new Set<string>();
  for (const role of [...roles, ...(question.round === 0 || !step.place ? seat.lastResort : [])]) {
    for (const service of servicesInOrder(bundle, role, seat.area, question.state.traits.found_in, question.state.traits.home)) {
      if (seen.has(service.id)) continue;
      seen.add(service.id);
      const reason = whyNot(question, service, role);
      if (reason === null) return { chosen: { service, role }, passed };
      passed.push({ service: service.id, reason });
    }
  }
  return { chosen: null, passed };
}

/** One role, or those that a decision chooses: nobody before it is made. */
function rolesOfSeat(track: Track, seat: Seat): string[] {
  if (seat.rolesBy === null) return [seat.role!];
  return seat.rolesBy.table[lastRound(track, seat.rolesBy.step)?.code ?? ""] ?? [];
}

function servicesInOrder(bundle: Bundle, role: string, areas: string[], foundIn: string, home: string): Service[] {
  const covering = areas.flatMap((area) => coversOf(bundle, area, foundIn, home));
  const inRole = [...bundle.services.values()].filter((service) => service.roles.includes(role));
  return covering.flatMap((cover) => inRole.filter((service) => service.covers.includes(cover)));
}

/** What a municipality lies in: its region, and its area of each kind. */
function areasOf(town: Municipality): [string, string][] {
  return [["region", town.region], ...Object.entries(town.areas ?? {})];
}

function coversOf(bundle: Bundle, area: string, foundIn: string, home: string): string[] {
  if (area === "country") return [area];
  if (area === "home") return bundle.municipalities.has(home) ? [home] : [];
  if (area.startsWith("home-")) return coversOf(bundle, area.slice("home-".length), home, "");
  const town = bundle.municipalities.get(foundIn);
  if (!town) return [];
  if (area === "found-in") return [foundIn];
  if (area === "neighbour") return town.neighbours;
  const others = area.startsWith("other-");
  const kind = others ? area.slice("other-".length) : area;
  const own = areasOf(town).map(([name, id]) => `${name}:${id}`);
  const ofKind = (cover: string) => kind === "region" || cover.startsWith(`${kind}:`);
  if (!others) return own.filter(ofKind);
  return bundle.areas.filter((cover) => ofKind(cover) && !own.includes(cover));
}

function whyNot(question: Question, service: Service, role: string): string | null {
  const { state, track, step, seat, bundle, now } = question;
  const never = track.procedure!.never;
  const traits = state.traits;
  if (never.includes("excluded-actor") && state.excluded.includes(`agency:${service.agency.id}`)) return "EXCLUDED";
  if (never.includes("detention") && service.tags.includes("detention")) return "NEVER";
  const disabled = traits.concern === "disability" && traits.age !== "adult";
  const young = ["0-2", "0-5", "unknown"].includes(state.traits?.age_band ?? "unknown");
  if (never.includes("institution-under-three") && young && service.tags.includes("residential-institution")) return "NEVER";
  if (never.includes("residential-institution-for-disabled-child") && disabled && service.tags.includes("residential-institution")) return "NEVER";
  const recipients: string[] = state.consent?.recipients ?? [];
  if (recipients.length > 0 && !recipients.includes(service.agency.id)) return "NOT_CONSENTED";
  if (step.place?.secure.includes(role) && !secureAllowed(state, track, step.place)) return "SECURE_NOT_ALLOWED";
  const round = track.rounds.get(step.id)?.find((one) => one.number === question.round);
  if (round && isSameAgency(state, track, step.id, round, seat, service.agency.id)) return "SAME_AGENCY";
  if (tried(question, service)) return "TRIED";
  if (seat.requires.some((skill) => !service.tags.includes(skill))) return "NOT_SKILLED";
  const band = bands[traits.age_band];
  if (service.ages && band && (band[0] < service.ages[0] || band[1] > service.ages[1])) return "NOT_ELIGIBLE_AGE";
  if (service.sexes && !service.sexes.includes(traits.sex)) return "NOT_ELIGIBLE_SEX";
  const first = firstLimit(step);
  if (first && (first.limit.unit === "min" || first.limit.unit === "h") && isShut(service.agency, bundle, now)) return "CLOSED";
  if (!step.place) return null;
  if ([...state.offers.values()].some((offer) => offer.open && offer.track === track.id && offer.step === step.id && offer.service === service.id)) return "HOLDS_NOW";
  return service.places !== null && (question.free[service.id] ?? 0) <= 0 ? "NO_CAPACITY" : null;
}

function tried(question: Question, service: Service): boolean {
  return wasTried(question.state, question.track, question.step, question.round, question.index, service.id);
}

/** Whether a service was asked for this seat in this round. */
export function wasTried(state: CaseState, track: Track, step: Step, round: number, seat: number, service: string): boolean {
  return offersOf(state, track.id, step.id, round, seat).some((offer) => offer.service === service);
}

function isShut(agency: Agency, bundle: Bundle, now: number): boolean {
  if (!agency.hours) return false;
  const { weekday, minutes } = bundle.calendar.wallClock(now);
  const minutesOf = (text: string): number => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
  return !agency.hours.days.includes(weekdays[weekday]!) || minutes < minutesOf(agency.hours.from) || minutes >= minutesOf(agency.hours.to);
}
