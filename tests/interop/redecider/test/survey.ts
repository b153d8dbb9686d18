/** Surveys what is judged: changes every field of every decision of the clean export, one at a time, and lists the changes that stay unseen. */
import { typeName } from "../src/case/answers.js";
import type { Log } from "../src/log/entries.js";
import { judgeLog } from "../src/judge/run.js";
import { PolicyChain } from "../src/policy/chain.js";
import { cleanLog, copyOfClean, drop, renumber } from "./clean.js";

const chain = new PolicyChain(cleanLog().entries);
const seen = new Map<string, { told: number; unseen: number }>();

function count(name: string, log: Log): void {
  const row = seen.get(name) ?? { told: 0, unseen: 0 };
  seen.set(name, row);
  if (judgeLog(log, chain).tally.exitCode() === 0) row.unseen++;
  else row.told++;
}

function changed(value: any): any {
  if (typeof value === "number") return value > 1e12 ? value + 120_000_000 : value + 1;
  if (typeof value === "boolean") return !value;
  if (typeof value === "string") return /^[0-9a-f-]{36}$/.test(value) ? value.replace(/^./, (one) => (one === "0" ? "1" : "0")) : `${value}x`;
  return Array.isArray(value) ? [...value, "x"] : value === null ? 7 : value;
}

/** Paths of the fields of a body that hold a plain value or a list. */
function pathsOf(body: any, before: string[] = []): string[][] {
  return Object.entries<any>(body).flatMap(([name, value]) =>
    value !== null && typeof value === "object" && !Array.isArray(value) ? pathsOf(value, [...before, name]) : [[...before, name]],
  );
}

const decisions = cleanLog().entries.filter((entry) => entry.kind === "DECISION" && entry.body);
for (const entry of decisions) {
  for (const path of pathsOf(entry.body).filter((one) => one[0] !== "head" || one.length > 1)) {
    const log = copyOfClean();
    const owner = path.slice(0, -1).reduce((one, name) => one[name], log.entries[entry.index]!.body);
    owner[path.at(-1)!] = changed(owner[path.at(-1)!]);
    const name = path[0] === "head" || path[0] === "why" ? path.slice(0, 3).join(".").replace(/free\..*/, "free") : `${typeName(entry)}.${path.slice(0, 2).join(".")}`;
    count(name, log);
  }
  const log = copyOfClean();
  drop(log, [entry.index]);
  if (entry.body.head === null) renumber(log, entry.caseId!);
  count(`left out: ${typeName(entry)}${entry.body.head ? ", with its head" : ""}`, log);
}
/** Two events of an answer change places: the pages do not say the order of all of them. */
for (const entry of decisions.filter((one) => one.body.head === null)) {
  const log = copyOfClean();
  const before = log.entries.findLast((one) => one.index < entry.index && one.kind === "DECISION" && one.caseId === entry.caseId)!;
  if (before.body.head !== null) continue;
  const after = log.entries[entry.index]!;
  [before.type, after.type, before.body, after.body] = [after.type, before.type, after.body, before.body];
  count(`exchanged: ${typeName(before)} before ${typeName(after)}`, log);
}
const rows = [...seen].sort();
const all = rows.reduce((sum, [, row]) => ({ told: sum.told + row.told, unseen: sum.unseen + row.unseen }), { told: 0, unseen: 0 });
console.log(`${all.told + all.unseen} changes, ${all.told} told, ${all.unseen} unseen`);
for (const [name, row] of rows) if (row.unseen > 0) console.log(`${String(row.unseen).padStart(5)} of ${row.told + row.unseen}  ${name}`);
