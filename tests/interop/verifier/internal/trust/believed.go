package trust

import "maps"

// Believed tells who is believed at one entry: the auditor's rows, and the log's where the auditor names nobody.
type Believed struct {
	mine       *Named // the auditor's own file, or an empty one
	log        *Named // the newest good KEYS entry
	logSigners *Named // the newest good KEYS entry that names policy signers
	hasLog     bool   // a KEYS entry has named somebody
}

// NewBelieved begins with the auditor's own file, which may be nil.
func NewBelieved(mine *Named) *Believed {
	if mine == nil {
		mine = newNamed()
	}
	return &Believed{mine: mine, log: newNamed(), logSigners: newNamed()}
}

// Log takes a KEYS entry over and returns the notes of what it changes.
func (b *Believed) Log(named *Named) (notes []string) {
	before := b.log
	for _, change := range []struct {
		note string
		same bool
	}{
		{"INTAKE_KEY", sameKeys(before.Intake, named.Intake)},
		{"APPROVERS", samePeople(before.Approvers, named.Approvers)},
		{"WRITER_KEYS", maps.EqualFunc(before.Writers, named.Writers, sameKeys) &&
			maps.Equal(before.WritersUntil, named.WritersUntil) && before.SignedFrom == named.SignedFrom},
		{"OPERATORS", samePeople(before.Operators, named.Operators) && before.TwoFrom == named.TwoFrom &&
			before.TwoForTokenFrom == named.TwoForTokenFrom},
		{"POLICY_SIGNERS", len(named.PolicySigners) == 0 || sameSigners(b.logSigners, named)},
	} {
		if b.hasLog && !change.same {
			notes = append(notes, change.note)
		}
	}
	b.log, b.hasLog = named, b.hasLog || len(named.NotPinned()) < parties
	if len(named.PolicySigners) > 0 {
		b.logSigners = named
	}
	return notes
}

func sameSigners(a, b *Named) bool {
	return samePeople(a.PolicySigners, b.PolicySigners) && maps.Equal(a.PolicyBundles, b.PolicyBundles)
}

func (b *Believed) intakeRow() *Named {
	if len(b.mine.Intake) > 0 {
		return b.mine
	}
	return b.log
}

// Intake returns the keys of intake.
func (b *Believed) Intake() [][]byte { return b.intakeRow().Intake }

// Approvers returns who signs erasures: name → key.
func (b *Believed) Approvers() map[string][]byte {
	if len(b.mine.Approvers) > 0 {
		return b.mine.Approvers
	}
	return b.log.Approvers
}

// ErasuresFrom is the time (ms) before which an erasure needs no two persons; 0 for none.
func (b *Believed) ErasuresFrom() int64 {
	return b.intakeRow().erasuresFrom()
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
