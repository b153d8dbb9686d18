/** Reads the lines of a KEYS entry that say whom to believe about the policy: section 11. */

export interface PolicyKeys {
  /** Signer's name → public key in base64. */
  signers: Map<string, string>;
  /** Number of a bundle → digest that needs no signatures. */
  pins: Map<number, string>;
}

const nameForm = /^[a-z][a-z0-9-]{0,62}$/;

/** Throws if a line of ours about the policy has another form than the page says. */
export function readPolicyKeys(text: string): PolicyKeys {
  const keys: PolicyKeys = { signers: new Map(), pins: new Map() };
  for (const line of text.split("\n")) {
    const words = line.split(/[\t\n\v\f\r ]+/).filter((word) => word !== "");
    if (words[0] !== "#") continue;
    if (words[1] === "policy-signer") addSigner(keys.signers, words);
    if (words[1] === "policy-bundle") addPin(keys.pins, words);
  }
  return keys;
}

function addSigner(signers: Map<string, string>, words: string[]): void {
  const [, , name, algorithm, key] = words;
  if (words.length !== 5 || algorithm !== "ed25519" || !nameForm.test(name!) || Buffer.from(key!, "base64").length !== 32) {
    throw new Error(`no line of a policy signer: ${words.join(" ")}`);
  }
  if (signers.has(name!) || [...signers.values()].includes(key!)) throw new Error(`the signer ${name} or its key stands twice`);
  signers.set(name!, key!);
}

function addPin(pins: Map<number, string>, words: string[]): void {
  const [, , number, digest] = words;
  if (words.length !== 4 || !/^[1-9][0-9]{0,8}$/.test(number!) || !/^[0-9a-f]{64}$/.test(digest!)) {
    throw new Error(`no line of a pinned bundle: ${words.join(" ")}`);
  }
  pins.set(Number(number), digest!);
}
