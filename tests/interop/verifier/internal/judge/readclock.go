package judge

import "fmt"

const (
	late      = fiveMinutes
	dayMicros = 24 * hourMicros
)

// clock tells up to when a log can be judged for what did not happen (section 15.6).
type clock struct {
	last, older *heartbeat // h and g; nil where there is none
	end         int64      // µs
	drill       bool
}

func (r *run) readClock() clock {
	c := clock{drill: r.isDrill()}
	if len(r.beats) == 0 {
		return c
	}
	c.last, c.older = &r.beats[len(r.beats)-1], olderBeat(r.beats)
	for _, e := range r.entries[:c.last.index] {
		if !e.forged && !e.sealBroken && e.kafkaMicros() <= e.LoggedAt+minuteMicros {
			c.end = max(c.end, e.kafkaMicros())
		}
	}
	if !c.drill {
		c.end = max(c.end, c.last.loggedAt)
	}
	return c
}

// isRead says whether audit has read a partition to its end.
func (c *clock) isRead(topic string, partition int64) bool {
	_, behind := c.last.Unread[fmt.Sprintf("%s/%d", topic, partition)]
	return c.last.Ends != nil && !behind
}

// knownUntil is the time up to which the records of a partition are known; known is false if there is none.
func (c *clock) knownUntil(topic string, partition int64) (until int64, known bool) {
	if c.isRead(topic, partition) {
		return c.end, true
	}
	if c.older == nil || c.last.Ends == nil || c.older.Ends == nil || c.drill {
		return 0, false
	}
	ends := c.older.Ends[topic]
	if partition < 0 || partition >= int64(len(ends)) || c.last.Unread[fmt.Sprintf("%s/%d", topic, partition)] < ends[partition] {
		return 0, false
	}
	return c.older.loggedAt - minuteMicros, true
}

// isLongAgo says whether an entry stands more than five minutes before the end.
func (c *clock) isLongAgo(e *entry) bool { return e.kafkaMicros() < c.end-late }

// mayStillCome says whether the input of an answer may not be in the log yet.
func (d *decisions) mayStillCome(a *answer) bool {
	at := a.at()
	return d.last != nil && (a.first().index > d.last.index || !d.isRead(at.topic, at.partition))
}
