package vectors

import (
	"encoding/json"
	"fmt"
	"slices"

	"judge/internal/c2sp"
	"judge/internal/own"
)

func init() {
	checks["own.json"] = checkOwn
	checks["security.json"] = checkSecurity
}

func checkOwn(v *vector) error {
	value := v.hex("value")
	if v.has("value_text") {
		if err := sameBytes("the text", value, []byte(v.text("value_text"))); err != nil {
			return err
		}
	}
	var err error
	switch kind := v.text("kind"); kind {
	case "HEARTBEAT":
		_, err = own.ParseHeartbeat(value)
	case "READING":
		_, err = own.ParseReading(value)
	case "GAP":
		_, err = own.ParseGap(value)
	case "ADMINISTRATION":
		_, err = own.ParseAct(value)
	case "COVER":
		err = own.CheckCover(value)
	default:
		err = fmt.Errorf("the kind %s is not of audit's own", kind)
	}
	return err
}

// row is a security event (section 16).
type row struct {
	ID      int64  `json:"id"`
	At      int64  `json:"at"`
	Service string `json:"service"`
	Kind    string `json:"kind"`
	Who     string `json:"who"`
	Detail  string `json:"detail"`
	Place   string `json:"place"`
	Times   int64  `json:"times"`
}

func (r row) leaf() ([]byte, error) {
	return json.Marshal([]any{r.ID, r.At, r.Service, r.Kind, r.Who, r.Detail, r.Place, r.Times})
}

func checkSecurity(v *vector) error {
	var rows []row
	v.into("rows", &rows)
	slices.SortFunc(rows, func(a, b row) int { return int(a.ID - b.ID) })
	var hashes [][]byte
	for _, each := range rows {
		leaf, err := each.leaf()
		if err != nil {
			return err
		}
		if v.has("leaf_text") {
			if err := sameBytes("the leaf", leaf, []byte(v.text("leaf_text"))); err != nil {
				return err
			}
		}
		hashes = append(hashes, c2sp.LeafHash(leaf))
	}
	seal := ""
	if len(rows) > 0 {
		seal = fmt.Sprintf("%x", c2sp.Root(hashes))
	}
	return first(same("the number of events", len(rows), v.number("events")), same("the seal", seal, v.text("seal_text")))
}
