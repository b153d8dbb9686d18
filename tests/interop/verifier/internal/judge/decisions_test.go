package judge

import (
	"fmt"
	"slices"
	"testing"

	"judge/internal/avro"
	"judge/internal/own"
	"judge/internal/record"
	"judge/internal/signed"
)

// disowning is a record of a service about a record that somebody else wrote.
func disowning(topic, typeName string, seq int64) caseRecord {
	c := rungReached(seq, 0, 0, 0)
	c.topic, c.typeName, c.body = topic, typeName, slices.Concat(long(7), long(3))
	return c
}

func TestDisowningRecords(t *testing.T) {
	intake, knock := disowning("referral-intake", "record-disowned.v1", 1), disowning("referral-notification", "knock-disowned.v1", 1)
	expect(t, Log{Entries: []Entry{intake.entry(t), knock.entry(t)}})
	intake.topic, knock.topic = knock.topic, intake.topic
	expect(t, Log{Entries: []Entry{intake.entry(t)}}, "0 META_DIFFERS bad") // there it is FOREIGN
	expect(t, Log{Entries: []Entry{knock.entry(t)}}, "0 META_DIFFERS bad")
}

func TestDisowningRecordsAreInputs(t *testing.T) {
	input := disowning("referral-intake", "record-disowned.v1", 1).entry(t)
	expect(t, Log{Decided: true, Entries: []Entry{input, beat(5)}})
	expect(t, Log{Decided: true, Entries: []Entry{input, beat(6)}}, "0 NOT_DECIDED unchecked")
	knock := disowning("referral-notification", "knock-disowned.v1", 1).entry(t)
	expect(t, Log{Decided: true, Entries: []Entry{knock, beat(6)}}, "0 NOT_DECIDED unchecked")
	drill := ownEntry("HEARTBEAT", `{"drill":true,"ends":{},"unread":{}}`, 6)
	expect(t, Log{Decided: true, Entries: []Entry{knock, drill}})
	aside := quarantined("routing", "seal", knock.Leaf)
	expect(t, Log{Decided: true, Entries: []Entry{knock, aside}}, "0 NOT_DECIDED unchecked")
	unread := ownEntry("HEARTBEAT", fmt.Sprintf(`{"drill":false,"ends":{},"unread":{"referral-routing/%d":1}}`, record.PartitionOf(caseOne)), 6)
	expect(t, Log{Decided: true, Entries: []Entry{knock, unread}})
}

func TestMessageThatIsSaidToHaveArrived(t *testing.T) {
	reached := rungReached(2, 0, 0, 0)
	sent := rungReached(1, 0, 0, 0)
	sent.typeName = "knock-sent.v1"
	body := func(rung int64) []byte {
		return slices.Concat([]byte{2}, text(eventID), []byte{0}, long(rung), []byte{2}, text(causeID), text("sms"), long(0), long(noon), text(causeID))
	}
	sent.body = body(0)
	expect(t, Log{Decided: true, Entries: []Entry{sent.entry(t), reached.entry(t)}})
	sent.body = body(1)
	expect(t, Log{Decided: true, Entries: []Entry{sent.entry(t), reached.entry(t)}}, "1 NOT_KNOCKED bad")
	expect(t, Log{Decided: true, Entries: []Entry{reached.entry(t)}}, "0 SEQUENCE_GAP bad") // a record is missing before
}

func decision(index, recorded int64, name string, body avro.Record) *entry {
	return &entry{Leaf: &record.Leaf{Kind: "DECISION", Type: name + ".v1", Topic: routing, Offset: index,
		RecordedAt: noon + recorded*minuteMicros, KafkaTime: (noon + recorded*minuteMicros) / 1000},
		index: index, kind: "DECISION", body: body, value: &record.Value{}}
}

func answered(engine, bundle int64, events ...*entry) *answer {
	return &answer{events: events, facts: avro.Record{"engine": engine, "bundle": bundle, "now": events[0].RecordedAt}}
}

func minutes(after int64) int64 { return noon + after*minuteMicros }

