/** The state of a case: the fold of its decisions, and nothing else (section 15.4). */
import type { Value } from "../log/avro.js";
import type { Procedure } from "../policy/procedure.js";

export interface Offer {
  id: string;
  track: string;
  step: string;
  round: number;
  seat: number;
  kind: string;
  role: string;
  agency: string;
  service: string;
  reach: string;
  ladder: string[];
  rung: number;
  words: string[];
  reasons: string[];
  codes: string[];
  needs: string[];
  shows: string[];
  due: number | null;
  dueWhat: string;
  /** A limit that passed is not due again. */
  acknowledged: boolean;
  accepted: boolean;
  arrived: boolean;
  held: boolean;
  /** Declined under a duty by law: it is open until another agency accepts, and fills no seat. */
  kept: boolean;
  keptReason: string;
  open: boolean;
  how: string | null;
  missed: string[];
  /** Rungs of which somebody was told in time: silence there is the agency's. */
  told: number[];
  /** Somebody is knocked for it, and its silence is asked about: of version 5, and reach WEB. */
  knocked: boolean;
  /** Our channels are away; or were, for a part of the limit that runs. */
  unheard: boolean;
  excused: boolean;
  code: string | null;
}

export interface Round {
  number: number;
  kind: string;
  seats: string[];
  starts: number | null;
  /** The place of its opening in the case's events: marks that came later are newer. */
  openedAt: number;
  outcome: string | null;
  doneAt: number | null;
  code: string | null;
  codeAt: number | null;
  acknowledgeMissed: boolean;
  /** What each seat has decided. */
  codes: (string | undefined)[];
  /** The accounts that answered for each seat. */
  persons: string[][];
  /** A desk settled or confirmed it. */
  byDesk: boolean;
}

export interface Track {
  id: string;
  pathway: string;
  digest: string;
  procedure: Procedure | undefined;
  state: "OPEN" | "PAUSED" | "ENDED";
  openedBy: string | null;
  /** `facts.now` of the answer that opened it. */
  since: number;
  outcome: string;
  rounds: Map<string, Round[]>;
  /** Marks such as `shelter.arrived` → the place of the newest event that made them. */
  marks: Map<string, number>;
}

export interface Task {
  id: string;
  desk: string;
  about: string;
  track: string | null;
  step: string;
  seat: number;
  rung: number;
  due: number | null;
  offer: string | null;
}

export interface CaseState {
  opened: boolean;
  closed: boolean;
  drill: boolean;
  referralAgency: string;
  traits: Value | null;
  consent: Value | null;
  excluded: string[];
  tracks: Map<string, Track>;
  offers: Map<string, Offer>;
  tasks: Map<string, Task>;
  /** `facts.now` of the last answer. */
  time: number;
  /** How many events were folded. */
  count: number;
  /** Names of what this program does not fold; then some statements are not compared. */
  unfolded: Set<string>;
}

export function emptyCase(): CaseState {
  return {
    opened: false,
    closed: false,
    drill: false,
    referralAgency: "",
    traits: null,
    consent: null,
    excluded: [],
    tracks: new Map(),
    offers: new Map(),
    tasks: new Map(),
    time: 0,
    count: 0,
    unfolded: new Set(),
  };
}

export function roundsOf(track: Track, step: string): Round[] {
  return track.rounds.get(step) ?? [];
}

export function lastRound(track: Track, step: string): Round | undefined {
  return roundsOf(track, step).at(-1);
}

/** The offers of a seat in a round, in the order in which they were made. */
export function offersOf(state: CaseState, track: string, step: string, round: number, seat?: number): Offer[] {
  return [...state.offers.values()].filter(
    (offer) => offer.track === track && offer.step === step && offer.round === round && (seat === undefined || offer.seat === seat),
  );
}

export function fillsSeat(offer: Offer): boolean {
  return (offer.open && !offer.kept) || offer.how === "COMPLETED";
}

/** The offer that fills a seat or may still fill it. */
export function liveOffer(state: CaseState, track: string, step: string, round: number, seat: number): Offer | undefined {
  return offersOf(state, track, step, round, seat).findLast(fillsSeat);
}

export function openTracks(state: CaseState): Track[] {
  return [...state.tracks.values()].filter((track) => track.state !== "ENDED");
}

export function openOffers(state: CaseState): Offer[] {
  return [...state.offers.values()].filter((offer) => offer.open);
}
