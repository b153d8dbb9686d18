package judge

import (
	"bytes"

	"judge/internal/c2sp"
)

// compareOlder compares an older checkpoint of the same log, before the walk. What it tells stands alone.
func (x *export) compareOlder() (stands bool, err error) {
	if x.options.Older == nil {
		return true, nil
	}
	older, trouble := c2sp.OpenCheckpoint(x.policy, x.options.Older)
	switch {
	case older == nil:
		x.found.Add(WholeLog, trouble.Code, "the older checkpoint: %s", trouble.Words)
		return false, nil
	case older.Origin != x.checkpoint.Origin:
		x.found.Add(WholeLog, "CHECKPOINT", "the older checkpoint is of another log")
		return false, nil
	case older.Size > x.checkpoint.Size:
		x.found.Add(WholeLog, "TRUNCATED", "the older checkpoint has %d entries, and this one %d", older.Size, x.checkpoint.Size)
		return false, nil
	}
	root, known, err := x.rootAt(older.Size)
	if err != nil || !known || bytes.Equal(root, older.Root) {
		return err == nil, err
	}
	x.found.Add(WholeLog, "FORKED", "the log had another root at %d entries", older.Size)
	return false, nil
}

// rootAt is the root that the log had at a size. It is known only where all leaves make the checkpoint's root: else
// the walk tells what is wrong with them, and nobody can say that the log was forked.
func (x *export) rootAt(size int64) (root []byte, known bool, err error) {
	if size == x.checkpoint.Size {
		return x.checkpoint.Root, true, nil
	}
	var hashes [][]byte
	for part := range c2sp.Parts(x.checkpoint.Size) {
		leaves, problem, err := x.readBundle(part)
		if err != nil || problem != nil {
			return nil, false, err
		}
		for _, leaf := range leaves {
			hashes = append(hashes, c2sp.LeafHash(leaf))
		}
	}
	if !bytes.Equal(c2sp.Root(hashes), x.checkpoint.Root) {
		return nil, false, nil
	}
	return c2sp.Root(hashes[:size]), true, nil
}
