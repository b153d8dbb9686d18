package trust

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"judge/internal/crypt"
)

// lineWords says how many words follow each word of ours.
var lineWords = map[string]int{
	"intake": 2, "writer": 3, "writer-until": 2, "signed-from": 1, "policy-signer": 3, "policy-bundle": 2, "approver": 3,
	"operator": 3, "two-operators-from": 1, "two-operators-for-tokens-from": 1,
}

// ParseLines reads the lines of our own in a policy file; all others are passed over.
func ParseLines(text string) (*Named, error) {
	named := newNamed()
	for number, line := range strings.Split(text, "\n") {
		words := ourWords(line)
		if words == nil {
			continue
		}
		if err := named.line(words[0], words[1:]); err != nil {
			return nil, fmt.Errorf("line %d, %s: %w", number+1, words[0], err)
		}
	}
	return named, named.finish()
}

// ourWords returns the words behind # if a line is one of ours, else nil.
func ourWords(line string) []string {
	words := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\r\v\f", r) })
	if len(words) < 2 || words[0] != "#" || lineWords[words[1]] == 0 {
		return nil
	}
	return words[1:]
}

func (n *Named) line(word string, parts []string) error {
	if len(parts) != lineWords[word] {
		return fmt.Errorf("%d words follow, not %d", len(parts), lineWords[word])
	}
	switch word {
	case "signed-from":
		return later(&n.SignedFrom, parts[0])
	case "two-operators-from":
		return later(&n.TwoFrom, parts[0])
	case "two-operators-for-tokens-from":
		return later(&n.TwoForTokenFrom, parts[0])
	case "writer-until":
		return n.endWriterKey(parts[0], parts[1])
	case "policy-bundle":
		return n.pin(parts[0], parts[1])
	}
	if kind := parts[len(parts)-2]; kind != "ed25519" {
		return fmt.Errorf("the key is of the kind %q", kind)
	}
	key := parts[len(parts)-1]
	switch word {
	case "intake":
		return addKey(&n.Intake, key)
	case "writer":
		return n.addWriter(parts[0], key)
	case "policy-signer":
		return addPerson(n.PolicySigners, "", parts[0], key)
	case "approver":
		return addPerson(n.Approvers, "", parts[0], key)
	}
	return addPerson(n.Operators, "operator/", parts[0], key)
}

// pin keeps the digest of a bundle; of two lines for one bundle the last counts.
func (n *Named) pin(number, digest string) error {
	if !numberForm.MatchString(number) || !digestForm.MatchString(digest) {
		return fmt.Errorf("%q %q are no number and digest of a bundle", number, digest)
	}
	parsed, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return err
	}
	n.PolicyBundles[parsed] = digest
	return nil
}

// endWriterKey gives a service's key an end; the earliest counts.
func (n *Named) endWriterKey(key, text string) error {
	raw, err := crypt.Key(key)
	if err != nil {
		return err
	}
	until, err := parseTime(text)
	if err != nil {
		return err
	}
	if before, found := n.WritersUntil[string(raw)]; !found || until < before {
		n.WritersUntil[string(raw)] = until
	}
	return nil
}

// later keeps the later of the times.
func later(kept *int64, text string) error {
	parsed, err := parseTime(text)
	if err != nil {
		return err
	}
	*kept = max(*kept, parsed)
	return nil
}

// parseTime reads a time with an offset and returns it in ms.
func parseTime(text string) (int64, error) {
	parsed, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, fmt.Errorf("%q is no time with an offset", text)
	}
	return parsed.UnixMilli(), nil
}
