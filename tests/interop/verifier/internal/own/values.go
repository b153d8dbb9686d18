package own

import (
	"encoding/json"
	"fmt"
	"regexp"
)

// coverSize is the length of a COVER.
const coverSize = 16

var (
	hex32OrNone = regexp.MustCompile(`^([0-9a-f]{32})?$`)
	hex64OrNone = regexp.MustCompile(`^([0-9a-f]{64})?$`)
	hex32       = regexp.MustCompile(`^[0-9a-f]{32}$`)
	hex64       = regexp.MustCompile(`^[0-9a-f]{64}$`)
	howForm     = regexp.MustCompile(`^(PAGE|EXPORT|REPLAY|FIGURES)$`)
	tokenForm   = regexp.MustCompile(`^token:[0-9a-f]{16}$`)
)

// Gap is the value of a GAP.
type Gap struct {
	Topic, CaseID  string
	Expected, Came int64
}

// ParseGap reads the value of a GAP.
func ParseGap(text []byte) (*Gap, error) {
	o := parseObject(text)
	gap := &Gap{Topic: o.text("topic", nil, false), CaseID: o.text("case_id", idField, false),
		Expected: o.number("expected", false), Came: o.number("came", false)}
	return gap, o.end()
}

// Heartbeat is the value of a HEARTBEAT. Ends is nil if the broker did not answer.
type Heartbeat struct {
	Ends   map[string][]int64
	Unread map[string]int64
	Drill  bool
	Events int64
	Seal   string
	Salt   string
}

// ParseHeartbeat reads the value of a HEARTBEAT.
func ParseHeartbeat(text []byte) (*Heartbeat, error) {
	o := parseObject(text)
	beat := &Heartbeat{Drill: o.truth("drill"), Events: o.number("events", true),
		Seal: o.text("seal", hex64OrNone, true), Salt: o.text("salt", hex32OrNone, true)}
	o.take("unread", &beat.Unread, false)
	if string(o.fields["ends"]) == "null" {
		delete(o.fields, "ends")
	} else {
		beat.Ends = map[string][]int64{}
		o.take("ends", &beat.Ends, false)
	}
	return beat, o.end()
}

// Reading is the value of a READING.
type Reading struct {
	Reader, How, Lent, Token string
	Cases                    []string
}

// ParseReading reads the value of a READING.
func ParseReading(text []byte) (*Reading, error) {
	o := parseObject(text)
	reading := &Reading{Reader: o.text("reader", nil, false), How: o.text("how", howForm, false),
		Cases: o.texts("cases", idField), Lent: o.text("lent", hex64OrNone, true),
		Token: o.text("token", tokenForm, true)}
	return reading, o.end()
}

// Key tells equal readings from others.
func (r *Reading) Key() string {
	text, _ := json.Marshal(r)
	return string(text)
}

// CheckCover refuses a COVER of another length.
func CheckCover(value []byte) error {
	if len(value) != coverSize {
		return fmt.Errorf("a cover entry has %d bytes, not %d", len(value), coverSize)
	}
	return nil
}
