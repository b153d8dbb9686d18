/** Makes entries of leaves and payloads, and opens what can be opened: sections 4 to 8 and 10. */
import { Schema, sha256, type Value } from "./avro.js";
import { restOf, type Payload, type RawExport } from "./export.js";
import { ExportFailure } from "./failure.js";
import { openAesGcm } from "./hpke.js";
import { Writers } from "./writers.js";

export interface Entry {
  index: number;
  kind: string;
  loggedAt: number;
  topic: string;
  partition: number;
  offset: number;
  kafkaTime: number;
  eventId: string | null;
  type: string;
  caseId: string | null;
  caseSeq: number;
  causeId: string | null;
  recordedAt: number;
  drill: boolean;
  /** The one writer of its topic has not signed it: it counts nowhere. */
  forged: boolean;
  /** Key and value as they stand; null if they are not stored any more. */
  payload: Payload | null;
  /** The value is not stored any more. */
  gone: boolean;
  /** The decoded body, where the entry has one and it could be opened. */
  body: Value | null;
  /** Why the body could not be opened or decoded; null if it was, or if the entry has none. */
  closed: string | null;
}

export interface Log {
  origin: string;
  entries: Entry[];
  /** Findings of the reading itself: they are bad. */
  damage: { entry: number; code: string; message: string }[];
}

export const caseTopics = ["referral-intake", "referral-routing", "referral-notification"];
const sequenced = new Set(["EVENT", "DECISION", "DISCLOSURE", "ERASURE"]);
const openKinds = new Set(["POLICY", "QUARANTINE", "FIGURE"]);
const ownJson = new Set(["HEARTBEAT", "READING", "ADMINISTRATION", "GAP"]);
const zeroNonce = Buffer.alloc(12);
const nothing = sha256("");

export function readEntries(raw: RawExport, caseKeys: Map<string, Buffer>): Log {
  const log: Log = { origin: raw.origin, entries: [], damage: [] };
  const leafSchemas = [...raw.schemas].filter(([name]) => name.startsWith("leaf.")).map(([, text]) => new Schema(JSON.parse(text.toString())));
  const schemas = new Map<string, Schema>();
  const meta = schemaNamed(raw, "meta.v1");
  let writers = new Writers("");
  for (const [index, leaf] of raw.leaves.entries()) {
    const entry = entryOf(index, decodeLeaf(index, leaf, leafSchemas), raw.payloads[index] ?? null);
    log.entries.push(entry);
    const payload = entry.payload;
    const fields = leafFields(leaf, leafSchemas);
    entry.gone = payload === null && !fields.sha256.equals(nothing);
    if (!payload) continue;
    if (!sha256(payload.value).equals(fields.sha256)) log.damage.push({ entry: index, code: "HASH_DIFFERS", message: "the value is another than the leaf says" });
    if (!restOf(payload).equals(fields.rest)) log.damage.push({ entry: index, code: "REST_DIFFERS", message: "key or headers are others than the leaf says" });
    if (entry.kind === "KEYS") writers = new Writers(payload.value.toString("utf8"));
    entry.forged = writers.isForged(entry);
    if (entry.forged) {
      log.damage.push({ entry: index, code: "WRITER", message: `the writer of ${entry.topic} has not signed it` });
      continue;
    }
    if (entry.kind === "SCHEMA") {
      const schema = new Schema(JSON.parse(payload.value.toString()));
      if (schema.fingerprint !== BigInt.asUintN(64, BigInt(fields.fingerprint))) {
        log.damage.push({ entry: index, code: "BODY", message: `the schema of ${entry.type} has another fingerprint` });
      }
      schemas.set(entry.type, schema);
      const name = `${entry.type}.${schema.fingerprint.toString(16).padStart(16, "0")}.avsc`;
      if (!raw.schemas.get(name)?.equals(payload.value)) log.damage.push({ entry: index, code: "FILE_DIFFERS", message: `schemas/${name} is not its entry` });
    } else if (sequenced.has(entry.kind) && caseTopics.includes(entry.topic)) {
      openRecord(entry, fields, payload, meta, schemas, caseKeys, log);
    } else if (openKinds.has(entry.kind)) {
      const type = payload.headers.find(([name]) => name === "ce_type")?.[1].toString().replace(/^referral\./, "") ?? "";
      entry.body = decodeBody(entry, schemas.get(type), payload.value);
      entry.type = type;
      if (entry.closed && entry.kind !== "FIGURE") log.damage.push({ entry: index, code: "BODY", message: entry.closed });
    } else if (ownJson.has(entry.kind)) {
      entry.body = JSON.parse(payload.value.toString("utf8"));
    }
  }
  checkFiles(raw, log);
  return log;
}

