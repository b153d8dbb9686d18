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

// SigningOf reads the part `signing` of an agency's file in a bundle. What cannot be read names nobody.
func SigningOf(bundle *Bundle, agency string) Signing {
	var file struct {
		Signing struct {
			Must    bool     `yaml:"must"`
			Keys    []string `yaml:"keys"`
			Vouched []string `yaml:"vouched"`
		} `yaml:"signing"`
	}
	if yaml.Unmarshal(bundle.Files["directory/"+agency+".yaml"], &file) != nil {
		return Signing{}
	}
	signing := Signing{Must: file.Signing.Must}
	for _, text := range file.Signing.Keys {
		if key, err := ParseAgencyKey(text); err == nil {
			signing.Keys = append(signing.Keys, key)
		}
	}
	for _, text := range file.Signing.Vouched {
		if raw, err := crypt.Base64(text); err == nil {
			signing.Vouched = append(signing.Vouched, raw)
		}
	}
	return signing
}

// VouchText is what an older key of an agency signs for a new one.
func VouchText(key AgencyKey) []byte {
	text := append([]byte(agencyKeyLabel+key.ID+"\n"), key.Public...)
	return text
}

// AgencyState is what holds of one agency after a bundle.
type AgencyState struct {
	CountsFrom map[string]int64 // NAME+ID of a listed key → µs; 0: at once
	publics    map[string][]byte
	Must       bool
	MustUntil  int64 // µs: end of a duty that was lifted; 0 if none was
	MustIsNew  bool  // the duty is new in this bundle
	everListed bool
}

// Next is the state after one more bundle, whose record the broker took at this time (µs).
func (s AgencyState) Next(signing Signing, kafkaTime int64) AgencyState {
	next := AgencyState{CountsFrom: map[string]int64{}, publics: map[string][]byte{}, Must: signing.Must,
		MustIsNew: signing.Must && !s.Must, everListed: s.everListed || len(signing.Keys) > 0}
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
	for id, public := range s.publics {
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
