package judge

import (
	"bytes"

	"judge/internal/record"
)

// judgeSequences judges forks, forged records and sequences (section 14.4).
func (r *run) judgeSequences() {
	for _, caseID := range r.casesToCorrect() {
		r.correctCase(caseID)
	}
	r.countSequences()
	for _, e := range r.entries {
		if e.kind == "FORK" && !e.forged && !e.sealBroken {
			r.found.Add(e.index, "FORK", "sequence %d of its case was logged before, with another record", e.CaseSeq)
		}
		if record.HasSeq(e.kind) && !e.forged && !e.sealBroken && r.isDisowned(e) {
			r.found.Add(e.index, "DISOWNED", "the owner of %s says that it did not write this record", e.Topic)
		}
	}
}

// casesToCorrect are the cases with a FORK, a GAP or a forged record that have a key, or a forged record.
func (r *run) casesToCorrect() []string {
	var cases []string
	seen, withForged := map[string]bool{}, map[string]bool{}
	for _, e := range r.entries {
		if e.forged {
			withForged[e.CaseID] = true
		}
	}
	for _, e := range r.entries {
		if e.CaseID == "" || seen[e.CaseID] || (e.Kind != "FORK" && e.Kind != "GAP" && !e.forged) {
			continue
		}
		if _, hasKey := r.key(e.CaseID); !hasKey && !withForged[e.CaseID] {
			continue
		}
		seen[e.CaseID] = true
		cases = append(cases, e.CaseID)
	}
	return cases
}

// correctCase tells what is forged from what is true among the records of one case (rule 2).
func (r *run) correctCase(caseID string) {
	_, hasKey := r.key(caseID)
	left := map[string][]*entry{} // topic → entries that are left, in order
	for _, e := range r.byCase[caseID] {
		if e.forged || !(record.HasSeq(e.Kind) || e.Kind == "FORK") {
			continue
		}
		if hasKey && !r.opens(e) {
			e.sealBroken = true
			r.found.Add(e.index, "SEAL", "the key of its case does not open it")
			continue
		}
		if e.Kind == "FORK" && !hasKey && hasSequence(left[e.Topic], e.CaseSeq) {
			continue // nothing tells which of the two is true
		}
		if e.Kind == "FORK" {
			e.kind = record.KindOfType(e.Topic, e.Type)
			markAhead(r, left[e.Topic], e)
		}
		r.markTwins(left[e.Topic], e, hasKey)
		left[e.Topic] = append(left[e.Topic], e)
	}
}

// hasSequence says whether one of the entries has the sequence.
func hasSequence(entries []*entry, sequence int64) bool {
	for _, e := range entries {
		if e.CaseSeq == sequence {
			return true
		}
	}
	return false
}

func (r *run) opens(e *entry) bool {
	if e.value == nil {
		return false
	}
	_, code, err := r.open(e)
	return err == nil || code != "SEAL"
}

// markAhead marks what was written ahead of a FORK whose sequence was not seen before.
func markAhead(r *run, before []*entry, fork *entry) {
	for _, other := range before {
		if other.CaseSeq == fork.CaseSeq {
			return
		}
	}
	for _, other := range before {
		if other.CaseSeq > fork.CaseSeq {
			other.ahead = true
			r.found.Add(other.index, "SEQUENCE_AHEAD", "sequence %d was written before sequence %d", other.CaseSeq, fork.CaseSeq)
		}
	}
}

// markTwins marks records of one sequence with other bytes. Those of routing are settled by deciding again.
func (r *run) markTwins(before []*entry, e *entry, hasKey bool) {
	for _, other := range before {
		if other.CaseSeq != e.CaseSeq || bytes.Equal(other.SHA256, e.SHA256) {
			continue
		}
		for _, twin := range []*entry{other, e} {
			twin.twin = true
			if hasKey && e.Topic != "referral-routing" {
				r.found.Add(twin.index, "FORK", "two records have the sequence %d of their case", e.CaseSeq)
			}
		}
	}
}

// countSequences counts 1, 2, 3 … for each topic and case (rule 3).
func (r *run) countSequences() {
	last := map[sequenceKey]int64{}
	for _, e := range r.entries {
		if !e.counts() {
			continue
		}
		key := sequenceKey{e.Topic, e.CaseID}
		if e.CaseSeq <= last[key] {
			if !e.twin {
				r.found.Add(e.index, "ORDER", "sequence %d follows sequence %d", e.CaseSeq, last[key])
			}
			continue
		}
		r.checkMissing(e, key, last[key]+1)
		last[key] = e.CaseSeq
	}
}

// mostMissing is how many missing sequences of one gap are told one by one.
const mostMissing = 1000

// checkMissing tells each sequence that is missing before an entry.
func (r *run) checkMissing(e *entry, key sequenceKey, expected int64) {
	for sequence := expected; sequence < e.CaseSeq; sequence++ {
		switch {
		case sequence-expected == mostMissing:
			r.found.Add(e.index, "SEQUENCE_GAP", "%d more sequences are missing", e.CaseSeq-sequence)
			return
		case r.lost[key][sequence]:
			weight := Note
			if e.Topic == "referral-routing" { // decisions behind it cannot all be judged
				weight = Unchecked
			}
			r.found.AddWeighted(e.index, "LOST", weight, "sequence %d was lost, and a quarantine record says so", sequence)
		default:
			r.found.Add(e.index, "SEQUENCE_GAP", "sequence %d is missing", sequence)
		}
	}
}
