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

// judgeErasures judges each erasure (section 12.5).
func (r *run) judgeErasures() {
	for _, e := range r.entries {
		if e.kind == "ERASURE" && e.erasureTrust != nil && e.value != nil {
			r.judgeErasure(e)
		}
	}
}

func (r *run) judgeErasure(e *entry) {
	erasure, ok := r.openErasure(e)
	if !ok || r.isRefused(e) {
		return
	}
	if len(e.erasureTrust.intake) == 0 {
		r.found.Add(e.index, "ERASURE_KEY", "nobody names a key of intake, so nobody can check this erasure")
	} else if err := erasure.CheckIntake(e.erasureTrust.intake); err != nil {
		r.found.Add(e.index, "ERASURE_FORGED", "%v", err)
		return
	}
	early := 0 < e.KafkaTime && e.KafkaTime < e.erasureTrust.from
	if len(e.erasureTrust.approvers) > 0 && !early {
		if err := erasure.CheckPersons(e.erasureTrust.approvers); err != nil {
			r.found.Add(e.index, "ERASURE_ALONE", "%v", err)
			return
		}
	}
	e.erasureGood = !e.forged && !e.sealBroken && !e.ahead
	r.checkClosed(e, erasure)
	_, hasKey := r.key(e.CaseID)
	if approved := erasure.Body.Text("approved_by"); !hasKey && approved != "" && erasure.Body.Long("records") != e.CaseSeq-1 {
		r.found.Add(e.index, "ERASURE_COUNT", "the erasure speaks of %d records, and its sequence is %d",
			erasure.Body.Long("records"), e.CaseSeq)
	}
}

func (r *run) openErasure(e *entry) (*signed.Erasure, bool) {
	plain, err := e.value.Open(e.Topic, nil)
	if err != nil {
		r.found.Add(e.index, "SEAL", "%v", err)
		return nil, false
	}
	body, err := e.value.Decode(plain)
	if err != nil {
		r.found.Add(e.index, "ERASURE_FORGED", "%v", err)
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

// checkClosed tells an erasure of a case that was open when it was approved.
func (r *run) checkClosed(e *entry, erasure *signed.Erasure) {
	at := e.RecordedAt
	if approved := erasure.Body.Long("approved_at"); approved != 0 {
		at = min(at, approved)
	}
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
	if last == nil || nameOf(last.Type) != "case-closed" {
		r.found.Add(e.index, "ERASURE_OPEN", "the case was not closed when its erasure was approved")
	}
}
