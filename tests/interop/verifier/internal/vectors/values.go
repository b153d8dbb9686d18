package vectors

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"judge/internal/avro"
	"judge/internal/record"
)

func init() {
	checks["avro.json"] = checkAvro
	checks["body.json"] = checkBody
	checks["leaf.json"] = checkLeaf
	checks["rest.json"] = checkRest
	checks["kind.json"] = checkKind
	checks["payload.json"] = checkPayload
	checks["sealed.json"] = checkSealed
	checks["lent-keys.json"] = checkLentKeys
	checks["ids.json"] = checkIDs
}

// sameJSON compares a value with one of JSON. Bytes become text by the function.
func sameJSON(got any, wanted json.RawMessage, bytesText func([]byte) string) error {
	text, err := json.Marshal(plain(got, bytesText))
	if err != nil {
		return err
	}
	var one, two any
	for _, pair := range []struct {
		text   []byte
		target *any
	}{{text, &one}, {wanted, &two}} {
		decoder := json.NewDecoder(bytes.NewReader(pair.text))
		decoder.UseNumber()
		if err := decoder.Decode(pair.target); err != nil {
			return err
		}
	}
	if !reflect.DeepEqual(one, two) {
		return fmt.Errorf("the value is %s, and should be %s", text, wanted)
	}
	return nil
}

func plain(value any, bytesText func([]byte) string) any {
	switch typed := value.(type) {
	case []byte:
		return bytesText(typed)
	case avro.Record:
		return plain(map[string]any(typed), bytesText)
	case map[string]any:
		copied := map[string]any{}
		for key, each := range typed {
			copied[key] = plain(each, bytesText)
		}
		return copied
	case []any:
		copied := []any{}
		for _, each := range typed {
			copied = append(copied, plain(each, bytesText))
		}
		return copied
	}
	return value
}

func asBase64(raw []byte) string {
	text, _ := json.Marshal(raw)
	return strings.Trim(string(text), `"`)
}

var avroTypes = map[string]string{
	"long": `"long"`, "int": `"int"`, "boolean": `"boolean"`, "bytes": `"bytes"`,
	"code":             `{"type":"string","code":"word"}`,
	"code of a digest": `{"type":"string","code":"digest"}`,
	"id":               `{"type":"string","logicalType":"uuid"}`,
	"array of codes":   `{"type":"array","items":{"type":"string","code":"word"}}`,
	"map of ints":      `{"type":"map","values":"int"}`,
}

func checkAvro(v *vector) error {
	schema, err := avro.Parse([]byte(avroTypes[v.text("type")]))
	if err != nil {
		return err
	}
	value, err := avro.Decode(schema, v.hex("bytes"))
	if err != nil || !v.has("value_json") {
		return err
	}
	v.used["value_json"] = true
	return sameJSON(value, v.fields["value_json"], asBase64)
}

func checkBody(v *vector) error {
	typeName := v.text("type")
	known := record.Lookup(typeName)
	if known == nil {
		return fmt.Errorf("the type is not known")
	}
	fingerprint := known.Fingerprint
	if v.has("fingerprint_text") {
		if err := same("the fingerprint", fmt.Sprintf("%016x", uint64(fingerprint)), v.text("fingerprint_text")); err != nil {
			return err
		}
	}
	body, err := record.DecodeBody(typeName, fingerprint, v.hex("body"))
	if err != nil {
		return err
	}
	v.used["fields_json"] = true
	return sameJSON(body, v.fields["fields_json"], asBase64)
}

// leafJSON is a leaf as the vectors write it.
type leafJSON struct {
	Kind        string  `json:"kind"`
	LoggedAt    int64   `json:"logged_at"`
	Topic       string  `json:"topic"`
	Partition   int64   `json:"partition"`
	Offset      int64   `json:"offset"`
	KafkaTime   int64   `json:"kafka_time"`
	SHA256      string  `json:"sha256"`
	Rest        string  `json:"rest"`
	EventID     *string `json:"event_id"`
	Type        string  `json:"type"`
	Fingerprint int64   `json:"fingerprint"`
	CaseID      *string `json:"case_id"`
	CaseSeq     int64   `json:"case_seq"`
	CauseID     *string `json:"cause_id"`
	RecordedAt  int64   `json:"recorded_at"`
}

