/** The digests of a bundle and of its directory: sections 10 and 15.4. */
import { sha256 } from "../log/avro.js";

/** Paths are ordered by code points, which their bytes in UTF-8 are too. */
export function digestOfFiles(files: Map<string, Buffer>): string {
  const parts: Buffer[] = [];
  const counted = (bytes: Buffer): void => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(bytes.length));
    parts.push(length, bytes);
  };
  for (const path of sortedPaths(files)) {
    counted(Buffer.from(path, "utf8"));
    counted(files.get(path)!);
  }
  return sha256(...parts).toString("hex");
}

export function sortedPaths(files: Map<string, Buffer>): string[] {
  return [...files.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** Section 15.4: all files but procedures, guidance and `authority.yaml`. */
export function digestOfDirectory(files: Map<string, Buffer>): string {
  const parts: (Buffer | string)[] = [];
  for (const path of sortedPaths(files)) {
    if (path.startsWith("pathways/") || path.startsWith("guidance/") || path === "authority.yaml") continue;
    parts.push(path, Buffer.from([0]), sha256(files.get(path)!));
  }
  return sha256(...parts).toString("hex");
}
