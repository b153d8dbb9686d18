/** Changes of one file of the clean export, as `mutations.json` lists them: none leaves the verdict clean. */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { test } from "node:test";
import { ExportFailure } from "../src/log/failure.js";
import { loadLog } from "../src/log/load.js";
import { judgeLog } from "../src/judge/run.js";
import { exportsFolder, vectorsFolder } from "./clean.js";

interface Mutation {
  name: string;
  file: string;
  done: "flip" | "cut" | "append" | "remove" | "size";
  finding: string;
}

const mutations: Mutation[] = JSON.parse(readFileSync(join(vectorsFolder, "mutations.json"), "utf8")).vectors;
/** Signatures of the log and its witnesses are a verifier's: here another finding comes first. */
const others = new Map([["SIGNATURE", "TILE"]]);

for (const mutation of mutations) {
  test(`file: ${mutation.name}`, () => {
    const folder = mkdtempSync(join(tmpdir(), "redecide-"));
    try {
      cpSync(join(exportsFolder, "clean"), folder, { recursive: true });
      change(fitting(join(folder, "export"), mutation.file), mutation.done);
      const codes = codesOf(folder);
      assert.ok(codes.includes(others.get(mutation.finding) ?? mutation.finding), `found ${[...new Set(codes)].join(", ") || "nothing"}`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

function codesOf(folder: string): string[] {
  try {
    return judgeLog(loadLog(join(folder, "export"), join(folder, "auditor.key"))).tally.findings.map((one) => one.code);
  } catch (error) {
    if (error instanceof ExportFailure) return [error.code];
    throw error;
  }
}

/** The first file, in order, that fits a pattern. */
function fitting(folder: string, pattern: string): string {
  const form = new RegExp(`^${pattern.replace(/[.+]/g, "\\$&").replaceAll("*", "[^/]*")}$`);
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  const paths = names.map((one) => relative(folder, join(one.parentPath, one.name))).sort();
  const first = paths.find((path) => form.test(path));
  assert.ok(first, `no file fits ${pattern}`);
  return join(folder, first);
}

function change(path: string, done: Mutation["done"]): void {
  const bytes = readFileSync(path);
  if (done === "remove") return rmSync(path);
  if (done === "flip") bytes[bytes.length - 2]! ^= 1;
  const lines = bytes.toString("latin1").split("\n");
  const changed = {
    flip: bytes,
    cut: bytes.subarray(0, -1),
    append: Buffer.concat([bytes, Buffer.from(/\.(policy|avsc)$/.test(path) ? "\n" : "\0")]),
    size: Buffer.from([lines[0], String(Number(lines[1]) - 1), ...lines.slice(2)].join("\n"), "latin1"),
  };
  writeFileSync(path, changed[done]);
}
