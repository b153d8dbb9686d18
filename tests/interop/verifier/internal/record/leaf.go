package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"judge/internal/avro"
)

// Leaf is an entry as the tree holds it (section 4). An absent id is the empty string.
type Leaf struct {
	Version     int
	Kind        string
	LoggedAt    int64 // µs
	Topic       string
	Partition   int64
	Offset      int64
	KafkaTime   int64 // ms
	SHA256      []byte
	Rest        []byte
	EventID     string
	Type        string
	Fingerprint int64
	CaseID      string
	CaseSeq     int64
	CauseID     string
	RecordedAt  int64 // µs
}

// ErrNewerLeaf says that a leaf is of a newer program.
var ErrNewerLeaf = errors.New("the leaf is of a newer program")

const singleObjectHead = 10

// ParseLeaf reads a leaf in one of the three versions.
func ParseLeaf(data []byte) (*Leaf, error) {
	if len(data) < singleObjectHead || !bytes.HasPrefix(data, []byte{0xc3, 0x01}) {
		return nil, fmt.Errorf("a leaf begins with c3 01 and the fingerprint of its schema")
	}
	fingerprint := int64(binary.LittleEndian.Uint64(data[2:singleObjectHead]))
	for version := 1; version <= 3; version++ {
		known := Lookup(fmt.Sprintf("leaf.v%d", version))
		if known.Fingerprint == fingerprint {
			return decodeLeaf(version, known.Schema, data[singleObjectHead:])
		}
	}
	return nil, fmt.Errorf("fingerprint %016x: %w", uint64(fingerprint), ErrNewerLeaf)
}

func decodeLeaf(version int, schema *avro.Schema, data []byte) (*Leaf, error) {
	fields, err := avro.DecodeRecord(schema, data)
	if err != nil {
		return nil, fmt.Errorf("a leaf of version %d: %w", version, err)
	}
	return &Leaf{
		Version: version, Kind: fields.Text("kind"), LoggedAt: fields.Long("logged_at"),
		Topic: fields.Text("topic"), Partition: fields.Long("partition"), Offset: fields.Long("offset"),
		KafkaTime: fields.Long("kafka_time"), SHA256: fields.Bytes("sha256"), Rest: fields.Bytes("rest"),
		EventID: fields.Text("event_id"), Type: fields.Text("type"), Fingerprint: fields.Long("fingerprint"),
		CaseID: fields.Text("case_id"), CaseSeq: fields.Long("case_seq"), CauseID: fields.Text("cause_id"),
		RecordedAt: fields.Long("recorded_at"),
	}, nil
}

// HasSeq says whether a kind takes the next number of its topic and case.
func HasSeq(kind string) bool {
	switch kind {
	case "EVENT", "DECISION", "DISCLOSURE", "ERASURE":
		return true
	}
	return false
}

// IsOwn says whether audit itself writes this kind, without a record.
func IsOwn(kind string) bool {
	switch kind {
	case "KEYS", "SCHEMA", "HEARTBEAT", "READING", "COVER", "ADMINISTRATION":
		return true
	}
	return false
}

// HasPosition says whether a kind takes a position: those that were read as records.
func HasPosition(kind string) bool {
	switch kind {
	case "POLICY", "QUARANTINE", "UNREADABLE", "FOREIGN", "FORK", "FIGURE":
		return true
	}
	return HasSeq(kind)
}
