/** The vectors of the sections that this program reads: ids, digests, lent keys, bundles and limits. */
import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { derive } from "../src/case/ids.js";
import { openHpke } from "../src/log/hpke.js";
import { Schema } from "../src/log/avro.js";
import { Writers } from "../src/log/writers.js";
import type { Entry } from "../src/log/entries.js";
import { Calendar, parseLimit } from "../src/policy/calendar.js";
import { PolicyChain } from "../src/policy/chain.js";
import { digestOfDirectory, digestOfFiles } from "../src/policy/digests.js";
import { exportsFolder, vectorsFolder } from "./clean.js";

function vectors(name: string): any[] {
  return JSON.parse(readFileSync(join(vectorsFolder, `${name}.json`), "utf8")).vectors;
}

test("ids are derived as the vectors say", () => {
  for (const vector of vectors("ids")) {
    if (vector.name_text) assert.equal(derive(vector.id, vector.name_text), vector.derived, vector.name);
    else if (vector.due) assert.equal(derive(vector.case_id, `due:${vector.due}:${vector.seq}`), vector.derived);
    else if (vector.lost_seq) assert.equal(derive(vector.case_id, `lost:${vector.topic}:${vector.lost_seq}:${vector.partition}:${vector.offset}`), vector.derived);
  }
});

test("lent keys open with the right key, and for this log alone", () => {
  for (const vector of vectors("lent-keys")) {
    const key = createPrivateKey({ key: Buffer.concat([Buffer.from("302e020100300506032b656e04220420", "hex"), Buffer.from(vector.private, "hex")]), format: "der", type: "pkcs8" });
    const open = (): Buffer => openHpke(key, Buffer.from(`referral-lent-keys-v1\0${vector.origin}`), Buffer.from(vector.file, "hex"));
    if (vector.good) assert.ok(open().length > 0);
    else assert.throws(open, vector.why);
  }
});

test("digests of bundles and directories", () => {
  for (const vector of vectors("policy")) {
    const files = vector.files ?? vector.directory_files;
    if (!files || !vector.digest_text) continue;
    const map = new Map<string, Buffer>(Object.entries<string>(files).map(([path, hex]) => [path, Buffer.from(hex, "hex")]));
    const digest = vector.files ? digestOfFiles(map) : digestOfDirectory(map);
    assert.equal(digest === vector.digest_text, vector.good, vector.name);
  }
});

test("working days end at midnight in Prishtine, over a weekend and a holiday", () => {
  const calendar = new Calendar({ clock_changes: [{ at: "2026-10-25T01:00:00+00:00", offset: 60 }, { at: "2027-03-28T01:00:00+00:00", offset: 120 }], holidays: [{ day: "2027-02-17" }] });
  const end = (from: string, limit: string): string => new Date(calendar.end(Date.parse(from) * 1000, parseLimit(limit)) / 1000).toISOString();
  assert.equal(end("2027-01-15T00:31:06Z", "5 working days P"), "2027-01-22T23:00:00.000Z");
  assert.equal(end("2027-02-16T12:00:00Z", "1 working days P"), "2027-02-18T23:00:00.000Z");
  assert.equal(end("2027-03-26T12:00:00Z", "1 working days P"), "2027-03-29T22:00:00.000Z");
  assert.equal(end("2027-01-15T00:00:00Z", "91 days P"), "2027-04-16T00:00:00.000Z");
});

/** The types of `avro.json`, as schemas. */
const avroTypes: Record<string, any> = {
  int: "int",
  long: "long",
  boolean: "boolean",
  bytes: "bytes",
  code: { type: "string", code: "word" },
  id: { type: "string", logicalType: "uuid" },
  "code of a digest": { type: "string", code: "digest" },
  "array of codes": { type: "array", items: { type: "string", code: "word" } },
  "map of ints": { type: "map", values: "int" },
};

test("Avro in its one form, and no other", (context) => {
  let judged = 0;
  for (const vector of vectors("avro")) {
    const schema = avroTypes[vector.type];
    if (!schema) continue;
    judged++;
    const decode = (): unknown => new Schema(schema).decode(Buffer.from(vector.bytes, "hex"));
    if (vector.good) assert.doesNotThrow(decode, vector.name);
    else assert.throws(decode, () => true, vector.name);
  }
  context.diagnostic(`${judged} of ${vectors("avro").length} vectors`);
});

test("bodies of every type, by the schemas of the export", () => {
  const folder = join(exportsFolder, "clean/export/schemas");
  const schemas = new Map(readdirSync(folder).map((name) => [name.split(".").slice(0, 2).join("."), new Schema(JSON.parse(readFileSync(join(folder, name), "utf8")))]));
  for (const vector of vectors("body")) {
    const schema = schemas.get(vector.type.includes(".") ? vector.type : `${vector.type}.v1`);
    assert.ok(schema, vector.type);
    const value = schema.decode(Buffer.from(vector.body, "hex"));
    const json = JSON.parse(JSON.stringify(value, (_, one) => (one?.type === "Buffer" ? Buffer.from(one.data).toString("base64") : one)));
    assert.deepEqual(json, vector.fields_json, vector.name);
  }
});

test("chains of bundles, good and bad", () => {
  for (const vector of vectors("policy").filter((one) => one.bundles)) {
    const bytes = (hex: string): Buffer => Buffer.from(hex, "hex");
    const lines = [
      ...Object.entries<string>(vector.signers).map(([name, key]) => `# policy-signer ${name} ed25519 ${bytes(key).toString("base64")}`),
      ...Object.entries(vector.pins).map(([number, digest]) => `# policy-bundle ${number} ${digest}`),
    ];
    const entries = [{ kind: "KEYS", payload: { value: Buffer.from(lines.join("\n")) } }];
    for (const one of vector.bundles) {
      const files = Object.fromEntries(Object.entries<string>(one.files).map(([path, hex]) => [path, bytes(hex)]));
      const signatures = one.signatures.map((each: any) => ({ public: bytes(each.public), signature: bytes(each.signature) }));
      entries.push({ kind: "POLICY", body: { ...one, files, signatures } } as any);
    }
    entries.forEach((entry: any, index) => (entry.index = index));
    const chain = new PolicyChain(entries as unknown as Entry[]);
    const found = vector.bundles.map((_: unknown, at: number) => chain.findings.find((one) => one.entry === at + 1)?.code ?? "");
    assert.deepEqual(found, vector.findings, vector.name);
  }
});

test("records that their one writer signed, and others", () => {
  for (const vector of vectors("record-signature")) {
    const bytes = (hex: string): Buffer => Buffer.from(hex, "hex");
    const services: Record<string, string> = { "referral-intake": "intake", "referral-routing": "routing", "referral-notification": "notifier", "oversight-feed": "oversight" };
    const key = vector.key === null ? null : bytes(vector.key);
    const service = vector.writer ?? services[vector.topic] ?? key?.toString().split("/")[0];
    const lines = [`# writer ${service} ed25519 ${bytes(vector.public ?? "00".repeat(32)).toString("base64")}`];
    if (vector.signed_from) lines.push(`# signed-from ${new Date(vector.signed_from).toISOString()}`);
    const headers = vector.headers ?? [["referral-signature", bytes(vector.referral_signature)]];
    const entry = { kind: "EVENT", topic: vector.topic, kafkaTime: vector.kafka_time ?? 1, payload: { key, value: bytes(vector.value), headers } };
    assert.equal(!new Writers(lines.join("\n")).isForged(entry as unknown as Entry), vector.holds ?? vector.good, vector.name);
  }
});
