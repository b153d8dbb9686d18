package vectors

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"judge/internal/record"
)

// vector is one vector whose keys are taken one by one.
type vector struct {
	fields map[string]json.RawMessage
	used   map[string]bool
	base   map[string]json.RawMessage // the good vector from which this bad one was made
	broken error                      // the vector itself has another form than expected
}

func (v *vector) has(key string) bool {
	_, found := v.fields[key]
	return found
}

func (v *vector) isNull(key string) bool {
	v.used[key] = true
	return string(v.fields[key]) == "null"
}

// into reads a key of the vector into a target.
func (v *vector) into(key string, target any) {
	v.used[key] = true
	if err := json.Unmarshal(v.fields[key], target); err != nil && v.broken == nil {
		v.broken = fmt.Errorf("the key %q of the vector: %v", key, err)
	}
}

// inherit reads a key of the vector, or of the one that it was made from; false means that neither has it.
func (v *vector) inherit(key string, target any) bool {
	if v.has(key) {
		v.into(key, target)
		return true
	}
	raw, found := v.base[key]
	if found {
		if err := json.Unmarshal(raw, target); err != nil && v.broken == nil {
			v.broken = fmt.Errorf("the key %q of the vector's base: %v", key, err)
		}
	}
	return found
}

func (v *vector) text(key string) (text string)    { v.into(key, &text); return text }
func (v *vector) number(key string) (number int64) { v.into(key, &number); return number }
func (v *vector) flag(key string) (truth bool)     { v.into(key, &truth); return truth }

// hex reads bytes; null is nil.
func (v *vector) hex(key string) []byte {
	if v.isNull(key) {
		return nil
	}
	return v.unhex(v.text(key))
}

func (v *vector) unhex(text string) []byte {
	raw, err := hex.DecodeString(text)
	if err != nil && v.broken == nil {
		v.broken = err
	}
	return raw
}

// hexMap reads name → bytes.
func (v *vector) hexMap(key string) map[string][]byte {
	var texts map[string]string
	v.into(key, &texts)
	return v.unhexMap(texts)
}

func (v *vector) unhexMap(texts map[string]string) map[string][]byte {
	raw := map[string][]byte{}
	for name, text := range texts {
		raw[name] = v.unhex(text)
	}
	return raw
}

// hexList reads a list of bytes.
func (v *vector) hexList(key string) [][]byte {
	var texts []string
	v.into(key, &texts)
	var list [][]byte
	for _, text := range texts {
		list = append(list, v.unhex(text))
	}
	return list
}

// payloadJSON is a payload as the vectors write it.
type payloadJSON struct {
	Key     *string     `json:"key"`
	Value   string      `json:"value"`
	Headers [][2]string `json:"headers"`
}

func (v *vector) payload(raw *payloadJSON) *record.Payload {
	if raw == nil {
		return nil
	}
	payload := &record.Payload{Value: v.unhex(raw.Value), Headers: v.headers(raw.Headers)}
	if raw.Key != nil {
		payload.Key = v.unhex(*raw.Key)
	}
	return payload
}

func (v *vector) headers(raw [][2]string) []record.Header {
	var headers []record.Header
	for _, each := range raw {
		headers = append(headers, record.Header{Name: each[0], Value: v.unhex(each[1])})
	}
	return headers
}

func (v *vector) headersOf(key string) []record.Header {
	var raw [][2]string
	v.into(key, &raw)
	return v.headers(raw)
}

// same compares a result with what the vector names.
func same(what string, got, wanted any) error {
	if fmt.Sprint(got) != fmt.Sprint(wanted) {
		return fmt.Errorf("%s is %v, and should be %v", what, got, wanted)
	}
	return nil
}

func sameBytes(what string, got, wanted []byte) error {
	if !bytes.Equal(got, wanted) {
		return fmt.Errorf("%s is %x, and should be %x", what, got, wanted)
	}
	return nil
}

// first returns the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
