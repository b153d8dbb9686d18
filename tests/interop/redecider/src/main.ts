#!/usr/bin/env node
/** The command: redecide EXPORT --key auditor.key [--json]. */
import { ExportFailure } from "./log/failure.js";
import { loadLog } from "./log/load.js";
import { judgeLog } from "./judge/run.js";
import { asJson, asText } from "./report.js";

const usage = "usage: redecide EXPORT --key auditor.key [--json]";

function main(words: string[]): number {
  const json = words.includes("--json");
  const keyAt = words.indexOf("--key");
  const key = keyAt < 0 ? undefined : words[keyAt + 1];
  const folder = words.find((word, at) => !word.startsWith("--") && at !== keyAt + 1);
  if (!folder || !key) {
    console.error(usage);
    return 2;
  }
  try {
    const verdict = judgeLog(loadLog(folder, key));
    console.log(json ? asJson(verdict) : asText(verdict));
    return verdict.tally.exitCode();
  } catch (error) {
    if (!(error instanceof ExportFailure)) throw error;
    const code = error.code === "NO_CHECKPOINT" || error.code === "NEWER_VERSION" ? 3 : 1;
    const finding = { entry: error.entry, code: error.code, weight: code === 1 ? "bad" : "unchecked", message: error.message };
    console.log(json ? JSON.stringify({ findings: [finding], exit_code: code }, null, 1) : `entry ${error.entry}: ${error.code} (${finding.weight}): ${error.message}\n\nverdict: the export cannot be judged (exit code ${code})`);
    return code;
  }
}

process.exitCode = main(process.argv.slice(2));
