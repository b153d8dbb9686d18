package signed

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"

	"judge/internal/crypt"

	"go.yaml.in/yaml/v3"
)

const (
	agencyKeyLabel = "referral-agency-key-v1\n"
	dayMicros      = int64(86_400_000_000)
	minuteMicros   = int64(60_000_000)
)

// AgencyKey is one key of an agency's file: NAME+ID and the public key.
type AgencyKey struct {
	ID     string
	Public []byte
}

// Signing is the part `signing` of an agency's file.
type Signing struct {
	Must    bool
	Keys    []AgencyKey
	Vouched [][]byte
}

// ParseAgencyKey reads NAME+ID+B64.
func ParseAgencyKey(text string) (AgencyKey, error) {
	parts := strings.SplitN(text, "+", 3)
	if len(parts) != 3 {
		return AgencyKey{}, fmt.Errorf("%q is no key", text)
	}
	raw, err := crypt.Base64(parts[2])
	if err != nil || len(raw) != 33 || raw[0] != 1 {
		return AgencyKey{}, fmt.Errorf("%q is no key of type 01", text)
	}
	id := hex.EncodeToString(crypt.SHA256(append([]byte(parts[0]+"\n"), raw...))[:4])
	if id != parts[1] {
		return AgencyKey{}, fmt.Errorf("%q has the id %s", text, id)
	}
	return AgencyKey{parts[0] + "+" + id, raw[1:]}, nil
}

// ParseSigning reads the part `signing` of an agency's file. What is absent is false, or empty.
func ParseSigning(text []byte) (Signing, error) {
	var file struct {
		Signing struct {
			Must    bool     `yaml:"must"`
			Keys    []string `yaml:"keys"`
			Vouched []string `yaml:"vouched"`
		} `yaml:"signing"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return Signing{}, err
	}
	signing := Signing{Must: file.Signing.Must}
	for _, line := range file.Signing.Keys {
		key, err := ParseAgencyKey(line)
		if err != nil {
			return Signing{}, err
		}
		signing.Keys = append(signing.Keys, key)
	}
	for _, line := range file.Signing.Vouched {
		raw, err := crypt.Base64(line)
		if err != nil || len(raw) != signatureSize {
			return Signing{}, fmt.Errorf("%q is no signature", line)
		}
		signing.Vouched = append(signing.Vouched, raw)
	}
	return signing, nil
}

// Signings are the parts `signing` of every agency's file in a bundle. One file that cannot be read makes the whole
// bundle no valid policy. The other rules of a policy are not judged here.
func Signings(bundle *Bundle) (map[string]Signing, error) {
	signings := map[string]Signing{}
	for path, text := range bundle.Files {
		agency, inDirectory := strings.CutPrefix(path, "directory/")
		agency, isYAML := strings.CutSuffix(agency, ".yaml")
		if !inDirectory || !isYAML {
			continue
		}
		signing, err := ParseSigning(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		signings[agency] = signing
	}
	return signings, nil
}

// VouchText is what an older key of an agency signs for a new one.
func VouchText(key AgencyKey) []byte {
	text := append([]byte(agencyKeyLabel+key.ID+"\n"), key.Public...)
	return text
}

// AgencyState is what holds of one agency after a bundle.
type AgencyState struct {
	CountsFrom map[string]int64  // NAME+ID of a listed key → µs; 0: at once
	publics    map[string][]byte // NAME+ID of a key that this bundle lists → public key
	before     map[string][]byte // the same of the last bundle that was a valid policy
	Must       bool
	MustUntil  int64 // µs: end of a duty that was lifted; 0 if none was
	MustIsNew  bool  // the duty is new in this bundle
	everListed bool
	hasBundle  bool // a bundle was before
}

// NextInvalid is the state after a bundle whose files are no valid policy: it lists no key, and keeps times and duties.
func (s AgencyState) NextInvalid() AgencyState {
	s.publics, s.MustIsNew, s.hasBundle = nil, false, true
	return s
}

// Next is the state after one more bundle, whose record the broker took at this time (µs).
func (s AgencyState) Next(signing Signing, kafkaTime int64) AgencyState {
	publics := map[string][]byte{}
	next := AgencyState{CountsFrom: map[string]int64{}, publics: publics, before: publics, Must: signing.Must,
		MustIsNew: signing.Must && !s.Must && s.hasBundle, hasBundle: true, everListed: s.everListed || len(signing.Keys) > 0}
	switch {
	case s.Must && !signing.Must:
		next.MustUntil = kafkaTime + dayMicros
	case !signing.Must:
		next.MustUntil = s.MustUntil
	}
	for _, key := range signing.Keys {
		next.publics[key.ID] = key.Public
		before, listed := s.CountsFrom[key.ID]
		switch {
		case !s.everListed || (!listed && s.vouches(signing.Vouched, key, kafkaTime)):
			next.CountsFrom[key.ID] = 0
		case listed:
			next.CountsFrom[key.ID] = before
		default:
			next.CountsFrom[key.ID] = kafkaTime + dayMicros
		}
	}
	return next
}

// vouches says whether a key that counts at this time signed the new key.
func (s AgencyState) vouches(vouched [][]byte, key AgencyKey, kafkaTime int64) bool {
	for id, public := range s.before {
		if s.CountsFrom[id] > kafkaTime {
			continue
		}
		for _, signature := range vouched {
			if crypt.Verify(public, VouchText(key), signature) {
				return true
			}
		}
	}
	return false
}

// keyState says whether a public key is listed, and from when it counts.
func (s AgencyState) keyState(public []byte) (countsFrom int64, listed bool) {
	for id, known := range s.publics {
		if bytes.Equal(known, public) {
			return s.CountsFrom[id], true
		}
	}
	return 0, false
}

// mustSign says whether the agency must sign at this time (µs, by the broker).
func (s AgencyState) mustSign(kafkaTime int64) bool {
	return s.Must || kafkaTime+minuteMicros < s.MustUntil
}
