/** Prints a verdict, in words or as JSON. */
import { kinds, type Kind } from "./judge/tally.js";
import type { Verdict } from "./judge/run.js";

export function asJson(verdict: Verdict): string {
  const { tally } = verdict;
  const statements = Object.fromEntries(rows(verdict).map(([kind, agree, differ]) => [kind, { compared: agree + differ, agree, differ }]));
  return JSON.stringify(
    {
      entries: verdict.entries,
      cases: verdict.cases,
      answers: verdict.answers,
      statements,
      differences: tally.differences,
      findings: tally.findings,
      not_compared: Object.fromEntries([...tally.notCompared].sort()),
      exit_code: tally.exitCode(),
    },
    null,
    1,
  );
}

export function asText(verdict: Verdict): string {
  const { tally } = verdict;
  const lines = [`${verdict.entries} entries, ${verdict.cases} cases, ${verdict.answers} answers`, "", "compared   agree  statement"];
  let compared = 0;
  let agreed = 0;
  for (const [kind, agree, differ] of rows(verdict)) {
    compared += agree + differ;
    agreed += agree;
    lines.push(`${String(agree + differ).padStart(8)} ${String(agree).padStart(7)}  ${kind}: ${kinds[kind]}`);
  }
  lines.push(`${String(compared).padStart(8)} ${String(agreed).padStart(7)}  in all`);
  for (const one of tally.differences) {
    lines.push("", `entry ${one.entry} differs: ${kinds[one.kind]}`, `  rule: ${one.rule}`, `  expected: ${JSON.stringify(one.expected)}`, `  found:    ${JSON.stringify(one.found)}`);
  }
  if (tally.findings.length > 0) lines.push("");
  for (const one of tally.findings) lines.push(`entry ${one.entry}: ${one.code} (${one.weight}): ${one.message}`);
  if (tally.notCompared.size > 0) lines.push("", "not compared:");
  for (const [name, count] of [...tally.notCompared].sort()) lines.push(`${String(count).padStart(8)}  ${name}`);
  const words = { 0: "nothing is found", 1: "something is wrong", 3: "something could not be checked" };
  lines.push("", `verdict: ${words[tally.exitCode()]} (exit code ${tally.exitCode()})`);
  return lines.join("\n");
}

function rows(verdict: Verdict): [Kind, number, number][] {
  const { tally } = verdict;
  return (Object.keys(kinds) as Kind[]).map((kind) => [kind, tally.agreed.get(kind) ?? 0, tally.differences.filter((one) => one.kind === kind).length]);
}