func TestNextLimit(t *testing.T) {
	opened := avro.Record{"track_id": "t", "offer_id": "o", "due": minutes(20)}
	track := func(state string) *entry {
		return decision(0, 0, "track-changed", avro.Record{"track_id": "t", "state": state})
	}
	offer := decision(1, 0, "offer-opened", opened)
	for name, each := range map[string]struct {
		events []*entry
		wanted int64
	}{
		"an offer":                    {[]*entry{track("OPENED"), offer}, minutes(20)},
		"an offer of a paused track":  {[]*entry{track("OPENED"), offer, track("PAUSED")}, none},
		"an offer of a resumed track": {[]*entry{track("OPENED"), offer, track("PAUSED"), track("RESUMED")}, minutes(20)},
		"a limit that passed": {[]*entry{track("OPENED"), offer,
			decision(2, 0, "deadline-passed", avro.Record{"offer_id": "o", "was_due": minutes(20)})}, none},
		"an offer that ended": {[]*entry{track("OPENED"), offer, decision(2, 0, "offer-closed", avro.Record{"offer_id": "o"})}, none},
		"a task":              {[]*entry{decision(2, 0, "needs-person", avro.Record{"task_id": "x", "due": minutes(15)})}, minutes(15)},
		"a task that is settled": {[]*entry{decision(2, 0, "needs-person", avro.Record{"task_id": "x", "due": minutes(15)}),
			decision(2, 0, "person-not-needed", avro.Record{"task_id": "x"})}, none},
		"a consent that is given": {[]*entry{decision(2, 0, "case-changed", avro.Record{"consent": avro.Record{"state": "GIVEN",
			"until": minutes(9)}})}, minutes(9)},
		"a consent that has ended": {[]*entry{decision(2, 0, "case-changed", avro.Record{"consent": avro.Record{"state": "GIVEN",
			"until": minutes(-9)}})}, none},
		"a round that begins later": {[]*entry{track("OPENED"), decision(2, 0, "step-opened", avro.Record{"track_id": "t",
			"step": "s", "starts": minutes(7)})}, minutes(7)},
	} {
		c := &decidedCase{answers: []*answer{answered(5, 1, each.events...)}}
		if got := newFold(c).nextLimit(); got != each.wanted {
			t.Errorf("%s: the next limit is %d, and should be %d", name, got, each.wanted)
		}
	}
}

func TestRungs(t *testing.T) {
	offer := func(index, due int64) *entry {
		return decision(index, index, "offer-opened", avro.Record{"offer_id": "o", "track_id": "t", "reach": "WEB", "due": minutes(due)})
	}
	track := func(index int64, state string) *entry {
		return decision(index, index, "track-changed", avro.Record{"track_id": "t", "state": state})
	}
	passed := decision(2, 2, "deadline-passed", avro.Record{"offer_id": "o"})
	next := decision(3, 3, "offer-escalated", avro.Record{"offer_id": "o", "rung": int64(1), "due": minutes(40)})
	task := func(index, rung int64) *entry {
		return decision(index, index, "needs-person", avro.Record{"task_id": "x", "rung": rung, "about": "call"})
	}
	for name, each := range map[string]struct {
		events []*entry
		wanted string // of each rung: entry, number, the entry that left it, whether its limit passed
	}{
		"silence":        {[]*entry{offer(1, 20), passed, next}, "1/0/2/true 3/1/-/false"},
		"by telephone":   {[]*entry{decision(1, 1, "offer-opened", avro.Record{"offer_id": "o", "reach": "PHONE"}), next}, ""},
		"a task climbs":  {[]*entry{task(1, 0), task(2, 0), task(3, 1)}, "1/0/3/true 3/1/-/false"},
		"a pause":        {[]*entry{offer(1, 20), track(2, "PAUSED"), track(3, "RESUMED")}, "1/0/2/false 3/0/-/false"},
		"another change": {[]*entry{offer(1, 20), track(2, "ENDED")}, "1/0/2/false"},
	} {
		got := ""
		for _, k := range rungsOf(&decidedCase{answers: []*answer{answered(5, 1, each.events...)}}) {
			left := "-"
			if k.left != nil {
				left = fmt.Sprint(k.left.index)
			}
			got += fmt.Sprintf(" %d/%d/%s/%v", k.at.index, k.number, left, k.passed)
		}
		if got != "" {
			got = got[1:]
		}
		if got != each.wanted {
			t.Errorf("%s: the rungs are %q, and should be %q", name, got, each.wanted)
		}
	}
}

