package judge

import (
	"bytes"
	"errors"
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
			switch {
			case !found:
				x.found.Add(WholeLog, "TILE", "the tile %s is missing", path)
			case len(file) != part.Width*len(emptyDigest):
				x.found.Add(WholeLog, "TILE", "the tile %s has %d bytes", path, len(file))
			case !bytes.Equal(file, bytes.Join(hashes[part.First:last], nil)):
				x.found.Add(WholeLog, "TILE", "the tile %s has other hashes than the leaves make", path)
			}
		}
		hashes, count = c2sp.NextLevel(hashes), count/c2sp.TileWidth
	}
	return nil
}

// compareFiles compares witness.policy and schemas/ with their entries.
func (x *export) compareFiles() error {
	schemas := map[string][]byte{}
	var keys *record.Payload
	keysAt := WholeLog
	for i, entry := range x.entries {
		if entry.Payload == nil {
			continue
		}
		switch entry.Leaf.Kind {
		case "KEYS":
			keys, keysAt = entry.Payload, int64(i)
		case "SCHEMA":
			schemas[record.SchemaFile(entry.Leaf.Type, entry.Leaf.Fingerprint)] = entry.Payload.Value
		}
	}
	if keys != nil {
		file, _, err := x.read("witness.policy")
		if err != nil {
			return err
		}
		if !bytes.Equal(file, keys.Value) {
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
		if !known || !bytes.Equal(content, logged) {
			x.found.Add(WholeLog, "FILE_DIFFERS", "schemas/%s is not as the log has it", strings.ReplaceAll(name, "\\", "/"))
		}
		delete(schemas, name)
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	for name := range schemas {
		x.found.Add(WholeLog, "FILE_DIFFERS", "schemas/%s is missing", name)
	}
	return err
}
