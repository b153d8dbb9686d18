package avro

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// emptyCRC is the polynomial, and the first value, of CRC-64-AVRO.
const emptyCRC uint64 = 0xc15d213aa4d7a795

var crcTable = makeTable()

func makeTable() (table [256]uint64) {
	for i := range table {
		value := uint64(i)
		for range 8 {
			value = (value >> 1) ^ (emptyCRC & -(value & 1))
		}
		table[i] = value
	}
	return table
}

// CRC64 is CRC-64-AVRO of the data.
func CRC64(data []byte) uint64 {
	crc := emptyCRC
	for _, b := range data {
		crc = (crc >> 8) ^ crcTable[byte(crc)^b]
	}
	return crc
}

// Fingerprint is CRC-64-AVRO of the Parsing Canonical Form of a schema in JSON.
func Fingerprint(text []byte) (uint64, error) {
	canonical, err := Canonical(text)
	return CRC64(canonical), err
}

// Canonical is the Parsing Canonical Form of a schema in JSON.
func Canonical(text []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var schema any
	if err := decoder.Decode(&schema); err != nil {
		return nil, err
	}
	var out strings.Builder
	if err := writeCanonical(&out, schema, ""); err != nil {
		return nil, err
	}
	return []byte(out.String()), nil
}

func fullName(namespace, name string) string {
	if namespace == "" || strings.Contains(name, ".") {
		return name
	}
	return namespace + "." + name
}

func writeCanonical(out *strings.Builder, schema any, namespace string) error {
	switch typed := schema.(type) {
	case string:
		if !isPrimitive(typed) {
			typed = fullName(namespace, typed)
		}
		fmt.Fprintf(out, "%q", typed)
		return nil
	case []any:
		out.WriteByte('[')
		for i, branch := range typed {
			if i > 0 {
				out.WriteByte(',')
			}
			if err := writeCanonical(out, branch, namespace); err != nil {
				return err
			}
		}
		out.WriteByte(']')
		return nil
	case map[string]any:
		return writeObject(out, typed, namespace)
	}
	return fmt.Errorf("a schema is neither word, list nor object")
}

func writeObject(out *strings.Builder, object map[string]any, namespace string) error {
	kind, isWord := object["type"].(string)
	if !isWord {
		return writeCanonical(out, object["type"], namespace)
	}
	switch kind {
	case "record", "enum", "fixed":
		name, inner, err := definedName(object, namespace)
		if err != nil {
			return err
		}
		namespace = inner
		fmt.Fprintf(out, `{"name":%q,"type":%q`, name, kind)
	case "array", "map":
		fmt.Fprintf(out, `{"type":%q`, kind)
	default:
		return writeCanonical(out, kind, namespace)
	}
	if err := writeParts(out, kind, object, namespace); err != nil {
		return err
	}
	out.WriteByte('}')
	return nil
}

func writeParts(out *strings.Builder, kind string, object map[string]any, namespace string) error {
	switch kind {
	case "fixed":
		fmt.Fprintf(out, `,"size":%v`, object["size"])
	case "array":
		out.WriteString(`,"items":`)
		return writeCanonical(out, object["items"], namespace)
	case "map":
		out.WriteString(`,"values":`)
		return writeCanonical(out, object["values"], namespace)
	case "enum":
		symbols, err := json.Marshal(object["symbols"])
		if err != nil {
			return err
		}
		fmt.Fprintf(out, `,"symbols":%s`, symbols)
	case "record":
		out.WriteString(`,"fields":[`)
		fields, _ := object["fields"].([]any)
		for i, each := range fields {
			field, ok := each.(map[string]any)
			if !ok {
				return fmt.Errorf("a field is no object")
			}
			if i > 0 {
				out.WriteByte(',')
			}
			fmt.Fprintf(out, `{"name":%q,"type":`, field["name"])
			if err := writeCanonical(out, field["type"], namespace); err != nil {
				return err
			}
			out.WriteByte('}')
		}
		out.WriteByte(']')
	}
	return nil
}
