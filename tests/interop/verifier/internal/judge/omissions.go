package judge

import (
	"math"
	"slices"
)

// inputTypes are the names of the types upon which routing decides (section 15.1).
var inputTypes = []string{"actor-excluded", "answer-withdrawn", "consent-changed", "instruction-given", "knock-answered",
	"knock-disowned", "record-disowned", "referral-submitted", "referral-withdrawn", "response-submitted", "rung-failed",
	"rung-reached", "traits-changed"}

// omissions tells what did not happen (section 15.6).
type omissions struct {
	*decisions
	answered map[sequencePlace]*answer // what an answer names
	alarmed  map[int64]int64           // partition → latest `due` of an answer that stands long before the end
	causedAt map[partitionPlace]int64  // topic and partition → latest offset of a record that any decision has as its cause
	prompt   map[int64][]int64         // partition → when inputs came that were answered within a minute
	engine   int64                     // the newest that has decided
	atWork   map[int64][]int64         // partition → minutes in which the notifier was at work
	notified []int64                   // when any record of the notifier came
}

type partitionPlace struct {
	topic     string
	partition int64
}

// sequencePlace is a record of a case.
type sequencePlace struct {
	topic, caseID string
	sequence      int64
}

// judgeOmissions judges each case that no finding has ended.
func (d *decisions) judgeOmissions() {
	o := &omissions{decisions: d, answered: map[sequencePlace]*answer{}, alarmed: map[int64]int64{},
		causedAt: map[partitionPlace]int64{}, prompt: map[int64][]int64{}, atWork: map[int64][]int64{}}
	o.readAnswers()
	o.readCauses()
	o.readNotifier()
	for _, c := range d.cases {
		if c.ended {
			continue
		}
		o.judgeInputs(c)
		o.judgeReached(c)
		if d.last != nil {
			o.judgeOverdue(c)
			o.judgeKnocks(c)
		}
	}
}

func (o *omissions) readAnswers() {
	for _, c := range o.cases {
		for _, a := range c.answers {
			o.engine = max(o.engine, a.facts.Long("engine"))
			first := a.first()
			switch {
			case a.isOf("RECORD"):
				input := o.inputAt(c, a.at())
				o.answered[sequencePlace{input.Topic, c.id, input.CaseSeq}] = a
				if first.kafkaMicros()-input.kafkaMicros() <= minuteMicros {
					o.prompt[first.Partition] = append(o.prompt[first.Partition], input.kafkaMicros())
				}
			case a.isOf("LOST"):
				o.answered[sequencePlace{a.at().topic, c.id, a.head.Long("lost_seq")}] = a
			case a.isOf("DUE") && o.last != nil && o.isLongAgo(first):
				o.alarmed[first.Partition] = max(o.alarmed[first.Partition], a.head.Long("due"))
			}
		}
	}
}

// readCauses finds the latest record of each partition upon which any case was decided.
func (o *omissions) readCauses() {
	events := map[string]*entry{}
	for _, e := range o.entries {
		if o.countsAsInput(e) {
			events[e.EventID] = e
		}
	}
	for _, e := range o.entries {
		input := events[e.CauseID]
		if e.kind != "DECISION" || !e.counts() || input == nil {
			continue
		}
		place := partitionPlace{input.Topic, input.Partition}
		latest, found := o.causedAt[place]
		if !found || input.Offset > latest {
			o.causedAt[place] = input.Offset
		}
	}
}

// countsAsInput says whether a record is an input; one of which its owner says that it did not write it need not be answered.
func (o *omissions) countsAsInput(e *entry) bool {
	return (e.Topic == "referral-intake" || e.Topic == "referral-notification") && e.counts() && !o.isDisowned(e) &&
		slices.Contains(inputTypes, nameOf(e.Type))
}

// judgeInputs tells each input of a case that no answer names. An erased case has none.
func (o *omissions) judgeInputs(c *decidedCase) {
	if slices.ContainsFunc(c.entries, func(e *entry) bool { return e.kind == "ERASURE" }) {
		return
	}
	for _, e := range c.entries {
		if !o.countsAsInput(e) || o.answered[sequencePlace{e.Topic, c.id, e.CaseSeq}] != nil {
			continue
		}
		if weight := o.weightOfInput(e); weight != "" {
			o.found.AddWeighted(e.index, "NOT_DECIDED", weight, "no answer names this input")
		}
	}
}

func (o *omissions) weightOfInput(e *entry) string {
	latest, caused := o.causedAt[partitionPlace{e.Topic, e.Partition}]
	switch {
	case o.setAside(e.place()):
		return Unchecked
	case caused && latest > e.Offset:
		return Bad
	case o.last == nil || e.LoggedAt >= o.last.loggedAt-late:
		return ""
	case o.alarmed[e.Partition] > e.kafkaMicros()+minuteMicros:
		return Bad
	}
	until, known := o.knownUntil(routing, e.Partition)
	if o.drill || (o.last.Ends != nil && !(known && until >= e.kafkaMicros()+late)) {
		return ""
	}
	return Unchecked
}

// judgeOverdue tells a case whose next limit has passed without an answer.
func (o *omissions) judgeOverdue(c *decidedCase) {
	if len(c.answers) == 0 {
		return
	}
	last := c.answers[len(c.answers)-1]
	due := newFold(c).nextLimit()
	partition := last.first().Partition
	sure := last.facts.Long("engine") == o.engine && o.isRead(routing, partition)
	longAgo := due < o.last.loggedAt-late
	weight := ""
	switch {
	case due == math.MaxInt64:
	case sure && due < o.alarmed[partition] && (o.drill || longAgo):
		weight = Bad
	case o.drill || !longAgo:
	case sure && o.wasAwake(partition, due):
		weight = Bad
	case c.entries[len(c.entries)-1].index < o.last.index:
		weight = Unchecked
	}
	if weight != "" {
		at := last.events[len(last.events)-1]
		o.found.AddWeighted(at.index, "OVERDUE", weight, "the next limit of the case has passed, and nobody acted upon it")
	}
}

// wasAwake says whether routing answered promptly for more than five minutes behind a limit.
func (o *omissions) wasAwake(partition, due int64) bool {
	var minutes []int64
	for _, came := range o.prompt[partition] {
		if came >= due+late && came <= o.end-late {
			minutes = append(minutes, came/minuteMicros)
		}
	}
	return len(minutes) > 0 && slices.Max(minutes)-slices.Min(minutes) > late/minuteMicros
}
