/** Whether the one writer of a topic has signed a record: section 12.1. A record that it did not sign is forged, and counts nowhere. */
import { createPublicKey, verify } from "node:crypto";
import { sha256 } from "./avro.js";
import type { Entry } from "./entries.js";

interface Key {
  public: Buffer;
  /** Microseconds; null if the key has no end. */
  until: number | null;
}

const spkiOfEd25519 = Buffer.from("302a300506032b6570032100", "hex");
const writerOf: Record<string, string> = {
  "referral-intake": "intake",
  "referral-routing": "routing",
  "referral-notification": "notifier",
  "oversight-feed": "oversight",
};

/** The writers whom the newest KEYS entry names. */
export class Writers {
  private readonly keys = new Map<string, Key[]>();
  private signedFrom: number | null = null;

  constructor(text: string) {
    const ends = new Map<string, number>();
    const lines = text.split("\n").map((line) => line.split(/[\t\n\v\f\r ]+/).filter((word) => word !== ""));
    for (const [hash, word, first, second, third] of lines) {
      if (hash !== "#") continue;
      if (word === "writer") this.keys.set(first!, [...(this.keys.get(first!) ?? []), { public: Buffer.from(third!, "base64"), until: null }]);
      if (word === "writer-until") ends.set(first!, Math.min(ends.get(first!) ?? Infinity, Date.parse(second!) * 1000));
      if (word === "signed-from") this.signedFrom = Math.max(this.signedFrom ?? 0, Date.parse(first!) * 1000);
    }
    for (const key of [...this.keys.values()].flat()) key.until = ends.get(key.public.toString("base64")) ?? null;
  }

  isForged(entry: Entry): boolean {
    const payload = entry.payload;
    if (!payload || this.keys.size === 0 || entry.kind === "GAP") return false;
    const time = entry.kafkaTime * 1000;
    if (this.signedFrom !== null && time > 0 && time < this.signedFrom) return false;
    const named = entry.topic === "referral-quarantine" ? payload.key?.toString().split("/")[0] : writerOf[entry.topic];
    if (named === undefined) return entry.topic === "referral-quarantine";
    const header = payload.headers.find(([name]) => name === "referral-signature")?.[1];
    const text = header && signedText(entry.topic, leafHash(payload.key ?? Buffer.alloc(0), payload.value), header);
    if (!header || !text) return true;
    const counting = (this.keys.get(named) ?? []).filter((key) => key.until === null || (time > 0 && time <= key.until));
    return !counting.some((key) => holds(key.public, text, header.subarray(0, 64)));
  }
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function leafHash(key: Buffer, value: Buffer): Buffer {
  return sha256(Buffer.from([0]), u32(key.length), key, value);
}

/** The text that the writer signed; null if the header has another form. */
export function signedText(topic: string, leaf: Buffer, header: Buffer): Buffer | null {
  if (header.length < 72) return null;
  const count = header.readUInt32BE(64);
  let index = header.readUInt32BE(68);
  if (index >= count) return null;
  let node = leaf;
  let at = 72;
  for (let size = count; size > 1; size = Math.floor((size + 1) / 2), index = Math.floor(index / 2)) {
    if ((index ^ 1) >>> 0 >= size) continue;
    const neighbour = header.subarray(at, at + 32);
    if (neighbour.length !== 32) return null;
    at += 32;
    node = index % 2 === 1 ? sha256(Buffer.from([1]), neighbour, node) : sha256(Buffer.from([1]), node, neighbour);
  }
  return at === header.length ? Buffer.concat([Buffer.from(`referral-records-v1\n${topic}\n`), u32(count), node]) : null;
}

function holds(key: Buffer, text: Buffer, signature: Buffer): boolean {
  try {
    return verify(null, text, createPublicKey({ key: Buffer.concat([spkiOfEd25519, key]), format: "der", type: "spki" }), signature);
  } catch {
    return false;
  }
}
