package judge

import (
	"errors"
	"fmt"
	"strings"

	"judge/internal/avro"
	"judge/internal/own"
	"judge/internal/record"
	"judge/internal/signed"
	"judge/internal/trust"
)

const followsMark = "# follows "

// addBody tells a body that does not decode.
func (r *run) addBody(e *entry, err error) {
	code := "BODY"
	if errors.Is(err, record.ErrNewer) {
		code = "NEWER_VERSION"
	}
	r.found.Add(e.index, code, "%v", err)
}

// walkOwn judges an entry that audit itself writes (sections 9 and 14.1).
func (r *run) walkOwn(e *entry) {
	if e.Topic != "" || e.Partition != -1 || e.Offset != -1 || e.KafkaTime != 0 ||
		(e.payload != nil && (e.payload.Key != nil || len(e.payload.Headers) > 0)) {
		r.found.Add(e.index, "META_DIFFERS", "an entry of audit's own names a position, a time of the broker, a key or headers")
	}
	named := *e.Leaf
	if e.Kind == "SCHEMA" {
		named.Type, named.Fingerprint = "", 0
	}
	if hasMeta(&named) || e.CaseID != "" {
		r.found.Add(e.index, "META_DIFFERS", "an entry of audit's own names what only the meta of a record has")
	}
	switch {
	case e.gone() && e.Kind == "HEARTBEAT":
		r.found.Add(e.index, "BODY", "the value of a heartbeat is gone")
	case e.gone(), len(e.payload.Value) == 0 && (e.Kind == "READING" || e.Kind == "ADMINISTRATION"): // passed over
	default:
		if err := r.ownValue(e, e.payload.Value); err != nil {
			r.addBody(e, err)
		}
	}
}

// hasMeta says whether a leaf has something of a meta, but for its case.
func hasMeta(leaf *record.Leaf) bool {
	return leaf.EventID != "" || leaf.Type != "" || leaf.Fingerprint != 0 || leaf.CaseSeq != 0 ||
		leaf.CauseID != "" || leaf.RecordedAt != 0
}

func (r *run) ownValue(e *entry, value []byte) error {
	switch e.Kind {
	case "KEYS":
		return r.walkKeys(e, string(value))
	case "SCHEMA":
		return checkSchema(e, value)
	case "COVER":
		r.counts["cover entries"]++
		return own.CheckCover(value)
	case "HEARTBEAT":
		beat, err := own.ParseHeartbeat(value)
		if err != nil {
			return err
		}
		r.beats = append(r.beats, heartbeat{beat, e.index, e.LoggedAt})
		if beat.Drill != r.beats[0].Drill && !r.drillChanged(r.beats[:len(r.beats)-1]) {
			r.found.Add(e.index, "DRILL_CHANGED", "the first heartbeat says otherwise whether this is a drill")
		}
	case "READING":
		reading, err := own.ParseReading(value)
		if err != nil {
			return err
		}
		r.readings = append(r.readings, reading)
		r.readingsAt = append(r.readingsAt, e.index)
		r.counts["readings"]++
	case "ADMINISTRATION":
		parsed, err := own.ParseAct(value)
		if err != nil {
			return err
		}
		r.counts["acts"]++
		r.walkAct(act{parsed, e.index, e.LoggedAt})
	}
	return nil
}

// drillChanged says whether one of the heartbeats says otherwise than the first of the log.
func (r *run) drillChanged(beats []heartbeat) bool {
	for _, beat := range beats {
		if beat.Drill != r.beats[0].Drill {
			return true
		}
	}
	return false
}

func (r *run) walkKeys(e *entry, text string) error {
	named, err := trust.ParseLines(text)
	if err != nil {
		return err
	}
	r.follows = r.follows || strings.Contains(text, followsMark)
	for _, note := range r.believed.Log(named) {
		r.found.Add(e.index, note, "the log names others than before")
	}
	r.chain.Name(r.believed.Signers())
	return nil
}

// walkQuarantine judges a quarantine record and remembers what it says (section 10).
func (r *run) walkQuarantine(e *entry) {
	if e.gone() {
		return
	}
	body, err := record.DecodeOpen(e.payload.OpenType(), e.payload.Value)
	if err != nil {
		r.addBody(e, err)
		return
	}
	at := position{body.Text("topic"), body.Long("partition"), body.Long("offset")}
	said := quarantine{topic: at.topic, reason: body.Text("reason"), reader: body.Text("reader")}
	if string(e.payload.Key) != QuarantineKey(body) {
		r.found.Add(e.index, "META_DIFFERS", "the key of the quarantine record does not name what its body does")
		return
	}
	r.counts["quarantined"]++
	if e.forged {
		return
	}
	r.quarantines[at] = append(r.quarantines[at], said)
	if caseID := body.Text("case_id"); caseID != "" {
		key := sequenceKey{at.topic, caseID}
		if r.lost[key] == nil {
			r.lost[key] = map[int64]bool{}
		}
		r.lost[key][body.Long("case_seq")] = true
	}
}

// QuarantineKey is the key that a quarantine record has by its body.
func QuarantineKey(body avro.Record) string {
	return fmt.Sprintf("%s/%s/%d/%d", body.Text("reader"), body.Text("topic"), body.Long("partition"), body.Long("offset"))
}

// isDisowned says whether the owner of the topic disowns the record at this position.
func (r *run) isDisowned(e *entry) bool {
	for _, said := range r.quarantines[position{e.Topic, e.Partition, e.Offset}] {
		owner, asked := signed.Writer(e.Topic, nil)
		if said.reason == "foreign" && asked && said.reader == owner {
			return true
		}
	}
	return false
}
