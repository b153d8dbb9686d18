package judge

import (
	"slices"

	"judge/internal/avro"
)

const (
	notifier     = "referral-notification"
	patience     = 14 * minuteMicros // a rung that nobody was told of waits so long
	urgentWithin = 2 * hourMicros
)

// rung is a rung of an offer, or of a desk's task, that was reached.
type rung struct {
	at     *entry // the decision that reached it
	id     string // of the offer or task
	track  string
	isTask bool
	number int64
	due    int64  // none where no limit runs
	left   *entry // nil: it waits still
	passed bool   // its limit has passed
	paused bool   // its track was paused
}

func (k *rung) isUrgent() bool { return k.due != none && k.due <= k.at.RecordedAt+urgentWithin }

// patience is how long a rung may wait before somebody is told.
func (k *rung) patience() int64 {
	switch {
	case k.passed:
		return patience
	case k.isUrgent():
		return patience + (k.due-k.at.RecordedAt)/3
	}
	return dayMicros
}

// rungsOf are the rungs that the decisions of a case reached, with what left them.
func rungsOf(c *decidedCase) []*rung {
	r := &rungReader{open: map[string]*rung{}, shared: map[string]bool{}}
	for _, a := range c.answers {
		for _, e := range a.events {
			if e.body != nil {
				r.add(e, nameOf(e.Type), e.body)
			}
		}
	}
	return r.all
}

type rungReader struct {
	all    []*rung
	open   map[string]*rung // offer or task → its newest rung
	shared map[string]bool  // tasks that share a knock with others of their desk
}

func (r *rungReader) reach(next *rung) {
	r.open[next.id] = next
	r.all = append(r.all, next)
}

func (r *rungReader) leave(id string, by *entry, passed bool) {
	if now := r.open[id]; now != nil && now.left == nil {
		now.left, now.passed = by, passed
	}
}

func (r *rungReader) add(e *entry, name string, body avro.Record) {
	offerID, taskID := body.Text("offer_id"), body.Text("task_id")
	switch name {
	case "offer-opened":
		reach := body.Text("reach")
		if reach != "PHONE" && reach != "SYSTEM" && body.Record("why").Text("rule") != "carried-over" {
			r.reach(&rung{at: e, id: offerID, track: body.Text("track_id"), number: body.Long("rung"), due: timeOr(body, "due")})
		}
	case "offer-escalated":
		if before := r.open[offerID]; before != nil {
			r.leave(offerID, e, false)
			r.reach(&rung{at: e, id: offerID, track: before.track, number: body.Long("rung"), due: timeOr(body, "due")})
		}
	case "deadline-passed":
		r.leave(offerID, e, true)
	case "offer-acknowledged", "offer-accepted", "offer-arrived", "offer-held", "offer-closed", "offer-reopened":
		r.leave(offerID, e, false)
	case "needs-person":
		r.task(e, taskID, body)
	case "person-not-needed":
		r.leave(taskID, e, false)
	case "track-changed":
		r.track(e, body.Text("track_id"), body.Text("state"))
	}
}

func (r *rungReader) task(e *entry, id string, body avro.Record) {
	before := r.open[id]
	if body.Text("about") == "confirm-referral" || body.Record("why").Text("rule") == "unverified" {
		r.shared[id] = true // with others of its desk: one knock
	}
	if r.shared[id] || (before != nil && before.number == body.Long("rung")) {
		return
	}
	r.leave(id, e, before != nil && body.Long("rung") > before.number)
	r.reach(&rung{at: e, id: id, track: body.Text("track_id"), isTask: true, number: body.Long("rung"), due: timeOr(body, "due")})
}

// track leaves the rungs of a track that changes, and reaches those of its offers again when it is resumed.
func (r *rungReader) track(e *entry, track, state string) {
	for _, now := range slices.Clone(r.all) {
		if now.track != track || r.open[now.id] != now {
			continue
		}
		if now.left == nil {
			now.left, now.paused = e, state == "PAUSED"
		} else if state == "RESUMED" && now.paused && !now.isTask {
			r.reach(&rung{at: e, id: now.id, track: track, number: now.number, due: now.due})
		}
	}
}

// judgeKnocks tells each rung of which nobody was told (section 15.6).
func (o *omissions) judgeKnocks(c *decidedCase) {
	told := o.toldRungs(c)
	for _, k := range rungsOf(c) {
		if told[rungKey{k.id, k.number}] {
			continue
		}
		if weight := o.weightOfRung(k); weight != "" {
			o.found.AddWeighted(k.at.index, "NOT_KNOCKED", weight, "rung %d was reached, and nobody there was told", k.number)
		}
	}
}

type rungKey struct {
	id     string
	number int64
}

// toldRungs are the rungs that records of the notifier name.
func (o *omissions) toldRungs(c *decidedCase) map[rungKey]bool {
	told := map[rungKey]bool{}
	for _, e := range c.entries {
		if e.Topic == notifier && e.counts() && e.body != nil && nameOf(e.Type) != "rung-reached" {
			told[rungKey{e.body.Text("offer_id"), e.body.Long("rung")}] = true
			told[rungKey{e.body.Text("task_id"), e.body.Long("rung")}] = true
		}
	}
	return told
}

// weightOfRung is the weight of a rung of which nobody was told; "" if it is not judged.
func (o *omissions) weightOfRung(k *rung) string {
	until, known := o.knownUntil(notifier, k.at.Partition)
	reached, left := k.at.kafkaMicros(), o.end
	if k.left != nil {
		left = k.left.kafkaMicros()
	}
	isExercise := k.at.value.Meta.Drill && !o.drill
	leftBehind := k.left != nil && k.left.index > o.last.index
	if isExercise || leftBehind || left-reached < k.patience() || !known || min(left, until)-reached < k.patience() {
		return ""
	}
	switch {
	case !o.isRead(notifier, k.at.Partition), o.wasPaused(k):
		return Unchecked
	case o.end >= reached+dayMicros && !o.notifiedWithin(reached, reached+dayMicros):
		return Bad
	case k.left != nil && (k.isUrgent() || (k.passed && left-reached >= dayMicros)) && o.wasAtWork(k.at.Partition, reached, left-6*minuteMicros):
		return Bad
	}
	return Unchecked
}

// wasPaused says whether an operator had paused the duty before the rung was left, and not resumed it before the rung.
func (o *omissions) wasPaused(k *rung) bool {
	paused := false
	for _, a := range o.acts {
		switch {
		case k.left != nil && a.index >= k.left.index:
			return paused
		case a.Command == "duty pause":
			paused = true
		case a.Command == "duty resume" && a.index < k.at.index:
			paused = false
		}
	}
	return paused
}
