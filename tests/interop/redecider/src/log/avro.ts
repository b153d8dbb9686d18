/** Decodes Avro in the one form of section 6: a value is accepted only if it has exactly the bytes that we would write. */
import avro from "avsc";
import { createHash } from "node:crypto";

export type Value = any;

/** Longs are numbers where a number holds them exactly; only fingerprints are beyond that, and they stay bigint. */
const longType = avro.types.LongType.__with(
  {
    fromBuffer: (buffer: Buffer) => narrow(buffer.readBigInt64LE()),
    toBuffer: (value: number | bigint) => {
      const buffer = Buffer.alloc(8);
      buffer.writeBigInt64LE(BigInt(value));
      return buffer;
    },
    fromJSON: (value: number) => value,
    toJSON: (value: number | bigint) => Number(value),
    isValid: (value: unknown) => typeof value === "bigint" || Number.isSafeInteger(value),
    compare: (a: number | bigint, b: number | bigint) => (a < b ? -1 : a > b ? 1 : 0),
  } as any,
  false,
);

function narrow(value: bigint): number | bigint {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

const idForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const codeForm = /^[\x21-\x7e]*$/;

/** A schema of the export, with the type that decodes its values. */
export class Schema {
  readonly fingerprint: bigint;
  private readonly type: avro.Type;
  private readonly definitions = new Map<string, any>();

  constructor(private readonly json: any) {
    this.type = avro.Type.forSchema(structuredClone(json), { registry: {}, typeHook: pickLong });
    this.fingerprint = crc64(Buffer.from(canonical(json), "utf8"));
    this.collect(json);
  }

  /** Throws if the bytes are not the one form of a value of this schema. */
  decode(bytes: Buffer): Value {
    const value = this.type.fromBuffer(bytes);
    if (!this.type.toBuffer(value).equals(bytes)) throw new Error("the bytes are not in the one form");
    this.checkStrings(this.json, value);
    return plain(value);
  }

  /** Decodes a value at the beginning of the bytes and says where it ends. */
  decodePrefix(bytes: Buffer): { value: Value; end: number } {
    const { value, offset } = this.type.decode(bytes, 0);
    if (offset < 0) throw new Error("the bytes end within the value");
    if (!this.type.toBuffer(value).equals(bytes.subarray(0, offset))) throw new Error("the bytes are not in the one form");
    this.checkStrings(this.json, value);
    return { value: plain(value), end: offset };
  }

  private collect(schema: any): void {
    if (Array.isArray(schema)) schema.forEach((part) => this.collect(part));
    else if (schema && typeof schema === "object") {
      if (schema.name && schema.type && typeof schema.type === "string") this.definitions.set(schema.name, schema);
      for (const part of [schema.type, schema.items, schema.values]) if (typeof part === "object") this.collect(part);
      if (schema.fields) for (const field of schema.fields) this.collect(field.type);
    }
  }

  private checkStrings(schema: any, value: Value): void {
    if (typeof schema === "string") schema = this.definitions.get(schema) ?? schema;
    if (Array.isArray(schema)) {
      if (value !== null) this.checkStrings(schema.find((part) => part !== "null"), value);
    } else if (schema.type === "record") {
      for (const field of schema.fields) this.checkStrings(field.type, value[field.name]);
    } else if (schema.type === "array") {
      for (const item of value) this.checkStrings(schema.items, item);
    } else if (schema.type === "map") {
      const names = Object.keys(value);
      for (let i = 0; i < names.length; i++) {
        const name = names[i]!;
        if (name.length > 200 || !codeForm.test(name)) throw new Error(`a key of a map is no code: ${name}`);
        if (i > 0 && names[i - 1]! >= name) throw new Error("the keys of a map do not ascend");
      }
    } else if (typeof schema.type === "object") {
      this.checkStrings(schema.type, value);
    } else if (schema.logicalType === "uuid") {
      if (!idForm.test(value)) throw new Error(`no id: ${value}`);
    } else if (schema.code !== undefined) {
      if (value.length > (schema.code === "digest" ? 200 : 63) || !codeForm.test(value)) throw new Error(`no code: ${value}`);
    }
  }
}

function pickLong(schema: any): avro.Type | undefined {
  if (schema === "long" || schema?.type === "long") return longType;
  return undefined;
}

/** Makes plain objects of avsc's records, so that values are compared and copied like any other. */
function plain(value: Value): Value {
  if (Buffer.isBuffer(value) || value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part)]));
}

/** Parsing Canonical Form: full names, no attributes beside those that decide the bytes. */
function canonical(schema: any, space = ""): string {
  if (typeof schema === "string") return JSON.stringify(primitives.has(schema) ? schema : fullName(schema, space));
  if (Array.isArray(schema)) return `[${schema.map((part) => canonical(part, space)).join(",")}]`;
  if (typeof schema.type !== "string") return canonical(schema.type, space);
  if (schema.type === "array") return `{"type":"array","items":${canonical(schema.items, space)}}`;
  if (schema.type === "map") return `{"type":"map","values":${canonical(schema.values, space)}}`;
  if (!["record", "enum", "fixed"].includes(schema.type)) return canonical(schema.type, space);
  const inner = schema.namespace ?? space;
  const head = `{"name":${JSON.stringify(fullName(schema.name, inner))},"type":"${schema.type}"`;
  if (schema.type === "enum") return `${head},"symbols":${JSON.stringify(schema.symbols)}}`;
  if (schema.type === "fixed") return `${head},"size":${schema.size}}`;
  const fields = schema.fields.map((field: any) => `{"name":${JSON.stringify(field.name)},"type":${canonical(field.type, inner)}}`);
  return `${head},"fields":[${fields.join(",")}]}`;
}

const primitives = new Set(["null", "boolean", "int", "long", "float", "double", "bytes", "string"]);

function fullName(name: string, space: string): string {
  return name.includes(".") || space === "" ? name : `${space}.${name}`;
}

const emptyCrc = 0xc15d213aa4d7a795n;
const crcTable = Array.from({ length: 256 }, (_, byte) => {
  let crc = BigInt(byte);
  for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ emptyCrc : crc >> 1n;
  return crc;
});

/** CRC-64-AVRO, unsigned. */
export function crc64(bytes: Buffer): bigint {
  let crc = emptyCrc;
  for (const byte of bytes) crc = (crc >> 8n) ^ crcTable[Number((crc ^ BigInt(byte)) & 0xffn)]!;
  return crc;
}

export function sha256(...parts: (Buffer | string)[]): Buffer {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}
