package signed

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"judge/internal/avro"
	"judge/internal/crypt"
)

const (
	vectorSalt = "c2FsdC1vZi1hLXZlY3Rvcg-1"
	vectorCase = "0b6f2f0e-54f7-4b1c-9d53-0c9f0f2c9a11"
)

func traits(sex string, languages ...any) avro.Record {
	return avro.Record{"concern": "trafficking", "age": "child", "age_band": "", "sex": sex, "found_in": "prizren", "home": "",
		"urgency": "urgent", "origin": "unknown", "asylum": "", "languages": languages, "flags": []any{}}
}

// vectorEvents are the events that intake records of the bodies in record-signature.md, "Bind your words".
func vectorEvents() []AgencyBody {
	consent := avro.Record{"state": "GIVEN", "basis": "consent", "giver": "guardian", "scope": []any{}, "recipients": []any{},
		"until": int64(1_798_761_600_000_000)}
	return []AgencyBody{
		{Type: "referral-submitted.v1", CaseID: vectorCase, Drill: true, Body: avro.Record{"agency": "school", "door": "HTTP",
			"opens": true, "traits": traits("unknown", "sq", "rom"), "consent": consent,
			"sections": []any{"narrative", "contact"}, "excludes": []any{"agency:csw-prizren"}}},
		{Type: "referral-submitted.v1", CaseID: vectorCase, Drill: true, Body: avro.Record{"agency": "school", "door": "HTTP",
			"opens": false, "traits": traits(""), "consent": nil, "sections": []any{}, "excludes": []any{}}},
		{Type: "response-submitted.v1", Body: avro.Record{"agency": "school", "offer_id": vectorCase, "word": "DECIDE", "reason": "",
			"code": "stay-safe", "recorded": []any{"reason", "child-view"}, "via": "SYSTEM"}},
		{Type: "instruction-given.v2", Body: avro.Record{"agency": "school", "word": "RELEASE", "reason": "wrong-place",
			"track_id": nil, "step": "shelter", "seat": int64(0), "target": "", "other": nil, "task_id": nil}},
	}
}

var vectorWords = []struct{ canonical, digest string }{
	{`{"consent":{"basis":"consent","giver":"guardian","state":"GIVEN","until":1798761600000000},"drill":true,` +
		`"excludes":["agency:csw-prizren"],"sections":["contact","narrative"],"traits":{"age":"child","concern":"trafficking",` +
		`"found_in":"prizren","languages":["sq","rom"],"urgency":"urgent"}}`,
		"5b9f412d011b0ce5149c4a29c55d6c421d60c1fea1b75e7e6123d01aa55e7104"},
	{`{"case_id":"` + vectorCase + `","traits":{"age":"child","concern":"trafficking","found_in":"prizren","urgency":"urgent"}}`,
		"b57e983d02a454b1e7b62c87147a7ea55da09d17e8a8e6a7ec798437fcf4d5f7"},
	{`{"code":"stay-safe","recorded":["child-view","reason"],"word":"DECIDE"}`,
		"cbc1fa5f42e394be109b339371f9a74d81ee24a88a2d821dc32043bf3e64641f"},
	{`{"reason":"wrong-place","seat":0,"step":"shelter","word":"RELEASE"}`,
		"a8d77057d9a85265e03546a828e6285e7cc09c51e51f08636b02d466930e36f8"},
}

func TestWordsOfEvents(t *testing.T) {
	for i, event := range vectorEvents() {
		canonical := Canonical(Words(event))
		if string(canonical) != vectorWords[i].canonical {
			t.Errorf("the words of %s are %s", event.Type, canonical)
		}
		if digest := WordsDigest(crypt.SHA256([]byte(vectorSalt)), canonical); digest != vectorWords[i].digest {
			t.Errorf("the digest of %s is %s", event.Type, digest)
		}
	}
}

func TestWordsThatStandInNoVector(t *testing.T) {
	for _, each := range []struct {
		typeName, wanted string
		body             avro.Record
	}{
		{"answer-withdrawn.v1", `{"word":"COMPLETE"}`, avro.Record{"agency": "school", "offer_id": vectorCase}},
		{"referral-withdrawn.v1", `{"reason":"mistake"}`, avro.Record{"referral_id": vectorCase, "reason": "mistake"}},
		{"traits-changed.v2", `{"age":"child","concern":"trafficking","found_in":"prizren","urgency":"urgent"}`,
			avro.Record{"agency": "school", "traits": traits("unknown"), "only": []any{}}},
		{"traits-changed.v2", `{"age":"child","concern":"trafficking","found_in":"prizren","sex":"female","urgency":"urgent"}`,
			avro.Record{"agency": "school", "traits": traits("female"), "only": []any{"age"}}},
		{"consent-changed.v1", `{"basis":"consent","state":"GIVEN","until":7}`, avro.Record{"agency": "school",
			"consent": avro.Record{"state": "GIVEN", "basis": "consent", "giver": "", "scope": []any{}, "until": int64(7)}}},
		{"actor-excluded.v1", `{"actor":"csw-prizren","kind":"AGENCY"}`, avro.Record{"kind": "AGENCY", "actor": "csw-prizren"}},
		{"response-submitted.v1", `{"recorded":["","unknown"],"word":"UNKNOWN"}`,
			avro.Record{"word": "UNKNOWN", "reason": "", "code": "unknown", "recorded": []any{"unknown", ""}}},
	} {
		if got := string(Canonical(Words(AgencyBody{Type: each.typeName, CaseID: vectorCase, Drill: true, Body: each.body}))); got != each.wanted {
			t.Errorf("the words of %s are %s, and should be %s", each.typeName, got, each.wanted)
		}
	}
}

