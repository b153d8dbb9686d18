/** Free places: what the facts say, against every order of the decisions that the log allows (section 15.4). */
import type { Entry } from "../log/entries.js";
import { typeName, type Answer, type CaseEntries } from "../case/answers.js";
import type { Bundle } from "../policy/bundle.js";
import { brokerTime, minute, type Horizon } from "./horizon.js";
import type { Tally } from "./tally.js";

type Order = "before" | "after" | "either";

interface Change {
  entry: Entry;
  by: 1 | -1;
}

/** Places that offers hold, over all cases. */
export class Places {
  /** Service → partition → changes in the order of their offsets. */
  private readonly changes = new Map<string, Map<number, Change[]>>();
  private readonly closedCases: Entry[][] = [];

  constructor(cases: CaseEntries[], private readonly horizon: Horizon) {
    for (const own of cases) {
      const decisions = own.all.filter((entry) => entry.kind === "DECISION" && !entry.drill);
      if (decisions.some((entry) => entry.body === null)) this.closedCases.push(decisions);
      else this.addCase(decisions);
    }
    for (const partitions of this.changes.values()) for (const changes of partitions.values()) changes.sort((a, b) => a.entry.offset - b.entry.offset);
  }

  private addCase(decisions: Entry[]): void {
    const services = new Map<string, string>();
    for (const entry of decisions) {
      const type = typeName(entry);
      if (type === "offer-opened" && entry.body.kind === "PLACE") services.set(entry.body.offer_id, entry.body.service);
      const service = services.get(entry.body.offer_id);
      const late = type === "offer-accepted" && entry.body.late; // it had ended, and holds its place again
      if (!service || !(late || ["offer-opened", "offer-closed", "offer-reopened"].includes(type))) continue;
      const partitions = this.changes.get(service) ?? new Map<number, Change[]>();
      this.changes.set(service, partitions);
      partitions.set(entry.partition, [...(partitions.get(entry.partition) ?? []), { entry, by: type === "offer-closed" ? -1 : 1 }]);
    }
  }

  /** The fewest and the most places of a service that are held when this decision is made. */
  held(service: string, first: Entry): [number, number] {
    let fewest = 0;
    let most = 0;
    for (const changes of this.changes.get(service)?.values() ?? []) {
      const [low, high] = this.heldIn(changes, first);
      fewest += low;
      most += high;
    }
    return [fewest, most + this.mayBeHidden(first)];
  }

  /** Decisions of one partition have the order of their offsets: those of either order are taken from the front. */
  private heldIn(changes: Change[], first: Entry): [number, number] {
    let sum = 0;
    let [low, high] = [Infinity, -Infinity];
    for (const change of changes) {
      const order = this.order(change.entry, first);
      if (order === "after") break;
      if (order === "either") [low, high] = [Math.min(low, sum), Math.max(high, sum)];
      sum += change.by;
    }
    return [Math.min(low, sum), Math.max(high, sum)];
  }

  private order(entry: Entry, first: Entry): Order {
    if (entry.partition === first.partition) return entry.offset < first.offset ? "before" : "after";
    if (Math.abs(entry.recordedAt - first.recordedAt) <= minute) return "either";
    if (this.horizon.drill && Math.abs(brokerTime(entry) - brokerTime(first)) <= minute) return "either";
    return entry.recordedAt < first.recordedAt ? "before" : "after";
  }

  /** A case that cannot be read may hold as many places as offers were opened for it. */
  private mayBeHidden(first: Entry): number {
    let hidden = 0;
    for (const decisions of this.closedCases) {
      const begun = decisions.filter((entry) => this.order(entry, first) !== "after");
      const last = begun.filter((entry) => ["case-closed", "track-changed", "case-opened"].includes(typeName(entry))).at(-1);
      if (last && typeName(last) === "case-closed" && this.order(last, first) === "before") continue;
      if (begun.length > 0) hidden += begun.filter((entry) => typeName(entry) === "offer-opened").length;
    }
    return hidden;
  }
}

/** One statement for each service that the facts name, and one finding for the answer. */
export function checkFree(tally: Tally, answer: Answer, bundle: Bundle, places: Places): void {
  const first = answer.events[0]!;
  const wrong: string[] = [];
  for (const [service, free] of Object.entries<number>(answer.head.facts.free)) {
    if (first.drill) {
      tally.skip("free places of an exercise");
      continue;
    }
    const all = bundle.services.get(service)?.places ?? null;
    if (all === null) {
      wrong.push(`${service} has no number of places`);
      continue;
    }
    const [fewest, most] = places.held(service, first);
    if (free <= Math.max(0, all - fewest) && free >= Math.max(0, all - most)) tally.agree("free");
    else wrong.push(`${service} has ${Math.max(0, all - most)} to ${Math.max(0, all - fewest)}, not ${free}`);
  }
  if (wrong.length > 0) tally.find(first.index, "FREE_FALSE", "bad", `free places: ${wrong.join("; ")}`);
}
