package judge

import (
	"bytes"

	"judge/internal/avro"
	"judge/internal/crypt"
	"judge/internal/own"
	"judge/internal/record"
	"judge/internal/signed"
	"judge/internal/trust"
)

// Entry is one entry of the log. A nil payload is not stored any more.
type Entry struct {
	Leaf    *record.Leaf
	Payload *record.Payload
}

// Log is what is judged.
type Log struct {
	Entries []Entry
	Keys    record.CaseKeys
	Mine    *trust.Named // the auditor's own file, or nil
	Seen    int64        // s: of the checkpoint
	HasSeen bool
	Ended   bool // a finding ended the walk behind these entries
	Decided bool // judge also what section 15 says without the rules
}

// entry is an entry with what was found out about it.
type entry struct {
	*record.Leaf
	index   int64
	payload *record.Payload
	value   *record.Value // of a case topic, where it can be read
	body    avro.Record   // where the key of the case opens it, and it decodes
	kind    string        // that of the leaf, or of section 5 where a FORK was corrected

	restUnknown  bool // its payload is not stored, so key and headers cannot be compared
	forged       bool // its writer did not sign it
	sealBroken   bool // its case's key does not open it
	ahead        bool
	twin         bool
	erasureTrust *erasureTrust
	erasureGood  bool            // the erasure is believed
	erasure      *signed.Erasure // a body that was not refused
}

// gone says whether the value is not stored any more: it is empty, and its digest is of something (section 7).
func (e *entry) gone() bool {
	return (e.payload == nil || len(e.payload.Value) == 0) && !bytes.Equal(e.SHA256, emptyDigest)
}

// counts says whether the entry takes a sequence that is judged.
func (e *entry) counts() bool {
	return record.HasSeq(e.kind) && !e.forged && !e.sealBroken && !e.ahead
}

var emptyDigest = crypt.SHA256(nil)

// sequenceKey tells the sequences of one case in one topic.
type sequenceKey struct{ topic, caseID string }

// position is a place in a topic.
type position struct {
	topic             string
	partition, offset int64
}

type heartbeat struct {
	*own.Heartbeat
	index, loggedAt int64
}

type act struct {
	*own.Act
	index, loggedAt int64
}

type quarantine struct {
	topic, reason, reader string
}

// run is the state of one judgement.
type run struct {
	log      Log
	found    *Findings
	believed *trust.Believed
	chain    *signed.Chain
	entries  []*entry
	byCase   map[string][]*entry

	lastLogged  int64
	lastOffset  map[position]int64
	beats       []heartbeat
	acts        []act
	readings    []*own.Reading
	readingsAt  []int64
	bundles     []signed.ActiveBundle
	quarantines map[position][]quarantine
	lost        map[sequenceKey]map[int64]bool
	digests     map[string]bool // of words of operators
	begun       map[string]*act // id of an act → its entry BEGUN
	newestAt    int64           // newest `at` of an act
	follows     bool            // the log follows another one
	counts      map[string]int
}

// Judge judges a log and returns its findings and counts.
func Judge(log Log, found *Findings) map[string]int {
	r := &run{
		log: log, found: found, believed: trust.NewBelieved(log.Mine), chain: &signed.Chain{},
		byCase:     map[string][]*entry{},
		lastOffset: map[position]int64{}, quarantines: map[position][]quarantine{},
		lost: map[sequenceKey]map[int64]bool{}, digests: map[string]bool{}, begun: map[string]*act{},
		counts: map[string]int{"entries": len(log.Entries)},
	}
	r.chain.Name(r.believed.Signers())
	for i, each := range log.Entries {
		e := &entry{Leaf: each.Leaf, index: int64(i), payload: each.Payload, kind: each.Leaf.Kind}
		if each.Payload == nil && !e.gone() {
			e.payload, e.restUnknown = &record.Payload{Value: []byte{}}, true
		}
		r.entries = append(r.entries, e)
		r.byCase[e.CaseID] = append(r.byCase[e.CaseID], e)
		r.walk(e)
	}
	if !log.Ended {
		r.judgeWhole()
	}
	return r.counts
}

// judgeWhole judges cases, and what needs the end of the log.
func (r *run) judgeWhole() {
	r.judgeSequences()
	r.judgeErasures()
	r.judgeBodies()
	r.judgeGone()
	r.judgeClocks()
	r.judgeCases()
	r.judgeActs()
	r.judgeActivations()
	r.listReadings()
	if r.log.Decided {
		r.judgeDecisions()
	}
}

// key returns the key of an entry's case.
func (r *run) key(caseID string) ([]byte, bool) {
	key, found := r.log.Keys[caseID]
	return key, found
}

// open opens and decodes a body; the code says which finding a failure is.
func (r *run) open(e *entry) (body avro.Record, code string, err error) {
	key, _ := r.key(e.CaseID)
	plain, err := e.value.Open(e.Topic, key)
	if err != nil {
		return nil, "SEAL", err
	}
	body, err = e.value.Decode(plain)
	return body, "BODY", err
}
