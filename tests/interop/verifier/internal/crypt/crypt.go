// Package crypt holds the signatures, digests and seals that every section uses.
package crypt

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"filippo.io/edwards25519"
)

// CheckKey refuses what is no Ed25519 key, and keys of small order.
func CheckKey(public []byte) error {
	if len(public) != ed25519.PublicKeySize {
		return fmt.Errorf("a public key has %d bytes, not 32", len(public))
	}
	point, err := new(edwards25519.Point).SetBytes(public)
	if err != nil {
		return fmt.Errorf("a public key is no point of the curve")
	}
	if new(edwards25519.Point).MultByCofactor(point).Equal(edwards25519.NewIdentityPoint()) == 1 {
		return fmt.Errorf("a public key is of small order")
	}
	return nil
}

// Verify says whether the key made the signature over the text.
func Verify(public, text, signature []byte) bool {
	return CheckKey(public) == nil && len(signature) == ed25519.SignatureSize &&
		ed25519.Verify(public, text, signature)
}

// VerifyAny says whether one of the keys made the signature over the text.
func VerifyAny(keys [][]byte, text, signature []byte) bool {
	for _, key := range keys {
		if Verify(key, text, signature) {
			return true
		}
	}
	return false
}

// Base64 reads canonical base64 with padding.
func Base64(text string) ([]byte, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err == nil && base64.StdEncoding.EncodeToString(raw) != text {
		err = fmt.Errorf("base64 is not canonical")
	}
	return raw, err
}

// Key reads a public key in base64.
func Key(text string) ([]byte, error) {
	raw, err := Base64(text)
	if err != nil {
		return nil, err
	}
	return raw, CheckKey(raw)
}

// SHA256 is the digest as a slice.
func SHA256(data []byte) []byte {
	digest := sha256.Sum256(data)
	return digest[:]
}

// HexSHA256 is the digest in hex.
func HexSHA256(data []byte) string { return hex.EncodeToString(SHA256(data)) }

// Open opens AES-256-GCM.
func Open(key, nonce, sealed, additional []byte) ([]byte, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("the key of a case has %d bytes, not 32", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return gcm.Open(nil, nonce, sealed, additional)
}
