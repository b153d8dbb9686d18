package avro

// Text is a string field, or "" where it is null or absent.
func (r Record) Text(field string) string {
	text, _ := r[field].(string)
	return text
}

// Long is a number field, or 0 where it is null or absent.
func (r Record) Long(field string) int64 {
	number, _ := r[field].(int64)
	return number
}

// Bytes is a field of bytes, or nil where it is null or absent.
func (r Record) Bytes(field string) []byte {
	raw, _ := r[field].([]byte)
	return raw
}

// Bool is a boolean field, or false where it is absent.
func (r Record) Bool(field string) bool {
	truth, _ := r[field].(bool)
	return truth
}

// Record is a field that is a record, or nil where it is null or absent.
func (r Record) Record(field string) Record {
	record, _ := r[field].(Record)
	return record
}
