package judge

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"slices"
	"testing"

	"judge/internal/crypt"
	"judge/internal/record"
)

const (
	accountOne = "00000000-0000-4000-8000-00000000000a"
	accountTwo = "00000000-0000-4000-8000-00000000000b"
)

func testKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(slices.Repeat([]byte{seed}, ed25519.SeedSize))
}

func keyText(key ed25519.PrivateKey) string {
	return base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
}

var (
	intakeKey             = testKey(1)
	approverA, approverB  = testKey(2), testKey(3)
	intakeLine            = "# intake ed25519 " + keyText(intakeKey)
	approverLines         = []string{"# approver a ed25519 " + keyText(approverA), "# approver b ed25519 " + keyText(approverB)}
	noKeys                = record.CaseKeys{}
	erasureSeq, closedSeq = int64(2), int64(1)
)

// erasure is a case-erased.v4 whose texts are signed as section 12.5 says.
type erasure struct {
	seq, offset int64
	intake      ed25519.PrivateKey
	asked, gave ed25519.PrivateKey
	records     int64
	nonce       byte
}

func goodErasure() erasure {
	return erasure{seq: erasureSeq, offset: 9, intake: intakeKey, asked: approverA, gave: approverB, records: erasureSeq - 1}
}

func (c erasure) entry(t *testing.T) Entry {
	t.Helper()
	some := func(raw []byte) []byte { return append([]byte{2}, raw...) }
	fields := slices.Concat(some(text(accountOne)), long(noon), some(text(accountTwo)), long(noon), text("consent"), long(c.records))
	asked := ed25519.Sign(c.asked, fmt.Appendf(nil, "referral-erasure-request-v1\n%s\nconsent\n%s\n", caseOne, accountOne))
	gave := ed25519.Sign(c.gave, append(fmt.Appendf(nil, "referral-erasure-approval-v1\n%s\nconsent\n%s\n%s\n", caseOne, accountTwo, accountOne), asked...))
	behind := append(some(asked), some(gave)...)
	signed := slices.Concat([]byte("referral-case-erased-v4\n"+caseOne+"\n"), fields, []byte{0}, behind)
	body := slices.Concat(fields, some(ed25519.Sign(c.intake, signed)), behind)

	base := rungReached(c.seq, 0, 0, 0)
	base.topic, base.typeName, base.offset = "referral-intake", "case-erased.v4", c.offset
	entry := base.entry(t)
	value, err := record.ParseValue(entry.Payload.Value)
	if err != nil {
		t.Fatal(err)
	}
	nonce := make([]byte, 12)
	nonce[0] = c.nonce
	setValue(entry, slices.Concat(value.MetaBytes, nonce, long(int64(len(body))), body))
	return entry
}

func setValue(entry Entry, value []byte) {
	entry.Payload.Value = value
	entry.Leaf.SHA256 = crypt.SHA256(value)
}

// referral is a record of intake; without its case's key nobody asks what its body is.
func referral(t *testing.T, seq int64) Entry {
	t.Helper()
	base := rungReached(seq, 0, 0, 0)
	base.topic, base.typeName = "referral-intake", "referral-submitted.v1"
	return base.entry(t)
}

// closing is a decision that closed the case.
func closing(t *testing.T) Entry {
	t.Helper()
	base := rungReached(closedSeq, 0, 0, 0)
	base.topic, base.typeName = "referral-routing", "case-closed.v1"
	return base.entry(t)
}

// quarantined is a quarantine record of a reader about a record.
func quarantined(reader, reason string, about *record.Leaf) Entry {
	value := slices.Concat(text(about.Topic), long(about.Partition), long(about.Offset), text(reader), text(reason),
		[]byte{0}, long(0), long(noon), make([]byte, 12), long(0), long(0), []byte{0})
	key := fmt.Appendf(nil, "%s/%s/%d/%d", reader, about.Topic, about.Partition, about.Offset)
	payload := &record.Payload{Key: key, Value: value,
		Headers: []record.Header{{Name: "ce_type", Value: []byte("referral.quarantined.v2")}}}
	return Entry{&record.Leaf{Kind: "QUARANTINE", LoggedAt: noon, Topic: "referral-quarantine", KafkaTime: noon / 1000,
		SHA256: crypt.SHA256(value), Rest: record.Rest(key, payload.Headers)}, payload}
}

// gone is a record whose value is not stored any more.
func gone(entry Entry) Entry { return Entry{entry.Leaf, nil} }

// erasedCase is a log of a closed case whose first record is gone: keys, that record, the decision, the erasure.
func erasedCase(t *testing.T, lines []string, erasures ...Entry) Log {
	t.Helper()
	entries := []Entry{keysEntry(lines...), gone(referral(t, 1)), closing(t)}
	return Log{Keys: noKeys, Entries: append(entries, erasures...)}
}