// TestOlderBundlesAndEngines has answers in two partitions.
func TestOlderBundlesAndEngines(t *testing.T) {
	at := func(index, recorded, partition int64) *entry {
		e := decision(index, recorded, "input-ignored", nil)
		e.Partition = partition
		return e
	}
	bundle := func(number, minute int64) signed.ActiveBundle {
		return signed.ActiveBundle{Bundle: &signed.Bundle{Number: number}, KafkaTime: minutes(minute)}
	}
	for name, each := range map[string]struct {
		answers []*answer
		wanted  string
	}{
		"in order":                       {[]*answer{answered(5, 1, at(1, 0, 0)), answered(5, 2, at(2, 5, 0))}, ""},
		"a newer one in its partition":   {[]*answer{answered(5, 2, at(1, 5, 0)), answered(5, 1, at(2, 5, 0))}, "2 BUNDLE_OLD bad"},
		"within a minute in another":     {[]*answer{answered(5, 2, at(1, 5, 0)), answered(5, 1, at(2, 6, 1))}, ""},
		"more than a minute before":      {[]*answer{answered(5, 2, at(1, 5, 0)), answered(5, 1, at(2, 7, 1))}, "2 BUNDLE_OLD bad"},
		"by an older engine":             {[]*answer{answered(5, 2, at(1, 5, 0)), answered(4, 1, at(2, 6, 0))}, "2 BUNDLE_OLD unchecked"},
		"the broker had the newer one":   {[]*answer{answered(5, 1, at(2, 7, 0))}, "2 BUNDLE_OLD unchecked"},
		"before the broker had it":       {[]*answer{answered(5, 2, at(1, 3, 0))}, "1 BUNDLE_EARLY unchecked"},
		"an older engine after an hour":  {[]*answer{answered(5, 2, at(1, 5, 0)), answered(4, 2, at(2, 66, 1)), answered(3, 2, at(3, 67, 1))}, "2 ENGINE_OLD unchecked"},
		"an older engine within an hour": {[]*answer{answered(5, 2, at(1, 5, 0)), answered(4, 2, at(2, 65, 1))}, ""},
	} {
		r := &run{found: NewFindings(), bundles: []signed.ActiveBundle{bundle(1, -60), bundle(2, 5)}}
		d := &decisions{run: r, cases: []*decidedCase{{answers: each.answers}}}
		d.judgeBundles()
		got := ""
		for _, finding := range r.found.Sorted() {
			got += fmt.Sprintf(" %d %s %s", finding.Entry, finding.Code, finding.Weight)
		}
		if got != "" {
			got = got[1:]
		}
		if got != each.wanted {
			t.Errorf("%s: told %q, and should tell %q", name, got, each.wanted)
		}
	}
}

func TestHeldPlaces(t *testing.T) {
	offer := func(index, recorded, partition int64) *entry {
		e := decision(index, recorded, "offer-opened", nil)
		e.Partition = partition
		return e
	}
	asked := answered(5, 1, offer(9, 10, 0))
	for name, each := range map[string]struct {
		hold        hold
		least, most int64
	}{
		"before it in its partition":     {hold{opened: offer(8, 10, 0)}, 1, 1},
		"behind it in its partition":     {hold{opened: offer(10, 1, 0)}, 0, 0},
		"given back":                     {hold{opened: offer(7, 1, 0), closed: offer(8, 2, 0)}, 0, 0},
		"within a minute in another":     {hold{opened: offer(1, 9, 1)}, 0, 1},
		"long before in another":         {hold{opened: offer(1, 8, 1)}, 1, 1},
		"given back within a minute":     {hold{opened: offer(1, 1, 1), closed: offer(2, 11, 1)}, 0, 1},
		"long behind in another":         {hold{opened: offer(1, 12, 1)}, 0, 0},
		"of an exercise":                 {hold{opened: offer(8, 10, 0), exercise: true}, 0, 0},
		"given back long before (other)": {hold{opened: offer(1, 1, 1), closed: offer(2, 8, 1)}, 0, 0},
	} {
		p := &places{decisions: &decisions{run: &run{}}, holds: map[string][]*hold{"s": {&each.hold}}}
		if least, most := p.held("s", asked); least != each.least || most != each.most {
			t.Errorf("%s: %d to %d are held, and should be %d to %d", name, least, most, each.least, each.most)
		}
	}
	p := &places{decisions: &decisions{run: &run{found: NewFindings()}}, holds: map[string][]*hold{"s": {{opened: offer(8, 10, 0)}}},
		of: map[int64]map[string]int64{1: {"s": 3}}}
	for number, wanted := range map[int64]int{2: 0, 3: 1, 1: 1} {
		p.found = NewFindings()
		asked.facts["free"] = map[string]any{"s": number, "unlimited": int64(9)}
		p.judgeFree(asked)
		if got := len(p.found.Sorted()); got != wanted {
			t.Errorf("of 3 places, 1 is held, and %d are said to be free: told %d findings, and should tell %d", number, got, wanted)
		}
	}
}

