package vectors

import (
	"encoding/hex"
	"fmt"
	"strings"

	"judge/internal/avro"
	"judge/internal/c2sp"
	"judge/internal/crypt"
	"judge/internal/judge"
	"judge/internal/own"
	"judge/internal/record"
	"judge/internal/signed"
	"judge/internal/trust"
)

func init() {
	checks["record-signature.json"] = checkRecordSignature
	checks["operators.json"] = checkOperators
	checks["erasure.json"] = checkErasure
	checks["receipt.json"] = checkReceipt
	checks["open.json"] = checkOpen
}

func checkRecordSignature(v *vector) error {
	topic, key, value := v.text("topic"), v.hex("key"), v.hex("value")
	if v.has("holds") {
		row := &trust.Named{Writers: map[string][][]byte{"intake": {make([]byte, 32)}}}
		if v.has("signed_from") {
			row.SignedFrom = v.number("signed_from")
		}
		payload := &record.Payload{Key: key, Value: value, Headers: v.headersOf("headers")}
		err := signed.CheckWriter(topic, v.number("kafka_time"), payload, row)
		return same("whether it holds", err == nil, v.flag("holds"))
	}
	public := v.hex("public")
	if v.has("writer") {
		writer, _ := signed.Writer(topic, key)
		if err := same("the writer", writer, v.text("writer")); err != nil {
			return err
		}
		if err := sameBytes("the leaf hash", signed.RecordLeafHash(key, value), v.hex("leaf_hash")); err != nil {
			return err
		}
	}
	return signed.CheckRecord(topic, key, value, v.hex("referral_signature"), [][]byte{public})
}

func checkOperators(v *vector) error {
	switch {
	case v.has("two"):
		var about []string
		v.into("about", &about)
		return same("whether it takes two", signed.TakesTwo(v.text("command"), about), v.flag("two"))
	case v.has("value_text"):
		act, err := own.ParseAct([]byte(v.text("value_text")))
		if err != nil {
			return err
		}
		if v.has("at") {
			if err := same("at", act.At, v.number("at")); err != nil {
				return err
			}
		}
		return signed.CheckAct(act, v.hexMap("operators"))
	case v.has("until"):
		word := signed.WordText(v.text("to"), v.text("command"), v.text("digest_text"), v.number("until"))
		return first(sameBytes("the text", word, v.hex("signed")), v.signedByOperator(word))
	}
	text := v.hex("signed")
	return first(sameBytes("the text", text, []byte(v.text("signed_text"))), v.signedByOperator(text))
}

func (v *vector) signedByOperator(text []byte) error {
	by := v.text("by")
	if !crypt.Verify(v.hex("public"), text, v.hex("signature")) {
		return fmt.Errorf("%s did not sign this", by)
	}
	return nil
}

func checkErasure(v *vector) error {
	if v.has("public") {
		if !crypt.Verify(v.hex("public"), v.hex("signed"), v.hex("signature")) {
			return fmt.Errorf("the signature does not hold")
		}
		return nil
	}
	plain := v.hex("body")
	body, err := record.DecodeOpen("case-erased.v4", plain)
	if err != nil {
		return err
	}
	erasure := &signed.Erasure{CaseID: v.text("case_id"), Body: body, Bytes: plain}
	if v.has("erased") {
		v.used["erased"] = true
		if err := sameJSON(body, v.fields["erased"], hex.EncodeToString); err != nil {
			return err
		}
	}
	if v.has("signed") {
		if err := first(sameBytes("the text", erasure.IntakeText(), v.hex("signed")),
			sameBytes("the signature", body.Bytes("signature"), v.hex("signature"))); err != nil {
			return err
		}
	}
	code, err := "ERASURE_FORGED", erasure.CheckIntake(v.hexList("intake"))
	if approvers := v.hexMap("approvers"); err == nil && len(approvers) > 0 {
		code, err = "ERASURE_ALONE", erasure.CheckPersons(approvers)
	}
	if err != nil && v.has("finding") && v.text("finding") != code {
		v.broken = fmt.Errorf("the finding is %s, and should be %s", code, v.text("finding"))
	}
	return err
}

func checkReceipt(v *vector) error {
	v.used["receipt_json"] = true
	receipt, err := signed.ParseReceipt(v.fields["receipt_json"])
	if err != nil {
		return err
	}
	if v.has("signed") {
		if err := first(sameBytes("the text", receipt.SignedText(), v.hex("signed")),
			same("the text", string(receipt.SignedText()), v.text("signed_text"))); err != nil {
			return err
		}
	}
	text := v.text("policy_text")
	named, err := trust.ParseLines(text)
	if err != nil {
		return err
	}
	policy, err := c2sp.ParsePolicy(text)
	if err != nil {
		return err
	}
	return first(receipt.Check(named.Intake), receipt.CheckProof(policy, v.text("proof_text")))
}

func checkOpen(v *vector) error {
	if !v.has("body") {
		var list []string
		v.into("of", &list)
		return same("the digest", releaseDigest(v.hexList("of")), v.text("digest_text"))
	}
	typeName := "quarantined.v2"
	if v.has("type") {
		typeName = v.text("type")
	}
	body, err := record.DecodeOpen(typeName, v.hex("body"))
	if err != nil {
		return err
	}
	if err := same("the key", openKey(typeName, body), v.text("key_text")); err != nil {
		return err
	}
	if v.has("of") {
		if err := same("the digest", releaseDigest(v.hexList("of")), body.Text("digest")); err != nil {
			return err
		}
	}
	if v.has("record") {
		v.used["record"] = true
		return sameJSON(body, v.fields["record"], hex.EncodeToString)
	}
	return nil
}

func openKey(typeName string, body avro.Record) string {
	switch {
	case strings.HasPrefix(typeName, "quarantined."):
		return judge.QuarantineKey(body)
	case strings.HasPrefix(typeName, "figure-released."):
		return fmt.Sprintf("release/%d/%s/%s/%s/%s/%s", body.Long("release"), body.Text("first"), body.Text("last"),
			body.Text("pathway"), body.Text("measure"), body.Text("group"))
	}
	return fmt.Sprintf("release/%d", body.Long("release"))
}

func releaseDigest(bodies [][]byte) string {
	var text []byte
	for _, body := range bodies {
		text = append(text, body...)
	}
	return crypt.HexSHA256(text)
}
