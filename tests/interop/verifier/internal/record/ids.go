package record

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"
)

// Derive is the UUID of version 5 of a name under an id (section 15.2).
func Derive(id, name string) (string, error) {
	namespace, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil || len(namespace) != 16 {
		return "", fmt.Errorf("%q is no id", id)
	}
	digest := sha1.Sum(append(namespace, name...))
	digest[6] = digest[6]&0x0f | 0x50
	digest[8] = digest[8]&0x3f | 0x80
	text := hex.EncodeToString(digest[:16])
	return strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-"), nil
}
