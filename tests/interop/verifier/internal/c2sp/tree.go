package c2sp

import (
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/transparency-dev/merkle/rfc6962"
)

// TileWidth is the number of hashes in a full tile, and of leaves in a full bundle.
const TileWidth = 256

// Part is one file of a run of tiles or bundles.
type Part struct {
	Path  string // 000, x001/234, 001.p/44
	First int64  // index of its first hash or leaf
	Width int    // how many it has
}

// Parts visits the files that hold so many hashes or leaves, in order.
func Parts(count int64) iter.Seq[Part] {
	return func(yield func(Part) bool) {
		for first := int64(0); first < count; first += TileWidth {
			if !yield(partOf(first, min(count-first, TileWidth))) {
				return
			}
		}
	}
}

// LastPart is the last file of those that hold so many hashes, of which there is at least one.
func LastPart(count int64) Part {
	first := (count - 1) / TileWidth * TileWidth
	return partOf(first, count-first)
}

func partOf(first, width int64) Part {
	path := number(first / TileWidth)
	if width < TileWidth {
		path = fmt.Sprintf("%s.p/%d", path, width)
	}
	return Part{path, first, int(width)}
}

func number(n int64) string {
	text := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		text = fmt.Sprintf("x%03d/%s", n%1000, text)
	}
	return text
}

// SplitBundle reads the leaves of an entry bundle.
func SplitBundle(file []byte, width int) ([][]byte, error) {
	leaves := make([][]byte, 0, width)
	for range width {
		if len(file) < 2 {
			return nil, fmt.Errorf("the bundle ends within leaf %d", len(leaves))
		}
		size := int(binary.BigEndian.Uint16(file))
		if len(file) < 2+size {
			return nil, fmt.Errorf("the bundle ends within leaf %d", len(leaves))
		}
		leaves = append(leaves, file[2:2+size])
		file = file[2+size:]
	}
	if len(file) != 0 {
		return nil, fmt.Errorf("%d bytes follow the last leaf of the bundle", len(file))
	}
	return leaves, nil
}

// LeafHash is the hash of a leaf.
func LeafHash(leaf []byte) []byte { return rfc6962.DefaultHasher.HashLeaf(leaf) }

// Root is the root of a tree over leaf hashes; of none it is SHA-256 of nothing.
func Root(hashes [][]byte) []byte {
	switch len(hashes) {
	case 0:
		return rfc6962.DefaultHasher.EmptyRoot()
	case 1:
		return hashes[0]
	}
	split := 1
	for split*2 < len(hashes) {
		split *= 2
	}
	return rfc6962.DefaultHasher.HashChildren(Root(hashes[:split]), Root(hashes[split:]))
}
