package vectors

import (
	"fmt"
	"strconv"
	"strings"

	"judge/internal/crypt"
	"judge/internal/signed"
)

func init() {
	checks["policy.json"] = checkPolicy
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
