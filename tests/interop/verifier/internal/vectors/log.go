package vectors

import (
	"encoding/base64"
	"fmt"
	"strconv"

	"judge/internal/c2sp"
	"judge/internal/judge"
	"judge/internal/record"
	"judge/internal/trust"
)

func init() {
	checks["checkpoint.json"] = checkCheckpoint
	checks["order.json"] = checkOrder
	checks["policy-lines.json"] = checkPolicyLines
	checks["trust.json"] = checkTrust
}

func checkCheckpoint(v *vector) error {
	policy, err := c2sp.ParsePolicy(v.text("policy_text"))
	if err != nil {
		return err
	}
	checkpoint, trouble := c2sp.OpenCheckpoint(policy, []byte(v.text("checkpoint_text")))
	if trouble != nil {
		wanted := ""
		if v.has("why") {
			wanted = v.text("why")
		}
		if wanted != trouble.Code && wanted != "CHECKPOINT or SIGNATURE" {
			v.broken = fmt.Errorf("the finding is %s, and should be %s", trouble.Code, wanted)
		}
		return trouble
	}
	witnesses := map[string]int64{}
	v.into("witnesses", &witnesses)
	return first(
		same("the origin", checkpoint.Origin, v.text("origin")),
		same("the size", checkpoint.Size, v.number("size")),
		sameBytes("the root", checkpoint.Root, v.hex("root")),
		same("the witnesses", checkpoint.Witnesses, witnesses),
		same("seen", checkpoint.Seen, v.number("seen")),
	)
}

func checkOrder(v *vector) error {
	var entries []struct {
		Leaf    string       `json:"leaf"`
		Payload *payloadJSON `json:"payload"`
	}
	v.into("entries", &entries)
	log := judge.Log{Keys: v.hexMap("case_keys")}
	for _, each := range entries {
		leaf, err := record.ParseLeaf(v.unhex(each.Leaf))
		if err != nil {
			return err
		}
		log.Entries = append(log.Entries, judge.Entry{Leaf: leaf, Payload: v.payload(each.Payload)})
	}
	found := judge.NewFindings()
	judge.Judge(log, found)
	got := [][3]any{}
	for _, finding := range found.Sorted() {
		got = append(got, [3]any{finding.Entry, finding.Code, finding.Weight})
	}
	var wanted [][3]any
	v.into("findings", &wanted)
	return first(same("the findings", got, wanted), same("the exit code", found.ExitCode(), v.number("exit_code")))
}

// namedJSON is whom a file names, as the vectors write it.
type namedJSON struct {
	Intake          []string            `json:"intake"`
	Approvers       map[string]string   `json:"approvers"`
	SignedFrom      int64               `json:"signed_from_ms"`
	PolicySigners   map[string]string   `json:"policy_signers"`
	PolicyBundles   map[string]string   `json:"policy_bundles"`
	Writers         map[string][]string `json:"writers"`
	WritersUntil    map[string]int64    `json:"writers_until_ms"`
	Operators       map[string]string   `json:"operators"`
	TwoFrom         int64               `json:"two_operators_from_ms"`
	TwoForTokenFrom int64               `json:"two_operators_for_tokens_from_ms"`
}

func asJSON(named *trust.Named) namedJSON {
	list := func(keys [][]byte) []string {
		texts := []string{}
		for _, key := range keys {
			texts = append(texts, fmt.Sprintf("%x", key))
		}
		return texts
	}
	people := func(keys map[string][]byte) map[string]string {
		texts := map[string]string{}
		for name, key := range keys {
			texts[name] = fmt.Sprintf("%x", key)
		}
		return texts
	}
	written := namedJSON{Intake: list(named.Intake), Approvers: people(named.Approvers), SignedFrom: named.SignedFrom,
		PolicySigners: people(named.PolicySigners), PolicyBundles: map[string]string{}, Writers: map[string][]string{},
		WritersUntil: map[string]int64{},
		Operators:    people(named.Operators), TwoFrom: named.TwoFrom, TwoForTokenFrom: named.TwoForTokenFrom}
	for number, digest := range named.PolicyBundles {
		written.PolicyBundles[strconv.FormatInt(number, 10)] = digest
	}
	for key, until := range named.WritersUntil {
		written.WritersUntil[base64.StdEncoding.EncodeToString([]byte(key))] = until
	}
	for service, keys := range named.Writers {
		written.Writers[service] = list(keys)
	}
	return written
}

func checkPolicyLines(v *vector) error {
	text := v.text("policy_text")
	named, err := trust.ParseLines(text)
	if err != nil {
		return err
	}
	if v.has("named") {
		var wanted namedJSON
		v.into("named", &wanted)
		if err := same("whom the lines name", asJSON(named), wanted); err != nil {
			return err
		}
	}
	if !v.has("quorum_text") {
		return nil
	}
	policy, err := c2sp.ParsePolicy(text)
	if err != nil {
		return err
	}
	var groups []c2sp.Group
	v.into("groups", &groups)
	return first(same("the quorum", policy.Quorum, v.text("quorum_text")), same("the groups", policy.Groups, groups))
}

// checkTrust reads trust.toml; the good ones name what the lines of policy_text name.
func checkTrust(v *vector) error {
	file, err := trust.ParseFile([]byte(v.text("trust_text")))
	if err != nil {
		return err
	}
	policy, err := c2sp.ParsePolicy(file.WitnessPolicy)
	if err != nil || !v.has("policy_text") {
		return err
	}
	text := v.text("policy_text")
	named, err := trust.ParseLines(text)
	if err != nil {
		return err
	}
	wanted, err := c2sp.ParsePolicy(text)
	if err != nil {
		return err
	}
	return first(same("whom the file names", asJSON(file.Named), asJSON(named)),
		same("the quorum", policy.Quorum, wanted.Quorum), same("the groups", policy.Groups, wanted.Groups),
		same("the number of witnesses", len(policy.Witnesses), len(wanted.Witnesses)),
		same("the number of logs", len(policy.Logs), len(wanted.Logs)))
}
