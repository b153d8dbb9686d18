package vectors

import (
	"crypto/ecdh"
	"reflect"

	"judge/internal/c2sp"
	"judge/internal/record"
)

func leafHash(leaf []byte) []byte { return c2sp.LeafHash(leaf) }

func checkLentKeys(v *vector) error {
	private, err := ecdh.X25519().NewPrivateKey(v.hex("private"))
	if err != nil {
		return err
	}
	if err := sameBytes("the public key", private.PublicKey().Bytes(), v.hex("public")); err != nil {
		return err
	}
	origin := v.text("origin")
	if v.has("info") {
		if err := sameBytes("the info", record.LentKeysInfo(origin), v.hex("info")); err != nil {
			return err
		}
	}
	keys, err := record.OpenLentKeys(private, origin, v.hex("file"))
	if err != nil || !v.has("keys") {
		return err
	}
	if wanted := v.hexMap("keys"); !reflect.DeepEqual(map[string][]byte(keys), wanted) {
		return same("the keys", keys, wanted)
	}
	return nil
}
