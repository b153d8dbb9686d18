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

// OpenCheckpoint checks a checkpoint.
func OpenCheckpoint(policy *Policy, text []byte) (*Checkpoint, *Problem) {
	opened, trouble := openNote(policy, text)
	if trouble != nil {
		return nil, trouble
	}
	checkpoint, err := parseText(opened.Text)
	if err != nil {
		return nil, problem("CHECKPOINT", "the checkpoint: %v", err)
	}
	logSigned := false
	for _, log := range policy.Logs {
		signatures, trouble := signaturesOf(opened.Text, text, log)
		if trouble != nil {
			return nil, trouble
		}
		logSigned = logSigned || (len(signatures) > 0 && log.Name() == checkpoint.Origin)
	}
	if !logSigned {
		return nil, problem("CHECKPOINT", "no key of the log %q has signed the checkpoint", checkpoint.Origin)
	}
	signed := map[string]bool{}
	for _, witness := range policy.Witnesses {
		signatures, trouble := signaturesOf(opened.Text, text, witness.Verifier)
		if trouble != nil {
			return nil, trouble
		}
		for _, signature := range signatures {
			time, err := cosignature.CoSigV1Timestamp(signature)
			if err != nil || time.Unix() < 0 || time.Unix() >= maxCosignedTime {
				return nil, problem("SIGNATURE", "witness %s signed with a time that no clock has", witness.Name)
			}
			if !signed[witness.Name] { // the time of the first line counts
				checkpoint.Witnesses[witness.Name] = time.Unix()
			}
			signed[witness.Name] = true
		}
	}
	if !policy.holds(signed) {
		return nil, problem("QUORUM", "%d of %d witnesses have signed, which is no quorum",
			len(signed), len(policy.Witnesses))
	}
	checkpoint.Seen, checkpoint.HasSeen = policy.seen(checkpoint.Witnesses)
	return checkpoint, nil
}

func openNote(policy *Policy, text []byte) (*note.Note, *Problem) {
	if len(text) > maxNote {
		return nil, problem("CHECKPOINT", "the checkpoint has more than %d bytes", maxNote)
	}
	verifiers := append([]note.Verifier{}, policy.Logs...)
	for _, witness := range policy.Witnesses {
		verifiers = append(verifiers, witness.Verifier)
	}
	opened, err := note.Open(text, note.VerifierList(verifiers...))
	var wrong *note.InvalidSignatureError
	if errors.As(err, &wrong) {
		return nil, problem("SIGNATURE", "the signature of %s does not hold", wrong.Name)
	}
	var unknown *note.UnverifiedNoteError
	stranger := errors.As(err, &unknown)
	if stranger {
		opened = unknown.Note
	} else if err != nil {
		return nil, problem("CHECKPOINT", "the checkpoint: %v", err)
	}
	for _, line := range signatureLines(opened.Text, text) {
		words := strings.Split(line, " ")
		if _, err := crypt.Base64(words[len(words)-1]); err != nil {
			return nil, problem("CHECKPOINT", "a signature line of the checkpoint is no canonical base64")
		}
	}
	if stranger {
		return nil, strangers(policy, opened.Text)
	}
	return opened, nil
}

// strangers says what is wrong with a note that no known key has signed. Two rows of section 3 fit where it is of
// a log that the policy does not name: checkpoint.json ("another log") wants the first of them.
func strangers(policy *Policy, text string) *Problem {
	checkpoint, err := parseText(text)
	if err != nil {
		return problem("CHECKPOINT", "the checkpoint: %v", err)
	}
	ofLog := func(log note.Verifier) bool { return log.Name() == checkpoint.Origin }
	if !slices.ContainsFunc(policy.Logs, ofLog) {
		return problem("CHECKPOINT", "the policy does not name the log %q", checkpoint.Origin)
	}
	return problem("SIGNATURE", "no known key has signed the checkpoint")
}

// signatureLines are the lines behind the text of a note that was opened.
func signatureLines(signedText string, text []byte) []string {
	behind := strings.TrimPrefix(string(text), signedText+"\n")
	return strings.Split(strings.TrimSuffix(behind, "\n"), "\n")
}

// signaturesOf returns every signature of one key. The library checks only the first line of a key.
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
			return nil, problem("SIGNATURE", "the signature of %s does not hold", verifier.Name())
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
