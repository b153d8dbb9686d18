/** Reads the files of an export: sections 2, 3 and 7. It computes the root again; who signed it is judged by a verifier. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { decode } from "@msgpack/msgpack";
import { sha256 } from "./avro.js";
import { ExportFailure } from "./failure.js";
import { hashesByLevel, treeRoot } from "./tree.js";

export interface Payload {
  key: Buffer | null;
  value: Buffer;
  headers: [string, Buffer][];
}

export interface RawExport {
  origin: string;
  leaves: Buffer[];
  payloads: (Payload | null)[];
  schemas: Map<string, Buffer>;
  /** The file `witness.policy`. */
  policy: Buffer | null;
  keys: Buffer | null;
}

const bundleSize = 256;

export function readExport(folder: string): RawExport {
  const path = join(folder, "checkpoint");
  if (!existsSync(path)) throw new ExportFailure("NO_CHECKPOINT", -1, `${path} is missing: the export is unfinished`);
  const [origin, sizeText, rootText, blank] = readFileSync(path, "utf8").split("\n");
  if (!origin || !/^(0|[1-9][0-9]*)$/.test(sizeText ?? "") || !rootText || blank !== "") {
    throw new ExportFailure("CHECKPOINT", -1, "the checkpoint has not exactly three lines");
  }
  const size = Number(sizeText);
  const leaves: Buffer[] = [];
  const payloads: (Payload | null)[] = [];
  for (let first = 0; first < size; first += bundleSize) {
    const width = Math.min(bundleSize, size - first);
    leaves.push(...readBundle(folder, first, width));
    payloads.push(...readPayloads(folder, first, width));
  }
  checkTiles(folder, leaves);
  if (treeRoot(leaves).toString("base64") !== rootText) throw new ExportFailure("ROOT", -1, "the leaves make another root than the checkpoint's");
  const file = (name: string): Buffer | null => (existsSync(join(folder, name)) ? readFileSync(join(folder, name)) : null);
  return { origin, leaves, payloads, schemas: readSchemas(folder), policy: file("witness.policy"), keys: file("keys") };
}

/** The name of a tile: groups of three digits, all but the last with `x`, and the width where the file is not full. */
export function tileName(number: number, width: number): string {
  let name = String(number % 1000).padStart(3, "0");
  for (let rest = Math.floor(number / 1000); rest > 0; rest = Math.floor(rest / 1000)) name = `x${String(rest % 1000).padStart(3, "0")}/${name}`;
  return width < bundleSize ? `${name}.p/${width}` : name;
}

function readBundle(folder: string, first: number, width: number): Buffer[] {
  const path = join(folder, "tile/entries", tileName(first / bundleSize, width));
  if (!existsSync(path)) throw new ExportFailure("TILE", first, `${path} is missing`);
  const file = readFileSync(path);
  const leaves: Buffer[] = [];
  let at = 0;
  while (leaves.length < width) {
    const end = at + 2 <= file.length ? at + 2 + file.readUInt16BE(at) : Infinity;
    if (end > file.length) throw new ExportFailure("BUNDLE", first + leaves.length, `${path} ends within a leaf`);
    leaves.push(file.subarray(at + 2, end));
    at = end;
  }
  if (at !== file.length) throw new ExportFailure("BUNDLE", first + width, `${path} has bytes behind its last leaf`);
  return leaves;
}

/** Each tile has the hashes that the leaves make. */
function checkTiles(folder: string, leaves: Buffer[]): void {
  hashesByLevel(leaves, bundleSize).forEach((hashes, level) => {
    for (let first = 0; first < hashes.length; first += bundleSize) {
      const own = hashes.slice(first, first + bundleSize);
      const path = join(folder, "tile", String(level), tileName(first / bundleSize, own.length));
      if (!existsSync(path)) throw new ExportFailure("TILE", -1, `${path} is missing`);
      if (!readFileSync(path).equals(Buffer.concat(own))) throw new ExportFailure("TILE", -1, `${path} has other hashes than the leaves make`);
    }
  });
}

function readPayloads(folder: string, first: number, width: number): (Payload | null)[] {
  const path = join(folder, "payload", tileName(first / bundleSize, width));
  if (!existsSync(path)) return new Array(width).fill(null);
  try {
    const items = decode(readFileSync(path)) as unknown[];
    if (!Array.isArray(items) || items.length !== width) throw new Error(`it has not ${width} items`);
    return items.map(payloadOf);
  } catch (error) {
    throw new ExportFailure("PAYLOAD", first, `${path} cannot be read: ${(error as Error).message}`);
  }
}

function payloadOf(item: unknown): Payload | null {
  if (item === null) return null;
  if (!Array.isArray(item) || item.length !== 3) throw new Error("an item is not an array of three");
  const [key, value, headers] = item;
  if ((key !== null && !(key instanceof Uint8Array)) || !(value instanceof Uint8Array)) throw new Error("a key or value is not binary");
  return {
    key: key === null ? null : Buffer.from(key),
    value: Buffer.from(value),
    headers: (headers as [string, Uint8Array][]).map(([name, content]) => [name, Buffer.from(content)]),
  };
}

function readSchemas(folder: string): Map<string, Buffer> {
  const path = join(folder, "schemas");
  const names = existsSync(path) ? readdirSync(path).sort() : [];
  return new Map(names.map((name) => [name, readFileSync(join(path, name))]));
}

/** The digest of key and headers that a leaf holds: section 4. */
export function restOf(payload: Payload): Buffer {
  const parts: Buffer[] = [];
  const counted = (bytes: Buffer): void => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(bytes.length));
    parts.push(length, bytes);
  };
  parts.push(Buffer.from([payload.key === null ? 0 : 1]));
  counted(payload.key ?? Buffer.alloc(0));
  for (const [name, content] of payload.headers) {
    counted(Buffer.from(name, "utf8"));
    counted(content);
  }
  return sha256(...parts);
}
