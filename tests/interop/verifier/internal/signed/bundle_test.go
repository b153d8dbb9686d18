package signed

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"testing"
)

func people(keys ...ed25519.PrivateKey) map[string][]byte {
	named := map[string][]byte{}
	for i, key := range keys {
		named[fmt.Sprintf("person-%d", i)] = key.Public().(ed25519.PublicKey)
	}
	return named
}

// signersYAML is the file that names the signers of the next bundle.
func signersYAML(keys ...ed25519.PrivateKey) []byte {
	text := "signers:\n"
	for i, key := range keys {
		text += fmt.Sprintf("  person-%d: %s\n", i, base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey)))
	}
	return []byte(text)
}

func bundleOf(number int64, before *Bundle, files map[string][]byte, keys ...ed25519.PrivateKey) *Bundle {
	bundle := &Bundle{Number: number, Digest: FilesDigest(files), At: noon, Files: files, ValidFrom: noon}
	if before != nil {
		bundle.Before = before.Digest
	}
	for _, key := range keys {
		bundle.Signatures = append(bundle.Signatures,
			BundleSignature{key.Public().(ed25519.PublicKey), ed25519.Sign(key, bundle.SignedText())})
	}
	return bundle
}

func expectResults(t *testing.T, chain *Chain, wanted string, bundles ...*Bundle) {
	t.Helper()
	for _, bundle := range bundles {
		if got := chain.Judge(bundle).Result; got != wanted {
			t.Errorf("bundle %d is %s, and should be %s", bundle.Number, got, wanted)
		}
	}
}

func TestTheLogNamesOtherSigners(t *testing.T) {
	a, b, c, d, e, f := agencyKey(1), agencyKey(2), agencyKey(3), agencyKey(4), agencyKey(5), agencyKey(6)
	first := bundleOf(1, nil, map[string][]byte{"signers.yaml": signersYAML(e, f)}, a, b, c, d)
	second := map[string][]byte{"x.yaml": []byte("2")}

	chain := &Chain{}
	chain.Name(people(a, b), nil)
	expectResults(t, chain, "believed", first)
	expectResults(t, chain, "policy-signatures", bundleOf(2, first, second, a, b))

	chain.Name(people(b, f), nil) // they have not signed the first one
	expectResults(t, chain, "repeated", first)
	expectResults(t, chain, "policy-signatures", bundleOf(2, first, second, e, a))

	chain.Name(people(c, d), nil) // they have, so its file counts
	expectResults(t, chain, "policy-signatures", bundleOf(2, first, second, c, d))
	expectResults(t, chain, "believed", bundleOf(2, first, second, e, f))
}

func TestWithoutSignersTheNextBundleIsBelieved(t *testing.T) {
	chain := &Chain{}
	chain.Name(nil, nil)
	first := bundleOf(1, nil, map[string][]byte{"x.yaml": nil})
	expectResults(t, chain, "believed", first)
	expectResults(t, chain, "policy-sequence", bundleOf(3, first, nil))
}
