package judge

import (
	"fmt"

	"judge/internal/avro"
)

// checkSchema says why the value of a SCHEMA entry is no schema, or not that of its leaf (section 6).
func checkSchema(e *entry, value []byte) error {
	if err := avro.Valid(value); err != nil {
		return fmt.Errorf("the schema %s: %w", e.Type, err)
	}
	fingerprint, err := avro.Fingerprint(value)
	if err != nil {
		return fmt.Errorf("the schema %s: %w", e.Type, err)
	}
	if int64(fingerprint) != e.Fingerprint {
		return fmt.Errorf("the schema %s has the fingerprint %016x, not that of the leaf", e.Type, fingerprint)
	}
	return nil
}
