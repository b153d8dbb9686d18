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
}
