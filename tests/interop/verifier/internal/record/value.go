package record

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"judge/internal/avro"
	"judge/internal/crypt"
)

const (
	maxValue  = 1_000_000
	maxBody   = 131_072
	erasedAny = "case-erased.v"
)

// Meta is the clear part of a value in a case topic (section 8).
type Meta struct {
	EventID, CaseID, Type, CauseID, Source string
	CaseSeq, Fingerprint, RecordedAt       int64
	Drill                                  bool
}

// Value is a value of a case topic.
type Value struct {
	Meta      Meta
	MetaBytes []byte
	Nonce     []byte
	Sealed    []byte
}

// ErrSeal says that a sealed part does not open.
var ErrSeal = errors.New("the sealed part does not open")

// ParseValue reads a value of a case topic.
func ParseValue(value []byte) (*Value, error) {
	if len(value) > maxValue {
		return nil, fmt.Errorf("the value has more than %d bytes", maxValue)
	}
	fields, err := avro.DecodeRecord(Lookup("sealed.v1").Schema, value)
	if err != nil {
		return nil, err
	}
	_, behind, err := avro.DecodeFirst(Lookup("meta.v1").Schema, value)
	if err != nil {
		return nil, err
	}
	meta := fields.Record("meta")
	return &Value{
		Meta: Meta{
			EventID: meta.Text("event_id"), CaseID: meta.Text("case_id"), CaseSeq: meta.Long("case_seq"),
			Type: meta.Text("type"), Fingerprint: meta.Long("fingerprint"), CauseID: meta.Text("cause_id"),
			RecordedAt: meta.Long("recorded_at"), Source: meta.Text("source"), Drill: meta.Bool("drill"),
		},
		MetaBytes: value[:len(value)-len(behind)],
		Nonce:     fields.Bytes("nonce"),
		Sealed:    fields.Bytes("sealed"),
	}, nil
}

// IsErasureType says whether a type is a version of case-erased.
func IsErasureType(typeName string) bool { return strings.HasPrefix(typeName, erasedAny) }

// Open returns the body. Erasures are not sealed and need no key.
func (v *Value) Open(topic string, key []byte) ([]byte, error) {
	if IsErasureType(v.Meta.Type) {
		if !bytes.Equal(v.Nonce, make([]byte, len(v.Nonce))) {
			return nil, fmt.Errorf("an erasure has a nonce: %w", ErrSeal)
		}
		return v.Sealed, nil
	}
	body, err := crypt.Open(key, v.Nonce, v.Sealed, append([]byte(topic), v.MetaBytes...))
	if err != nil {
		return nil, ErrSeal
	}
	return body, nil
}

// Decode reads a body that was opened.
func (v *Value) Decode(body []byte) (avro.Record, error) {
	if len(body) > maxBody {
		return nil, fmt.Errorf("the body has more than %d bytes", maxBody)
	}
	if v.Meta.Type == "case-erased.v1" && len(body) != 0 {
		return nil, fmt.Errorf("the body of case-erased.v1 is not empty")
	}
	return DecodeBody(v.Meta.Type, v.Meta.Fingerprint, body)
}
