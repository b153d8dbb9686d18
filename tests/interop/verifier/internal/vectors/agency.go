package vectors

import (
	"encoding/json"
	"fmt"

	"judge/internal/avro"
	"judge/internal/crypt"
	"judge/internal/signed"
)

func init() { checks["agency.json"] = checkAgency }

func checkAgency(v *vector) error {
	switch {
	case v.has("path"):
		path, _ := signed.AgencyPath(v.text("type"), v.text("case_id"), v.agencyBody())
		return same("the path", path, v.text("path"))
	case v.has("bundles"):
		return checkAgencyKeys(v)
	case v.has("by"):
		text := v.hex("signed")
		key := signed.AgencyKey{ID: v.text("id"), Public: v.hex("public")}
		if !crypt.Verify(v.hex("by"), text, v.hex("signature")) {
			return fmt.Errorf("the older key did not sign this")
		}
		return sameBytes("the text", signed.VouchText(key), text)
	}
	return checkAgencyText(v)
}

// agencyBody is the body with the fields that the vector, or its base, names.
func (v *vector) agencyBody() avro.Record {
	fields := map[string]any{}
	if !v.inherit("fields", &fields) && v.broken == nil {
		v.broken = fmt.Errorf("the vector names no fields of the body")
	}
	return fields
}

func checkAgencyText(v *vector) error {
	var typeName, scheme string
	v.inherit("type", &typeName)
	v.inherit("scheme", &scheme)
	body := v.agencyBody()
	agency := body.Text("agency")
	v.inherit("agency", &agency)
	signature := avro.Record{"agency": agency, "scheme": scheme, "public": v.hex("public"), "signature": v.hex("signature")}
	if scheme == "CLOUDEVENT" {
		signature["base"], signature["sequence"] = v.hex("list"), v.number("sequence")
	} else {
		signature["base"] = []byte(v.text("base_text"))
	}
	body["signed"] = signature
	if v.has("signed") {
		text := signed.AgencyText(scheme, signature.Bytes("base"))
		if err := sameBytes("the text", text, v.hex("signed")); err != nil {
			return err
		}
	}
	return signed.CheckAgency(typeName, "", body)
}

func checkAgencyKeys(v *vector) error {
	var bundles []struct {
		KafkaTime int64    `json:"kafka_time_us"`
		Must      bool     `json:"must"`
		Keys      []string `json:"keys"`
		Vouched   []string `json:"vouched"`
	}
	v.into("bundles", &bundles)
	publics := v.hexMap("publics")
	var state signed.AgencyState
	for _, each := range bundles {
		signing := signed.Signing{Must: each.Must}
		for _, id := range each.Keys {
			signing.Keys = append(signing.Keys, signed.AgencyKey{ID: id, Public: publics[id]})
		}
		for _, vouched := range each.Vouched {
			signing.Vouched = append(signing.Vouched, v.unhex(vouched))
		}
		state = state.Next(signing, each.KafkaTime)
	}
	v.used["counts_from"] = true
	counts, err := json.Marshal(state.CountsFrom)
	return first(err, sameJSON(json.RawMessage(counts), v.fields["counts_from"], asBase64),
		same("must", state.Must, v.flag("must")), same("must_until", state.MustUntil, v.number("must_until")))
}
