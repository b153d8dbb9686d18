// Package avro reads Avro binary in the one form that the log allows (section 6).
package avro

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Schema is one Avro type, with the attributes that the one form needs.
type Schema struct {
	Type    string   // "long", "record", "union" …
	Name    string   // of records, enums and fixed
	Logical string   // logicalType
	Code    string   // attribute `code`: visible ASCII
	Topic   string   // attribute `topic` of a record
	Symbols []string // of an enum
	Size    int      // of a fixed
	Items   *Schema  // of an array, or the values of a map
	Fields  []Field  // of a record
	Either  *Schema  // of a union: the type beside null
}

// Field is one field of a record.
type Field struct {
	Name string
	Type *Schema
}

type rawSchema struct {
	Type        json.RawMessage `json:"type"`
	Name        string          `json:"name"`
	Namespace   string          `json:"namespace"`
	LogicalType string          `json:"logicalType"`
	Code        string          `json:"code"`
	Topic       string          `json:"topic"`
	Symbols     []string        `json:"symbols"`
	Size        int             `json:"size"`
	Items       json.RawMessage `json:"items"`
	Values      json.RawMessage `json:"values"`
	Fields      []struct {
		Name string          `json:"name"`
		Type json.RawMessage `json:"type"`
	} `json:"fields"`
}

var primitives = map[string]bool{
	"null": true, "boolean": true, "int": true, "long": true, "bytes": true, "string": true,
}

// Parse reads a schema in JSON. Named types may be used again by their name.
func Parse(text []byte) (*Schema, error) {
	return parse(text, map[string]*Schema{})
}

func parse(text []byte, named map[string]*Schema) (*Schema, error) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return nil, fmt.Errorf("a schema is empty")
	}
	switch text[0] {
	case '"':
		var name string
		if err := json.Unmarshal(text, &name); err != nil {
			return nil, err
		}
		if primitives[name] {
			return &Schema{Type: name}, nil
		}
		if known, ok := named[name]; ok {
			return known, nil
		}
		return nil, fmt.Errorf("the type %q is not known", name)
	case '[':
		return parseUnion(text, named)
	}
	var raw rawSchema
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, err
	}
	return parseObject(raw, named)
}

func parseUnion(text []byte, named map[string]*Schema) (*Schema, error) {
	var branches []json.RawMessage
	if err := json.Unmarshal(text, &branches); err != nil {
		return nil, err
	}
	if len(branches) != 2 || string(branches[0]) != `"null"` {
		return nil, fmt.Errorf("a union is not of null and one type")
	}
	either, err := parse(branches[1], named)
	if err != nil {
		return nil, err
	}
	return &Schema{Type: "union", Either: either}, nil
}

func parseObject(raw rawSchema, named map[string]*Schema) (*Schema, error) {
	var kind string
	if err := json.Unmarshal(raw.Type, &kind); err != nil {
		return nil, fmt.Errorf("the type of a schema is no word: %w", err)
	}
	schema := &Schema{Type: kind, Name: raw.Name, Logical: raw.LogicalType, Code: raw.Code,
		Topic: raw.Topic, Symbols: raw.Symbols, Size: raw.Size}
	if raw.Name != "" {
		named[raw.Name] = schema
		named[fullName(raw.Namespace, raw.Name)] = schema
		named[fullName("referral", raw.Name)] = schema
	}
	var err error
	switch kind {
	case "array":
		schema.Items, err = parse(raw.Items, named)
	case "map":
		schema.Items, err = parse(raw.Values, named)
	case "record":
		for _, field := range raw.Fields {
			fieldType, fieldErr := parse(field.Type, named)
			if fieldErr != nil {
				return nil, fmt.Errorf("field %s: %w", field.Name, fieldErr)
			}
			schema.Fields = append(schema.Fields, Field{field.Name, fieldType})
		}
	case "enum", "fixed":
	default:
		if !primitives[kind] {
			err = fmt.Errorf("the type %q is not known", kind)
		}
	}
	return schema, err
}

// HasField says whether a record has a field of this name.
func (s *Schema) HasField(name string) bool {
	for _, field := range s.Fields {
		if field.Name == name {
			return true
		}
	}
	return false
}
