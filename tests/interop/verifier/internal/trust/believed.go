package trust

import "maps"

// Believed tells who is believed at one entry: the auditor's rows, and the log's where the auditor names nobody.
type Believed struct {
	mine       *Named // the auditor's own file, or an empty one
	log        *Named // the newest good KEYS entry
	logSigners *Named // the newest good KEYS entry that names policy signers
}

// NewBelieved begins with the auditor's own file, which may be nil.
func NewBelieved(mine *Named) *Believed {
	if mine == nil {
		mine = newNamed()
	}
	return &Believed{mine: mine, log: newNamed(), logSigners: newNamed()}
}

// Log takes a KEYS entry over and returns the notes of what it changes. Of whom nobody was named before, a first name
// is no note. A change of the policy signers is none where the auditor's own count.
func (b *Believed) Log(named *Named) (notes []string) {
	before := b.log
	for _, row := range []struct {
		note  string
		named int // how many the entry before names
		same  bool
	}{
		{"INTAKE_KEY", len(before.Intake), sameKeys(before.Intake, named.Intake)},
		{"APPROVERS", len(before.Approvers), samePeople(before.Approvers, named.Approvers)},
		{"WRITER_KEYS", len(before.Writers), maps.EqualFunc(before.Writers, named.Writers, sameKeys) &&
			maps.Equal(before.ends(), named.ends()) && before.SignedFrom == named.SignedFrom},
		{"OPERATORS", len(before.Operators), samePeople(before.Operators, named.Operators) &&
			before.TwoFrom == named.TwoFrom && before.TwoForTokenFrom == named.TwoForTokenFrom},
		{"POLICY_SIGNERS", len(b.logSigners.PolicySigners), len(b.mine.PolicySigners) > 0 ||
			len(named.PolicySigners) == 0 || sameSigners(b.logSigners, named)},
	} {
		if row.named > 0 && !row.same {
			notes = append(notes, row.note)
		}
	}
	b.log = named
	if len(named.PolicySigners) > 0 {
		b.logSigners = named
	}
	return notes
}

func sameSigners(a, b *Named) bool {
	return samePeople(a.PolicySigners, b.PolicySigners) && maps.Equal(a.PolicyBundles, b.PolicyBundles)
}

// Intake returns the keys of intake.
func (b *Believed) Intake() [][]byte {
	if len(b.mine.Intake) > 0 {
		return b.mine.Intake
	}
	return b.log.Intake
}

// Approvers returns who signs erasures: name → key.
func (b *Believed) Approvers() map[string][]byte {
	if len(b.mine.Approvers) > 0 {
		return b.mine.Approvers
	}
	return b.log.Approvers
}

// ErasuresFrom is the time (ms) before which an erasure needs no two persons; 0 for none. It is yours if you name an
// approver, else the later of yours and the log's.
func (b *Believed) ErasuresFrom() int64 {
	if len(b.mine.Approvers) > 0 {
		return b.mine.SignedFrom
	}
	return max(b.mine.SignedFrom, b.log.SignedFrom)
}

// Writers returns the row with the keys of the services, which may name none.
func (b *Believed) Writers() *Named {
	if len(b.mine.Writers) > 0 {
		return b.mine
	}
	return b.log
}

// Signers returns who signs the policy, and the pinned bundles.
func (b *Believed) Signers() (signers map[string][]byte, pins map[int64]string) {
	row := b.logSigners
	if len(b.mine.PolicySigners) > 0 {
		row = b.mine
	}
	return row.PolicySigners, row.PolicyBundles
}

func (b *Believed) operatorsRow() *Named {
	if len(b.mine.Operators) > 0 {
		return b.mine
	}
	return b.log
}

// Operators returns who signs acts: operator/NAME → key.
func (b *Believed) Operators() map[string][]byte { return b.operatorsRow().Operators }

// TwoFrom is the time (ms) before which an act needs one operator; of tokens their own time counts, if later.
func (b *Believed) TwoFrom(ofTokens bool) int64 {
	row := b.operatorsRow()
	if ofTokens {
		return max(row.TwoFrom, row.TwoForTokenFrom)
	}
	return row.TwoFrom
}
