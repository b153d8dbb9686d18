package record

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"judge/internal/avro"

	"github.com/vmihailenco/msgpack/v5"
)

const lentKeysLabel = "referral-lent-keys-v1"

// RosterBook is the id under which the changes of the roster stand; it is no case of a person.
const RosterBook = "5f2a1f3e-8d0b-5c51-9a0e-6a1d0f4b7c20"

// CaseKeys holds the keys of cases: case id → key.
type CaseKeys map[string][]byte

// ParseAuditorKey reads an X25519 key in PKCS 8, as PEM.
func ParseAuditorKey(text []byte) (*ecdh.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("the auditor's key is no PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the auditor's key is no PKCS 8: %w", err)
	}
	private, ok := parsed.(*ecdh.PrivateKey)
	if !ok || private.Curve() != ecdh.X25519() {
		return nil, fmt.Errorf("the auditor's key is not of X25519")
	}
	return private, nil
}

// LentKeysInfo is the info of HPKE for the lent keys of a log.
func LentKeysInfo(origin string) []byte {
	return append([]byte(lentKeysLabel+"\x00"), origin...)
}

// OpenLentKeys opens the file `keys` of an export (section 8.1).
func OpenLentKeys(private *ecdh.PrivateKey, origin string, file []byte) (CaseKeys, error) {
	recipient, err := hpke.NewDHKEMPrivateKey(private)
	if err != nil {
		return nil, err
	}
	plain, err := hpke.Open(recipient, hpke.HKDFSHA256(), hpke.AES256GCM(), LentKeysInfo(origin), file)
	if err != nil {
		return nil, fmt.Errorf("the lent keys do not open with this key, for this log: %w", err)
	}
	source := bytes.NewReader(plain)
	var keys CaseKeys
	if err := msgpack.NewDecoder(source).Decode(&keys); err != nil {
		return nil, fmt.Errorf("the lent keys are no map: %w", err)
	}
	if source.Len() != 0 {
		return nil, fmt.Errorf("bytes follow the lent keys")
	}
	for caseID, key := range keys {
		if !avro.IsID(caseID) || len(key) != 32 {
			return nil, fmt.Errorf("the key of case %q has another form", caseID)
		}
	}
	return keys, nil
}
