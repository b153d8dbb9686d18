package signed

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"judge/internal/avro"
	"judge/internal/crypt"
	"judge/internal/record"
)

const (
	wordsLabel  = "referral-event-v1\n"
	httpSalt    = "referral-event-salt"
	httpDigest  = "referral-event-digest"
	eventSalt   = "eventsalt"
	eventDigest = "eventdigest"
)

// wordFields are the fields of each event that are its words; of some events the words are told by Words itself.
var wordFields = map[string][]string{
	"referral-submitted": {"traits", "consent", "sections", "excludes"},
	"response-submitted": {"word", "reason", "code", "recorded"},
	"referral-withdrawn": {"reason"},
	"actor-excluded":     {"kind", "actor"},
	"instruction-given":  {"word", "reason", "track_id", "step", "seat", "target", "other", "task_id"},
}

// Words are the words of an event (record-signature.md, "Bind your words").
func Words(body AgencyBody) map[string]any {
	words := map[string]any{}
	name, _, err := record.SplitType(body.Type)
	if err != nil {
		return words
	}
	for _, field := range wordFields[name] {
		words[field] = body.Body[field]
	}
	switch name {
	case "answer-withdrawn":
		words["word"] = "COMPLETE"
	case "traits-changed":
		maps.Copy(words, body.Body.Record("traits"))
	case "consent-changed":
		maps.Copy(words, body.Body.Record("consent"))
	}
	if isReferral(body.Type) {
		if body.Body.Bool("opens") {
			words["drill"] = body.Drill
		} else {
			words["case_id"] = body.CaseID
		}
	}
	for _, list := range []string{"sections", "recorded"} {
		words[list] = sortedTexts(words[list])
	}
	words["excludes"] = lowerKinds(words["excludes"])
	return words
}

func sortedTexts(value any) any {
	list, _ := value.([]any)
	texts := slices.Clone(list)
	slices.SortFunc(texts, func(a, b any) int {
		one, _ := a.(string)
		other, _ := b.(string)
		return strings.Compare(one, other)
	})
	return texts
}

func lowerKinds(value any) any {
	list, _ := value.([]any)
	actors := []any{}
	for _, each := range list {
		actor, _ := each.(string)
		kind, id, found := strings.Cut(actor, ":")
		if found {
			actor = strings.ToLower(kind) + ":" + id
		}
		actors = append(actors, actor)
	}
	return actors
}

// Canonical is the canonical form of words: without empty members, in RFC 8785.
func Canonical(words map[string]any) []byte {
	kept, _ := withoutEmpty(words).(map[string]any)
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(kept); err != nil {
		panic(err) // words are texts, whole numbers, truths, lists and objects
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n"))
}

// withoutEmpty leaves out empty members of every object, the innermost first.
func withoutEmpty(value any) any {
	switch value := value.(type) {
	case avro.Record:
		return withoutEmpty(map[string]any(value))
	case map[string]any:
		kept := map[string]any{}
		for name, member := range value {
			if member = withoutEmpty(member); !isEmpty(member) {
				kept[name] = member
			}
		}
		return kept
	case []any:
		list := []any{}
		for _, item := range value {
			list = append(list, withoutEmpty(item))
		}
		return list
	}
	return value
}

func isEmpty(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case string:
		return value == "" || value == "unknown"
	case bool:
		return !value
	case int64:
		return value == -1
	case float64: // a number that was read from JSON
		return value == -1
	case []any:
		return len(value) == 0
	case map[string]any:
		return len(value) == 0
	}
	return false
}

// WordsDigest is the digest of words, from the SHA-256 of their salt.
func WordsDigest(saltDigest, canonical []byte) string {
	return crypt.HexSHA256(slices.Concat([]byte(wordsLabel), saltDigest, canonical))
}

// SignedTheseWords says whether the signature covers no digest of words, or that of this event's words.
func SignedTheseWords(body AgencyBody, signed avro.Record) bool {
	base := signed.Bytes("base")
	if signed.Text("scheme") == "CLOUDEVENT" {
		salt, hasSalt := attributeDigest(base, eventSalt)
		digest, hasDigest := attributeDigest(base, eventDigest)
		if !hasSalt || !hasDigest {
			return true
		}
		return bytes.Equal(digest, crypt.SHA256([]byte(WordsDigest(salt, Canonical(Words(body))))))
	}
	components, err := parseBase(string(base))
	salt, hasSalt := components[httpSalt]
	digest, hasDigest := components[httpDigest]
	if err != nil || !hasSalt || !hasDigest {
		return true
	}
	return digest == WordsDigest(crypt.SHA256([]byte(salt)), Canonical(Words(body)))
}

// attributeDigest is the digest of a signed extension attribute, which stands behind that of its name. Names and values
// follow one another behind the digest of the record's value.
func attributeDigest(base []byte, name string) (digest []byte, found bool) {
	wanted := crypt.SHA256([]byte(name))
	for at := placeTopicName * hashSize; at+2*hashSize <= len(base); at += 2 * hashSize {
		if bytes.Equal(base[at:at+hashSize], wanted) {
			return base[at+hashSize : at+2*hashSize], true
		}
	}
	return nil, false
}
