package signed

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"judge/internal/avro"
	"judge/internal/crypt"
	"judge/internal/record"
)

const (
	envelopeLabel   = "DSSEv1 32 urn:referral:record-signature.v1 32 "
	leastDigests    = 15
	signatureParams = "@signature-params"
)

// places of digests in the list of record-signature.md, step 2.
const (
	placeSpecVersion = 2
	placeType        = 3
	placeTopicName   = 9
	placeTopic       = 10
	placeSeqName     = 13
	placeSequence    = 14
)

var allowedComponents = []string{"@method", "@path", "@authority", "content-digest", "content-type",
	"content-length", "date", "idempotency-key", httpSalt, httpDigest}

// AgencyPath is the path to which an agency sends a body of this type.
func AgencyPath(typeName, caseID string, body avro.Record) (path string, known bool) {
	name, _, err := record.SplitType(typeName)
	if err != nil {
		return "", false
	}
	switch name {
	case "referral-submitted":
		return "/v1/referrals", true
	case "response-submitted":
		return "/v1/offers/" + body.Text("offer_id") + "/responses", true
	case "answer-withdrawn":
		return "/v1/offers/" + body.Text("offer_id") + "/withdrawal", true
	case "referral-withdrawn":
		return "/v1/referrals/" + body.Text("referral_id") + "/withdrawal", true
	case "consent-changed":
		return "/v1/cases/" + caseID + "/consent", true
	case "traits-changed":
		return "/v1/cases/" + caseID + "/traits", true
	case "actor-excluded":
		return "/v1/cases/" + caseID + "/exclusions", true
	case "instruction-given":
		return "/v1/cases/" + caseID + "/instructions", true
	}
	return "", false
}

// AgencyText is the text that an agency signed: the base, or the envelope over the list of digests.
func AgencyText(scheme string, base []byte) []byte {
	if scheme == "HTTP" {
		return base
	}
	return append([]byte(envelopeLabel), crypt.SHA256(base)...)
}

// CheckAgency says why the field `signed` of a body does not hold (SIGNATURE_WRONG).
func CheckAgency(typeName, caseID string, body avro.Record) error {
	signed := body.Record("signed")
	if signed.Text("agency") != body.Text("agency") &&
		!(strings.HasPrefix(typeName, "response-submitted.") && body.Text("via") == "PHONE") {
		return fmt.Errorf("%s signed what %s sends", signed.Text("agency"), body.Text("agency"))
	}
	base, scheme := signed.Bytes("base"), signed.Text("scheme")
	var err error
	switch scheme {
	case "HTTP":
		err = checkHTTP(typeName, caseID, body, base)
	case "CLOUDEVENT":
		err = checkCloudEvent(typeName, body, base)
	default:
		err = fmt.Errorf("the scheme %q is not known", scheme)
	}
	if err != nil {
		return err
	}
	if !crypt.Verify(signed.Bytes("public"), AgencyText(scheme, base), signed.Bytes("signature")) {
		return fmt.Errorf("it is not the key's signature")
	}
	return nil
}

func isReferral(typeName string) bool { return strings.HasPrefix(typeName, "referral-submitted.") }

func checkHTTP(typeName, caseID string, body avro.Record, base []byte) error {
	components, err := parseBase(string(base))
	if err != nil {
		return err
	}
	path, known := AgencyPath(typeName, caseID, body)
	switch {
	case components["@method"] != "POST":
		return fmt.Errorf("@method is not POST")
	case !known || components["@path"] != path:
		return fmt.Errorf("@path is %q, not %q", components["@path"], path)
	case isReferral(typeName) && body.Text("door") != "HTTP":
		return fmt.Errorf("the referral came by the door %s", body.Text("door"))
	}
	return checkContentDigest(components["content-digest"])
}

