package avro

import (
	"strings"
	"testing"
)

func TestAnySchemaOfAvro(t *testing.T) {
	for _, good := range []string{
		`"float"`, `["null","long","string"]`, `["string","null"]`, `{"type":"double"}`, `[]`,
		`{"type":"map","values":"float"}`,
		`{"type":"record","name":"a.b.C","aliases":["D"],"fields":[
			{"name":"next","type":["null","C"],"default":null},
			{"name":"e","aliases":["f"],"order":"ignore","type":{"type":"enum","name":"E","symbols":["ONE","TWO"],"default":"ONE"}},
			{"name":"again","type":"a.b.E"},
			{"name":"f","type":{"type":"fixed","name":"x.F","size":0,"logicalType":"decimal"}}]}`,
	} {
		if err := Valid([]byte(good)); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		``, `1`, `null`, `"nothing"`, `{"type":"nothing"}`, `{}`, `["null","null"]`, `["null",["long"]]`, `{"type":["null"]}`,
		`{"type":"array"}`, `{"type":"map","values":"C"}`, `{"type":"fixed","name":"F"}`, `{"type":"fixed","name":"F","size":-1}`,
		`{"type":"enum","name":"E","symbols":["A","A"]}`, `{"type":"enum","name":"E","symbols":["1"]}`,
		`{"type":"record","name":"1","fields":[]}`, `{"type":"record","name":"R"}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":"long"},{"name":"a","type":"long"}]}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"fixed","name":"R","size":1}}]}`,
		`{"type":"record","name":"R","fields":[{"name":"a"}]}`, `"long" 1`,
	} {
		if Valid([]byte(bad)) == nil {
			t.Errorf("%s is no schema", bad)
		}
	}
}

func TestCanonicalFormNamesTheNamespaceWithin(t *testing.T) {
	text := `{"namespace":"x","type":"record","name":"a.b.C","doc":"d","fields":[{"name":"n","type":["null","C","float"],"default":null},
		{"name":"f","type":{"size":2,"type":"fixed","name":"F"}}]}`
	wanted := `{"name":"a.b.C","type":"record","fields":[{"name":"n","type":["null","a.b.C","float"]},` +
		`{"name":"f","type":{"name":"a.b.F","type":"fixed","size":2}}]}`
	got, err := Canonical([]byte(text))
	if err != nil || string(got) != strings.ReplaceAll(wanted, "\n", "") {
		t.Errorf("the canonical form is %s (%v)", got, err)
	}
}
