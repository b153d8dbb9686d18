package c2sp

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"judge/internal/crypt"

	cosignature "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

const (
	maxNote         = 1_000_000
	maxCosignedTime = 1 << 36
	rootSize        = 32
)

// Problem is why a checkpoint is not believed; Code is the finding of section 3.
type Problem struct {
	Code  string
	Words string
}

func (p *Problem) Error() string { return p.Words }

func problem(code, format string, parts ...any) *Problem {
	return &Problem{code, fmt.Sprintf(format, parts...)}
}

// Checkpoint is a checkpoint that the log has signed.
type Checkpoint struct {
	Origin    string
	Size      int64
	Root      []byte
	Witnesses map[string]int64 // name in the policy → second
	Seen      int64            // section 3; 0 without HasSeen
	HasSeen   bool
}

// OpenCheckpoint checks a checkpoint, in the order of the table of section 3.
func OpenCheckpoint(policy *Policy, text []byte) (*Checkpoint, *Problem) {
	signedText, err := openNote(text)
	if err != nil {
		return nil, problem("CHECKPOINT", "the checkpoint: %v", err)
	}
	checkpoint, err := parseText(signedText)
	if err != nil {
		return nil, problem("CHECKPOINT", "the checkpoint: %v", err)
	}
	ofLog := func(log note.Verifier) bool { return log.Name() == checkpoint.Origin }
	if !slices.ContainsFunc(policy.Logs, ofLog) {
		return nil, problem("CHECKPOINT", "the policy does not name the log %q", checkpoint.Origin)
	}
	logs, logWrong := signedByLogs(policy, signedText, text, checkpoint.Origin)
	signed, witnessWrong := checkpoint.readWitnesses(policy, signedText, text)
	switch {
	case logWrong != nil:
		return nil, logWrong
	case witnessWrong != nil:
		return nil, witnessWrong
	case logs == 0 && len(signed) > 0:
		return nil, problem("CHECKPOINT", "witnesses have signed the checkpoint, and no key of the log %q has", checkpoint.Origin)
	case logs == 0:
		return nil, problem("SIGNATURE", "no known key has signed the checkpoint")
	case !policy.holds(signed):
		return nil, problem("QUORUM", "%d of %d witnesses have signed, which is no quorum", len(signed), len(policy.Witnesses))
	}
	checkpoint.Seen, checkpoint.HasSeen = policy.seen(checkpoint.Witnesses)
	return checkpoint, nil
}

// signedByLogs counts the signatures of keys with the origin's name; each line of a log's key is checked.
func signedByLogs(policy *Policy, signedText string, text []byte, origin string) (count int, wrong *Problem) {
	for _, log := range policy.Logs {
		signatures, trouble := signaturesOf(signedText, text, log)
		if log.Name() == origin {
			count += len(signatures)
		}
		if wrong == nil {
			wrong = trouble
		}
	}
	return count, wrong
}

// readWitnesses returns who of the witnesses has signed, and keeps their times; wrong is the first line that does
// not hold, or has a time that no clock has.
func (c *Checkpoint) readWitnesses(policy *Policy, signedText string, text []byte) (signed map[string]bool, wrong *Problem) {
	signed = map[string]bool{}
	for _, witness := range policy.Witnesses {
		signatures, trouble := signaturesOf(signedText, text, witness.Verifier)
		for _, signature := range signatures {
			time, err := cosignature.CoSigV1Timestamp(signature)
			if err != nil || time.Unix() < 0 || time.Unix() >= maxCosignedTime {
				trouble = problem("SIGNATURE", "witness %s signed with a time that no clock has", witness.Name)
				break
			}
			if !signed[witness.Name] { // the time of the first line counts
				c.Witnesses[witness.Name] = time.Unix()
			}
			signed[witness.Name] = true
		}
		if wrong == nil {
			wrong = trouble
		}
	}
	return signed, wrong
}

// openNote returns the text of a signed note, whose signatures are not checked yet.
func openNote(text []byte) (signedText string, err error) {
	if len(text) > maxNote {
		return "", fmt.Errorf("it has more than %d bytes", maxNote)
	}
	_, err = note.Open(text, note.VerifierList())
	var unknown *note.UnverifiedNoteError
	if !errors.As(err, &unknown) {
		return "", fmt.Errorf("it is no signed note: %w", err)
	}
	signedText = unknown.Note.Text
	for _, line := range signatureLines(signedText, text) {
		words := strings.Split(line, " ")
		if _, err := crypt.Base64(words[len(words)-1]); err != nil {
			return "", fmt.Errorf("a signature line is no canonical base64")
		}
	}
	return signedText, nil
}

// signatureLines are the lines behind the text of a note that was opened.
func signatureLines(signedText string, text []byte) []string {
	behind := strings.TrimPrefix(string(text), signedText+"\n")
	return strings.Split(strings.TrimSuffix(behind, "\n"), "\n")
}

// signaturesOf returns the signatures of one key, up to a line of it that does not hold.
func signaturesOf(signedText string, text []byte, verifier note.Verifier) ([]note.Signature, *Problem) {
	var signatures []note.Signature
	for _, line := range signatureLines(signedText, text) {
		words := strings.Split(line, " ")
		raw, err := crypt.Base64(words[len(words)-1])
		if err != nil || len(words) != 3 || len(raw) < 4 || words[1] != verifier.Name() ||
			binary.BigEndian.Uint32(raw) != verifier.KeyHash() {
			continue
		}
		if !verifier.Verify([]byte(signedText), raw[4:]) {
			return signatures, problem("SIGNATURE", "the signature of %s does not hold", verifier.Name())
		}
		signatures = append(signatures, note.Signature{Name: words[1], Hash: verifier.KeyHash(), Base64: words[2]})
	}
	return signatures, nil
}

// parseText reads exactly three lines: origin, size, root.
func parseText(text string) (*Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] == "" {
		return nil, fmt.Errorf("its text has not exactly three lines")
	}
	size, err := ParseNumber(lines[1])
	if err != nil {
		return nil, err
	}
	root, err := crypt.Base64(lines[2])
	if err != nil || len(root) != rootSize {
		return nil, fmt.Errorf("its root is no base64 of 32 bytes")
	}
	return &Checkpoint{Origin: lines[0], Size: size, Root: root, Witnesses: map[string]int64{}}, nil
}

// ParseNumber reads a decimal without sign or leading zero, below 2^63.
func ParseNumber(text string) (int64, error) {
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil || number > math.MaxInt64 || strconv.FormatUint(number, 10) != text {
		return 0, fmt.Errorf("%q is no number", text)
	}
	return int64(number), nil
}

// RootText is a root as a checkpoint writes it.
func RootText(root []byte) string { return base64.StdEncoding.EncodeToString(root) }
