// Judge is the other side of the interop test: it is given nothing but files, and it judges them with other people's libraries.
//
//	judge FOLDER
//
// FOLDER/policy names one log and its witnesses; all of them must have signed. Below it, in any depth:
//
//	checkpoint             the head of a log whose tiles and entry bundles stand beside it, each of which is read
//	NAME.tlog-proof        proves NAME.entry to be in the log
//	NAME.consistency       a witness request: proves that its checkpoint continues the one in NAME.old
//
// A line is printed for each, "good PATH" or "bad PATH: why", in the order of their paths. The exit code is 0 when they were judged.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/transparency-dev/formats/log"
	cosignature "github.com/transparency-dev/formats/note"
	tlogproof "github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/formats/witness"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

const full = 256

var hasher = rfc6962.DefaultHasher

// trust is what the policy file says.
type trust struct {
	log       note.Verifier
	witnesses []note.Verifier
	quorum    witness.Group
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: judge FOLDER")
		os.Exit(2)
	}
	if err := judge(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func judge(folder string) error {
	known, err := readPolicy(filepath.Join(folder, "policy"))
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	return filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var check func(trust, string) error
		switch {
		case filepath.Base(path) == "checkpoint":
			check = checkLog
		case filepath.Ext(path) == ".tlog-proof":
			check = checkProof
		case filepath.Ext(path) == ".consistency":
			check = checkConsistency
		default:
			return nil
		}
		name, _ := filepath.Rel(folder, path)
		if err := check(known, path); err != nil {
			fmt.Fprintf(out, "bad %s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Fprintf(out, "good %s\n", name)
		}
		return nil
	})
}

// readPolicy reads the keys itself, as the library keeps only those of witnesses, and the quorum with the library.
func readPolicy(path string) (trust, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return trust{}, err
	}
	known := trust{}
	for _, line := range strings.Split(string(data), "\n") {
		switch words := strings.Fields(line); {
		case len(words) > 1 && words[0] == "log":
			known.log, err = note.NewVerifier(words[1])
		case len(words) > 2 && words[0] == "witness":
			var key note.Verifier
			key, err = cosignature.NewVerifierForCosignatureV1(words[2])
			known.witnesses = append(known.witnesses, key)
		}
		if err != nil {
			return trust{}, fmt.Errorf("%q: %w", line, err)
		}
	}
	known.quorum, err = witness.ParsePolicy(data)
	return known, err
}

// open believes a checkpoint that the log and the quorum signed.
func open(known trust, data []byte) (*log.Checkpoint, error) {
	said, rest, _, err := log.ParseCheckpoint(data, known.log.Name(), known.log, known.witnesses...)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, errors.New("the checkpoint has extension lines")
	}
	if !bytes.HasPrefix(data, said.Marshal()) {
		return nil, errors.New("the checkpoint has another spelling")
	}
	if !known.quorum.Satisfied(data) {
		return nil, errors.New("the quorum has not signed")
	}
	return said, nil
}

// checkProof judges an inclusion proof of an entry.
func checkProof(known trust, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	entry, err := os.ReadFile(strings.TrimSuffix(path, ".tlog-proof") + ".entry")
	if err != nil {
		return err
	}
	var found tlogproof.TLogProof
	if err := found.Unmarshal(data); err != nil {
		return err
	}
	if !bytes.Equal(found.Marshal(), data) { // the library's scanner takes carriage returns away
		return errors.New("the proof has another spelling")
	}
	said, err := open(known, found.Checkpoint)
	if err != nil {
		return err
	}
	hashes := make([][]byte, len(found.Hashes))
	for i := range found.Hashes {
		hashes[i] = found.Hashes[i][:]
	}
	return proof.VerifyInclusion(hasher, found.Index, said.Size, hasher.HashLeaf(entry), hashes, said.Hash)
}

