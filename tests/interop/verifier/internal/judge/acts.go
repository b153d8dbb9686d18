package judge

import (
	"fmt"

	"judge/internal/signed"
)

const (
	secondMicros = int64(1_000_000)
	minuteMicros = 60 * secondMicros
	fiveMinutes  = 5 * minuteMicros
	hourMicros   = 60 * minuteMicros
)

// walkAct judges an act by the operators who are believed at its entry (section 12.4).
func (r *run) walkAct(a act) {
	r.acts = append(r.acts, a)
	r.newestAt = max(r.newestAt, a.At)
	if begun := r.begun[a.ID]; begun != nil && a.State != "BEGUN" && begun.SameAs(a.Act) {
		delete(r.begun, a.ID)
		return
	}
	if a.State == "BEGUN" {
		r.begun[a.ID] = &a
	}
	operators := r.believed.Operators()
	clock := a.loggedAt
	if r.follows {
		clock = r.newestAt
	}
	if clock < r.believed.TwoFrom(signed.OfTokens(a.Command))*1000 {
		return // an act of before their time is not judged, and uses no word
	}
	if a.Second != nil && r.digests[a.Second.Digest] {
		r.found.Add(a.index, "ACT_ALONE", "the word of %s was used by an act before", a.SecondBy())
	} else if a.Second != nil {
		r.digests[a.Second.Digest] = true
	}
	if len(operators) > 0 && signed.TakesTwo(a.Command, a.About) {
		if err := signed.CheckAct(a.Act, operators); err != nil {
			r.found.Add(a.index, "ACT_ALONE", "%s: %v", a.Command, err)
		}
	}
	r.checkActDate(a)
}

// checkActDate tells an act that says an older time than the heartbeats around it.
func (r *run) checkActDate(a act) {
	if r.follows || len(r.beats) == 0 {
		return
	}
	if older := olderBeat(r.beats); older != nil && a.At < older.loggedAt {
		r.found.Add(a.index, "ACT_DATED", "it says a time before a heartbeat that was logged long before it")
	}
}

// olderBeat is the newest heartbeat that is at least five minutes older than the last one, or nil.
func olderBeat(beats []heartbeat) *heartbeat {
	if len(beats) == 0 {
		return nil
	}
	last := beats[len(beats)-1]
	for i := len(beats) - 2; i >= 0; i-- {
		if beats[i].loggedAt <= last.loggedAt-fiveMinutes {
			return &beats[i]
		}
	}
	return nil
}

// judgeActs lists the acts, tells those without an outcome, and bundles that no act names.
func (r *run) judgeActs() {
	listed := map[string]bool{}
	ended := map[string]bool{}
	for _, a := range r.acts {
		if a.State != "BEGUN" {
			ended[a.ID] = true
		}
	}
	for _, a := range r.acts {
		if a.State == "BEGUN" {
			if !ended[a.ID] {
				r.found.Add(a.index, "ACT_OPEN", "%s began %s, and its outcome is not in the log", a.By, a.Command)
			}
			continue
		}
		group := fmt.Sprintf("%s|%s|%s|%s", a.By, a.SecondBy(), a.Command, a.State)
		if !listed[group] {
			listed[group] = true
			r.found.Add(a.index, "ACT", "%s: %s (%s)", a.By, a.Command, a.State)
		}
	}
	if len(r.acts) > 0 {
		for _, bundle := range r.bundles {
			if !r.isLogged(bundle.Bundle) {
				r.found.Add(bundle.Index, "UNLOGGED", "no act names bundle %d", bundle.Bundle.Number)
			}
		}
	}
}

func (r *run) isLogged(bundle *signed.Bundle) bool {
	number, digest := fmt.Sprintf("policy:%d", bundle.Number), "digest:"+bundle.Digest[:16]
	for i, a := range r.acts {
		if a.Names(number) && (i == 0 || (a.Command == "policy activate" && a.Names(digest))) {
			return true
		}
	}
	return false
}

// listReadings lists each reading once.
func (r *run) listReadings() {
	listed := map[string]bool{}
	for i, reading := range r.readings {
		if key := reading.Key(); !listed[key] {
			listed[key] = true
			r.found.Add(r.readingsAt[i], "READ", "%s read: %s", reading.Reader, reading.How)
		}
	}
}
