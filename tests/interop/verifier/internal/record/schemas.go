// Package record reads what the log holds: leaves, payloads, values and keys of cases (sections 4 to 8).
package record

import (
	"embed"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"judge/internal/avro"
)

//go:embed schemas/*.avsc
var schemaFiles embed.FS

// ErrNewer says that a type is of a newer program.
var ErrNewer = errors.New("the type is of a newer program")

// Known is a schema that this program has.
type Known struct {
	Type        string // name and version: offer-opened.v1
	Fingerprint int64
	Schema      *avro.Schema
	Text        []byte
}

var (
	knownTypes = map[string]*Known{} // by type
	newestOf   = map[string]int{}    // name → newest version
)

func init() {
	files, err := schemaFiles.ReadDir("schemas")
	if err != nil {
		panic(err)
	}
	for _, file := range files {
		if err := loadSchema(file.Name()); err != nil {
			panic(fmt.Sprintf("schema %s: %v", file.Name(), err))
		}
	}
}

// SchemaFile is the name of a schema's file in an export.
func SchemaFile(typeName string, fingerprint int64) string {
	return fmt.Sprintf("%s.%016x.avsc", typeName, uint64(fingerprint))
}

func loadSchema(file string) error {
	text, err := schemaFiles.ReadFile("schemas/" + file)
	if err != nil {
		return err
	}
	schema, err := avro.Parse(text)
	if err != nil {
		return err
	}
	fingerprint, err := avro.Fingerprint(text)
	if err != nil {
		return err
	}
	parts := strings.Split(file, ".")
	typeName := parts[0] + "." + parts[1]
	if SchemaFile(typeName, int64(fingerprint)) != file {
		return fmt.Errorf("its fingerprint is %016x", fingerprint)
	}
	name, version, err := SplitType(typeName)
	if err != nil {
		return err
	}
	knownTypes[typeName] = &Known{typeName, int64(fingerprint), schema, text}
	newestOf[name] = max(newestOf[name], version)
	return nil
}

// SplitType splits "offer-opened.v1" into its name and version.
func SplitType(typeName string) (name string, version int, err error) {
	name, number, found := strings.Cut(typeName, ".v")
	if found {
		version, err = strconv.Atoi(number)
	}
	if !found || err != nil || version < 1 || strconv.Itoa(version) != number {
		return "", 0, fmt.Errorf("%q is no type with a version", typeName)
	}
	return name, version, nil
}

// Lookup returns the schema of a type that this program has, or nil.
func Lookup(typeName string) *Known { return knownTypes[typeName] }

// Versions are the types with the name of this one that this program has.
func Versions(typeName string) (types []string) {
	name, _, _ := SplitType(typeName)
	for version := 1; version <= newestOf[name]; version++ {
		if one := fmt.Sprintf("%s.v%d", name, version); knownTypes[one] != nil {
			types = append(types, one)
		}
	}
	return types
}

// IsNewestOfOtherTopic says whether a type is the newest version of one that belongs to another topic.
func IsNewestOfOtherTopic(typeName, topic string) bool {
	known := knownTypes[typeName]
	if known == nil || known.Schema.Topic == "" || known.Schema.Topic == topic {
		return false
	}
	name, version, err := SplitType(typeName)
	return err == nil && newestOf[name] == version
}

// DecodeBody reads a body by its type and fingerprint.
func DecodeBody(typeName string, fingerprint int64, body []byte) (avro.Record, error) {
	known := knownTypes[typeName]
	if known == nil {
		if name, version, err := SplitType(typeName); err == nil && newestOf[name] > 0 && version > newestOf[name] {
			return nil, fmt.Errorf("%s: %w", typeName, ErrNewer)
		}
		return nil, fmt.Errorf("the type %q is not known", typeName)
	}
	if known.Fingerprint != fingerprint {
		return nil, fmt.Errorf("%s has the fingerprint %016x, not %016x", typeName, uint64(known.Fingerprint), uint64(fingerprint))
	}
	return avro.DecodeRecord(known.Schema, body)
}

// DecodeOpen reads an open body, whose fingerprint stands nowhere, by its type.
func DecodeOpen(typeName string, body []byte) (avro.Record, error) {
	known := knownTypes[typeName]
	if known == nil {
		return DecodeBody(typeName, 0, body)
	}
	return DecodeBody(typeName, known.Fingerprint, body)
}
