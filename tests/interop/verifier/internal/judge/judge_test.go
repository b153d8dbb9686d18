package judge

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"judge/internal/avro"
	"judge/internal/crypt"
	"judge/internal/record"
)

func TestGoodRecords(t *testing.T) {
	expect(t, Log{Entries: []Entry{rungReached(1, 0, 0, 0).entry(t), rungReached(2, 1, 1, 1).entry(t)}})
}

func TestLoggedAheadOfWitnesses(t *testing.T) {
	entries := []Entry{rungReached(1, 0, 0, 0).entry(t), rungReached(2, 2, 2, 2).entry(t)}
	expect(t, Log{Entries: entries, Seen: noon / secondMicros, HasSeen: true}, "1 LOGGED_AHEAD bad")
}

func TestStoodStill(t *testing.T) {
	expect(t, Log{Entries: []Entry{beat(0)}, Seen: noon/secondMicros + 301, HasSeen: true}, "0 STOOD_STILL unchecked")
	expect(t, Log{Entries: []Entry{beat(0)}, Seen: noon/secondMicros + 300, HasSeen: true})
}

func TestRecordedLateIsANote(t *testing.T) {
	expect(t, Log{Entries: []Entry{rungReached(1, 0, 2, 2).entry(t), rungReached(2, 1, 3, 3).entry(t)}},
		"0 RECORDED_LATE note")
}

func TestRecordedLateWhileTheBrokerWasThere(t *testing.T) {
	entries := []Entry{rungReached(1, 0, 90, 90).entry(t)}
	expect(t, Log{Entries: entries}, "0 RECORDED_LATE note")
	policy := Entry{&record.Leaf{Kind: "UNREADABLE", LoggedAt: noon + 90*minuteMicros, Topic: "referral-policy",
		Offset: 1, KafkaTime: (noon + 30*minuteMicros) / 1000, SHA256: emptyDigest, Rest: record.Rest([]byte{}, nil)},
		&record.Payload{Key: []byte{}, Value: []byte{}}}
	expect(t, Log{Entries: append(entries, policy)}, "0 RECORDED_LATE unchecked", "1 UNREADABLE note")
}

func TestSequencesBeginWithOne(t *testing.T) {
	expect(t, Log{Entries: []Entry{rungReached(3, 0, 0, 0).entry(t)}}, "0 SEQUENCE_GAP bad", "0 SEQUENCE_GAP bad")
	wanted := slices.Repeat([]string{"0 SEQUENCE_GAP bad"}, mostMissing+1)
	expect(t, Log{Entries: []Entry{rungReached(1<<40, 0, 0, 0).entry(t)}}, wanted...)
}

func TestSequenceTwiceWithoutAFork(t *testing.T) {
	again := rungReached(1, 0, 0, 0)
	again.offset = 2
	same := again.entry(t)
	expect(t, Log{Entries: []Entry{rungReached(1, 0, 0, 0).entry(t), same}}, "1 ORDER bad")
}

func TestBodyThatDoesNotDecode(t *testing.T) {
	short := rungReached(1, 0, 0, 0)
	short.body = short.body[1:]
	expect(t, Log{Entries: []Entry{short.entry(t)}}, "0 BODY bad")
	expect(t, Log{Entries: []Entry{short.entry(t)}, Keys: record.CaseKeys{caseOne: make([]byte, 32)}}, "0 SEAL bad")
}

func TestCoverWithoutValue(t *testing.T) {
	empty := ownEntry("COVER", "", 0)
	empty.Payload = nil
	expect(t, Log{Entries: []Entry{empty}}, "0 BODY bad")
}

func keysEntry(lines ...string) Entry { return ownEntry("KEYS", strings.Join(lines, "\n")+"\n", 0) }

const (
	keyA = "4v4qObcyZkKCfW2C1JdiLNbCl/54Jw6qQ2sB8Ia288s="
	keyB = "W2SJycf9Dc9QVF58FkiG70BJHsBsfxsSMEF5foEXU14="
)

func TestChangesOfWhomTheLogNames(t *testing.T) {
	operators := []string{"# operator one ed25519 " + keyA, "# operator two ed25519 " + keyB}
	expect(t, Log{Entries: []Entry{
		keysEntry("# intake ed25519 " + keyA),
		keysEntry("# intake ed25519 " + keyA),
		keysEntry("# intake ed25519 " + keyB),
		keysEntry("# intake ed25519 "+keyB, "# approver desk ed25519 "+keyA),
		keysEntry(operators...),
		keysEntry(append(operators, "# two-operators-from 2026-12-01T00:00:00Z")...),
		keysEntry("# policy-signer keeper ed25519 " + keyA),
		keysEntry(""),
	}}, "2 INTAKE_KEY note", "4 APPROVERS note", "4 INTAKE_KEY note", "5 OPERATORS note", "6 OPERATORS note")
}

