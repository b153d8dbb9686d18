package judge

import "slices"

// readNotifier finds when records of the notifier came, and the minutes in which it was at work: its next record about
// a case came within a minute of a decision that it had to tell.
func (o *omissions) readNotifier() {
	waiting := map[string][]*entry{} // case → decisions that no record of the notifier has followed
	for _, e := range o.entries {
		switch {
		case !e.counts():
		case e.Topic == routing && (nameOf(e.Type) == "offer-opened" || nameOf(e.Type) == "offer-escalated" || nameOf(e.Type) == "needs-person"):
			waiting[e.CaseID] = append(waiting[e.CaseID], e)
		case e.Topic == notifier:
			o.notified = append(o.notified, e.kafkaMicros())
			if name := nameOf(e.Type); name != "knock-sent" && name != "knock-failed" && name != "rung-failed" {
				continue
			}
			for _, decision := range waiting[e.CaseID] {
				if e.kafkaMicros()-decision.kafkaMicros() <= minuteMicros {
					o.atWork[decision.Partition] = append(o.atWork[decision.Partition], decision.kafkaMicros()/minuteMicros)
				}
			}
			delete(waiting, e.CaseID)
		}
	}
	slices.Sort(o.notified)
}

// notifiedWithin says whether a record of the notifier came between two times.
func (o *omissions) notifiedWithin(from, until int64) bool {
	at, _ := slices.BinarySearch(o.notified, from)
	return at < len(o.notified) && o.notified[at] <= until
}

// wasAtWork says whether the notifier was at work in a partition in a calendar minute that lies wholly between two times.
func (o *omissions) wasAtWork(partition, from, until int64) bool {
	return slices.ContainsFunc(o.atWork[partition], func(minute int64) bool {
		return minute*minuteMicros >= from && (minute+1)*minuteMicros <= until
	})
}

// judgeReached tells each record rung-reached before which no message to that rung was sent, or arrived. It is judged
// up to the first sequence that is missing among the records that count.
func (o *omissions) judgeReached(c *decidedCase) {
	sent := map[rungKey]bool{}
	expected := int64(1)
	for _, e := range c.entries {
		if e.Topic != notifier || !e.counts() || e.body == nil || o.isDisowned(e) || o.lost[sequenceKey{e.Topic, c.id}][e.CaseSeq] {
			continue
		}
		if e.CaseSeq != expected {
			return
		}
		expected++
		key := rungKey{e.body.Text("offer_id"), e.body.Long("rung")}
		switch nameOf(e.Type) {
		case "knock-sent", "knock-delivered":
			sent[key] = true
		case "rung-reached":
			if !sent[key] {
				o.found.Add(e.index, "NOT_KNOCKED", "a message to rung %d is said to have arrived, and none was sent", key.number)
			}
		}
	}
}
