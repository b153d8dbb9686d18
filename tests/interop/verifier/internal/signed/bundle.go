package signed

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"

	"judge/internal/avro"
	"judge/internal/crypt"
	"judge/internal/trust"

	"go.yaml.in/yaml/v3"
)

const (
	bundleLabel   = "referral-policy-bundle-v1\n"
	signersFile   = "signers.yaml"
	maxSignatures = 16
	leastSigners  = 2
)

// Bundle is a body of policy-activated.
type Bundle struct {
	Number     int64
	Digest     string
	At         int64 // µs
	Files      map[string][]byte
	ValidFrom  int64 // µs
	Before     string
	Signatures []BundleSignature
}

// BundleSignature is one signature of a bundle.
type BundleSignature struct{ Public, Signature []byte }

// BundleOf reads a bundle from its decoded body. Version 1 lacks the last three fields.
func BundleOf(body avro.Record) *Bundle {
	bundle := &Bundle{Number: body.Long("number"), Digest: body.Text("digest"), At: body.Long("at"),
		Files: map[string][]byte{}, ValidFrom: body.Long("valid_from"), Before: body.Text("before")}
	files, _ := body["files"].(map[string]any)
	for path, content := range files {
		bundle.Files[path], _ = content.([]byte)
	}
	signatures, _ := body["signatures"].([]any)
	for _, each := range signatures {
		signature, _ := each.(avro.Record)
		bundle.Signatures = append(bundle.Signatures,
			BundleSignature{signature.Bytes("public"), signature.Bytes("signature")})
	}
	return bundle
}

// FilesDigest is the digest of a bundle's files (section 10).
func FilesDigest(files map[string][]byte) string {
	var text []byte
	for _, path := range slices.Sorted(maps.Keys(files)) {
		text = binary.BigEndian.AppendUint64(text, uint64(len(path)))
		text = append(text, path...)
		text = binary.BigEndian.AppendUint64(text, uint64(len(files[path])))
		text = append(text, files[path]...)
	}
	return crypt.HexSHA256(text)
}

// SignedText is what the policy signers sign.
func (b *Bundle) SignedText() []byte {
	before := b.Before
	if before == "" {
		before = "-"
	}
	return fmt.Appendf(nil, "%s%d\n%s\n%d\n%s\n", bundleLabel, b.Number, b.Digest, b.ValidFrom, before)
}

// signedBy counts the signers whose keys signed the bundle.
func (b *Bundle) signedBy(signers map[string][]byte) int {
	text := b.SignedText()
	signed := map[string]bool{}
	for _, signature := range b.Signatures {
		if crypt.Verify(signature.Public, text, signature.Signature) {
			signed[string(signature.Public)] = true
		}
	}
	count := 0
	for _, key := range signers {
		if signed[string(key)] {
			count++
		}
	}
	return count
}

// nextSigners are the signers that the bundle's own file names, or nil if it has no such file.
func (b *Bundle) nextSigners() (map[string][]byte, error) {
	text, found := b.Files[signersFile]
	if !found {
		return nil, nil
	}
	var document map[string]map[string]string
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&document); err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", signersFile, err)
	}
	if err := decoder.Decode(new(any)); err != io.EOF {
		return nil, fmt.Errorf("%s has more than one document", signersFile)
	}
	if len(document) != 1 || len(document["signers"]) < leastSigners {
		return nil, fmt.Errorf("%s does not name two signers", signersFile)
	}
	signers := map[string][]byte{}
	for name, text := range document["signers"] {
		key, err := crypt.Key(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", signersFile, err)
		}
		if err := trust.CheckPerson(signers, "", name, key); err != nil {
			return nil, fmt.Errorf("%s: %w", signersFile, err)
		}
		signers[name] = key
	}
	return signers, nil
}

// Judgement is what came of one bundle: the finding "" means believed, or repeated.
type Judgement struct {
	Result string // believed, repeated, or what was wrong
	Code   string
	Words  string
}

// Chain is the chain of believed bundles (section 12.2).
type Chain struct {
	Believed    []*Bundle // 1 to n
	fileSigners map[string][]byte
	pins        map[int64]string
	signers     map[string][]byte // of the next bundle
}

// Name begins the chain again with other signers and pins; what was believed stays believed.
func (c *Chain) Name(signers map[string][]byte, pins map[int64]string) {
	if maps.EqualFunc(c.fileSigners, signers, slices.Equal) && maps.Equal(c.pins, pins) {
		return
	}
	c.fileSigners, c.pins, c.signers = signers, pins, signers
	for _, bundle := range c.Believed {
		if pins[bundle.Number] == bundle.Digest {
			c.signers = signers
			continue
		}
		next, err := bundle.nextSigners()
		if err == nil && next != nil && bundle.signedBy(c.signers) >= leastSigners {
			c.signers = next
		}
	}
}

// Judge judges the next bundle of the log.
func (c *Chain) Judge(bundle *Bundle) Judgement {
	last := int64(len(c.Believed))
	before := ""
	if last > 0 {
		before = c.Believed[last-1].Digest
	}
	switch {
	case 1 <= bundle.Number && bundle.Number <= last && c.Believed[bundle.Number-1].Digest == bundle.Digest:
		return Judgement{Result: "repeated"}
	case bundle.Number <= last:
		return Judgement{"policy-sequence", "FORK", fmt.Sprintf("another bundle %d is believed already", bundle.Number)}
	case bundle.Number != last+1:
		return Judgement{"policy-sequence", "SEQUENCE_GAP", fmt.Sprintf("bundle %d follows bundle %d", bundle.Number, last)}
	case FilesDigest(bundle.Files) != bundle.Digest:
		return Judgement{"policy-digest", "HASH_DIFFERS", fmt.Sprintf("the files of bundle %d have another digest", bundle.Number)}
	case c.pins[bundle.Number] == bundle.Digest:
		c.signers = c.fileSigners
	case len(c.fileSigners) > 0:
		next, result, words := c.judgeSigned(bundle, before)
		if result != "" {
			return Judgement{result, "POLICY_FORGED", fmt.Sprintf("bundle %d: %s", bundle.Number, words)}
		}
		if next != nil {
			c.signers = next
		}
	}
	c.Believed = append(c.Believed, bundle)
	return Judgement{Result: "believed"}
}

func (c *Chain) judgeSigned(bundle *Bundle, before string) (next map[string][]byte, result, words string) {
	if bundle.Before != before {
		return nil, "policy-predecessor", "it follows another bundle"
	}
	if bundle.At < bundle.ValidFrom {
		return nil, "policy-early", "it came into force before its time"
	}
	if len(bundle.Signatures) > maxSignatures {
		return nil, "policy-signatures", "it has more than 16 signatures"
	}
	if count := bundle.signedBy(c.signers); count < leastSigners {
		return nil, "policy-signatures", fmt.Sprintf("%d of the signers signed it, and two must", count)
	}
	next, err := bundle.nextSigners()
	if err != nil {
		return nil, "policy-signers", err.Error()
	}
	return next, "", ""
}

// DirectoryDigest is the digest of the directory among a bundle's files (section 15.4).
func DirectoryDigest(files map[string][]byte, outside func(path string) bool) string {
	var text []byte
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if outside(path) {
			continue
		}
		text = append(append(text, path...), 0)
		text = append(text, crypt.SHA256(files[path])...)
	}
	return hex.EncodeToString(crypt.SHA256(text))
}