func actEntry(id, state, command string, at, logged int64) Entry {
	return ownEntry("ADMINISTRATION", fmt.Sprintf(`{"about":[],"arguments":"%064d","at":%d,"by":"operator/one","command":"%s","id":"%s","state":"%s"}`,
		0, noon+at*minuteMicros, command, strings.Repeat(id, 32), state), logged)
}

func TestActsThatAreOpenOrDated(t *testing.T) {
	expect(t, Log{Entries: []Entry{
		beat(0), beat(3), beat(6),
		actEntry("a", "BEGUN", "staff disable", 6, 6),
		actEntry("a", "DONE", "staff disable", 6, 7),
		actEntry("b", "BEGUN", "staff disable", 6, 7),
		actEntry("c", "FAILED", "staff disable", -1, 7),
	}}, "4 ACT note", "5 ACT_OPEN note", "6 ACT note", "6 ACT_DATED unchecked")
}

// policyEntry is a bundle without files and signatures.
func policyEntry() Entry {
	value := slices.Concat(long(1), text(crypt.HexSHA256(nil)), long(noon), []byte{0}, long(0), text(""), []byte{0})
	payload := &record.Payload{Key: []byte("1"), Value: value,
		Headers: []record.Header{{Name: "ce_type", Value: []byte("referral.policy-activated.v2")}}}
	return Entry{&record.Leaf{Kind: "POLICY", LoggedAt: noon, Topic: "referral-policy", KafkaTime: noon / 1000,
		SHA256: crypt.SHA256(value), Rest: record.Rest(payload.Key, payload.Headers)}, payload}
}

func TestBundleThatNoActNames(t *testing.T) {
	act := actEntry("a", "DONE", "staff disable", 0, 0)
	expect(t, Log{Entries: []Entry{policyEntry()}})
	expect(t, Log{Entries: []Entry{policyEntry(), act}}, "0 UNLOGGED bad", "1 ACT note")
	named := strings.Replace(string(act.Payload.Value), "[]", `["policy:1"]`, 1)
	expect(t, Log{Entries: []Entry{policyEntry(), ownEntry("ADMINISTRATION", named, 0)}}, "1 ACT note")
	expect(t, Log{Entries: []Entry{policyEntry(), act, ownEntry("ADMINISTRATION", named, 0)}}, "0 UNLOGGED bad", "1 ACT note")
}

// TestErasureThatNobodyCanCheck has an old erasure without a signature, in a log that names no key of intake.
func TestErasureThatNobodyCanCheck(t *testing.T) {
	erased := rungReached(1, 0, 0, 0)
	erased.topic, erased.typeName = "referral-intake", "case-erased.v1"
	entry := erased.entry(t)
	value, err := record.ParseValue(entry.Payload.Value)
	if err != nil {
		t.Fatal(err)
	}
	entry.Payload.Value = slices.Concat(value.MetaBytes, make([]byte, 12), long(0))
	entry.Leaf.SHA256 = crypt.SHA256(entry.Payload.Value)
	expect(t, Log{Entries: []Entry{entry}, Keys: record.CaseKeys{}}, "0 ERASURE_FORGED bad")
}

// gapEntry is a GAP before a record, as audit writes it.
func gapEntry(behind Entry, expected int64) Entry {
	value := fmt.Appendf(nil, `{"came":%d,"case_id":"%s","expected":%d,"topic":"%s"}`, behind.Leaf.CaseSeq,
		behind.Leaf.CaseID, expected, behind.Leaf.Topic)
	return Entry{&record.Leaf{Kind: "GAP", LoggedAt: behind.Leaf.LoggedAt, Topic: behind.Leaf.Topic,
		Partition: behind.Leaf.Partition, Offset: behind.Leaf.Offset, KafkaTime: behind.Leaf.KafkaTime,
		CaseID: behind.Leaf.CaseID, SHA256: crypt.SHA256(value), Rest: record.Rest(behind.Payload.Key, nil)},
		&record.Payload{Key: behind.Payload.Key, Value: value}}
}

