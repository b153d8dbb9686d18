/** The exports of section 17: the clean one has nothing wrong, and each lie is found by its name and at its entry. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { judgeLog } from "../src/judge/run.js";
import { exportsFolder, loadExport, vectorsFolder } from "./clean.js";

/** A verifier's: operators, erasures, and what an index or a note says. */
const notJudged = new Set(["ACT_ALONE", "BODY", "ERASURE_ALONE"]);

function expected(name: string): { exit_code: number; findings: [number, string, string][] } {
  return JSON.parse(readFileSync(join(exportsFolder, name, "expected.json"), "utf8"));
}

test("clean: hundreds of statements, all agree, nothing is found", () => {
  const { tally } = judgeLog(loadExport("clean"));
  const agreed = [...tally.agreed.values()].reduce((sum, one) => sum + one, 0);
  assert.ok(agreed > 900, `only ${agreed} statements agree`);
  assert.deepEqual(tally.differences, []);
  assert.deepEqual(tally.findings, []);
  assert.equal(tally.exitCode(), 0);
});

const lies: { name: string; finding: string; exit_code: number }[] = JSON.parse(readFileSync(join(vectorsFolder, "lies.json"), "utf8")).vectors;

for (const lie of lies) {
  test(`lie: ${lie.name} is ${lie.finding}`, () => {
    const { tally } = judgeLog(loadExport(`lies/${lie.name}`));
    const wanted = expected(`lies/${lie.name}`).findings.filter(([, , weight]) => weight !== "note");
    assert.deepEqual(tally.findings.map((one) => [one.entry, one.code, one.weight]), wanted);
    assert.ok(wanted.some(([, code]) => code === lie.finding));
    assert.equal(tally.exitCode(), lie.exit_code);
  });
}

const alone: { name: string; finding: string; exit_code: number }[] = JSON.parse(readFileSync(join(vectorsFolder, "alone.json"), "utf8")).vectors;

for (const one of alone.filter(({ exit_code }) => exit_code === 0)) {
  test(`alone: ${one.name} is decided as it should be`, () => {
    const { tally } = judgeLog(loadExport(`alone/${one.name}`));
    assert.deepEqual(tally.differences, []);
    assert.deepEqual(tally.findings, []);
  });
}

test("forged: what somebody wrote with one power changes no decision", () => {
  const { tally } = judgeLog(loadExport("forged"));
  const wanted = expected("forged").findings.filter(([, code, weight]) => weight !== "note" && !notJudged.has(code));
  assert.deepEqual(tally.differences, []);
  assert.deepEqual(tally.findings.map((one) => [one.entry, one.code, one.weight]), wanted);
});
