package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// Header is one header of a record.
type Header struct {
	Name  string
	Value []byte
}

// Payload is what stands beside a leaf. A nil key means that the record has none.
type Payload struct {
	Key     []byte
	Value   []byte
	Headers []Header
}

// Header returns the value of the first header of this name, and how many there are.
func (p *Payload) Header(name string) (value []byte, count int) {
	for _, header := range p.Headers {
		if header.Name == name {
			if count == 0 {
				value = header.Value
			}
			count++
		}
	}
	return value, count
}

// Rest is the digest of a key and headers (section 4).
func Rest(key []byte, headers []Header) []byte {
	digest := sha256.New()
	if key == nil {
		digest.Write([]byte{0})
	} else {
		digest.Write([]byte{1})
	}
	writeSized(digest, key)
	for _, header := range headers {
		writeSized(digest, []byte(header.Name))
		writeSized(digest, header.Value)
	}
	return digest.Sum(nil)
}

func writeSized(digest hash.Hash, data []byte) {
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(len(data)))
	digest.Write(size[:])
	digest.Write(data)
}

// ParsePayloads reads a payload file of so many items. A nil item is a payload that is not stored any more.
func ParsePayloads(file []byte, items int) ([]*Payload, error) {
	source := bytes.NewReader(file)
	decoder := msgpack.NewDecoder(source)
	count, err := arrayOf(decoder, "the file")
	if err != nil {
		return nil, err
	}
	if count != items {
		return nil, fmt.Errorf("the file has %d items, and the bundle %d leaves", count, items)
	}
	payloads := make([]*Payload, count)
	for i := range payloads {
		if payloads[i], err = parsePayload(decoder); err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
	}
	if source.Len() != 0 {
		return nil, fmt.Errorf("%d bytes are left over", source.Len())
	}
	return payloads, nil
}

func parsePayload(decoder *msgpack.Decoder) (*Payload, error) {
	code, err := decoder.PeekCode()
	if err != nil {
		return nil, err
	}
	if code == msgpcode.Nil {
		return nil, decoder.DecodeNil()
	}
	if err := arrayOfExactly(decoder, "an item", 3); err != nil {
		return nil, err
	}
	payload := &Payload{}
	if code, err = decoder.PeekCode(); err != nil {
		return nil, err
	}
	if code == msgpcode.Nil {
		err = decoder.DecodeNil()
	} else {
		payload.Key, err = bin(decoder, "a key")
	}
	if err != nil {
		return nil, err
	}
	if payload.Value, err = bin(decoder, "a value"); err != nil {
		return nil, err
	}
	payload.Headers, err = parseHeaders(decoder)
	return payload, err
}

func parseHeaders(decoder *msgpack.Decoder) ([]Header, error) {
	count, err := arrayOf(decoder, "the list of headers")
	if err != nil {
		return nil, err
	}
	var headers []Header
	for range count {
		if err := arrayOfExactly(decoder, "a header", 2); err != nil {
			return nil, err
		}
		code, err := decoder.PeekCode()
		if err != nil {
			return nil, err
		}
		if !msgpcode.IsString(code) {
			return nil, fmt.Errorf("the name of a header is no text")
		}
		name, err := decoder.DecodeString()
		if err != nil {
			return nil, err
		}
		value, err := bin(decoder, "the value of a header")
		if err != nil {
			return nil, err
		}
		headers = append(headers, Header{name, value})
	}
	return headers, nil
}

func bin(decoder *msgpack.Decoder, what string) ([]byte, error) {
	code, err := decoder.PeekCode()
	if err != nil {
		return nil, err
	}
	if !msgpcode.IsBin(code) {
		return nil, fmt.Errorf("%s is no bin", what)
	}
	raw, err := decoder.DecodeBytes()
	if err == nil && raw == nil {
		raw = []byte{}
	}
	return raw, err
}

func arrayOf(decoder *msgpack.Decoder, what string) (int, error) {
	code, err := decoder.PeekCode()
	if err != nil {
		return 0, fmt.Errorf("%s ends too early: %w", what, err)
	}
	if !msgpcode.IsFixedArray(code) && code != msgpcode.Array16 && code != msgpcode.Array32 {
		return 0, fmt.Errorf("%s is no array", what)
	}
	return decoder.DecodeArrayLen()
}

func arrayOfExactly(decoder *msgpack.Decoder, what string, size int) error {
	count, err := arrayOf(decoder, what)
	if err == nil && count != size {
		err = fmt.Errorf("%s has %d parts, not %d", what, count, size)
	}
	return err
}
