package signed

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"judge/internal/avro"
	"judge/internal/crypt"
)

const noon = int64(1_800_000_000_000_000)

func agencyKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(slices.Repeat([]byte{seed}, ed25519.SeedSize))
}

// keyLine is a key as an agency's file has it.
func keyLine(private ed25519.PrivateKey) string {
	raw := append([]byte{1}, private.Public().(ed25519.PublicKey)...)
	id := hex.EncodeToString(crypt.SHA256(append([]byte("school\n"), raw...))[:4])
	return "school+" + id + "+" + base64.StdEncoding.EncodeToString(raw)
}

// bundleAt is a bundle at a number of minutes after noon; its record has the index.
func bundleAt(index, minutes int64, must bool, keys ...ed25519.PrivateKey) ActiveBundle {
	file := fmt.Sprintf("agency: school\nsigning: {must: %v, keys: [", must)
	for _, key := range keys {
		file += fmt.Sprintf("%q, ", keyLine(key))
	}
	at := noon + minutes*minuteMicros
	bundle := &Bundle{At: at, Files: map[string][]byte{"directory/school.yaml": []byte(file + "]}\n")}}
	return ActiveBundle{Bundle: bundle, Index: index, KafkaTime: at, LoggedAt: at}
}

const bodyDigest = "sha-256=:+oJC6Z9IlmylFAkrQjO0RoUfQrV61QMb8TPh3XZ4fz4=:"

// sent is a referral by HTTP, signed with the key, or not signed.
func sent(index, minutes int64, event string, key ed25519.PrivateKey, contentType string) AgencyBody {
	body := avro.Record{"agency": "school", "door": "HTTP", "received_at": noon + minutes*minuteMicros, "signed": nil}
	if key != nil {
		base := []byte("\"@method\": POST\n\"@path\": /v1/referrals\n\"content-type\": " + contentType +
			"\n\"content-digest\": " + bodyDigest +
			"\n\"@signature-params\": (\"@method\" \"@path\" \"content-type\" \"content-digest\")")
		body["signed"] = avro.Record{"agency": "school", "public": []byte(key.Public().(ed25519.PublicKey)),
			"scheme": "HTTP", "base": base, "signature": ed25519.Sign(key, base), "sequence": int64(0)}
	}
	return AgencyBody{Index: index, KafkaTime: noon + minutes*minuteMicros, EventID: event, Type: "referral-submitted.v1", Body: body}
}

func expectCodes(t *testing.T, bundles []ActiveBundle, bodies []AgencyBody, wanted ...string) {
	t.Helper()
	expectCodesOf(t, NewAgencyJudge(bundles, false), bodies, wanted...)
}

func expectCodesOf(t *testing.T, judge *AgencyJudge, bodies []AgencyBody, wanted ...string) {
	t.Helper()
	var got []string
	for _, body := range bodies {
		code := ""
		for _, finding := range judge.Judge(body) {
			code += finding.Code
		}
		got = append(got, code)
	}
	if !slices.Equal(got, wanted) {
		t.Errorf("told %q, and should tell %q", got, wanted)
	}
}

func TestKeysOfAgencies(t *testing.T) {
	one, two, stranger := agencyKey(1), agencyKey(2), agencyKey(3)
	bundles := []ActiveBundle{bundleAt(1, 0, false, one), bundleAt(10, 10, false, two)}
	day := int64(24 * 60)
	expectCodes(t, bundles, []AgencyBody{
		sent(2, 1, "a", one, "application/json"),
		sent(3, 1, "b", two, "text/csv"),
		sent(4, 1, "c", stranger, "text/csv"),
		sent(11, 11, "d", one, "text/csv"),
		sent(12, 11, "e", two, "text/csv"),
		sent(13, 9+day, "f", two, "text/csv"),
	}, "", "SIGNATURE_KEY_LATER", "SIGNATURE_KEY_UNKNOWN", "SIGNATURE_KEY_REVOKED", "SIGNATURE_KEY_NEW", "")
}