/** Values that are gone, and the policy file beside the log: sections 7 and 14.3. */
function checkFiles(raw: RawExport, log: Log): void {
  const erased = new Set(log.entries.filter((entry) => entry.kind === "ERASURE").map((entry) => entry.caseId));
  for (const entry of log.entries) {
    const accounted = entry.caseId !== null && erased.has(entry.caseId) && entry.kind !== "ERASURE";
    if (entry.gone && !accounted) log.damage.push({ entry: entry.index, code: "PAYLOAD_GONE", message: "the value is gone, and no erasure accounts for it" });
  }
  const keys = log.entries.findLast((entry) => entry.kind === "KEYS" && entry.payload);
  if (keys && !raw.policy?.equals(keys.payload!.value)) log.damage.push({ entry: keys.index, code: "FILE_DIFFERS", message: "witness.policy is not the newest KEYS entry" });
}

function schemaNamed(raw: RawExport, type: string): Schema {
  for (const [name, text] of raw.schemas) if (name.startsWith(`${type}.`)) return new Schema(JSON.parse(text.toString()));
  throw new ExportFailure("BODY", -1, `no schema of ${type} in the export`);
}

function leafFields(leaf: Buffer, schemas: Schema[]): Value {
  const fingerprint = leaf.readBigUInt64LE(2);
  return schemas.find((schema) => schema.fingerprint === fingerprint)?.decode(leaf.subarray(10));
}

function decodeLeaf(index: number, leaf: Buffer, schemas: Schema[]): Value {
  if (leaf.length < 10 || leaf.readUInt16BE(0) !== 0xc301) throw new ExportFailure("LEAF", index, "the leaf is no single object of Avro");
  try {
    const fields = leafFields(leaf, schemas);
    if (fields) return fields;
  } catch (error) {
    throw new ExportFailure("LEAF", index, `the leaf cannot be decoded: ${(error as Error).message}`);
  }
  throw new ExportFailure("NEWER_VERSION", index, "the leaf is of a newer program");
}

function entryOf(index: number, leaf: Value, payload: Payload | null): Entry {
  return {
    index,
    kind: leaf.kind,
    loggedAt: leaf.logged_at,
    topic: leaf.topic,
    partition: leaf.partition,
    offset: leaf.offset,
    kafkaTime: leaf.kafka_time,
    eventId: leaf.event_id,
    type: leaf.type,
    caseId: leaf.case_id,
    caseSeq: leaf.case_seq,
    causeId: leaf.cause_id,
    recordedAt: leaf.recorded_at,
    drill: false,
    forged: false,
    payload,
    gone: false,
    body: null,
    closed: payload ? null : "the value is not stored any more",
  };
}

function openRecord(entry: Entry, leaf: Value, payload: Payload, metaSchema: Schema, schemas: Map<string, Schema>, keys: Map<string, Buffer>, log: Log): void {
  const fail = (code: string, message: string): void => {
    entry.closed = message;
    log.damage.push({ entry: entry.index, code, message });
  };
  const value = payload.value;
  const { value: meta, end } = metaSchema.decodePrefix(value);
  entry.drill = meta.drill;
  const named = ["event_id", "type", "case_id", "case_seq", "cause_id", "recorded_at", "fingerprint"];
  if (named.some((name) => meta[name] !== leaf[name])) fail("META_DIFFERS", "the leaf says other than the meta of the value");
  const nonce = value.subarray(end, end + 12);
  const { length, start } = readLength(value, end + 12);
  if (start + length !== value.length) return fail("BODY", "the sealed part has another length than it says");
  const sealed = value.subarray(start);
  let body = sealed;
  if (entry.kind === "ERASURE") {
    if (!nonce.equals(zeroNonce)) return fail("SEAL", "an erasure has a nonce");
  } else {
    const key = keys.get(meta.case_id);
    if (!key) {
      entry.closed = "no key of this case was lent";
      return;
    }
    try {
      body = openAesGcm(key, nonce, sealed, Buffer.concat([Buffer.from(entry.topic), value.subarray(0, end)]));
    } catch {
      return fail("SEAL", "the sealed part does not open");
    }
  }
  if (entry.type === "case-erased.v1") return;
  const schema = schemas.get(entry.type);
  if (schema && schema.fingerprint !== BigInt.asUintN(64, BigInt(meta.fingerprint))) return fail("BODY", "the body names another schema of its type");
  entry.body = decodeBody(entry, schema, body);
  if (entry.closed) fail("BODY", entry.closed);
}

function decodeBody(entry: Entry, schema: Schema | undefined, body: Buffer): Value | null {
  if (!schema) {
    entry.closed = `the log has no schema of ${entry.type || "this type"} before this entry`;
    return null;
  }
  try {
    return schema.decode(body);
  } catch (error) {
    entry.closed = `the body does not decode: ${(error as Error).message}`;
    return null;
  }
}

/** An Avro long at a place of the bytes, here always a length. */
function readLength(bytes: Buffer, at: number): { length: number; start: number } {
  let coded = 0;
  let shift = 1;
  for (let i = at; i < bytes.length; i++) {
    coded += (bytes[i]! & 0x7f) * shift;
    if (bytes[i]! < 0x80) return { length: coded / 2, start: i + 1 };
    shift *= 128;
  }
  return { length: -1, start: bytes.length };
}
