package c2sp

import (
	"fmt"
	"strings"

	"judge/internal/crypt"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

const proofHeader = "c2sp.org/tlog-proof@v1"

// Proof is a C2SP tlog-proof whose extra data is the leaf.
type Proof struct {
	Leaf       []byte
	Index      int64
	Hashes     [][]byte
	Checkpoint []byte
}

// ParseProof reads a proof. A proof without the leaf is refused.
func ParseProof(text string) (*Proof, error) {
	head, checkpoint, found := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 3 || lines[0] != proofHeader {
		return nil, fmt.Errorf("the proof has not the form of %s with its leaf", proofHeader)
	}
	leaf, isLeaf := strings.CutPrefix(lines[1], "extra ")
	index, isIndex := strings.CutPrefix(lines[2], "index ")
	if !isLeaf || !isIndex {
		return nil, fmt.Errorf("the proof has no line extra, or no line index")
	}
	parsed := &Proof{Checkpoint: []byte(checkpoint)}
	var err error
	if parsed.Leaf, err = crypt.Base64(leaf); err != nil {
		return nil, err
	}
	if parsed.Index, err = ParseNumber(index); err != nil {
		return nil, err
	}
	for _, line := range lines[3:] {
		hash, err := crypt.Base64(line)
		if err != nil || len(hash) != rootSize {
			return nil, fmt.Errorf("a line of the proof is no hash")
		}
		parsed.Hashes = append(parsed.Hashes, hash)
	}
	return parsed, nil
}

// Verify checks the checkpoint, its quorum, and that the leaf is in the tree.
func (p *Proof) Verify(policy *Policy) error {
	checkpoint, trouble := OpenCheckpoint(policy, p.Checkpoint)
	if trouble != nil {
		return trouble
	}
	if p.Index >= checkpoint.Size {
		return fmt.Errorf("the index %d is not in a log of %d entries", p.Index, checkpoint.Size)
	}
	return proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(p.Index), uint64(checkpoint.Size),
		LeafHash(p.Leaf), p.Hashes, checkpoint.Root)
}
