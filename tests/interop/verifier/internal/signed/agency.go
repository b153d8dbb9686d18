package signed

import (
	"fmt"

	"judge/internal/avro"
)

// ActiveBundle is a believed bundle with the place of its record.
type ActiveBundle struct {
	Bundle    *Bundle
	Index     int64
	KafkaTime int64 // µs
	LoggedAt  int64 // µs
}

// InForce are the times (µs) at which believed bundles came into force (section 12.2): that at which the broker had the
// bundle, or in a drill that which the bundle says, but not before the broker had it and not after it was logged. No
// bundle is in force before the one that it follows.
func InForce(bundles []ActiveBundle, drill bool) []int64 {
	var times []int64
	for i, bundle := range bundles {
		from := bundle.KafkaTime
		if drill {
			from = min(max(bundle.Bundle.At, bundle.KafkaTime), bundle.LoggedAt)
		}
		if i > 0 {
			from = max(from, times[i-1])
		}
		times = append(times, from)
	}
	return times
}

// AgencyJudge judges the signatures of agencies over all bodies of referral-intake, in order (section 12.3).
type AgencyJudge struct {
	bundles []ActiveBundle
	inForce []int64                  // µs: of each bundle
	signing []map[string]Signing     // of each bundle; nil where its files are no valid policy
	states  map[string][]AgencyState // agency → state after each bundle
	used    map[string]string        // what may be signed once → event
}

// NewAgencyJudge begins with the believed bundles of the whole log, which may be of a drill.
func NewAgencyJudge(bundles []ActiveBundle, drill bool) *AgencyJudge {
	judge := &AgencyJudge{bundles: bundles, inForce: InForce(bundles, drill), states: map[string][]AgencyState{},
		used: map[string]string{}}
	for _, bundle := range bundles {
		signings, err := Signings(bundle.Bundle)
		if err != nil {
			signings = nil
		}
		judge.signing = append(judge.signing, signings)
	}
	return judge
}

// AgencyBody is a body of referral-intake that was opened.
type AgencyBody struct {
	Index     int64
	KafkaTime int64 // µs
	EventID   string
	CaseID    string
	Type      string
	Drill     bool // of the meta
	Body      avro.Record
}

// AgencyFinding is a finding of section 12.3.
type AgencyFinding struct{ Code, Words string }

func (j *AgencyJudge) statesOf(agency string) []AgencyState {
	if states, found := j.states[agency]; found {
		return states
	}
	states := []AgencyState{}
	var state AgencyState
	for i, bundle := range j.bundles {
		if j.signing[i] == nil {
			state = state.NextInvalid()
		} else {
			state = state.Next(j.signing[i][agency], bundle.KafkaTime)
		}
		states = append(states, state)
	}
	j.states[agency] = states
	return states
}

// now is the number of bundles that are believed before this entry.
func (j *AgencyJudge) now(index int64) int {
	count := 0
	for _, bundle := range j.bundles {
		if bundle.Index < index {
			count++
		}
	}
	return count
}

// Judge judges one body.
func (j *AgencyJudge) Judge(body AgencyBody) []AgencyFinding {
	if _, sends := body.Body["signed"]; !sends {
		return nil
	}
	signed := body.Body.Record("signed")
	if signed == nil {
		return j.judgeUnsigned(body)
	}
	if err := CheckAgency(body.Type, body.CaseID, body.Body); err != nil {
		return []AgencyFinding{{"SIGNATURE_WRONG", err.Error()}}
	}
	findings := j.judgeKey(body, signed)
	if !SignedTheseWords(body, signed) {
		findings = append(findings, AgencyFinding{"SIGNED_OTHERWISE", "the signature covers other words than this event has"})
	}
	if key := reuseKey(signed); key != "" {
		if before, used := j.used[key]; used && before != body.EventID {
			findings = append(findings, AgencyFinding{"SIGNATURE_REUSED", "the same was signed for event " + before})
		} else {
			j.used[key] = body.EventID
		}
	}
	return findings
}

func (j *AgencyJudge) judgeKey(body AgencyBody, signed avro.Record) []AgencyFinding {
	agency, public := signed.Text("agency"), signed.Bytes("public")
	states, now := j.statesOf(agency), j.now(body.Index)
	if now > 0 {
		if from, listed := states[now-1].keyState(public); listed {
			if from > body.KafkaTime+minuteMicros {
				return []AgencyFinding{{"SIGNATURE_KEY_NEW", fmt.Sprintf("the key of %s does not count yet", agency)}}
			}
			return nil
		}
	}
	for i, state := range states {
		if _, listed := state.keyState(public); !listed {
			continue
		}
		if i < now {
			return []AgencyFinding{{"SIGNATURE_KEY_REVOKED", fmt.Sprintf("only earlier bundles list the key of %s", agency)}}
		}
		return []AgencyFinding{{"SIGNATURE_KEY_LATER", fmt.Sprintf("only later bundles list the key of %s", agency)}}
	}
	return []AgencyFinding{{"SIGNATURE_KEY_UNKNOWN", fmt.Sprintf("no bundle lists the key of %s", agency)}}
}

func (j *AgencyJudge) judgeUnsigned(body AgencyBody) []AgencyFinding {
	agency := body.Body.Text("agency")
	now := j.now(body.Index)
	if now == 0 || !sentBySystem(body) {
		return nil
	}
	state := j.statesOf(agency)[now-1]
	if !state.mustSign(body.KafkaTime) {
		return nil
	}
	if state.MustIsNew && body.Body.Long("received_at") <= j.inForce[now-1]+minuteMicros {
		return []AgencyFinding{{"SIGNATURE_EARLY", agency + " must sign since a moment"}}
	}
	return []AgencyFinding{{"SIGNATURE_MISSING", agency + " must sign what its systems send"}}
}

// sentBySystem says whether a system, and no person, sent a body.
func sentBySystem(body AgencyBody) bool {
	fields := body.Body
	if isReferral(body.Type) {
		return fields.Text("door") == "HTTP" || fields.Text("door") == "KAFKA"
	}
	return fields.Text("by") == "" && fields.Text("recorded_by") == "" && fields.Text("via") != "PHONE"
}
