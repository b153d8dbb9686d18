/** The tree of RFC 6962, section 2.1: its root, and the hashes that tiles hold. */
import { sha256 } from "./avro.js";

export function treeRoot(leaves: Buffer[]): Buffer {
  return leaves.length === 0 ? sha256("") : rootOf(leaves.map(leafHash));
}

/** Level 0 has the hash of each leaf, the next one that of each full tile of the level below, and so on. */
export function hashesByLevel(leaves: Buffer[], width: number): Buffer[][] {
  const levels: Buffer[][] = [];
  for (let hashes = leaves.map(leafHash); hashes.length > 0; ) {
    levels.push(hashes);
    const full: Buffer[] = [];
    for (let first = 0; first + width <= hashes.length; first += width) full.push(rootOf(hashes.slice(first, first + width)));
    hashes = full;
  }
  return levels;
}

function leafHash(leaf: Buffer): Buffer {
  return sha256(Buffer.from([0]), leaf);
}

/** A node without a neighbour goes up as it is: this makes the same root as the split at a power of two. */
function rootOf(hashes: Buffer[]): Buffer {
  let nodes = hashes;
  while (nodes.length > 1) {
    const above: Buffer[] = [];
    for (let i = 0; i < nodes.length; i += 2) {
      const right = nodes[i + 1];
      above.push(right ? sha256(Buffer.from([1]), nodes[i]!, right) : nodes[i]!);
    }
    nodes = above;
  }
  return nodes[0]!;
}