// bound is a referral by HTTP whose signature covers the digest of the first event's words.
func bound(key ed25519.PrivateKey, lines ...string) AgencyBody {
	event := vectorEvents()[0]
	base := "\"@method\": POST\n\"@path\": /v1/referrals\n\"content-digest\": " + bodyDigest + "\n"
	list := `"@method" "@path" "content-digest"`
	for i := 0; i < len(lines); i += 2 {
		base += fmt.Sprintf("%q: %s\n", lines[i], lines[i+1])
		list += fmt.Sprintf(" %q", lines[i])
	}
	text := []byte(base + `"@signature-params": (` + list + ")")
	event.Index, event.KafkaTime, event.EventID = 2, noon+minuteMicros, fmt.Sprint(lines)
	event.Body["signed"] = avro.Record{"agency": "school", "public": []byte(key.Public().(ed25519.PublicKey)),
		"scheme": "HTTP", "base": text, "signature": ed25519.Sign(key, text), "sequence": int64(0)}
	return event
}

func TestSignedOtherwise(t *testing.T) {
	key := agencyKey(1)
	good := bound(key, httpSalt, vectorSalt, httpDigest, vectorWords[0].digest)
	adult := bound(key, httpSalt, vectorSalt, httpDigest, vectorWords[0].digest)
	adult.Body["traits"].(avro.Record)["age"] = "adult"
	noDrill := bound(key, httpSalt, vectorSalt, httpDigest, vectorWords[0].digest)
	noDrill.Drill = false
	for _, event := range []struct {
		body   AgencyBody
		wanted string
	}{
		{good, ""}, {adult, "SIGNED_OTHERWISE"}, {noDrill, "SIGNED_OTHERWISE"},
		{bound(key, httpSalt, "another salt of some length", httpDigest, vectorWords[0].digest), "SIGNED_OTHERWISE"},
		{bound(key, httpSalt, vectorSalt, httpDigest, strings.ToUpper(vectorWords[0].digest)), "SIGNED_OTHERWISE"},
		{bound(key, httpDigest, vectorWords[1].digest), ""},
		{bound(key), ""},
	} {
		expectCodes(t, []ActiveBundle{bundleAt(1, 0, false, key)}, []AgencyBody{event.body}, event.wanted)
	}
}

func TestSignedOtherwiseInARecord(t *testing.T) {
	key := agencyKey(1)
	record := func(attributes ...string) AgencyBody {
		event := vectorEvents()[0]
		event.Index, event.KafkaTime = 2, noon+minuteMicros
		event.Body["door"] = "KAFKA"
		var base []byte
		for _, text := range []string{"number", "urn:referral:ingress.school", "1.0", "referral.referral-submitted.v1",
			"application/json", "", "", "", "the value", "topic", "ingress.school", attributes[0], attributes[1], "sequence", "1"} {
			base = slices.Concat(base, crypt.SHA256([]byte(text)))
		}
		for _, text := range attributes[2:] {
			base = slices.Concat(base, crypt.SHA256([]byte(text)))
		}
		event.Body["signed"] = avro.Record{"agency": "school", "public": []byte(key.Public().(ed25519.PublicKey)),
			"scheme": "CLOUDEVENT", "base": base, "signature": ed25519.Sign(key, AgencyText("CLOUDEVENT", base)), "sequence": int64(1)}
		return event
	}
	bundles := []ActiveBundle{bundleAt(1, 0, false, key)}
	expectCodes(t, bundles, []AgencyBody{record("key", "", eventSalt, vectorSalt, eventDigest, vectorWords[0].digest)}, "")
	expectCodes(t, bundles, []AgencyBody{record("key", "", eventSalt, vectorSalt, eventDigest, vectorWords[1].digest)}, "SIGNED_OTHERWISE")
	expectCodes(t, bundles, []AgencyBody{record(eventSalt, vectorSalt, eventDigest, vectorWords[1].digest)}, "SIGNED_OTHERWISE")
	expectCodes(t, bundles, []AgencyBody{record("key", "", eventDigest, vectorWords[1].digest)}, "")
}

func TestReceiptWithADigestOfWords(t *testing.T) {
	key := agencyKey(1)
	intake := [][]byte{key.Public().(ed25519.PublicKey)}
	receipt := &Receipt{ID: "1", CaseID: vectorCase, EventID: "e", ReceivedAt: "r", LoggedBy: "l", EventDigest: vectorWords[0].digest}
	sign := func(text []byte) string { return base64.StdEncoding.EncodeToString(ed25519.Sign(key, text)) }
	receipt.Signature, receipt.EventSignature = sign(receipt.SignedText()), sign(receipt.EventText())
	if err := receipt.Check(intake); err != nil {
		t.Error(err)
	}
	receipt.EventDigest = vectorWords[1].digest
	if receipt.Check(intake) == nil {
		t.Error("intake signed another digest")
	}
	receipt.EventDigest = "abc"
	receipt.EventSignature = sign(receipt.EventText())
	if receipt.Check(intake) == nil {
		t.Error("this is no digest")
	}
}