func TestPartitionThatIsKnown(t *testing.T) {
	beat := func(minute, end, unread int64) *heartbeat {
		return &heartbeat{&own.Heartbeat{Ends: map[string][]int64{"t": {end}}, Unread: map[string]int64{"t/0": unread}}, 0, minutes(minute)}
	}
	for name, each := range map[string]struct {
		clock clock
		until int64
		known bool
	}{
		"read":                 {clock{last: &heartbeat{&own.Heartbeat{Ends: map[string][]int64{}}, 0, 0}, end: 7}, 7, true},
		"read up to the older": {clock{last: beat(9, 20, 10), older: beat(3, 10, 0)}, minutes(2), true},
		"not so far":           {clock{last: beat(9, 20, 9), older: beat(3, 10, 0)}, 0, false},
		"a drill":              {clock{last: beat(9, 20, 10), older: beat(3, 10, 0), drill: true}, 0, false},
		"no older heartbeat":   {clock{last: beat(9, 20, 10)}, 0, false},
	} {
		if until, known := each.clock.knownUntil("t", 0); until != each.until || known != each.known {
			t.Errorf("%s: known until %d (%v), and should be until %d (%v)", name, until, known, each.until, each.known)
		}
	}
}

// TestLostRecords has an answer that calls sequence 1 of intake lost, of which the head is at offset 3.
func TestLostRecords(t *testing.T) {
	lost := func(recorded int64) *answer {
		a := answered(5, 1, decision(9, recorded, "needs-person", nil))
		a.head = avro.Record{"kind": "LOST", "topic": "referral-intake", "partition": int64(0), "offset": int64(3), "lost_seq": int64(1)}
		return a
	}
	of := func(sequence, offset int64, kind string) *entry {
		return &entry{Leaf: &record.Leaf{Kind: kind, Topic: "referral-intake", Offset: offset, CaseID: caseOne, CaseSeq: sequence}, kind: kind,
			body: avro.Record{}}
	}
	aside := map[position][]quarantine{{"referral-intake", 0, 3}: {{topic: "referral-intake", reader: "routing"}}}
	strange := of(2, 3, "EVENT")
	strange.forged = true
	for name, each := range map[string]struct {
		entries     []*entry
		quarantines map[position][]quarantine
		recorded    int64
		wanted      string
	}{
		"it stands in the log":              {[]*entry{of(1, 2, "EVENT")}, nil, 0, "LOST_FALSE"},
		"routing set it aside":              {[]*entry{of(1, 2, "EVENT")}, aside, 0, "LOST_UNPROVEN"},
		"a forged record stood there":       {[]*entry{of(1, 2, "EVENT"), strange}, nil, 0, ""},
		"a later one revealed it":           {[]*entry{of(2, 3, "EVENT")}, nil, 0, ""},
		"nothing shows it":                  {nil, nil, 0, "LOST_FALSE"},
		"nothing shows it yet":              {nil, nil, 8, ""},
		"what stood there cannot be read":   {[]*entry{of(0, 3, "UNREADABLE")}, nil, 0, ""},
		"another record of the case before": {[]*entry{of(0, 3, "EVENT")}, nil, 0, "LOST_FALSE"},
	} {
		d := &decisions{run: &run{found: NewFindings(), quarantines: each.quarantines}, at: map[position]*entry{},
			clock: clock{last: &heartbeat{}, end: minutes(10)}}
		for _, e := range each.entries {
			d.at[e.place()] = e
		}
		d.judgeLost(&decidedCase{id: caseOne, entries: each.entries}, lost(each.recorded))
		got := ""
		for _, finding := range d.found.Sorted() {
			got += finding.Code
		}
		if got != each.wanted {
			t.Errorf("%s: told %q, and should tell %q", name, got, each.wanted)
		}
	}
}

