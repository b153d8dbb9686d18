package judge

import (
	"bytes"

	"judge/internal/own"
	"judge/internal/record"
)

// walkGap judges a GAP and the entry behind it (section 14.1). One at the end of the log is judged when that is there.
func (r *run) walkGap(e *entry) {
	r.found.Add(e.index, "GAP_LOGGED", "audit logged that a sequence was missing")
	if e.index+1 == int64(len(r.log.Entries)) {
		return
	}
	if hasMeta(e.Leaf) || (e.payload != nil && len(e.payload.Headers) > 0) {
		r.found.Add(e.index, "META_DIFFERS", "the GAP has headers, or what only the meta of a record has")
	}
	var gap *own.Gap
	if !e.gone() {
		var err error
		if gap, err = own.ParseGap(e.payload.Value); err != nil {
			r.addBody(e, err)
			gap = nil
		}
	}
	if gap != nil && (gap.Topic != e.Topic || gap.CaseID != e.CaseID || gap.Expected <= 0 || gap.Expected >= gap.Came) {
		r.found.Add(e.index, "META_DIFFERS", "the GAP says another topic or case than its leaf, or no sequences that rise")
	}
	r.compareGap(e, gap, r.log.Entries[e.index+1])
}

// compareGap compares a GAP with the entry behind it. A value or a key that is not there is not compared.
func (r *run) compareGap(e *entry, gap *own.Gap, behind Entry) {
	leaf := behind.Leaf
	if leaf.Topic != e.Topic || leaf.Partition != e.Partition || leaf.Offset != e.Offset ||
		leaf.KafkaTime != e.KafkaTime || leaf.CaseID != e.CaseID || !sameKey(e.payload, behind.Payload) {
		r.found.Add(e.index, "META_DIFFERS", "the GAP has another position, time, key or case than the record behind it")
	}
	if gap != nil && gap.Came != leaf.CaseSeq {
		r.found.Add(e.index, "META_DIFFERS", "the GAP says that sequence %d came, and it was %d", gap.Came, leaf.CaseSeq)
	}
}

func sameKey(one, other *record.Payload) bool {
	if one == nil || other == nil {
		return true
	}
	return bytes.Equal(one.Key, other.Key) && (one.Key == nil) == (other.Key == nil)
}
