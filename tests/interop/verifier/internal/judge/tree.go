package judge

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"judge/internal/c2sp"
	"judge/internal/record"
)

// tree grows with the leaves: the hashes of each level, of which 256 make one of the next.
type tree struct {
	levels [][][]byte
}

// tile is a tile of hashes as the leaves make it.
type tile struct {
	level  int
	part   c2sp.Part
	hashes [][]byte
}

// add adds the leaf hashes of one bundle and returns the tiles that it fills; the last bundle fills all.
func (t *tree) add(hashes [][]byte, last bool) (filled []tile) {
	for level := 0; len(hashes) > 0 || (last && level < len(t.levels)); level++ {
		if level == len(t.levels) {
			t.levels = append(t.levels, nil)
		}
		t.levels[level] = append(t.levels[level], hashes...)
		count := int64(len(t.levels[level]))
		isFull := count%c2sp.TileWidth == 0
		isNew := len(hashes) > 0
		hashes = nil
		if (isFull && isNew) || (!isFull && last) {
			part := c2sp.LastPart(count)
			of := t.levels[level][part.First:]
			filled = append(filled, tile{level, part, of})
			if isFull {
				hashes = [][]byte{c2sp.Root(of)}
			}
		}
	}
	return filled
}

// root is the root over the leaves so far.
func (t *tree) root() []byte {
	if len(t.levels) == 0 {
		return c2sp.Root(nil)
	}
	return c2sp.Root(t.levels[0])
}

// walkEntries reads bundle after bundle, with the tiles that it fills and its payloads, up to the first finding that
// ends the walk (section 14.1). The bundles before it were judged whole; of a leaf, all leaves before it.
func (x *export) walkEntries() error {
	tree := &tree{}
	for part := range c2sp.Parts(x.checkpoint.Size) {
		leaves, problem, err := x.readBundle(part)
		if err != nil {
			return err
		}
		if problem == nil {
			problem, err = x.compareTiles(tree, part, leaves)
		}
		if problem == nil && err == nil {
			problem, err = x.addEntries(part, leaves)
		}
		if problem != nil || err != nil {
			x.end(problem)
			return err
		}
	}
	if root := tree.root(); !bytes.Equal(root, x.checkpoint.Root) {
		x.end(&ending{WholeLog, "ROOT", "the leaves make the root " + c2sp.RootText(root) + ", not that of the checkpoint"})
	}
	return nil
}

// ending is a finding that ends the walk.
type ending struct {
	entry       int64
	code, words string
}

// end tells what ended the walk.
func (x *export) end(problem *ending) {
	x.whole = false
	if problem != nil {
		x.found.Add(problem.entry, problem.code, "%s", problem.words)
	}
}

func (x *export) readBundle(part c2sp.Part) ([][]byte, *ending, error) {
	file, found, err := x.read("tile/entries/" + part.Path)
	if err != nil {
		return nil, nil, err
	}
	if !found {
		return nil, &ending{WholeLog, "TILE", "the bundle tile/entries/" + part.Path + " is missing"}, nil
	}
	leaves, err := c2sp.SplitBundle(file, part.Width)
	if err != nil {
		return nil, &ending{WholeLog, "BUNDLE", fmt.Sprintf("tile/entries/%s: %v", part.Path, err)}, nil
	}
	return leaves, nil, nil
}

// compareTiles compares every tile that a bundle fills with the hashes that the leaves make.
func (x *export) compareTiles(tree *tree, part c2sp.Part, leaves [][]byte) (*ending, error) {
	var hashes [][]byte
	for _, leaf := range leaves {
		hashes = append(hashes, c2sp.LeafHash(leaf))
	}
	isLast := part.First+int64(part.Width) == x.checkpoint.Size
	for _, tile := range tree.add(hashes, isLast) {
		path := "tile/" + strconv.Itoa(tile.level) + "/" + tile.part.Path
		file, found, err := x.read(path)
		if err != nil {
			return nil, err
		}
		if problem := tileProblem(file, found, tile.hashes); problem != "" {
			return &ending{WholeLog, "TILE", "the tile " + path + " " + problem}, nil
		}
	}
	return nil, nil
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

func (x *export) addEntries(part c2sp.Part, leaves [][]byte) (*ending, error) {
	payloads := make([]*record.Payload, len(leaves))
	file, found, err := x.read("payload/" + part.Path)
	if err != nil {
		return nil, err
	}
	if found {
		if payloads, err = record.ParsePayloads(file, len(leaves)); err != nil {
			return &ending{part.First, "PAYLOAD", fmt.Sprintf("payload/%s: %v", part.Path, err)}, nil
		}
	}
	for i, raw := range leaves {
		leaf, err := record.ParseLeaf(raw)
		if err != nil {
			code := "LEAF"
			if errors.Is(err, record.ErrNewerLeaf) {
				code = "NEWER_VERSION"
			}
			return &ending{part.First + int64(i), code, err.Error()}, nil
		}
		x.entries = append(x.entries, Entry{leaf, payloads[i]})
	}
	return nil, nil
}
