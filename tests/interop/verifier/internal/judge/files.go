package judge

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"judge/internal/record"
)

// compareFiles compares witness.policy and schemas/ with their newest entries. What is missing is no finding.
func (x *export) compareFiles() error {
	schemas := map[string][]byte{}
	var keys *record.Payload
	keysAt := WholeLog
	for i, entry := range x.entries {
		payload := entry.Payload
		if payload == nil && bytes.Equal(entry.Leaf.SHA256, emptyDigest) {
			payload = &record.Payload{}
		}
		switch entry.Leaf.Kind {
		case "KEYS":
			keys, keysAt = payload, int64(i) // of a value that is gone nothing is known
		case "SCHEMA":
			name := record.SchemaFile(entry.Leaf.Type, entry.Leaf.Fingerprint)
			delete(schemas, name)
			if payload != nil {
				schemas[name] = payload.Value
			}
		}
	}
	if keys != nil {
		file, found, err := x.read("witness.policy")
		if err != nil {
			return err
		}
		if found && !bytes.Equal(file, keys.Value) {
			x.found.Add(keysAt, "FILE_DIFFERS", "witness.policy is not the newest policy file of the log")
		}
	}
	return x.compareSchemas(schemas)
}

func (x *export) compareSchemas(schemas map[string][]byte) error {
	root := filepath.Join(x.folder, "schemas")
	err := filepath.WalkDir(root, func(path string, file fs.DirEntry, err error) error {
		if err != nil || file.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		logged, known := schemas[name]
		if known && !bytes.Equal(content, logged) {
			x.found.Add(WholeLog, "FILE_DIFFERS", "schemas/%s is not as the log has it", strings.ReplaceAll(name, "\\", "/"))
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