func TestGaps(t *testing.T) {
	told := []string{"0 GAP_LOGGED note", "1 SEQUENCE_GAP bad"}
	untrue := []string{"0 GAP_LOGGED note", "0 META_DIFFERS bad", "1 SEQUENCE_GAP bad"}
	for name, each := range map[string]struct {
		change func(leaf *record.Leaf)
		wanted []string
	}{
		"true":             {func(*record.Leaf) {}, told},
		"another time":     {func(leaf *record.Leaf) { leaf.KafkaTime-- }, untrue},
		"another case":     {func(leaf *record.Leaf) { leaf.CaseID = eventID }, untrue},
		"a type":           {func(leaf *record.Leaf) { leaf.Type = "rung-reached.v1" }, untrue},
		"another sequence": {func(leaf *record.Leaf) { leaf.CaseSeq = 2 }, untrue},
	} {
		t.Run(name, func(t *testing.T) {
			behind := rungReached(2, 0, 0, 0).entry(t)
			gap := gapEntry(behind, 1)
			each.change(gap.Leaf)
			expect(t, Log{Entries: []Entry{gap, behind}}, each.wanted...)
		})
	}
	behind := rungReached(2, 0, 0, 0).entry(t)
	for _, expected := range []int64{0, 2} {
		expect(t, Log{Entries: []Entry{gapEntry(behind, expected), behind}}, untrue...)
	}
}

func TestSchemaWithAKeyTwice(t *testing.T) {
	value := `{"name":"x.y","size":1,"type":"fixed","size":1}`
	twice := ownEntry("SCHEMA", value, 0)
	fingerprint, err := avro.Fingerprint([]byte(value))
	if err != nil {
		t.Fatal(err)
	}
	twice.Leaf.Type, twice.Leaf.Fingerprint = "y.v1", int64(fingerprint)
	expect(t, Log{Entries: []Entry{twice}}, "0 BODY bad")
}

func TestEmptyValueIsGone(t *testing.T) {
	gone := rungReached(1, 0, 0, 0).entry(t)
	gone.Payload.Value = []byte{}
	expect(t, Log{Entries: []Entry{gone}}, "0 BODY bad", "0 PAYLOAD_GONE bad")
	gone.Payload = nil
	expect(t, Log{Entries: []Entry{gone}}, "0 BODY bad", "0 PAYLOAD_GONE bad")
}

func TestEmptyAndGoneValuesOfAuditsOwn(t *testing.T) {
	empty := func(kind string) Entry { return ownEntry(kind, "", 0) }
	expect(t, Log{Entries: []Entry{empty("READING"), empty("ADMINISTRATION")}})
	expect(t, Log{Entries: []Entry{empty("HEARTBEAT")}}, "0 BODY bad")
	expect(t, Log{Entries: []Entry{empty("SCHEMA")}}, "0 BODY bad")
	bundle := policyEntry()
	setValue(bundle, []byte{})
	expect(t, Log{Entries: []Entry{bundle}})
	bundle.Payload = nil
	expect(t, Log{Entries: []Entry{bundle}}, "0 META_DIFFERS bad") // without headers it is no bundle

	for kind, wanted := range map[string][]string{
		"HEARTBEAT": {"0 BODY bad", "0 PAYLOAD_GONE bad"},
		"READING":   {"0 PAYLOAD_GONE bad"},
		"COVER":     {"0 PAYLOAD_GONE bad"},
		"SCHEMA":    {"0 PAYLOAD_GONE bad"},
	} {
		lost := gone(ownEntry(kind, "something", 0))
		expect(t, Log{Entries: []Entry{lost}}, wanted...)
		lost.Payload = &record.Payload{Value: []byte{}}
		expect(t, Log{Entries: []Entry{lost}}, wanted...)
	}
}

func TestGoneKeysChangeNobody(t *testing.T) {
	changed := gone(keysEntry("# intake ed25519 " + keyB))
	expect(t, Log{Entries: []Entry{keysEntry("# intake ed25519 " + keyA), changed, keysEntry("# intake ed25519 " + keyA)}},
		"1 PAYLOAD_GONE bad")
}

func TestGapAtTheEndOfTheLog(t *testing.T) {
	behind := rungReached(2, 0, 0, 0).entry(t)
	gap := gapEntry(behind, 1)
	gap.Leaf.Type = "rung-reached.v1"
	setValue(gap, []byte("{}"))
	expect(t, Log{Entries: []Entry{gap}}, "0 GAP_LOGGED note")
	expect(t, Log{Entries: []Entry{gap, behind}}, "0 BODY bad", "0 GAP_LOGGED note", "0 META_DIFFERS bad", "1 SEQUENCE_GAP bad")
}

func TestGapBesideAGoneValue(t *testing.T) {
	behind := gone(rungReached(2, 0, 0, 0).entry(t))
	gap := gapEntry(rungReached(2, 0, 0, 0).entry(t), 1)
	told := []string{"0 GAP_LOGGED note", "1 PAYLOAD_GONE bad", "1 SEAL bad"}
	expect(t, Log{Entries: []Entry{gap, behind}}, told...)
	gap.Leaf.KafkaTime--
	expect(t, Log{Entries: []Entry{gap, behind}}, slices.Insert(told, 1, "0 META_DIFFERS bad")...)
}

