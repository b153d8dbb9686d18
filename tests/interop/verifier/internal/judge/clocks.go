package judge

import (
	"strconv"
	"strings"

	"judge/internal/record"
)

// judgeClocks compares the clocks of writers, broker, audit and witnesses (section 14.6).
func (r *run) judgeClocks() {
	if r.isDrill() {
		return
	}
	for _, e := range r.entries {
		if r.log.HasSeen && e.LoggedAt > r.log.Seen*secondMicros+minuteMicros {
			r.found.Add(e.index, "LOGGED_AHEAD", "it was logged after the witnesses had seen it")
		}
		if (record.HasPosition(e.Kind) || e.Kind == "GAP") && e.LoggedAt < e.KafkaTime*1000-minuteMicros {
			r.found.Add(e.index, "LOGGED_EARLY", "it was logged before the broker had it")
		}
	}
	r.judgeRecorded()
	r.judgeBeats()
}

// isDrill says whether the log is of an exercise: it has heartbeats, and each says so.
func (r *run) isDrill() bool { return len(r.beats) > 0 && r.beats[0].Drill && !r.drillChanged(r.beats) }

// judgeRecorded compares the writer's clock with the broker's. Of one entry, the first finding that applies is told;
// one that is RECORDED_AHEAD or RECORDED_BACK counts for no other.
func (r *run) judgeRecorded() {
	newest := map[position]int64{}
	late := map[string][]*entry{} // topic → the run of late ones that has not ended
	for _, e := range r.entries {
		if !e.counts() || e.twin || e.RecordedAt == 0 || e.KafkaTime == 0 {
			continue
		}
		partition := position{e.Topic, e.Partition, 0}
		before, found := newest[partition]
		if e.RecordedAt > e.KafkaTime*1000+minuteMicros {
			r.found.Add(e.index, "RECORDED_AHEAD", "it was recorded after the broker had it")
			continue
		}
		if found && e.RecordedAt < before-minuteMicros {
			r.found.Add(e.index, "RECORDED_BACK", "it was recorded before an earlier one of its partition")
			continue
		}
		if !found || e.RecordedAt > before {
			newest[partition] = e.RecordedAt
		}
		if e.KafkaTime*1000 > e.RecordedAt+minuteMicros {
			late[e.Topic] = append(late[e.Topic], e)
			continue
		}
		r.tellLate(late[e.Topic])
		late[e.Topic] = nil
	}
	for _, run := range late {
		r.tellLate(run)
	}
}

func (r *run) tellLate(late []*entry) {
	if len(late) == 0 {
		return
	}
	first, longest := late[0], int64(0)
	for _, e := range late {
		longest = max(longest, e.KafkaTime*1000-e.RecordedAt)
	}
	weight := Note
	if longest > hourMicros && r.brokerWasThere(first.RecordedAt+minuteMicros, first.KafkaTime*1000-minuteMicros) {
		weight = Unchecked
	}
	r.found.AddWeighted(first.index, "RECORDED_LATE", weight, "%d records of %s reached the broker late", len(late), first.Topic)
}

// brokerWasThere says whether the broker took a record within a whole minute between two times (µs).
func (r *run) brokerWasThere(from, until int64) bool {
	for _, e := range r.entries {
		minute := e.KafkaTime * 1000 / minuteMicros * minuteMicros
		if e.KafkaTime != 0 && minute >= from && minute+minuteMicros <= until {
			return true
		}
	}
	return false
}

// judgeBeats judges the heartbeats against each other and against what the witnesses saw.
func (r *run) judgeBeats() {
	for i := 1; i < len(r.beats); i++ {
		if r.beats[i].loggedAt-r.beats[i-1].loggedAt > fiveMinutes {
			r.found.Add(r.beats[i].index, "PAUSED", "more than five minutes lie between two heartbeats")
		}
	}
	if len(r.beats) == 0 {
		return
	}
	last := r.beats[len(r.beats)-1]
	if r.log.HasSeen && r.log.Seen*secondMicros > last.loggedAt+fiveMinutes {
		r.found.Add(last.index, "STOOD_STILL", "the witnesses saw the log more than five minutes after its last heartbeat")
	}
	older := olderBeat(r.beats)
	if older == nil {
		return
	}
	away := true
	for _, beat := range r.beats {
		if beat.index >= older.index && beat.Ends != nil {
			away = false
		}
	}
	if away {
		r.found.Add(last.index, "BROKER_AWAY", "the broker has not answered for five minutes")
	}
	r.checkUnread(last, older)
}

func (r *run) checkUnread(last heartbeat, older *heartbeat) {
	for name, next := range last.Unread {
		topic, number, _ := strings.Cut(name, "/")
		partition, err := strconv.Atoi(number)
		if err != nil || partition < 0 || partition >= len(older.Ends[topic]) {
			continue
		}
		if next < older.Ends[topic][partition] {
			r.found.Add(last.index, "NOT_READ", "audit has not read %s for five minutes", name)
		}
	}
}