func TestSignedTwice(t *testing.T) {
	key := agencyKey(1)
	bundles := []ActiveBundle{bundleAt(1, 0, false, key)}
	expectCodes(t, bundles, []AgencyBody{
		sent(2, 1, "a", key, "application/json"),
		sent(3, 1, "b", key, "application/json"),
		sent(4, 1, "c", key, "text/csv"),
		sent(5, 1, "d", key, "text/csv; charset=utf-8"),
		sent(6, 1, "e", key, "text/csv; charset=utf-8"),
	}, "", "SIGNATURE_REUSED", "", "", "")
}

func TestDutyToSign(t *testing.T) {
	key := agencyKey(1)
	bundles := []ActiveBundle{bundleAt(1, 0, false, key), bundleAt(5, 10, true, key), bundleAt(9, 20, false, key)}
	day := int64(24 * 60)
	web := sent(8, 12, "e", nil, "")
	web.Body["door"] = "WEB"
	expectCodes(t, bundles, []AgencyBody{
		sent(2, 1, "a", nil, ""),
		sent(6, 11, "b", nil, ""),
		sent(7, 12, "c", nil, ""),
		web,
		sent(10, 18+day, "f", nil, ""),
		sent(11, 19+day, "g", nil, ""),
	}, "", "SIGNATURE_EARLY", "SIGNATURE_MISSING", "", "SIGNATURE_MISSING", "")
}

func TestDutyOfTheFirstBundleIsNotNew(t *testing.T) {
	bundles := []ActiveBundle{bundleAt(1, 0, true, agencyKey(1))}
	expectCodes(t, bundles, []AgencyBody{sent(2, 1, "a", nil, "")}, "SIGNATURE_MISSING")
	noFile := bundleAt(1, 0, false)
	clear(noFile.Bundle.Files)
	bundles = []ActiveBundle{noFile, bundleAt(5, 10, true)}
	expectCodes(t, bundles, []AgencyBody{sent(6, 11, "a", nil, "")}, "SIGNATURE_EARLY")
}

func TestDutyIsNewSinceTheBundleWasInForce(t *testing.T) {
	key := agencyKey(1)
	late := bundleAt(5, 10, true, key) // says that it was activated at 10, and the broker had it at 12
	late.KafkaTime, late.LoggedAt = noon+12*minuteMicros, noon+13*minuteMicros
	bundles := []ActiveBundle{bundleAt(1, 0, false, key), late}
	bodies := []AgencyBody{sent(6, 11, "a", nil, ""), sent(7, 13, "b", nil, ""), sent(8, 14, "c", nil, "")}
	expectCodes(t, bundles, bodies, "SIGNATURE_EARLY", "SIGNATURE_EARLY", "SIGNATURE_MISSING")
	late.Bundle.At = noon + 20*minuteMicros
	drill := NewAgencyJudge(bundles, true) // in a drill not after it was logged
	expectCodesOf(t, drill, append(bodies, sent(9, 15, "d", nil, "")), "SIGNATURE_EARLY", "SIGNATURE_EARLY", "SIGNATURE_EARLY", "SIGNATURE_MISSING")
}

// TestBundleThatIsNoValidPolicy has a bad line in the file of another agency: no key of anybody is listed, and times
// and duties are those of the bundle before.
func TestBundleThatIsNoValidPolicy(t *testing.T) {
	one, two := agencyKey(1), agencyKey(2)
	day := int64(24 * 60)
	for what, line := range map[string]string{
		"a key":       `keys: ["police+00000000+AAAA"]`,
		"a vouch":     `vouched: ["AAAA"]`,
		"no YAML":     `keys: [`,
		"a bad truth": `must: perhaps`,
	} {
		broken := bundleAt(5, 10, false, one, two)
		broken.Bundle.Files["directory/police.yaml"] = []byte("signing: {" + line + "}\n")
		bundles := []ActiveBundle{bundleAt(1, 0, true, one), broken, bundleAt(9, 20, true, one, two)}
		t.Log(what)
		expectCodes(t, bundles, []AgencyBody{
			sent(6, 11, "a", one, "text/csv"),
			sent(7, 11, "b", nil, ""),
			sent(10, 21, "c", one, "text/csv"),
			sent(11, 21, "d", two, "text/csv"),
			sent(12, 20, "e", nil, ""),
			sent(13, 19+day, "f", two, "text/csv"),
		}, "SIGNATURE_KEY_REVOKED", "SIGNATURE_MISSING", "", "SIGNATURE_KEY_NEW", "SIGNATURE_MISSING", "")
	}
}