func TestCaseOfWhichNoRecordHasASequence(t *testing.T) {
	fork := rungReached(2, 0, 0, 0).entry(t)
	fork.Leaf.Kind = "FORK"
	first := rungReached(1, 0, 0, 0).entry(t)
	first.Leaf.Offset = 0
	expect(t, Log{Entries: []Entry{first}, Keys: noKeys}, "0 KEY_GONE unchecked")
	expect(t, Log{Entries: []Entry{fork}, Keys: noKeys}, "0 FORK bad")
}

func TestNothingIsJudgedBehindTheEndOfTheWalk(t *testing.T) {
	behind := rungReached(2, 0, 0, 0).entry(t)
	expect(t, Log{Entries: []Entry{gapEntry(behind, 1), behind}, Ended: true}, "0 GAP_LOGGED note")
}

func TestWordThatIsUsedTwiceWhereNobodyNamesOperators(t *testing.T) {
	second := fmt.Sprintf(`"second":{"by":"operator/two","digest":"%064d","signature":"","until":1},"state"`, 0)
	entry := func(id string) Entry {
		act := actEntry(id, "DONE", "staff disable", 0, 0)
		return ownEntry("ADMINISTRATION", strings.Replace(string(act.Payload.Value), `"state"`, second, 1), 0)
	}
	expect(t, Log{Entries: []Entry{entry("a"), entry("b")}}, "0 ACT note", "1 ACT_ALONE bad")
}

// TestWordOfAnActOfBeforeTheirTime has a word that an act of before the operators' time used: it does not count as used.
func TestWordOfAnActOfBeforeTheirTime(t *testing.T) {
	second := fmt.Sprintf(`"second":{"by":"operator/two","digest":"%064d","signature":"","until":1},"state"`, 0)
	entry := func(id string, logged int64) Entry {
		act := actEntry(id, "DONE", "staff disable", 0, logged)
		return ownEntry("ADMINISTRATION", strings.Replace(string(act.Payload.Value), `"state"`, second, 1), logged)
	}
	from := time.UnixMicro(noon).UTC().Format(time.RFC3339)
	keys := keysEntry("# operator one ed25519 "+keyA, "# operator two ed25519 "+keyB, "# two-operators-from "+from)
	keys.Leaf.LoggedAt = noon - hourMicros
	expect(t, Log{Entries: []Entry{keys, entry("a", -1), entry("b", 0)}}, "1 ACT note")
	expect(t, Log{Entries: []Entry{keys, entry("a", -1), entry("b", 0), entry("c", 1)}}, "1 ACT note", "3 ACT_ALONE bad")
}

func TestWriterIsToldInsteadOfTheKind(t *testing.T) {
	var lines []string
	for _, service := range []string{"intake", "routing", "notifier", "oversight"} {
		lines = append(lines, "# writer "+service+" ed25519 "+keyA)
	}
	unreadable := Entry{&record.Leaf{Kind: "UNREADABLE", LoggedAt: noon, Topic: "referral-notification", Offset: 1,
		KafkaTime: noon / 1000, SHA256: emptyDigest, Rest: record.Rest([]byte{}, nil)},
		&record.Payload{Key: []byte{}, Value: []byte{}}}
	expect(t, Log{Entries: []Entry{unreadable}}, "0 UNREADABLE note")
	expect(t, Log{Entries: []Entry{keysEntry(lines...), unreadable}}, "1 WRITER bad")
	foreign := rungReached(1, 0, 0, 0).entry(t)
	foreign.Leaf.Kind, foreign.Leaf.Partition = "FOREIGN", (foreign.Leaf.Partition+1)%12
	expect(t, Log{Entries: []Entry{foreign}}, "0 FOREIGN note")
	expect(t, Log{Entries: []Entry{keysEntry(lines...), foreign}}, "1 WRITER bad")
}

func TestSchemaOfTypesThatTheLogNeverUses(t *testing.T) {
	for _, value := range []string{`"float"`, `["null","long","bytes"]`,
		`{"aliases":["Old"],"fields":[{"name":"x","type":"double"}],"name":"referral.New","type":"record"}`} {
		entry := ownEntry("SCHEMA", value, 0)
		fingerprint, err := avro.Fingerprint([]byte(value))
		if err != nil {
			t.Fatal(err)
		}
		entry.Leaf.Type, entry.Leaf.Fingerprint = "new.v1", int64(fingerprint)
		expect(t, Log{Entries: []Entry{entry}})
		entry.Leaf.Fingerprint++
		expect(t, Log{Entries: []Entry{entry}}, "0 BODY bad")
	}
}
