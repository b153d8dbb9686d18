/** Reads an export and opens it with the auditor's key: section 8.1. */
import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { decode } from "@msgpack/msgpack";
import { readEntries, type Log } from "./entries.js";
import { readExport } from "./export.js";
import { ExportFailure } from "./failure.js";
import { openHpke } from "./hpke.js";

export function loadLog(folder: string, keyFile: string): Log {
  const raw = readExport(folder);
  return readEntries(raw, raw.keys ? openLentKeys(raw.keys, raw.origin, readKey(keyFile)) : new Map());
}

function readKey(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new ExportFailure("SEAL", -1, `the auditor's key cannot be read: ${(error as Error).message}`);
  }
}

export function openLentKeys(file: Buffer, origin: string, pem: string): Map<string, Buffer> {
  const info = Buffer.concat([Buffer.from("referral-lent-keys-v1"), Buffer.from([0]), Buffer.from(origin)]);
  let plaintext: Buffer;
  try {
    plaintext = openHpke(createPrivateKey(pem), info, file);
  } catch {
    throw new ExportFailure("SEAL", -1, "the auditor's key does not open the file keys");
  }
  const map = decode(plaintext) as Record<string, Uint8Array>;
  return new Map(Object.entries(map).map(([id, key]) => [id, Buffer.from(key)]));
}