// checkConsistency judges what a log would post to a witness.
func checkConsistency(known trust, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	old, err := os.ReadFile(strings.TrimSuffix(path, ".consistency") + ".old")
	if err != nil {
		return err
	}
	head, rest, found := bytes.Cut(data, []byte("\n\n"))
	if !found {
		return errors.New("no empty line stands before the checkpoint")
	}
	lines := strings.Split(string(head), "\n")
	word, found := strings.CutPrefix(lines[0], "old ")
	size, err := strconv.ParseUint(word, 10, 64)
	if !found || err != nil || strconv.FormatUint(size, 10) != word {
		return errors.New("the first line is not the old size")
	}
	hashes := make([][]byte, len(lines)-1)
	for i, line := range lines[1:] {
		if hashes[i], err = base64.StdEncoding.Strict().DecodeString(line); err != nil || strings.ContainsAny(line, "\r") {
			return fmt.Errorf("hash %d is not base64", i)
		}
	}
	before, err := open(known, old)
	if err != nil {
		return fmt.Errorf("old: %w", err)
	}
	after, err := open(known, rest)
	if err != nil {
		return fmt.Errorf("new: %w", err)
	}
	if before.Size != size {
		return errors.New("the old size is another")
	}
	return proof.VerifyConsistency(hasher, before.Size, after.Size, hashes, before.Hash, after.Hash)
}

// checkLog hashes every entry of a log again, compares every tile, and the root with the checkpoint.
func checkLog(known trust, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	said, err := open(known, data)
	if err != nil {
		return err
	}
	folder := filepath.Dir(path)
	root, err := treeOf(folder, said.Size)
	if err != nil {
		return err
	}
	if !bytes.Equal(root, said.Hash) {
		return errors.New("the entries lead to another root")
	}
	return nil
}

func treeOf(folder string, size uint64) ([]byte, error) {
	factory := compact.RangeFactory{Hash: hasher.HashChildren}
	tree := factory.NewEmptyRange(0)
	level := make([][]byte, 0, size)
	for at := uint64(0); at < size; at += full {
		entries, err := bundle(folder, at/full, min(full, size-at))
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			leaf := hasher.HashLeaf(entry)
			level = append(level, leaf)
			if err := tree.Append(leaf, nil); err != nil {
				return nil, err
			}
		}
	}
	for height := 0; len(level) > 0; height++ {
		var above [][]byte
		for at := 0; at < len(level); at += full {
			row := level[at:min(at+full, len(level))]
			name := tilePath(strconv.Itoa(height), uint64(at/full), len(row))
			data, err := os.ReadFile(filepath.Join(folder, name))
			if err != nil {
				return nil, err
			}
			if !bytes.Equal(data, bytes.Join(row, nil)) {
				return nil, fmt.Errorf("%s holds other hashes", name)
			}
			if len(row) == full {
				subtree := factory.NewEmptyRange(0)
				for _, hash := range row {
					if err := subtree.Append(hash, nil); err != nil {
						return nil, err
					}
				}
				hash, err := subtree.GetRootHash(nil)
				if err != nil {
					return nil, err
				}
				above = append(above, hash)
			}
		}
		level = above
	}
	if size == 0 {
		empty := sha256.Sum256(nil)
		return empty[:], nil
	}
	return tree.GetRootHash(nil)
}

func bundle(folder string, number uint64, width uint64) ([][]byte, error) {
	name := tilePath("entries", number, int(width))
	data, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for len(data) > 0 {
		if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
			return nil, fmt.Errorf("%s ends within an entry", name)
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		entries, data = append(entries, data[2:end]), data[end:]
	}
	if uint64(len(entries)) != width {
		return nil, fmt.Errorf("%s has %d entries instead of %d", name, len(entries), width)
	}
	return entries, nil
}

func tilePath(level string, number uint64, width int) string {
	place := fmt.Sprintf("%03d", number%1000)
	for number >= 1000 {
		number /= 1000
		place = fmt.Sprintf("x%03d/%s", number%1000, place)
	}
	if width < full {
		place += fmt.Sprintf(".p/%d", width)
	}
	return fmt.Sprintf("tile/%s/%s", level, place)
}
