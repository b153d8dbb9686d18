package judge

import (
	"math"

	"judge/internal/avro"
)

// fold is a case after its decisions, as far as its next limit needs it (section 15.6).
type fold struct {
	time       int64 // the case's time
	tasks      map[string]int64
	offers     map[string]*offer
	tracks     map[string]string // track → its last state
	rounds     map[roundKey]int64
	consentEnd int64
	closed     bool
}

// offer is an open offer; no limit runs where due is none.
type offer struct {
	track string
	due   int64
	open  bool
}

type roundKey struct {
	track, step string
	round       int64
}

const none = int64(math.MaxInt64)

// timeOr is a time of a body, or none.
func timeOr(body avro.Record, field string) int64 {
	if at, found := body[field].(int64); found {
		return at
	}
	return none
}

func newFold(c *decidedCase) *fold {
	f := &fold{time: c.time(), tasks: map[string]int64{}, offers: map[string]*offer{}, tracks: map[string]string{},
		rounds: map[roundKey]int64{}, consentEnd: none}
	for _, a := range c.answers {
		for _, e := range a.events {
			if e.body != nil {
				f.add(nameOf(e.Type), e.body)
			}
		}
	}
	return f
}

// add takes one decision over.
func (f *fold) add(name string, body avro.Record) {
	round := roundKey{body.Text("track_id"), body.Text("step"), body.Long("round")}
	switch name {
	case "case-opened", "case-changed":
		f.consentEnd = none
		if consent := body.Record("consent"); consent.Text("state") == "GIVEN" {
			f.consentEnd = timeOr(consent, "until")
		}
	case "case-closed":
		f.closed = true
	case "needs-person":
		f.tasks[body.Text("task_id")] = timeOr(body, "due")
	case "person-not-needed":
		delete(f.tasks, body.Text("task_id"))
	case "track-changed":
		f.tracks[body.Text("track_id")] = body.Text("state")
		f.closed = false
	case "step-opened":
		f.rounds[round] = timeOr(body, "starts")
	case "step-done":
		delete(f.rounds, round)
	default:
		f.addOffer(name, body)
	}
}

func (f *fold) addOffer(name string, body avro.Record) {
	id := body.Text("offer_id")
	if name == "offer-opened" || (name == "offer-reopened" && f.offers[id] == nil) {
		f.offers[id] = &offer{track: body.Text("track_id")}
	}
	of := f.offers[id]
	if of == nil {
		return
	}
	switch name {
	case "offer-opened", "offer-acknowledged", "offer-accepted", "offer-arrived", "offer-escalated", "offer-held", "offer-reopened":
		of.open, of.due = true, timeOr(body, "due")
	case "offer-closed":
		of.open = false
	case "deadline-passed":
		of.due = none
	}
}

// nextLimit is the earliest limit that runs, or none.
func (f *fold) nextLimit() int64 {
	next := none
	for _, due := range f.tasks {
		next = min(next, due)
	}
	for _, of := range f.offers {
		if state := f.tracks[of.track]; of.open && (state == "OPENED" || state == "RESUMED") {
			next = min(next, of.due)
		}
	}
	if f.closed {
		return next
	}
	if f.consentEnd > f.time {
		next = min(next, f.consentEnd)
	}
	for key, starts := range f.rounds {
		if state := f.tracks[key.track]; starts > f.time && (state == "OPENED" || state == "RESUMED") {
			next = min(next, starts)
		}
	}
	return next
}
