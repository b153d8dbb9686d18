package judge

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"judge/internal/c2sp"
	"judge/internal/record"
)

// readEntries reads bundles, payloads and tiles, up to the first that cannot be judged.
func (x *export) readEntries() error {
	for part := range c2sp.Parts(x.checkpoint.Size) {
		if readable, err := x.readBundle(part); err != nil {
			return err
		} else if !readable {
			break
		}
	}
	if err := x.compareTiles(); err != nil {
		return err
	}
	if int64(len(x.hashes)) == x.checkpoint.Size {
		if root := c2sp.Root(x.hashes); !bytes.Equal(root, x.checkpoint.Root) {
			x.whole = false
			x.found.Add(WholeLog, "ROOT", "the leaves make the root %s, not that of the checkpoint", c2sp.RootText(root))
		}
	}
	return nil
}

// readBundle reads one bundle and its payloads. Behind a bundle that cannot be read no leaf has a known place.
func (x *export) readBundle(part c2sp.Part) (readable bool, err error) {
	file, found, err := x.read("tile/entries/" + part.Path)
	if err != nil {
		return false, err
	}
	if !found {
		x.whole = false
		x.found.Add(WholeLog, "TILE", "the bundle tile/entries/%s is missing", part.Path)
		return false, nil
	}
	leaves, err := c2sp.SplitBundle(file, part.Width)
	if err != nil {
		x.whole = false
		x.found.Add(WholeLog, "BUNDLE", "tile/entries/%s: %v", part.Path, err)
		return false, nil
	}
	for _, leaf := range leaves {
		x.hashes = append(x.hashes, c2sp.LeafHash(leaf))
	}
	if !x.whole {
		return true, nil // the walk has ended; the tree is judged further
	}
	return true, x.addEntries(part, leaves)
}

func (x *export) addEntries(part c2sp.Part, leaves [][]byte) error {
	payloads := make([]*record.Payload, len(leaves))
	file, found, err := x.read("payload/" + part.Path)
	if err != nil {
		return err
	}
	if found {
		if payloads, err = record.ParsePayloads(file, len(leaves)); err != nil {
			x.whole = false
			x.found.Add(part.First, "PAYLOAD", "payload/%s: %v", part.Path, err)
			return nil
		}
	}
	for i, raw := range leaves {
		leaf, err := record.ParseLeaf(raw)
		if err != nil {
			code := "LEAF"
			if errors.Is(err, record.ErrNewerLeaf) {
				code = "NEWER_VERSION"
			}
			x.whole = false
			x.found.Add(part.First+int64(i), code, "%v", err)
			return nil
		}
		x.entries = append(x.entries, Entry{leaf, payloads[i]})
	}
	return nil
}

// compareTiles compares every tile with the hashes that the leaves make.
func (x *export) compareTiles() error {
	hashes, count := x.hashes, x.checkpoint.Size
	for level := 0; count > 0; level++ {
		for part := range c2sp.Parts(count) {
			last := part.First + int64(part.Width)
			if last > int64(len(hashes)) {
				break // a bundle could not be read, which was told
			}
			path := "tile/" + string(rune('0'+level)) + "/" + part.Path
			file, found, err := x.read(path)
			if err != nil {
				return err
			}
			if problem := tileProblem(file, found, hashes[part.First:last]); problem != "" {
				x.whole = false
				x.found.Add(WholeLog, "TILE", "the tile %s %s", path, problem)
			}
		}
		hashes, count = c2sp.NextLevel(hashes), count/c2sp.TileWidth
	}
	return nil
}

// tileProblem says why a tile is not the one that the leaves make, or nothing.
func tileProblem(file []byte, found bool, hashes [][]byte) string {
	switch {
	case !found:
		return "is missing"
	case len(file) != len(hashes)*len(emptyDigest):
		return fmt.Sprintf("has %d bytes", len(file))
	case !bytes.Equal(file, bytes.Join(hashes, nil)):
		return "has other hashes than the leaves make"
	}
	return ""
}

// compareFiles compares witness.policy and schemas/ with their newest entries. What is missing is no finding.
func (x *export) compareFiles() error {
	schemas := map[string][]byte{}
	var keys *record.Payload
	keysAt := WholeLog
	for i, entry := range x.entries {
		payload := entry.Payload
		if payload == nil && bytes.Equal(entry.Leaf.SHA256, emptyDigest) {
			payload = &record.Payload{}
		}
		switch entry.Leaf.Kind {
		case "KEYS":
			keys, keysAt = payload, int64(i) // of a value that is gone nothing is known
		case "SCHEMA":
			name := record.SchemaFile(entry.Leaf.Type, entry.Leaf.Fingerprint)
			delete(schemas, name)
			if payload != nil {
				schemas[name] = payload.Value
			}
		}
	}
	if keys != nil {
		file, found, err := x.read("witness.policy")
		if err != nil {
			return err
		}
		if found && !bytes.Equal(file, keys.Value) {
			x.found.Add(keysAt, "FILE_DIFFERS", "witness.policy is not the newest policy file of the log")
		}
	}
	return x.compareSchemas(schemas)
}

func (x *export) compareSchemas(schemas map[string][]byte) error {
	root := filepath.Join(x.folder, "schemas")
	err := filepath.WalkDir(root, func(path string, file fs.DirEntry, err error) error {
		if err != nil || file.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		logged, known := schemas[name]
		if known && !bytes.Equal(content, logged) {
			x.found.Add(WholeLog, "FILE_DIFFERS", "schemas/%s is not as the log has it", strings.ReplaceAll(name, "\\", "/"))
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
