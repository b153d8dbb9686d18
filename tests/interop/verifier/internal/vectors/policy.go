package vectors

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"judge/internal/avro"
	"judge/internal/crypt"
	"judge/internal/signed"
)

func init() {
	checks["policy.json"] = checkPolicy
	checks["agency.json"] = checkAgency
}

// bundleJSON is a bundle as the vectors write it.
type bundleJSON struct {
	Number     int64               `json:"number"`
	Digest     string              `json:"digest"`
	At         int64               `json:"at"`
	Files      map[string]string   `json:"files"`
	ValidFrom  int64               `json:"valid_from"`
	Before     string              `json:"before"`
	Signatures []map[string]string `json:"signatures"`
}

func (b bundleJSON) bundle(v *vector) *signed.Bundle {
	return &signed.Bundle{Number: b.Number, Digest: b.Digest, At: b.At, Files: v.unhexMap(b.Files),
		ValidFrom: b.ValidFrom, Before: b.Before, Signatures: v.signatures(b.Signatures)}
}

func (v *vector) signatures(raw []map[string]string) []signed.BundleSignature {
	var list []signed.BundleSignature
	for _, each := range raw {
		list = append(list, signed.BundleSignature{Public: v.unhex(each["public"]), Signature: v.unhex(each["signature"])})
	}
	return list
}

func checkPolicy(v *vector) error {
	switch {
	case v.has("bundles"):
		return checkChain(v)
	case v.has("files"):
		return same("the digest", signed.FilesDigest(v.hexMap("files")), v.text("digest_text"))
	case v.has("procedure"):
		return same("the digest", crypt.HexSHA256(v.hex("procedure")), v.text("digest_text"))
	case v.has("directory_files"):
		return same("the digest", signed.DirectoryDigest(v.hexMap("directory_files"), func(path string) bool {
			return strings.HasPrefix(path, "pathways/") || strings.HasPrefix(path, "guidance/") || path == "authority.yaml"
		}), v.text("digest_text"))
	}
	bundle := &signed.Bundle{Number: v.number("number"), Digest: v.text("digest_text"),
		ValidFrom: v.number("valid_from"), Before: v.text("before_text")}
	text := bundle.SignedText()
	if err := sameBytes("the text", text, v.hex("signed")); err != nil {
		return err
	}
	var signatures []map[string]string
	v.into("signatures", &signatures)
	for _, signature := range v.signatures(signatures) {
		if !crypt.Verify(signature.Public, text, signature.Signature) {
			return fmt.Errorf("a signature does not hold")
		}
	}
	return nil
}

func checkChain(v *vector) error {
	var bundles []bundleJSON
	var pinTexts map[string]string
	v.into("bundles", &bundles)
	v.into("pins", &pinTexts)
	pins := map[int64]string{}
	for number, digest := range pinTexts {
		parsed, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return err
		}
		pins[parsed] = digest
	}
	chain := &signed.Chain{}
	chain.Name(v.hexMap("signers"), pins)
	var results, findings, wantedResults, wantedFindings []string
	refused := error(nil)
	for _, each := range bundles {
		judgement := chain.Judge(each.bundle(v))
		results, findings = append(results, judgement.Result), append(findings, judgement.Code)
		if judgement.Code != "" && refused == nil {
			refused = fmt.Errorf("%s", judgement.Words)
		}
	}
	v.into("results", &wantedResults)
	v.into("findings", &wantedFindings)
	if err := first(same("the results", results, wantedResults), same("the findings", findings, wantedFindings)); err != nil {
		v.broken = err
	}
	return refused
}

// vectorAgency is the agency of every vector of agencies that names none.
const vectorAgency = "school-one"

func checkAgency(v *vector) error {
	switch {
	case v.has("path"):
		body := avro.Record{"offer_id": "00000000-0000-4000-8000-000000000002", "referral_id": "00000000-0000-4000-8000-00000000000f"}
		path, _ := signed.AgencyPath(v.text("type"), v.text("case_id"), body)
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

func checkAgencyText(v *vector) error {
	signature := avro.Record{"agency": vectorAgency, "public": v.hex("public"), "signature": v.hex("signature")}
	body := avro.Record{"agency": vectorAgency, "signed": signature}
	if v.has("agency") {
		body["agency"] = v.text("agency")
	}
	if v.has("list") {
		signature["scheme"], signature["base"], signature["sequence"] = "CLOUDEVENT", v.hex("list"), v.number("sequence")
		body["door"] = "KAFKA"
	} else {
		signature["scheme"], signature["base"] = "HTTP", []byte(v.text("base_text"))
		body["door"] = "HTTP"
	}
	if v.has("scheme") {
		signature["scheme"] = v.text("scheme")
	}
	typeName := "referral-submitted.v1"
	if v.has("type") {
		typeName = v.text("type")
	}
	if v.has("signed") {
		text := signed.AgencyText(signature.Text("scheme"), signature.Bytes("base"))
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
	publics := map[string]string{
		"school-one+51658c4a": "af06a3e3291714e4f356c19c9b15cd1951ec6e6662aa77be07547f289383341d",
		"school-one+9273185d": "2df04125f0015afb47ce853aef8772094ff9498c14cb1b9e12973c2927da0fa6",
	}
	var state signed.AgencyState
	for _, each := range bundles {
		signing := signed.Signing{Must: each.Must}
		for _, id := range each.Keys {
			signing.Keys = append(signing.Keys, signed.AgencyKey{ID: id, Public: v.unhex(publics[id])})
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
