package judge

import (
	"cmp"
	"fmt"
	"slices"

	"judge/internal/avro"
	"judge/internal/record"
)

const routing = "referral-routing"

// versions of the rules that are decided; of another one no program has the rules (section 15.3).
const (
	oldestEngine = 3
	newestEngine = 5
)

// answer is what routing decided upon one input: consecutive decisions with one cause.
type answer struct {
	events      []*entry
	head, facts avro.Record
}

func (a *answer) first() *entry { return a.events[0] }

func (a *answer) isOf(kind string) bool { return a.head.Text("kind") == kind }

// at is the position that the head names.
func (a *answer) at() position {
	return position{a.head.Text("topic"), a.head.Long("partition"), a.head.Long("offset")}
}

// decidedCase is a case with its decisions, as far as they could be judged.
type decidedCase struct {
	id      string
	entries []*entry
	answers []*answer
	ended   bool // a finding ended the judgement
}

// decisions judges what section 15 says without the rules of a decision: heads, facts, ids, and what did not happen.
type decisions struct {
	*run
	clock
	at    map[position]*entry
	cases []*decidedCase
}

// judgeDecisions judges the cases whose keys are there.
func (r *run) judgeDecisions() {
	d := &decisions{run: r, clock: r.readClock(), at: map[position]*entry{}}
	for _, e := range r.entries {
		if record.HasPosition(e.Kind) && d.at[e.place()] == nil {
			d.at[e.place()] = e
		}
	}
	seen := map[string]bool{"": true, record.RosterBook: true}
	for _, e := range r.entries {
		if _, hasKey := r.key(e.CaseID); hasKey && !seen[e.CaseID] && record.HasSeq(e.kind) {
			seen[e.CaseID] = true
			d.cases = append(d.cases, d.judgeCase(e.CaseID))
		}
	}
	d.judgeBundles()
	d.judgePlaces()
	d.judgeOmissions()
}

func (e *entry) place() position { return position{e.Topic, e.Partition, e.Offset} }

func (e *entry) kafkaMicros() int64 { return e.KafkaTime * 1000 }

// judgeCase judges the answers of a case in order, up to the first that ends it.
func (d *decisions) judgeCase(caseID string) *decidedCase {
	c := &decidedCase{id: caseID, entries: d.byCase[caseID]}
	decided, whole := d.decisionsOf(c)
	c.ended = !whole
	for _, events := range groupByCause(decided) {
		a := &answer{events: events}
		if !d.judgeAnswer(c, a) {
			c.ended = true
			break
		}
		c.answers = append(c.answers, a)
	}
	return c
}

// decisionsOf are the decisions of a case by sequence, up to one that is missing or has a twin: only the rules can say
// what stood there. What the owner of the topic disowns is void.
func (d *decisions) decisionsOf(c *decidedCase) (decided []*entry, whole bool) {
	for _, e := range c.entries {
		if e.kind == "DECISION" && e.counts() {
			decided = append(decided, e)
		}
	}
	slices.SortStableFunc(decided, func(a, b *entry) int { return cmp.Compare(a.CaseSeq, b.CaseSeq) })
	for i, e := range decided {
		if e.twin || e.CaseSeq != int64(i+1) {
			return d.notDisowned(decided[:i]), false
		}
	}
	return d.notDisowned(decided), true
}

func (d *decisions) notDisowned(entries []*entry) []*entry {
	return slices.DeleteFunc(slices.Clone(entries), d.isDisowned)
}

func groupByCause(decided []*entry) (groups [][]*entry) {
	for i, e := range decided {
		if i == 0 || e.CauseID != decided[i-1].CauseID {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], e)
	}
	return groups
}

