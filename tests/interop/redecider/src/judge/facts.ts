/** The form of a head, and lost records that no answer names. */
import type { Entry } from "../log/entries.js";
import type { Answer, CaseEntries } from "../case/answers.js";
import { late, type Horizon } from "./horizon.js";
import { keyHolds, positionOf } from "./positions.js";
import type { Tally } from "./tally.js";

/** A head has the fields of its kind, and nothing in the others. */
export function checkForm(tally: Tally, answer: Answer): void {
  const { kind, topic, partition, offset, due, lost_seq, lost_reason } = answer.head;
  const place = kind === "DUE" ? { topic: "", partition: -1, offset: -1 } : { topic, partition, offset };
  const expected = { ...place, due: kind === "DUE" ? due : null, lost_seq: kind === "LOST" ? lost_seq : null, lost_reason: kind === "LOST" ? lost_reason : null };
  tally.compare("head", answer.events[0]!.index, "kind, and the fields that it has", expected, { topic, partition, offset, due, lost_seq, lost_reason });
}

/** A lost record is an input too, and every input has an answer: those that routing itself put aside. */
export function checkToldLost(tally: Tally, own: CaseEntries, entries: Entry[], horizon: Horizon): void {
  for (const entry of entries) {
    const body = entry.kind === "QUARANTINE" && entry.body && keyHolds(entry) ? entry.body : null;
    if (!body || body.reader !== "routing" || body.case_id !== own.id || entry.forged || !horizon.last || entry.loggedAt >= horizon.last.loggedAt - late || own.inputs.some((input) => positionOf(input) === positionOf(body))) continue;
    const told = own.answers.some(({ head }) => head?.kind === "LOST" && head.topic === body.topic && head.partition === body.partition && head.offset === body.offset);
    if (!told) tally.find(entry.index, "NOT_DECIDED", "unchecked", "no answer says that this record was lost");
  }
}