// parseBase reads a signature base of RFC 9421: each component once, and those of @signature-params.
func parseBase(base string) (map[string]string, error) {
	components := map[string]string{}
	var order []string
	lines := strings.Split(base, "\n")
	for i, line := range lines {
		name, value, found := strings.Cut(strings.TrimPrefix(line, `"`), `": `)
		if !found || !strings.HasPrefix(line, `"`) {
			return nil, fmt.Errorf("line %d of the base has another form", i+1)
		}
		if i == len(lines)-1 {
			return components, checkParams(name, value, order)
		}
		if _, twice := components[name]; twice || !slices.Contains(allowedComponents, name) {
			return nil, fmt.Errorf("the component %q is not allowed, or stands twice", name)
		}
		components[name] = value
		order = append(order, name)
	}
	return nil, fmt.Errorf("the base is empty")
}

func checkParams(name, value string, order []string) error {
	list, _, found := strings.Cut(strings.TrimPrefix(value, "("), ")")
	if name != signatureParams || !found || !strings.HasPrefix(value, "(") {
		return fmt.Errorf("the last line of the base is not %s", signatureParams)
	}
	var quoted []string
	for _, component := range order {
		quoted = append(quoted, strconv.Quote(component))
	}
	if list != strings.Join(quoted, " ") {
		return fmt.Errorf("the components of the base are not those of %s", signatureParams)
	}
	return nil
}

// checkContentDigest wants exactly one sha-256 of 32 bytes (RFC 9530).
func checkContentDigest(value string) error {
	count := 0
	for _, member := range strings.Split(value, ",") {
		key, digest, _ := strings.Cut(strings.Trim(member, " \t"), "=")
		if key != "sha-256" {
			continue
		}
		count++
		inner, ok := strings.CutPrefix(digest, ":")
		inner, closed := strings.CutSuffix(inner, ":")
		raw, err := crypt.Base64(inner)
		if !ok || !closed || err != nil || len(raw) != hashSize {
			return fmt.Errorf("the sha-256 of content-digest has another form")
		}
	}
	if count != 1 {
		return fmt.Errorf("content-digest has %d sha-256, not one", count)
	}
	return nil
}

func checkCloudEvent(typeName string, body avro.Record, base []byte) error {
	if !isReferral(typeName) || body.Text("door") != "KAFKA" {
		return fmt.Errorf("a record of ingress is a referral by the door KAFKA")
	}
	if len(base)%hashSize != 0 || len(base) < leastDigests*hashSize {
		return fmt.Errorf("the list of digests has %d bytes", len(base))
	}
	if !namesType(base[placeType*hashSize:(placeType+1)*hashSize], typeName) {
		return fmt.Errorf("the digest of type is that of no version of %q", "referral."+typeName)
	}
	signed := body.Record("signed")
	for _, wanted := range []struct {
		place      int
		what, text string
	}{
		{placeSpecVersion, "specversion", "1.0"},
		{placeTopicName, "name of topic", "topic"},
		{placeTopic, "topic", "ingress." + signed.Text("agency")},
		{placeSeqName, "name of sequence", "sequence"},
		{placeSequence, "sequence", strconv.FormatInt(signed.Long("sequence"), 10)},
	} {
		digest := base[wanted.place*hashSize : (wanted.place+1)*hashSize]
		if !bytes.Equal(digest, crypt.SHA256([]byte(wanted.text))) {
			return fmt.Errorf("the digest of %s is not that of %q", wanted.what, wanted.text)
		}
	}
	return nil
}

// namesType says whether a digest is that of the type of a body, in any version that this program has.
func namesType(digest []byte, typeName string) bool {
	return slices.ContainsFunc(record.Versions(typeName), func(version string) bool {
		return bytes.Equal(digest, crypt.SHA256([]byte("referral."+version)))
	})
}

// reuseKey tells what may be signed once; "" may be signed for many events.
func reuseKey(signed avro.Record) string {
	if signed.Text("scheme") == "CLOUDEVENT" {
		return fmt.Sprintf("%s/%d", signed.Text("agency"), signed.Long("sequence"))
	}
	base := string(signed.Bytes("base"))
	components, err := parseBase(base)
	if err == nil && slices.Contains([]string{"text/csv", "application/vnd.htcds+json"}, mediaType(components["content-type"])) {
		return ""
	}
	return "base:" + base
}

func mediaType(contentType string) string {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(kind))
}
