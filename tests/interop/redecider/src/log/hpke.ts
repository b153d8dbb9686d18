/** HPKE (RFC 9180), base mode, single shot, with X25519, HKDF-SHA256 and AES-256-GCM: it opens the file `keys`. */
import { createDecipheriv, createHmac, createPublicKey, diffieHellman, type KeyObject } from "node:crypto";

const kemSuite = Buffer.concat([Buffer.from("KEM"), Buffer.from([0x00, 0x20])]);
const suite = Buffer.concat([Buffer.from("HPKE"), Buffer.from([0x00, 0x20, 0x00, 0x01, 0x00, 0x02])]);
const spkiOfX25519 = Buffer.from("302a300506032b656e032100", "hex");

export function openHpke(privateKey: KeyObject, info: Buffer, file: Buffer): Buffer {
  const enc = file.subarray(0, 32);
  const ciphertext = file.subarray(32);
  const shared = decapsulate(privateKey, enc);
  const pskIdHash = extract(Buffer.alloc(0), suite, "psk_id_hash", Buffer.alloc(0));
  const infoHash = extract(Buffer.alloc(0), suite, "info_hash", info);
  const context = Buffer.concat([Buffer.from([0]), pskIdHash, infoHash]);
  const secret = extract(shared, suite, "secret", Buffer.alloc(0));
  const key = expand(secret, suite, "key", context, 32);
  const nonce = expand(secret, suite, "base_nonce", context, 12);
  return openAesGcm(key, nonce, ciphertext, Buffer.alloc(0));
}

/** The last 16 bytes of the ciphertext are its tag. Throws if it does not open. */
export function openAesGcm(key: Buffer, nonce: Buffer, ciphertext: Buffer, additional: Buffer): Buffer {
  if (ciphertext.length < 16) throw new Error("the ciphertext is shorter than its tag");
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
  decipher.setAAD(additional);
  decipher.setAuthTag(ciphertext.subarray(-16));
  return Buffer.concat([decipher.update(ciphertext.subarray(0, -16)), decipher.final()]);
}

function decapsulate(privateKey: KeyObject, enc: Buffer): Buffer {
  const theirs = createPublicKey({ key: Buffer.concat([spkiOfX25519, enc]), format: "der", type: "spki" });
  const ours = createPublicKey(privateKey).export({ format: "der", type: "spki" }).subarray(-32);
  const secret = extract(Buffer.alloc(0), kemSuite, "eae_prk", diffieHellman({ privateKey, publicKey: theirs }));
  return expand(secret, kemSuite, "shared_secret", Buffer.concat([enc, ours]), 32);
}

function extract(salt: Buffer, suiteId: Buffer, label: string, input: Buffer): Buffer {
  const labelled = Buffer.concat([Buffer.from("HPKE-v1"), suiteId, Buffer.from(label), input]);
  return createHmac("sha256", salt.length > 0 ? salt : Buffer.alloc(32)).update(labelled).digest();
}

/** No output here is longer than one block of HMAC-SHA-256. */
function expand(secret: Buffer, suiteId: Buffer, label: string, info: Buffer, length: number): Buffer {
  const labelled = Buffer.concat([Buffer.from([0, length]), Buffer.from("HPKE-v1"), suiteId, Buffer.from(label), info, Buffer.from([1])]);
  return createHmac("sha256", secret).update(labelled).digest().subarray(0, length);
}