func (l leafJSON) leaf(v *vector, version int) record.Leaf {
	id := func(text *string) string {
		if text == nil {
			return ""
		}
		return *text
	}
	return record.Leaf{Version: version, Kind: l.Kind, LoggedAt: l.LoggedAt, Topic: l.Topic, Partition: l.Partition,
		Offset: l.Offset, KafkaTime: l.KafkaTime, SHA256: v.unhex(l.SHA256), Rest: v.unhex(l.Rest),
		EventID: id(l.EventID), Type: l.Type, Fingerprint: l.Fingerprint, CaseID: id(l.CaseID), CaseSeq: l.CaseSeq,
		CauseID: id(l.CauseID), RecordedAt: l.RecordedAt}
}

func checkLeaf(v *vector) error {
	raw := v.hex("bytes")
	leaf, err := record.ParseLeaf(raw)
	if err != nil || !v.has("leaf") {
		return err
	}
	var wanted leafJSON
	v.into("leaf", &wanted)
	if expected := wanted.leaf(v, int(v.number("version"))); !reflect.DeepEqual(*leaf, expected) {
		return fmt.Errorf("the leaf is %+v, and should be %+v", *leaf, expected)
	}
	return sameBytes("the hash", leafHash(raw), v.hex("hash"))
}

func checkRest(v *vector) error {
	return sameBytes("the rest", record.Rest(v.hex("key"), v.headersOf("headers")), v.hex("rest"))
}

func checkKind(v *vector) error {
	payload := &record.Payload{Key: v.hex("key"), Value: v.hex("value"), Headers: v.headersOf("headers")}
	kind, _ := record.KindOf(v.text("topic"), v.number("partition"), payload)
	return same("the kind", kind, v.text("kind"))
}

func checkPayload(v *vector) error {
	var width int
	path := v.text("path")
	if _, err := fmt.Sscanf(path[strings.LastIndex(path, "/")+1:], "%d", &width); err != nil {
		return err
	}
	payloads, err := record.ParsePayloads(v.hex("file"), width)
	if err != nil || !v.has("items") {
		return err
	}
	var items []*payloadJSON
	v.into("items", &items)
	var wanted []*record.Payload
	for _, item := range items {
		wanted = append(wanted, v.payload(item))
	}
	if !reflect.DeepEqual(payloads, wanted) {
		return fmt.Errorf("the items are others")
	}
	return nil
}

func checkSealed(v *vector) error {
	value, err := record.ParseValue(v.hex("value"))
	if err != nil {
		return err
	}
	topic := v.text("topic")
	var key []byte
	if v.has("key") {
		key = v.hex("key")
	}
	body, err := value.Open(topic, key)
	if err != nil {
		return err
	}
	if record.IsErasureType(value.Meta.Type) {
		if _, err := value.Decode(body); err != nil {
			return err
		}
	}
	if v.has("meta_fields") {
		v.used["meta_fields"] = true
		meta := value.Meta
		if err := sameJSON(map[string]any{"event_id": meta.EventID, "case_id": meta.CaseID, "case_seq": meta.CaseSeq,
			"type": meta.Type, "fingerprint": meta.Fingerprint, "cause_id": meta.CauseID,
			"recorded_at": meta.RecordedAt, "source": meta.Source, "drill": meta.Drill}, v.fields["meta_fields"], asBase64); err != nil {
			return err
		}
	}
	for name, got := range map[string][]byte{"meta": value.MetaBytes, "nonce": value.Nonce, "body": body,
		"aad": append([]byte(topic), value.MetaBytes...)} {
		if v.has(name) {
			if err := sameBytes(name, got, v.hex(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkIDs(v *vector) error {
	caseID := ""
	if v.has("case_id") {
		caseID = v.text("case_id")
	}
	var id, name string
	switch {
	case v.has("name_text"):
		id, name = v.text("id"), v.text("name_text")
	case v.has("due"):
		id, name = caseID, fmt.Sprintf("due:%d:%d", v.number("due"), v.number("seq"))
	case v.has("lost_seq"):
		id = caseID
		name = fmt.Sprintf("lost:%s:%d:%d:%d", v.text("topic"), v.number("lost_seq"), v.number("partition"), v.number("offset"))
	default:
		return same("the partition", record.PartitionOf(caseID), v.number("partition"))
	}
	derived, err := record.Derive(id, name)
	return first(err, same("the id", derived, v.text("derived")))
}
