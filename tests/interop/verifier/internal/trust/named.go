// Package trust reads whom to believe: the log's own lines and the auditor's trust.toml (section 11).
package trust

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"judge/internal/crypt"
)

// Services are those that write records.
var Services = []string{"intake", "routing", "notifier", "oversight"}

// Named is whom one file names.
type Named struct {
	Intake          [][]byte
	Writers         map[string][][]byte
	WritersUntil    map[string]int64 // raw key → its end in ms
	SignedFrom      int64            // ms
	PolicySigners   map[string][]byte
	PolicyBundles   map[int64]string
	Approvers       map[string][]byte
	Operators       map[string][]byte // operator/NAME → key
	TwoFrom         int64             // ms
	TwoForTokenFrom int64             // ms
}

func newNamed() *Named {
	return &Named{Writers: map[string][][]byte{}, WritersUntil: map[string]int64{}, PolicySigners: map[string][]byte{},
		PolicyBundles: map[int64]string{}, Approvers: map[string][]byte{}, Operators: map[string][]byte{}}
}

var (
	nameForm   = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)
	numberForm = regexp.MustCompile(`^[0-9]{1,9}$`)
	digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// CheckPerson refuses a name in another form, and a name or a key that stands twice.
func CheckPerson(people map[string][]byte, prefix, name string, key []byte) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("%q is no name", name)
	}
	for other, otherKey := range people {
		if other == prefix+name {
			return fmt.Errorf("the name %q stands twice", name)
		}
		if bytes.Equal(otherKey, key) {
			return fmt.Errorf("%q and %q have one key", other, name)
		}
	}
	return nil
}

func addPerson(people map[string][]byte, prefix, name, key string) error {
	raw, err := crypt.Key(key)
	if err != nil {
		return err
	}
	if err := CheckPerson(people, prefix, name, raw); err != nil {
		return err
	}
	people[prefix+name] = raw
	return nil
}

// addKey adds a key; one that stands twice counts once.
func addKey(keys *[][]byte, key string) error {
	raw, err := crypt.Key(key)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(*keys, func(other []byte) bool { return bytes.Equal(other, raw) }) {
		return nil
	}
	*keys = append(*keys, raw)
	return nil
}

func (n *Named) addWriter(service, key string) error {
	if !slices.Contains(Services, service) {
		return fmt.Errorf("%q writes no records", service)
	}
	keys := n.Writers[service]
	if err := addKey(&keys, key); err != nil {
		return err
	}
	n.Writers[service] = keys
	return nil
}

// finish refuses what is only a part: three writers of four, one operator. It drops the times that stand
// beside nobody; signed_from stays, because it may belong to approvers whom another file names.
func (n *Named) finish() error {
	if count := len(n.Writers); count != 0 && count != len(Services) {
		return fmt.Errorf("%d of four writers are named", count)
	}
	switch len(n.Operators) {
	case 0:
		n.TwoFrom, n.TwoForTokenFrom = 0, 0
	case 1:
		return fmt.Errorf("one operator alone is named")
	}
	if len(n.Writers) == 0 {
		clear(n.WritersUntil)
	}
	return nil
}

// ends are the ends of keys that a service has; of another key an end changes nothing.
func (n *Named) ends() map[string]int64 {
	ends := map[string]int64{}
	for _, keys := range n.Writers {
		for _, key := range keys {
			if until, found := n.WritersUntil[string(key)]; found {
				ends[string(key)] = until
			}
		}
	}
	return ends
}

// WriterKeys are the keys of a service that count for a record which the broker took at this time (ms).
func (n *Named) WriterKeys(service string, kafkaTime int64) [][]byte {
	var keys [][]byte
	for _, key := range n.Writers[service] {
		until, ends := n.WritersUntil[string(key)]
		if !ends || (0 < kafkaTime && kafkaTime <= until) {
			keys = append(keys, key)
		}
	}
	return keys
}

// NotPinned are the parties of which nobody is named.
func (n *Named) NotPinned() (nobody []string) {
	for _, party := range []struct {
		name  string
		count int
	}{
		{"intake", len(n.Intake)}, {"approvers", len(n.Approvers)}, {"writers", len(n.Writers)},
		{"policy signers", len(n.PolicySigners)}, {"operators", len(n.Operators)},
	} {
		if party.count == 0 {
			nobody = append(nobody, party.name)
		}
	}
	return nobody
}

// RecordsFrom is signed-from beside a line that names a writer.
func (n *Named) RecordsFrom() int64 {
	if len(n.Writers) == 0 {
		return 0
	}
	return n.SignedFrom
}

// sameKeys says whether two lists have the same keys; another order is a change.
func sameKeys(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }

func samePeople(a, b map[string][]byte) bool { return maps.EqualFunc(a, b, bytes.Equal) }
