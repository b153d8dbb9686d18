package judge

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"judge/internal/crypt"
	"judge/internal/record"
)

// The helpers of this file build short logs without an export around them.

const (
	caseOne = "00000000-0000-4000-8000-000000000001"
	eventID = "00000000-0000-4000-8000-000000000002"
	causeID = "00000000-0000-4000-8000-000000000003"
	noon    = int64(1_800_000_000_000_000) // µs
)

var caseKey = []byte("an example key of thirty-two byt")

func long(number int64) []byte {
	return binary.AppendUvarint(nil, uint64(number)<<1^uint64(number>>63))
}

func text(words string) []byte { return append(long(int64(len(words))), words...) }

// caseRecord is a record of a case topic, sealed under the example key, and its leaf.
type caseRecord struct {
	topic      string
	typeName   string
	seq        int64
	offset     int64
	recordedAt int64 // µs
	kafkaTime  int64 // ms
	loggedAt   int64 // µs
	body       []byte
}

func (c caseRecord) entry(t *testing.T) Entry {
	t.Helper()
	fingerprint := record.Lookup(c.typeName).Fingerprint
	meta := slices.Concat(text(eventID), text(caseOne), long(c.seq), text(c.typeName), long(fingerprint),
		text(causeID), long(c.recordedAt), text("notifier"), []byte{0})
	block, err := aes.NewCipher(caseKey)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	nonce := make([]byte, 12)
	sealed := gcm.Seal(nil, nonce, c.body, append([]byte(c.topic), meta...))
	payload := &record.Payload{Key: []byte(caseOne), Value: slices.Concat(meta, nonce, long(int64(len(sealed))), sealed)}
	leaf := &record.Leaf{Kind: record.KindOfType(c.topic, c.typeName), LoggedAt: c.loggedAt, Topic: c.topic,
		Partition: record.PartitionOf(caseOne), Offset: c.offset, KafkaTime: c.kafkaTime,
		SHA256: crypt.SHA256(payload.Value), Rest: record.Rest(payload.Key, nil), EventID: eventID, Type: c.typeName,
		Fingerprint: fingerprint, CaseID: caseOne, CaseSeq: c.seq, CauseID: causeID, RecordedAt: c.recordedAt}
	return Entry{leaf, payload}
}

// rungReached is a record of the notifier at a number of minutes after noon, by each clock.
func rungReached(seq, recorded, kafka, logged int64) caseRecord {
	return caseRecord{topic: "referral-notification", typeName: "rung-reached.v1", seq: seq, offset: seq,
		recordedAt: noon + recorded*minuteMicros, kafkaTime: (noon + kafka*minuteMicros) / 1000,
		loggedAt: noon + logged*minuteMicros, body: slices.Concat(text(eventID), long(0), long(noon))}
}

// ownEntry is an entry of audit's own at a number of minutes after noon.
func ownEntry(kind, value string, logged int64) Entry {
	return Entry{
		&record.Leaf{Kind: kind, LoggedAt: noon + logged*minuteMicros, Partition: -1, Offset: -1,
			SHA256: crypt.SHA256([]byte(value)), Rest: record.Rest(nil, nil)},
		&record.Payload{Value: []byte(value)},
	}
}

func beat(logged int64) Entry {
	return ownEntry("HEARTBEAT", `{"drill":false,"ends":{},"unread":{}}`, logged)
}

// expect judges a log and compares "entry code weight" of each finding.
func expect(t *testing.T, log Log, wanted ...string) {
	t.Helper()
	if log.Keys == nil {
		log.Keys = record.CaseKeys{caseOne: caseKey}
	}
	found := NewFindings()
	Judge(log, found)
	got := []string{}
	for _, finding := range found.Sorted() {
		got = append(got, fmt.Sprintf("%d %s %s", finding.Entry, finding.Code, finding.Weight))
	}
	if !slices.Equal(got, wanted) {
		t.Errorf("told %q, and should tell %q", got, wanted)
	}
}
