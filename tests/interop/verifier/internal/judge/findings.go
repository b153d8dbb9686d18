// Package judge judges a whole log: its entries, their order, and the files of an export.
package judge

import (
	"cmp"
	"fmt"
	"slices"
)

// Weights of a finding.
const (
	Bad       = "bad"
	Unchecked = "unchecked"
	Note      = "note"
)

// WholeLog is the entry of a finding that belongs to no entry.
const WholeLog = int64(-1)

// Finding is one thing that was found.
type Finding struct {
	Entry  int64  `json:"entry"`
	Code   string `json:"code"`
	Weight string `json:"weight"`
	Words  string `json:"words"`
}

// weights of every finding that this program tells; what is not here is bad.
var weights = map[string]string{
	"NO_CHECKPOINT": Unchecked, "STALE": Unchecked, "NEWER_VERSION": Unchecked, "SIGNATURE_KEY_LATER": Unchecked,
	"SIGNATURE_KEY_REVOKED": Unchecked, "SIGNATURE_EARLY": Unchecked, "ACT_DATED": Unchecked, "ERASURE_KEY": Unchecked,
	"ERASURE_COUNT": Unchecked, "KEY_GONE": Unchecked, "STOOD_STILL": Unchecked, "BROKER_AWAY": Unchecked,
	"NOT_READ": Unchecked, "NOT_PINNED": Unchecked,
	"ENGINE_FAILED": Unchecked, "OTHER_ENGINE": Unchecked, "ENGINE_OLD": Unchecked, "BUNDLE_EARLY": Unchecked,
	"LOST_UNPROVEN": Unchecked,

	"INTAKE_KEY": Note, "APPROVERS": Note, "WRITER_KEYS": Note, "POLICY_SIGNERS": Note, "OPERATORS": Note,
	"ACT_OPEN": Note, "PAYLOAD_ERASED": Note, "LOST": Note, "GAP_LOGGED": Note, "UNREADABLE": Note, "FOREIGN": Note,
	"ERASED": Note, "PAUSED": Note, "RECORDED_LATE": Note, "READ": Note, "ACT": Note,
}

// bad are the codes of weight bad.
var bad = []string{
	"CHECKPOINT", "SIGNATURE", "QUORUM", "TILE", "BUNDLE", "ROOT", "FORKED", "TRUNCATED", "LEAF", "PAYLOAD",
	"HASH_DIFFERS", "REST_DIFFERS", "FILE_DIFFERS", "META_DIFFERS", "BODY", "SEAL", "WRITER", "POLICY_FORGED",
	"ACTIVATED_AT", "UNLOGGED", "SIGNATURE_WRONG", "SIGNED_OTHERWISE", "SIGNATURE_KEY_UNKNOWN", "SIGNATURE_KEY_NEW", "SIGNATURE_REUSED",
	"SIGNATURE_MISSING", "ACT_ALONE", "ERASURE_FORGED", "ERASURE_ALONE", "ERASURE_OPEN", "CLOCK_BACK", "ORDER",
	"PAYLOAD_GONE", "SEQUENCE_AHEAD", "SEQUENCE_GAP", "FORK", "DISOWNED", "DRILL_CHANGED", "LOGGED_AHEAD",
	"LOGGED_EARLY", "RECORDED_AHEAD", "RECORDED_BACK",
	"HEAD_MISSING", "INPUT", "CAUSE_DIFFERS", "DECIDED_TWICE", "DECIDED_AT", "DUE_EARLY", "EVENT_ID", "POLICY_MISSING",
	"BUNDLE_OLD", "FREE_FALSE", "LOST_FALSE", "NOT_DECIDED", "OVERDUE", "NOT_KNOCKED",
}

// NotJudged are the codes that need the rules of decisions; that of columns, which an export does not have; and that of a missing index, which cannot happen where the tree holds.
var NotJudged = []string{"DECISION_DIFFERS", "COLUMN_DIFFERS", "INDEX_GAP"}

// Judges says whether this program can tell a code.
func Judges(code string) bool { return weights[code] != "" || slices.Contains(bad, code) }

// Findings are told once for each entry and code; those of manyAtOne once for each party, or missing sequence.
type Findings struct {
	list []Finding
	seen map[string]bool
}

var manyAtOne = []string{"NOT_PINNED", "SEQUENCE_GAP", "LOST"}

// NewFindings begins an empty list.
func NewFindings() *Findings { return &Findings{seen: map[string]bool{}} }

// Add tells a finding with the weight of its code.
func (f *Findings) Add(entry int64, code, format string, parts ...any) {
	weight := weights[code]
	if weight == "" {
		weight = Bad
	}
	f.AddWeighted(entry, code, weight, format, parts...)
}

// AddWeighted tells a finding with a weight of its own.
func (f *Findings) AddWeighted(entry int64, code, weight, format string, parts ...any) {
	words := fmt.Sprintf(format, parts...)
	key := fmt.Sprintf("%d %s", entry, code)
	if slices.Contains(manyAtOne, code) {
		key += " " + words
	}
	if f.seen[key] {
		return
	}
	f.seen[key] = true
	f.list = append(f.list, Finding{entry, code, weight, words})
}

// Sorted are the findings by entry, then code.
func (f *Findings) Sorted() []Finding {
	sorted := slices.Clone(f.list)
	slices.SortStableFunc(sorted, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Entry, b.Entry), cmp.Compare(a.Code, b.Code))
	})
	return sorted
}

// ExitCode is 1 with anything bad, else 3 with anything unchecked, else 0.
func (f *Findings) ExitCode() int {
	code := 0
	for _, finding := range f.list {
		switch finding.Weight {
		case Bad:
			return 1
		case Unchecked:
			code = 3
		}
	}
	return code
}
