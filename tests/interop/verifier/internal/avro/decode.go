package avro

import (
	"fmt"
	"math"
	"regexp"
)

// Record is a decoded record: field → value.
type Record map[string]any

// Values are: nil, bool, int64, string, []byte, []any, map[string]any and Record.

var idForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// IsID says whether a text is a UUID in lower case with hyphens.
func IsID(text string) bool { return idForm.MatchString(text) }

const (
	maxCode   = 63
	maxDigest = 200
)

// Decode reads one value and refuses a byte that is left over.
func Decode(schema *Schema, data []byte) (any, error) {
	value, rest, err := DecodeFirst(schema, data)
	if err != nil {
		return nil, err
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("%d bytes are left over", len(rest))
	}
	return value, nil
}

// DecodeRecord reads one record and refuses a byte that is left over.
func DecodeRecord(schema *Schema, data []byte) (Record, error) {
	value, err := Decode(schema, data)
	if err != nil {
		return nil, err
	}
	record, ok := value.(Record)
	if !ok {
		return nil, fmt.Errorf("the schema %s is not of a record", schema.Type)
	}
	return record, nil
}

// DecodeFirst reads one value from the front and returns the bytes behind it.
func DecodeFirst(schema *Schema, data []byte) (any, []byte, error) {
	reader := &reader{data: data}
	value, err := reader.value(schema)
	return value, reader.data, err
}

type reader struct{ data []byte }

func (r *reader) take(count int64) ([]byte, error) {
	if count < 0 || count > int64(len(r.data)) {
		return nil, fmt.Errorf("%d bytes should follow, and there are %d", count, len(r.data))
	}
	taken := r.data[:count]
	r.data = r.data[count:]
	return taken, nil
}

func (r *reader) long() (int64, error) {
	var raw uint64
	for i, b := range r.data {
		if i == 9 && b > 1 {
			return 0, fmt.Errorf("a number has more than 64 bits")
		}
		raw |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			if b == 0 && i > 0 {
				return 0, fmt.Errorf("a number is not in the fewest bytes")
			}
			r.data = r.data[i+1:]
			return int64(raw>>1) ^ -int64(raw&1), nil
		}
	}
	return 0, fmt.Errorf("a number has no end")
}

func (r *reader) value(schema *Schema) (any, error) {
	switch schema.Type {
	case "null":
		return nil, nil
	case "boolean":
		taken, err := r.take(1)
		if err != nil {
			return nil, err
		}
		if taken[0] > 1 {
			return nil, fmt.Errorf("a boolean is neither 0 nor 1")
		}
		return taken[0] == 1, nil
	case "long":
		return r.long()
	case "int":
		number, err := r.long()
		if err == nil && (number < math.MinInt32 || number > math.MaxInt32) {
			err = fmt.Errorf("an int has more than 32 bits")
		}
		return number, err
	case "bytes":
		size, err := r.long()
		if err != nil {
			return nil, err
		}
		return r.take(size)
	case "fixed":
		return r.take(int64(schema.Size))
	case "string":
		return r.text(schema)
	case "enum":
		index, err := r.long()
		if err != nil {
			return nil, err
		}
		if index < 0 || index >= int64(len(schema.Symbols)) {
			return nil, fmt.Errorf("symbol %d of %s does not exist", index, schema.Name)
		}
		return schema.Symbols[index], nil
	case "union":
		index, err := r.long()
		if err != nil {
			return nil, err
		}
		switch index {
		case 0:
			return nil, nil
		case 1:
			return r.value(schema.Either)
		}
		return nil, fmt.Errorf("branch %d of a union does not exist", index)
	case "array":
		return r.array(schema)
	case "map":
		return r.mapping(schema)
	case "record":
		record := make(Record, len(schema.Fields))
		for _, field := range schema.Fields {
			value, err := r.value(field.Type)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", field.Name, err)
			}
			record[field.Name] = value
		}
		return record, nil
	}
	return nil, fmt.Errorf("the type %q is not known", schema.Type)
}

func (r *reader) text(schema *Schema) (string, error) {
	size, err := r.long()
	if err != nil {
		return "", err
	}
	raw, err := r.take(size)
	if err != nil {
		return "", err
	}
	switch {
	case schema.Logical == "uuid":
		if !IsID(string(raw)) {
			return "", fmt.Errorf("%q is no id in lower case", raw)
		}
	case schema.Code != "":
		limit := maxCode
		if schema.Code == "digest" {
			limit = maxDigest
		}
		err = checkCode(raw, limit)
	default:
		err = fmt.Errorf("no string is neither an id nor a code")
	}
	return string(raw), err
}

func checkCode(raw []byte, limit int) error {
	if len(raw) > limit {
		return fmt.Errorf("a code has %d characters, more than %d", len(raw), limit)
	}
	for _, b := range raw {
		if b < 0x21 || b > 0x7e {
			return fmt.Errorf("a code has the byte %02x", b)
		}
	}
	return nil
}

// block reads the count of the one block; 0 means that nothing follows.
func (r *reader) block() (int64, error) {
	count, err := r.long()
	if err == nil && count < 0 {
		err = fmt.Errorf("a block has a negative count")
	}
	if err == nil && count > int64(len(r.data)) {
		err = fmt.Errorf("a block has more items than bytes")
	}
	return count, err
}

func (r *reader) endOfBlock() error {
	end, err := r.take(1)
	if err == nil && end[0] != 0 {
		err = fmt.Errorf("a second block follows")
	}
	return err
}

func (r *reader) array(schema *Schema) ([]any, error) {
	items := []any{}
	count, err := r.block()
	if err != nil || count == 0 {
		return items, err
	}
	for range count {
		item, err := r.value(schema.Items)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, r.endOfBlock()
}

func (r *reader) mapping(schema *Schema) (map[string]any, error) {
	entries := map[string]any{}
	count, err := r.block()
	if err != nil || count == 0 {
		return entries, err
	}
	before := ""
	for i := range count {
		key, err := r.text(&Schema{Type: "string", Code: "digest"})
		if err != nil {
			return nil, err
		}
		if i > 0 && key <= before {
			return nil, fmt.Errorf("the keys of a map do not ascend")
		}
		before = key
		if entries[key], err = r.value(schema.Items); err != nil {
			return nil, err
		}
	}
	return entries, r.endOfBlock()
}
