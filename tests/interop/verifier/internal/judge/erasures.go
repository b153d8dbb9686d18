package judge

import (
	"judge/internal/signed"
)

// erasureTrust is who is believed about erasures at one entry.
type erasureTrust struct {
	intake    [][]byte
	approvers map[string][]byte
	from      int64 // ms
}

func (r *run) erasureTrust() *erasureTrust {
	return &erasureTrust{r.believed.Intake(), r.believed.Approvers(), r.believed.ErasuresFrom()}
}

// judgeErasures judges each erasure whose value is there (section 12.5).
func (r *run) judgeErasures() {
	for _, e := range r.entries {
		if e.kind == "ERASURE" && e.erasureTrust != nil && e.value != nil {
			holds := r.erasureHolds(e)
			e.erasureGood = holds && !e.forged && !e.sealBroken && !e.ahead && !r.isDisowned(e)
		}
	}
}

// erasureHolds tells the first thing that is wrong with an erasure. Where nobody names a key of intake, the two
// persons and the quarantine record are asked all the same.
func (r *run) erasureHolds(e *entry) bool {
	erasure, ok := r.openErasure(e)
	if !ok {
		return false
	}
	e.erasure = erasure
	trust := e.erasureTrust
	if len(trust.intake) == 0 {
		r.found.Add(e.index, "ERASURE_KEY", "nobody names a key of intake, so nobody can check who wrote this erasure")
	} else if err := erasure.CheckIntake(trust.intake); err != nil {
		r.found.Add(e.index, "ERASURE_FORGED", "%v", err)
		return false
	}
	early := 0 < e.KafkaTime && e.KafkaTime < trust.from
	if len(trust.approvers) > 0 && !early {
		if err := erasure.CheckPersons(trust.approvers); err != nil {
			r.found.Add(e.index, "ERASURE_ALONE", "%v", err)
			return false
		}
	}
	return !r.isRefused(e)
}

// openErasure decodes an erasure. One with a nonce is SEAL, and does not decode.
func (r *run) openErasure(e *entry) (*signed.Erasure, bool) {
	plain, err := e.value.Open(e.Topic, nil)
	if err != nil {
		r.found.Add(e.index, "SEAL", "%v", err)
		r.found.Add(e.index, "ERASURE_FORGED", "%v", err)
		return nil, false
	}
	body, err := e.value.Decode(plain)
	if err != nil {
		r.found.Add(e.index, "ERASURE_FORGED", "%v", err)
		return nil, false
	}
	if body.Bytes("signature") == nil {
		r.found.Add(e.index, "ERASURE_FORGED", "the erasure has no signature of intake")
		return nil, false
	}
	return &signed.Erasure{CaseID: e.CaseID, Body: body, Bytes: plain}, true
}

// isRefused says whether a reader refused the erasure.
func (r *run) isRefused(e *entry) bool {
	for _, said := range r.quarantines[position{e.Topic, e.Partition, e.Offset}] {
		if said.reason == "seal" {
			r.found.Add(e.index, "ERASURE_FORGED", "%s refused this erasure", said.reader)
			return true
		}
	}
	return false
}

// checkClosed tells each erasure of a case, believed or not, that was open when it was approved.
func (r *run) checkClosed(caseID string) {
	for _, e := range r.byCase[caseID] {
		if e.erasure != nil && !r.wasClosed(e) {
			r.found.Add(e.index, "ERASURE_OPEN", "the case was not closed when its erasure was approved")
		}
	}
}

func (r *run) wasClosed(e *entry) bool {
	at := min(e.RecordedAt, e.erasure.Body.Long("approved_at"))
	var last *entry
	for _, other := range r.byCase[e.CaseID] {
		if other.kind != "DECISION" || !other.counts() || other.RecordedAt > at {
			continue
		}
		switch nameOf(other.Type) {
		case "case-opened", "track-changed", "case-closed":
			if last == nil || other.CaseSeq > last.CaseSeq {
				last = other
			}
		}
	}
	return last != nil && nameOf(last.Type) == "case-closed"
}

// checkCount tells an erasure that speaks of another number of records than stand before it.
func (r *run) checkCount(e *entry) {
	if e.erasure == nil || e.erasure.Body.Text("approved_by") == "" {
		return
	}
	if records := e.erasure.Body.Long("records"); records != e.CaseSeq-1 {
		r.found.Add(e.index, "ERASURE_COUNT", "the erasure speaks of %d records, and its sequence is %d", records, e.CaseSeq)
	}
}