// judgeAnswer judges one answer in the order of section 15.3; false ends the judgement of the case.
func (d *decisions) judgeAnswer(c *decidedCase, a *answer) bool {
	first := a.first()
	if first.body == nil {
		return false // SEAL, BODY or NEWER_VERSION was told
	}
	if a.head = first.body.Record("head"); a.head == nil {
		d.found.Add(first.index, "HEAD_MISSING", "the answer does not say upon what it was decided")
		return false
	}
	a.facts = a.head.Record("facts")
	if !d.judgeCause(c, a) {
		return false
	}
	d.judgeTime(c, a)
	d.judgeLost(c, a)
	engine := a.facts.Long("engine")
	switch rule := first.body.Record("why").Text("rule"); {
	case rule == "engine-failed" || rule == "ENGINE_FAILED":
		d.found.Add(first.index, "ENGINE_FAILED", "a rule failed, and a person was asked")
		return true
	case engine < oldestEngine || engine > newestEngine:
		d.found.Add(first.index, "OTHER_ENGINE", "nobody has version %d of the rules", engine)
		return true
	}
	if _, named := a.facts["bundle"].(int64); !named || d.bundleOf(a) == nil {
		d.found.Add(first.index, "POLICY_MISSING", "no believed bundle has the number %v", a.facts["bundle"])
		return false
	}
	return d.judgeIDs(a)
}

// judgeCause judges the input of an answer, and that its cause is the input's, and new.
func (d *decisions) judgeCause(c *decidedCase, a *answer) bool {
	first := a.first()
	var input *entry
	if a.isOf("RECORD") {
		input = d.inputAt(c, a.at())
		if input == nil || input.body == nil {
			weight := Bad
			if input == nil && d.mayStillCome(a) {
				weight = Unchecked
			}
			d.found.AddWeighted(first.index, "INPUT", weight, "no record of the case that can be read stands where the answer says")
			return false
		}
	}
	cause, err := d.causeOf(c, a, input)
	if err != nil || cause != first.CauseID {
		d.found.Add(first.index, "CAUSE_DIFFERS", "the cause of the answer is %s, and should be %s", first.CauseID, cause)
		return false
	}
	for _, before := range c.answers {
		if before.first().CauseID == cause {
			d.found.Add(first.index, "DECIDED_TWICE", "the same input was answered by entry %d", before.first().index)
			return false
		}
	}
	return true
}

// inputAt is the record of a case at a position; forged ones count nowhere.
func (d *decisions) inputAt(c *decidedCase, at position) *entry {
	for _, e := range c.entries {
		if record.HasSeq(e.kind) && !e.forged && !e.sealBroken && e.place() == at {
			return e
		}
	}
	return nil
}

// causeOf is the cause that an answer should have (section 15.2).
func (d *decisions) causeOf(c *decidedCase, a *answer, input *entry) (string, error) {
	switch {
	case input != nil:
		return input.EventID, nil
	case a.isOf("DUE"):
		return record.Derive(c.id, fmt.Sprintf("due:%d:%d", a.head.Long("due"), a.first().CaseSeq-1))
	case a.isOf("LOST"):
		at := a.at()
		return record.Derive(c.id, fmt.Sprintf("lost:%s:%d:%d:%d", at.topic, a.head.Long("lost_seq"), at.partition, at.offset))
	}
	return "", fmt.Errorf("the head is of the kind %s", a.head.Text("kind"))
}

// time is the case's time before an answer: `now` of the last one.
func (c *decidedCase) time() int64 {
	if len(c.answers) == 0 {
		return 0
	}
	return c.answers[len(c.answers)-1].facts.Long("now")
}

func (d *decisions) judgeTime(c *decidedCase, a *answer) {
	first, now := a.first(), a.facts.Long("now")
	switch {
	case now < first.RecordedAt-minuteMicros:
		d.found.Add(first.index, "DECIDED_AT", "limits were judged at a time before it was recorded")
	case now > max(first.RecordedAt, c.time())+minuteMicros:
		d.found.Add(first.index, "DECIDED_AT", "limits were judged at a time after it was recorded")
	case a.isOf("DUE") && a.head.Long("due") > now+minuteMicros:
		d.found.Add(first.index, "DUE_EARLY", "a limit passed before its time")
	}
}

func (d *decisions) judgeIDs(a *answer) bool {
	for place, e := range a.events {
		id, err := record.Derive(e.CauseID, fmt.Sprint(place))
		if err != nil || id != e.EventID {
			d.found.Add(e.index, "EVENT_ID", "the id of the event is %s, and should be %s", e.EventID, id)
			return false
		}
		if e.body == nil {
			return false // what it says is told already
		}
	}
	return true
}
