// Package signed checks the texts that services, persons and agencies sign (sections 12 and 13).
package signed

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"

	"judge/internal/crypt"
	"judge/internal/record"
	"judge/internal/trust"
)

const (
	signatureHeader = "referral-signature"
	recordsLabel    = "referral-records-v1\n"
	signatureSize   = 64
	hashSize        = 32
)

// Writer is the one service that writes a record of this topic and key, and whether the topic has writers at all.
func Writer(topic string, key []byte) (service string, asked bool) {
	switch topic {
	case "referral-intake":
		return "intake", true
	case "referral-routing":
		return "routing", true
	case "referral-notification":
		return "notifier", true
	case "oversight-feed":
		return "oversight", true
	case "referral-quarantine":
		service, _, _ = strings.Cut(string(key), "/")
		return service, true
	}
	return "", false
}

// RecordLeafHash is the hash of a record in the tree of its publication.
func RecordLeafHash(key, value []byte) []byte {
	leaf := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(key)))
	leaf = append(append(leaf, key...), value...)
	return crypt.SHA256(leaf)
}

// CheckRecord checks the header referral-signature of a record against the keys of its writer.
func CheckRecord(topic string, key, value, signature []byte, keys [][]byte) error {
	if len(signature) < signatureSize+8 {
		return fmt.Errorf("the record has no signature of its writer")
	}
	count := binary.BigEndian.Uint32(signature[signatureSize:])
	index := binary.BigEndian.Uint32(signature[signatureSize+4:])
	neighbours := signature[signatureSize+8:]
	if index >= count {
		return fmt.Errorf("the index %d is not below the count %d", index, count)
	}
	node := RecordLeafHash(key, value)
	for at, size := uint64(index), uint64(count); size > 1; at, size = at/2, (size+1)/2 {
		if at^1 >= size {
			continue
		}
		if len(neighbours) < hashSize {
			return fmt.Errorf("the way to the root is too short")
		}
		neighbour := neighbours[:hashSize]
		neighbours = neighbours[hashSize:]
		if at%2 == 1 {
			node = parent(neighbour, node)
		} else {
			node = parent(node, neighbour)
		}
	}
	if len(neighbours) != 0 {
		return fmt.Errorf("%d bytes of the signature are not used", len(neighbours))
	}
	text := append([]byte(recordsLabel), topic...)
	text = append(text, '\n')
	text = append(binary.BigEndian.AppendUint32(text, count), node...)
	if !crypt.VerifyAny(keys, text, signature[:signatureSize]) {
		return fmt.Errorf("no key of its writer signed the record")
	}
	return nil
}

func parent(left, right []byte) []byte {
	digest := sha256.New()
	digest.Write([]byte{1})
	digest.Write(left)
	digest.Write(right)
	return digest.Sum(nil)
}

// CheckWriter judges a record: nil if no signature is asked, or a good one is there (section 12.1).
func CheckWriter(topic string, kafkaTime int64, payload *record.Payload, row *trust.Named) error {
	service, asked := Writer(topic, payload.Key)
	if !asked || len(row.Writers) == 0 || (0 < kafkaTime && kafkaTime < row.RecordsFrom()) {
		return nil
	}
	signature, _ := payload.Header(signatureHeader)
	if len(row.Writers[service]) == 0 {
		return fmt.Errorf("%q writes no records", service)
	}
	return CheckRecord(topic, payload.Key, payload.Value, signature, row.WriterKeys(service, kafkaTime))
}
