package judge

import (
	"bytes"

	"judge/internal/crypt"
	"judge/internal/record"
	"judge/internal/signed"
)

// walk judges one entry by itself and by those before it (sections 7, 12.1, 14.1 and 14.2).
func (r *run) walk(e *entry) {
	if e.LoggedAt < r.lastLogged {
		r.found.Add(e.index, "CLOCK_BACK", "it was logged before an entry that stands before it")
	}
	r.lastLogged = max(r.lastLogged, e.LoggedAt)
	r.checkDigests(e)
	switch {
	case record.IsOwn(e.Kind):
		r.walkOwn(e)
	case e.Kind == "GAP":
		r.walkGap(e)
	default:
		r.walkRecord(e)
	}
}

func (r *run) checkDigests(e *entry) {
	if e.payload == nil {
		return
	}
	if !e.gone() && !bytes.Equal(crypt.SHA256(e.payload.Value), e.SHA256) {
		r.found.Add(e.index, "HASH_DIFFERS", "the value has another digest than the leaf says")
	}
	if !e.restUnknown && !bytes.Equal(record.Rest(e.payload.Key, e.payload.Headers), e.Rest) {
		r.found.Add(e.index, "REST_DIFFERS", "key and headers have another digest than the leaf says")
	}
}

func (r *run) walkRecord(e *entry) {
	if record.HasPosition(e.Kind) {
		r.checkOffset(e)
	}
	if e.Kind == "UNKNOWN" {
		r.found.Add(e.index, "META_DIFFERS", "no record is of the kind UNKNOWN")
	}
	if !e.gone() {
		r.checkMeta(e)
		err := signed.CheckWriter(e.Topic, e.KafkaTime, e.payload, r.believed.Writers())
		if err != nil {
			e.forged = true
			r.found.Add(e.index, "WRITER", "%v", err)
		}
	}
	switch e.Kind {
	case "UNREADABLE":
		if !e.forged { // WRITER is told instead
			r.found.Add(e.index, "UNREADABLE", "a record in %s has no form of this system", e.Topic)
		}
	case "FOREIGN":
		if !e.forged {
			r.found.Add(e.index, "FOREIGN", "a record in %s does not belong there", e.Topic)
		}
	case "ERASURE", "FORK":
		e.erasureTrust = r.erasureTrust()
	case "POLICY":
		r.walkPolicy(e)
	case "QUARANTINE":
		r.walkQuarantine(e)
	}
}

func (r *run) checkOffset(e *entry) {
	partition := position{e.Topic, e.Partition, 0}
	last, before := r.lastOffset[partition]
	if before && e.Offset <= last {
		r.found.Add(e.index, "ORDER", "its offset %d is not above %d, which stands before it", e.Offset, last)
	}
	if !before || e.Offset > last {
		r.lastOffset[partition] = e.Offset
	}
}

// checkMeta computes kind and meta again from the record.
func (r *run) checkMeta(e *entry) {
	kind, value := record.KindOf(e.Topic, e.Partition, e.payload)
	e.value = value
	if kind != e.Kind && e.Kind != "FORK" {
		r.found.Add(e.index, "META_DIFFERS", "the leaf says %s, and the record is %s", e.Kind, kind)
	}
	var meta record.Meta
	if value != nil {
		meta = value.Meta
	}
	if e.EventID != meta.EventID || e.Type != meta.Type || e.Fingerprint != meta.Fingerprint ||
		e.CaseID != meta.CaseID || e.CaseSeq != meta.CaseSeq || e.CauseID != meta.CauseID ||
		e.RecordedAt != meta.RecordedAt {
		r.found.Add(e.index, "META_DIFFERS", "the leaf says another meta than the value")
	}
}

func (r *run) walkPolicy(e *entry) {
	if e.gone() || len(e.payload.Value) == 0 {
		return // an empty value is passed over
	}
	body, err := record.DecodeOpen(e.payload.OpenType(), e.payload.Value)
	if err != nil {
		r.addBody(e, err)
		return
	}
	bundle := signed.BundleOf(body)
	judgement := r.chain.Judge(bundle)
	if judgement.Code != "" {
		r.found.Add(e.index, judgement.Code, "%s", judgement.Words)
	}
	if judgement.Result == "believed" {
		r.bundles = append(r.bundles, signed.ActiveBundle{Bundle: bundle, Index: e.index,
			KafkaTime: e.KafkaTime * 1000, LoggedAt: e.LoggedAt})
		r.counts["policy bundles"]++
	}
}
