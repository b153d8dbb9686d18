/** Which policy bundles are believed, and from which entry on each is in force: sections 10 and 12.2. */
import { createPublicKey, verify } from "node:crypto";
import { parse } from "yaml";
import type { Entry } from "../log/entries.js";
import { Bundle } from "./bundle.js";
import { digestOfFiles } from "./digests.js";
import { readPolicyKeys, type PolicyKeys } from "./keys.js";

export interface BundleFinding {
  entry: number;
  code: string;
  message: string;
}

/** A believed bundle; its files are parsed when somebody asks for its rules. */
interface Believed {
  entry: number;
  number: number;
  digest: string;
  at: number;
  files: Map<string, Buffer>;
  bundle: Bundle | null;
}

const spkiOfEd25519 = Buffer.from("302a300506032b6570032100", "hex");

export class PolicyChain {
  readonly findings: BundleFinding[] = [];
  /** The believed bundles, in the order of their numbers. */
  readonly believed: Believed[] = [];
  private keys: PolicyKeys = { signers: new Map(), pins: new Map() };
  private signers = new Map<string, string>();

  constructor(entries: Entry[]) {
    for (const entry of entries) {
      if (entry.kind === "KEYS" && entry.payload) this.takeKeys(entry.payload.value.toString("utf8"));
      if (entry.kind === "POLICY" && entry.body) this.take(entry);
    }
  }

  /** The bundle with this number, if it is believed. */
  numbered(number: number): Bundle | undefined {
    return parsed(this.believed.find((one) => one.number === number));
  }

  /** The entry of the bundle with this number. */
  entryOf(number: number): number | undefined {
    return this.believed.find((one) => one.number === number)?.entry;
  }

  /** The bundle that holds the procedure with this digest: procedures of earlier bundles stay valid. */
  withProcedure(digest: string): Bundle | undefined {
    return this.believed.map(parsed).find((bundle) => bundle!.procedureByDigest(digest));
  }

  private takeKeys(text: string): void {
    let next: PolicyKeys;
    try {
      next = readPolicyKeys(text);
    } catch {
      return; // such an entry changes nothing; the verifier reports it
    }
    if (next.signers.size === 0) next.signers = this.keys.signers;
    const changed = JSON.stringify([[...next.signers], [...next.pins]]) !== JSON.stringify([[...this.keys.signers], [...this.keys.pins]]);
    this.keys = next;
    if (changed) this.signers = next.signers;
  }

  private take(entry: Entry): void {
    const body = entry.body;
    const newest = this.believed.at(-1);
    const expected = (newest?.number ?? 0) + 1;
    const refuse = (code: string, message: string): void => void this.findings.push({ entry: entry.index, code, message });
    if (body.number < expected && this.believed[body.number - 1]?.digest === body.digest) return;
    if (body.number !== expected) return refuse(body.number < expected ? "FORK" : "SEQUENCE_GAP", `bundle ${body.number} comes where ${expected} should`);
    const files = new Map<string, Buffer>(Object.entries(body.files));
    if (digestOfFiles(files) !== body.digest) return refuse("HASH_DIFFERS", `the files of bundle ${body.number} have another digest`);
    let following = this.keys.signers;
    if (this.keys.pins.get(body.number) !== body.digest && this.keys.signers.size > 0) {
      if ((body.before ?? "") !== (newest?.digest ?? "")) return refuse("POLICY_FORGED", "it was signed to follow another bundle");
      if (body.at < (body.valid_from ?? 0)) return refuse("POLICY_FORGED", "it came into force before valid_from");
      if (!twoSigned(body, this.signers)) return refuse("POLICY_FORGED", "fewer than two signers have signed it");
      const own = files.get("signers.yaml");
      try {
        following = own ? readSigners(own.toString("utf8")) : this.signers;
      } catch (error) {
        return refuse("POLICY_FORGED", `its signers.yaml cannot be read: ${(error as Error).message}`);
      }
    }
    this.signers = following;
    this.believed.push({ entry: entry.index, number: body.number, digest: body.digest, at: body.at, files, bundle: null });
  }
}

function parsed(one: Believed | undefined): Bundle | undefined {
  if (!one) return undefined;
  one.bundle ??= new Bundle(one.number, one.digest, one.at, one.files);
  return one.bundle;
}

export function signedText(body: { number: number; digest: string; valid_from: number; before: string }): Buffer {
  return Buffer.from(`referral-policy-bundle-v1\n${body.number}\n${body.digest}\n${body.valid_from}\n${body.before || "-"}\n`);
}

function twoSigned(body: any, signers: Map<string, string>): boolean {
  const signatures: { public: Buffer; signature: Buffer }[] = body.signatures ?? [];
  if (signatures.length > 16) return false;
  const text = signedText(body);
  const good = new Set(signatures.filter((one) => holds(one, text)).map((one) => one.public.toString("base64")));
  return [...signers.values()].filter((key) => good.has(key)).length >= 2;
}

function holds(one: { public: Buffer; signature: Buffer }, text: Buffer): boolean {
  try {
    const key = createPublicKey({ key: Buffer.concat([spkiOfEd25519, one.public]), format: "der", type: "spki" });
    return verify(null, text, key, one.signature);
  } catch {
    return false;
  }
}

function readSigners(text: string): Map<string, string> {
  const names: Record<string, string> = parse(text)?.signers ?? {};
  const lines = Object.entries(names).map(([name, key]) => `# policy-signer ${name} ed25519 ${key}`);
  const { signers } = readPolicyKeys(lines.join("\n"));
  if (signers.size < 2) throw new Error("it names fewer than two");
  return signers;
}