func TestErasureOfTwoPersons(t *testing.T) {
	good := goodErasure().entry(t)
	expect(t, erasedCase(t, append(approverLines, intakeLine), good), "1 PAYLOAD_ERASED note", "3 ERASED note")
}

func TestErasureIsBelievedOnlyWhereItsRecordIs(t *testing.T) {
	lines := append(approverLines, intakeLine)
	good := goodErasure().entry(t)
	expect(t, erasedCase(t, lines, good, quarantined("intake", "foreign", good.Leaf)),
		"1 PAYLOAD_GONE bad", "3 DISOWNED bad")
	var writers []string
	for _, service := range []string{"intake", "routing", "notifier", "oversight"} {
		writers = append(writers, "# writer "+service+" ed25519 "+keyA)
	}
	log := Log{Keys: noKeys, Entries: []Entry{keysEntry(append(lines, writers...)...), gone(referral(t, 1)), good}}
	expect(t, log, "1 PAYLOAD_GONE bad", "2 WRITER bad")
	expect(t, erasedCase(t, lines, gone(good)), "1 PAYLOAD_GONE bad", "3 PAYLOAD_GONE bad")
}

func TestErasureThatWasWrittenAhead(t *testing.T) {
	ahead := goodErasure()
	ahead.seq, ahead.records = 3, 2
	early := referral(t, 2)
	early.Leaf.Kind, early.Leaf.Offset = "FORK", 10
	log := Log{Entries: []Entry{keysEntry(append(approverLines, intakeLine)...), referral(t, 1), ahead.entry(t), early}}
	found := NewFindings()
	log.Keys = record.CaseKeys{caseOne: caseKey}
	Judge(log, found)
	codes := []string{}
	for _, finding := range found.Sorted() {
		codes = append(codes, fmt.Sprint(finding.Entry, " ", finding.Code))
	}
	if !slices.Contains(codes, "2 SEQUENCE_AHEAD") {
		t.Errorf("told %q", codes)
	}
	log.Entries[1] = gone(log.Entries[1])
	found = NewFindings()
	Judge(log, found)
	if slices.ContainsFunc(found.Sorted(), func(finding Finding) bool { return finding.Code == "PAYLOAD_ERASED" }) {
		t.Error("an erasure that was written ahead accounts for nothing")
	}
}

func TestErasureWithANonce(t *testing.T) {
	nonce := goodErasure()
	nonce.nonce = 1
	expect(t, erasedCase(t, append(approverLines, intakeLine), nonce.entry(t)),
		"1 PAYLOAD_GONE bad", "3 ERASURE_FORGED bad", "3 SEAL bad")
}

func TestErasureBesideWhichNobodyNamesIntake(t *testing.T) {
	alone := goodErasure()
	alone.gave = approverA
	good := goodErasure().entry(t)
	expect(t, erasedCase(t, approverLines, good), "1 PAYLOAD_ERASED note", "3 ERASED note", "3 ERASURE_KEY unchecked")
	expect(t, erasedCase(t, approverLines, alone.entry(t)), "1 PAYLOAD_GONE bad", "3 ERASURE_ALONE bad", "3 ERASURE_KEY unchecked")
	expect(t, erasedCase(t, nil, good, quarantined("routing", "seal", good.Leaf)),
		"1 PAYLOAD_GONE bad", "3 ERASURE_FORGED bad", "3 ERASURE_KEY unchecked")
}

func TestFirstOfTwoErasures(t *testing.T) {
	first, second := goodErasure(), goodErasure()
	first.records = 7
	second.seq, second.offset, second.records = 3, 10, 8
	lines := append(approverLines, intakeLine)
	disowned := first.entry(t)
	expect(t, erasedCase(t, lines, disowned, second.entry(t), quarantined("intake", "foreign", disowned.Leaf)),
		"1 PAYLOAD_ERASED note", "3 DISOWNED bad", "3 ERASED note", "3 ERASURE_COUNT unchecked")
	log := erasedCase(t, lines, first.entry(t), second.entry(t))
	log.Entries[2] = keysEntry(lines...) // nothing closed the case
	expect(t, log, "1 PAYLOAD_ERASED note", "3 ERASED note", "3 ERASURE_COUNT unchecked", "3 ERASURE_OPEN bad", "4 ERASURE_OPEN bad")
}

func TestBodyOfAGoneValueUnderAnErasure(t *testing.T) {
	log := erasedCase(t, append(approverLines, intakeLine), goodErasure().entry(t))
	log.Entries[2] = keysEntry(append(approverLines, intakeLine)...)
	log.Keys = record.CaseKeys{caseOne: caseKey}
	expect(t, log, "1 BODY bad", "1 PAYLOAD_ERASED note")
}
