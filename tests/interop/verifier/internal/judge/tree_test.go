package judge

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"judge/internal/c2sp"
	"judge/internal/crypt"
	"judge/internal/record"
)

// coverLeaf is the leaf of a COVER whose value is gone.
func coverLeaf(number int64) []byte {
	const cover = 16
	return slices.Concat([]byte{0xc3, 1}, binary.LittleEndian.AppendUint64(nil, uint64(record.Lookup("leaf.v3").Fingerprint)),
		long(cover), long(noon+number), text(""), long(-1), long(-1), long(0), crypt.SHA256(long(number)),
		record.Rest(nil, nil), []byte{0}, text(""), long(0), []byte{0}, long(0), []byte{0}, long(0))
}

// writeExport writes bundles and tiles of leaves, without payloads, and returns their root.
func writeExport(t *testing.T, folder string, leaves [][]byte) (root []byte) {
	t.Helper()
	write := func(path string, content []byte) {
		full := filepath.Join(folder, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var hashes [][]byte
	var above []byte
	for part := range c2sp.Parts(int64(len(leaves))) {
		var bundle, tile []byte
		for _, leaf := range leaves[part.First : part.First+int64(part.Width)] {
			bundle = append(binary.BigEndian.AppendUint16(bundle, uint16(len(leaf))), leaf...)
			tile = append(tile, c2sp.LeafHash(leaf)...)
			hashes = append(hashes, c2sp.LeafHash(leaf))
		}
		write("tile/entries/"+part.Path, bundle)
		write("tile/0/"+part.Path, tile)
		if part.Width == c2sp.TileWidth {
			above = append(above, c2sp.Root(hashes[part.First:])...)
		}
	}
	write("tile/1/000.p/2", above)
	return c2sp.Root(hashes)
}

// TestEndOfTheWalk has a log of three bundles: what stands before the one with which a finding shows was judged.
func TestEndOfTheWalk(t *testing.T) {
	var leaves [][]byte
	for number := range int64(2*c2sp.TileWidth + 9) {
		leaves = append(leaves, coverLeaf(number))
	}
	flip := func(content []byte) []byte { content[len(content)-2] ^= 1; return content }
	cut := func(content []byte) []byte { return content[:len(content)-1] }
	for name, each := range map[string]struct {
		path   string
		change func([]byte) []byte
		code   string
		walked int
	}{
		"nothing":                        {"", nil, "", 521},
		"another root":                   {"root", nil, "ROOT", 521},
		"a tile":                         {"tile/0/001", flip, "TILE", 256},
		"a tile that is missing":         {"tile/0/000", nil, "TILE", 0},
		"a tile that is not full":        {"tile/0/002.p/9", flip, "TILE", 512},
		"a tile of the next level":       {"tile/1/000.p/2", flip, "TILE", 512},
		"a bundle that is missing":       {"tile/entries/002.p/9", nil, "TILE", 512},
		"a bundle that ends in a leaf":   {"tile/entries/001", cut, "BUNDLE", 256},
		"a bundle with another leaf":     {"tile/entries/001", flip, "TILE", 256},
		"payloads that cannot be parsed": {"payload/001", func([]byte) []byte { return []byte{0xc0} }, "PAYLOAD", 256},
	} {
		folder := t.TempDir()
		x := &export{folder: folder, found: NewFindings(), whole: true,
			checkpoint: &c2sp.Checkpoint{Size: int64(len(leaves)), Root: writeExport(t, folder, leaves)}}
		path := filepath.Join(folder, each.path)
		switch {
		case each.path == "root":
			x.checkpoint.Root = bytes.Repeat([]byte{1}, 32)
		case each.change != nil:
			content, _ := os.ReadFile(path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, each.change(content), 0o644); err != nil {
				t.Fatal(err)
			}
		case each.path != "":
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		if err := x.walkEntries(); err != nil {
			t.Fatal(err)
		}
		code := ""
		for _, finding := range x.found.Sorted() {
			code += finding.Code
		}
		if code != each.code || len(x.entries) != each.walked || x.whole != (each.code == "") {
			t.Errorf("%s: told %q behind %d entries, and should tell %q behind %d", name, code, len(x.entries), each.code, each.walked)
		}
	}
}

// TestLeafThatEndsTheWalk has a leaf of a newer program, and one that is none: the leaves before it were judged.
func TestLeafThatEndsTheWalk(t *testing.T) {
	for code, leaf := range map[string][]byte{"LEAF": []byte("no leaf at all"), "NEWER_VERSION": append([]byte{0xc3, 1}, make([]byte, 9)...)} {
		folder := t.TempDir()
		leaves := [][]byte{coverLeaf(0), coverLeaf(1), leaf, coverLeaf(3)}
		x := &export{folder: folder, found: NewFindings(), whole: true, checkpoint: &c2sp.Checkpoint{Size: 4, Root: writeExport(t, folder, leaves)}}
		if err := x.walkEntries(); err != nil {
			t.Fatal(err)
		}
		if found := x.found.Sorted(); len(found) != 1 || found[0].Code != code || found[0].Entry != 2 || len(x.entries) != 2 {
			t.Errorf("told %v behind %d entries", found, len(x.entries))
		}
	}
}
