package judge

import (
	"strings"
	"testing"

	"judge/internal/crypt"
)

// bundleEntry is bundle 1, which says that it was activated at noon, and a number of minutes at which the broker had
// it, and audit logged it.
func bundleEntry(kafka, logged int64) Entry {
	entry := policyEntry()
	entry.Leaf.KafkaTime, entry.Leaf.LoggedAt = (noon+kafka*minuteMicros)/1000, noon+logged*minuteMicros
	return entry
}

// activation is an act `policy activate` of bundle 1.
func activation(at, logged int64) Entry {
	entry := actEntry("a", "DONE", "policy activate", at, logged)
	value := strings.Replace(string(entry.Payload.Value), "[]",
		`["policy:1","digest:`+crypt.HexSHA256(nil)[:16]+`"]`, 1)
	return ownEntry("ADMINISTRATION", value, logged)
}

func TestTimeOfAnActivation(t *testing.T) {
	expect(t, Log{Entries: []Entry{bundleEntry(1, 1)}})
	expect(t, Log{Entries: []Entry{bundleEntry(2, 2)}}, "0 ACTIVATED_AT unchecked")
	expect(t, Log{Entries: []Entry{bundleEntry(-1, 0)}})
	expect(t, Log{Entries: []Entry{bundleEntry(-2, 0)}}, "0 ACTIVATED_AT bad")
	expect(t, Log{Entries: []Entry{bundleEntry(5, 5), activation(1, 6)}}, "1 ACT note")
	expect(t, Log{Entries: []Entry{bundleEntry(5, 5), activation(2, 6)}}, "0 ACTIVATED_AT bad", "1 ACT note")
}

func TestTimeOfAnActivationInADrill(t *testing.T) {
	drill := ownEntry("HEARTBEAT", `{"drill":true,"ends":{},"unread":{}}`, -9)
	expect(t, Log{Entries: []Entry{drill, bundleEntry(-2, -1)}})
	expect(t, Log{Entries: []Entry{drill, bundleEntry(-2, -2)}}, "1 ACTIVATED_AT bad")
	expect(t, Log{Entries: []Entry{drill, bundleEntry(2, 2)}}, "1 ACTIVATED_AT unchecked")
	real := beat(-8)
	expect(t, Log{Entries: []Entry{drill, real, bundleEntry(-2, -1)}}, "1 DRILL_CHANGED bad", "2 ACTIVATED_AT bad")
	expect(t, Log{Entries: []Entry{drill, bundleEntry(-2, -1), ownEntry("HEARTBEAT", `{"drill":false,"ends":{},"unread":{}}`, 0)}},
		"1 ACTIVATED_AT bad", "2 DRILL_CHANGED bad", "2 PAUSED note")
}

func TestSmallestTimeOfTheActsCounts(t *testing.T) {
	failed := activation(1, 8)
	setValue(failed, []byte(strings.Replace(string(failed.Payload.Value), `"DONE"`, `"FAILED"`, 1)))
	later := activation(3, 7)
	setValue(later, []byte(strings.Replace(string(later.Payload.Value), strings.Repeat("a", 32), strings.Repeat("b", 32), 1)))
	expect(t, Log{Entries: []Entry{later, bundleEntry(5, 7)}}, "0 ACT note", "1 ACTIVATED_AT bad")
	expect(t, Log{Entries: []Entry{later, bundleEntry(5, 7), failed}},
		"0 ACT note", "2 ACT note")
}

// TestActsThatNameABundleOtherwise has an act of another command: it does not activate.
func TestActsThatNameABundleOtherwise(t *testing.T) {
	other := activation(5, 6)
	setValue(other, []byte(strings.Replace(string(other.Payload.Value), "policy activate", "staff disable", 1)))
	expect(t, Log{Entries: []Entry{other, bundleEntry(5, 6)}}, "0 ACT note", "1 ACTIVATED_AT unchecked")
}

func TestBundleWithoutATimeOfTheBroker(t *testing.T) {
	timeless := func(logged int64) Entry {
		entry := bundleEntry(0, logged)
		entry.Leaf.KafkaTime = 0
		return entry
	}
	expect(t, Log{Entries: []Entry{timeless(-9)}})
	expect(t, Log{Entries: []Entry{timeless(6), activation(2, 6)}}, "0 ACTIVATED_AT bad", "1 ACT note")
	drill := ownEntry("HEARTBEAT", `{"drill":true,"ends":{},"unread":{}}`, -99)
	expect(t, Log{Entries: []Entry{drill, timeless(0)}})
	expect(t, Log{Entries: []Entry{drill, timeless(-9)}}, "1 ACTIVATED_AT bad")
}
