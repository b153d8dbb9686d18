package judge

import (
	"slices"
	"strings"

	"judge/internal/record"
	"judge/internal/signed"
)

func nameOf(typeName string) string {
	name, _, _ := strings.Cut(typeName, ".v")
	return name
}

// judgeBodies opens what the lent keys open, and judges the signatures of agencies (sections 8 and 12.3).
func (r *run) judgeBodies() {
	agencies := signed.NewAgencyJudge(r.bundles, r.isDrill())
	for _, e := range r.entries {
		_, hasKey := r.key(e.CaseID)
		if !hasKey || !record.HasSeq(e.kind) || e.kind == "ERASURE" || e.forged || e.sealBroken || e.value == nil {
			continue
		}
		body, code, err := r.open(e)
		if err != nil {
			if code == "BODY" {
				r.addBody(e, err)
			} else {
				r.found.Add(e.index, code, "%v", err)
			}
			continue
		}
		e.body = body
		if e.Topic != "referral-intake" || r.lost[sequenceKey{e.Topic, e.CaseID}][e.CaseSeq] {
			continue
		}
		for _, finding := range agencies.Judge(signed.AgencyBody{Index: e.index, KafkaTime: e.KafkaTime * 1000,
			EventID: e.EventID, CaseID: e.CaseID, Type: e.Type, Drill: e.value.Meta.Drill, Body: body}) {
			r.found.Add(e.index, finding.Code, "%s", finding.Words)
		}
	}
}

// judgeGone judges values that are not stored any more (section 14.3).
func (r *run) judgeGone() {
	erased := map[string]bool{}
	for _, e := range r.entries {
		if e.erasureGood {
			erased[e.CaseID] = true
		}
	}
	for _, e := range r.entries {
		if !e.gone() {
			continue
		}
		if e.CaseID != "" && erased[e.CaseID] && e.kind != "ERASURE" {
			r.found.Add(e.index, "PAYLOAD_ERASED", "the value is gone with its erased case")
		} else {
			r.found.Add(e.index, "PAYLOAD_GONE", "the value is gone, and no erasure accounts for it")
		}
		_, hasKey := r.key(e.CaseID)
		if hasKey && record.HasSeq(e.kind) && !e.sealBroken {
			r.found.Add(e.index, "BODY", "the body cannot be read, because the value is gone")
		}
	}
}

// judgeCases tells the cases whose keys are not there (section 14.5).
func (r *run) judgeCases() {
	tainted := r.casesWithBadFindings()
	first, erasure := map[string]*entry{}, map[string]*entry{}
	var order []string
	for _, e := range r.entries {
		if e.CaseID == "" || !record.HasSeq(e.kind) {
			continue
		}
		if first[e.CaseID] == nil {
			first[e.CaseID] = e
			order = append(order, e.CaseID)
		}
		if e.kind == "ERASURE" && erasure[e.CaseID] == nil {
			erasure[e.CaseID] = e
		}
	}
	for _, caseID := range order {
		if caseID != record.RosterBook {
			r.counts["cases"]++
		}
	}
	for _, caseID := range order {
		if tainted[caseID] {
			continue
		}
		r.checkClosed(caseID)
		if _, hasKey := r.key(caseID); hasKey {
			continue
		}
		if e := erasure[caseID]; e != nil {
			r.counts["cases erased"]++
			r.found.Add(e.index, "ERASED", "the case was erased")
			r.checkCount(e)
		} else {
			r.found.Add(first[caseID].index, "KEY_GONE", "the key of the case is not there, and nothing says that it was erased")
		}
	}
}

// uncounted are bad findings that do not count for section 14.5.
var uncounted = []string{"ERASURE_OPEN", "DISOWNED"}

// casesWithBadFindings are the cases with an entry of which something bad was told.
func (r *run) casesWithBadFindings() map[string]bool {
	tainted := map[string]bool{}
	for _, finding := range r.found.list {
		if finding.Weight == Bad && !slices.Contains(uncounted, finding.Code) && finding.Entry >= 0 && finding.Entry < int64(len(r.entries)) {
			tainted[r.entries[finding.Entry].CaseID] = true
		}
	}
	return tainted
}
