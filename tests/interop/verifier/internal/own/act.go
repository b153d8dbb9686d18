package own

import (
	"encoding/json"
	"regexp"
	"slices"
)

var (
	commandForm  = regexp.MustCompile(`^[a-z]+( [a-z-]+){0,3}$`)
	stateForm    = regexp.MustCompile(`^(DONE|BEGUN|FAILED)$`)
	operatorForm = regexp.MustCompile(`^operator/[a-z0-9-]{1,63}$`)
	subjectForm  = regexp.MustCompile(`^[a-z]+:[A-Za-z0-9/._-]{1,80}$`)
)

// Act is the value of an ADMINISTRATION. The fields of JSON stand in ascending order.
type Act struct {
	About     []string `json:"about"`
	Arguments string   `json:"arguments"`
	At        int64    `json:"at"` // µs
	By        string   `json:"by"`
	Command   string   `json:"command"`
	ID        string   `json:"id"`
	Second    *Second  `json:"second,omitempty"`
	State     string   `json:"state"`

	Signature []byte `json:"-"`
}

// Second is the word of a second operator.
type Second struct {
	By        string `json:"by"`
	Digest    string `json:"digest"`
	Signature []byte `json:"signature"`
	Until     int64  `json:"until"` // s
}

// ParseAct reads the value of an ADMINISTRATION.
func ParseAct(text []byte) (*Act, error) {
	o := parseObject(text)
	act := &Act{
		ID: o.text("id", hex32, false), Command: o.text("command", commandForm, false),
		State: o.text("state", stateForm, false), By: o.text("by", operatorForm, false),
		At: o.number("at", false), Arguments: o.text("arguments", hex64, false),
		About: o.texts("about", subjectForm), Signature: o.base64("signature", true),
	}
	var second json.RawMessage
	if o.take("second", &second, true) {
		s := parseObject(second)
		act.Second = &Second{By: s.text("by", operatorForm, false), Digest: s.text("digest", hex64, false),
			Until: s.number("until", false), Signature: s.base64("signature", false)}
		if err := s.end(); err != nil {
			o.fail("second: %v", err)
		}
	}
	return act, o.end()
}

// Form is the JSON of the act in the form of section 9, without its signature.
func (a *Act) Form() []byte {
	text, err := json.Marshal(a)
	if err != nil {
		panic(err) // no field of an act can fail
	}
	return text
}

// Names says whether the act has this subject.
func (a *Act) Names(subject string) bool { return slices.Contains(a.About, subject) }

// SecondBy is the second operator, or "".
func (a *Act) SecondBy() string {
	if a.Second == nil {
		return ""
	}
	return a.Second.By
}

// SameAs says whether two entries are of one act: by, command, about and second are the same.
func (a *Act) SameAs(other *Act) bool {
	one, two := *a, *other
	one.State, two.State, one.At, two.At = "", "", 0, 0
	one.Arguments, two.Arguments = "", ""
	return string(one.Form()) == string(two.Form())
}