// TestWeightOfARung has a rung of which nobody was told, reached at noon, with a limit of half an hour.
func TestWeightOfARung(t *testing.T) {
	day := int64(24 * 60)
	pause := func(index int64, command string) act { return act{Act: &own.Act{Command: command}, index: index} }
	for name, each := range map[string]struct {
		left     int64 // minutes; 0: it waits still
		passed   bool
		end      int64
		acts     []act
		atWork   []int64
		notified []int64
		unread   map[string]int64
		wanted   string
	}{
		"it was left in time":               {left: 23, end: 60},
		"it waited too long":                {left: 24, end: 60, wanted: Unchecked},
		"its limit has passed":              {left: 14, passed: true, end: 60, wanted: Unchecked},
		"the notifier was at work":          {left: 30, end: 60, atWork: []int64{10}, wanted: Bad},
		"it was at work too late":           {left: 30, end: 60, atWork: []int64{24}, wanted: Unchecked},
		"it waits still":                    {end: 60, atWork: []int64{10}, wanted: Unchecked},
		"nothing came in a day":             {end: day, wanted: Bad},
		"something came in a day":           {end: day, notified: []int64{minutes(100)}, wanted: Unchecked},
		"the duty was paused":               {left: 30, end: 60, atWork: []int64{10}, acts: []act{pause(1, "duty pause")}, wanted: Unchecked},
		"the duty was resumed":              {left: 30, end: 60, atWork: []int64{10}, acts: []act{pause(1, "duty pause"), pause(2, "duty resume")}, wanted: Bad},
		"the notifier's records are unread": {left: 30, end: 60, atWork: []int64{10}, unread: map[string]int64{notifier + "/0": 1}},
	} {
		k := &rung{at: decision(5, 0, "offer-opened", nil), id: "o", due: minutes(30), passed: each.passed}
		if each.left > 0 {
			k.left = decision(6, each.left, "offer-closed", nil)
		}
		o := &omissions{decisions: &decisions{run: &run{acts: each.acts}, clock: clock{end: minutes(each.end),
			last: &heartbeat{&own.Heartbeat{Ends: map[string][]int64{}, Unread: each.unread}, 9, minutes(each.end)}}},
			atWork: map[int64][]int64{}, notified: each.notified}
		for _, minute := range each.atWork {
			o.atWork[0] = append(o.atWork[0], minutes(minute)/minuteMicros)
		}
		if got := o.weightOfRung(k); got != each.wanted {
			t.Errorf("%s: the weight is %q, and should be %q", name, got, each.wanted)
		}
	}
}

func TestInputsThatNobodyAnswered(t *testing.T) {
	input := decision(1, 0, "response-submitted", nil)
	input.LoggedAt = noon
	for name, each := range map[string]struct {
		latest  int64 // offset of a later record that was answered
		alarmed int64 // minute of a later alarm that was answered
		drill   bool
		wanted  string
	}{
		"nothing":                {0, 0, false, Unchecked},
		"nothing, in a drill":    {0, 0, true, ""},
		"a later record":         {2, 0, true, Bad},
		"a later alarm":          {0, 2, true, Bad},
		"an alarm of its minute": {0, 1, false, Unchecked},
	} {
		o := &omissions{decisions: &decisions{run: &run{}, clock: clock{end: minutes(10), drill: each.drill,
			last: &heartbeat{&own.Heartbeat{Ends: map[string][]int64{}}, 9, minutes(10)}}},
			alarmed: map[int64]int64{0: minutes(each.alarmed)}, causedAt: map[partitionPlace]int64{{routing, 0}: each.latest}}
		if got := o.weightOfInput(input); got != each.wanted {
			t.Errorf("%s: the weight is %q, and should be %q", name, got, each.wanted)
		}
	}
}
