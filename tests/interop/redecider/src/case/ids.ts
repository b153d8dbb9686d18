/** Ids that follow from others: section 15.2. */
import { createHash } from "node:crypto";

/** UUID of version 5 with the bytes of an id as its namespace. */
export function derive(id: string, name: string): string {
  const namespace = Buffer.from(id.replaceAll("-", ""), "hex");
  const bytes = createHash("sha1").update(namespace).update(name, "ascii").digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x50;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
