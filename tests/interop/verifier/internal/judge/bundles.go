package judge

import (
	"cmp"
	"slices"

	"judge/internal/signed"
)

// newest is the newest bundle by which each version of the rules has decided so far.
type newest map[int64]int64

func (n newest) add(a *answer) {
	engine := a.facts.Long("engine")
	n[engine] = max(n[engine], a.facts.Long("bundle"))
}

// weightOf is the weight of an answer by an older bundle; "" if none was newer. An older engine may not know better.
func (n newest) weightOf(a *answer) (weight string) {
	for engine, bundle := range n {
		switch {
		case bundle <= a.facts.Long("bundle"):
		case engine <= a.facts.Long("engine"):
			return Bad
		default:
			weight = Unchecked
		}
	}
	return weight
}

func (d *decisions) bundleOf(a *answer) *signed.ActiveBundle {
	for i := range d.bundles {
		if d.bundles[i].Bundle.Number == a.facts.Long("bundle") {
			return &d.bundles[i]
		}
	}
	return nil
}

// judgeBundles compares the bundles and engines of all answers that were judged (BUNDLE_OLD, BUNDLE_EARLY, ENGINE_OLD).
func (d *decisions) judgeBundles() {
	var all []*answer
	for _, c := range d.cases {
		all = append(all, c.answers...)
	}
	slices.SortFunc(all, func(a, b *answer) int { return cmp.Compare(a.first().index, b.first().index) })
	inPartition := map[int64]newest{}
	weights := map[*answer]string{}
	for _, a := range all {
		before := inPartition[a.first().Partition]
		if before == nil {
			before = newest{}
			inPartition[a.first().Partition] = before
		}
		weights[a] = before.weightOf(a)
		before.add(a)
	}
	d.judgeEngines(all, weights)
	for _, a := range all {
		weight := weights[a]
		if weight == "" && d.brokerHadNewer(a) {
			weight = Unchecked
		}
		if weight != "" {
			d.found.AddWeighted(a.first().index, "BUNDLE_OLD", weight, "it was decided by bundle %d, and a newer one was in force", a.facts.Long("bundle"))
		}
		if bundle := d.bundleOf(a); bundle != nil && a.first().kafkaMicros() < bundle.KafkaTime-minuteMicros {
			d.found.Add(a.first().index, "BUNDLE_EARLY", "it was decided by bundle %d before the broker had that", bundle.Bundle.Number)
		}
	}
}

// judgeEngines compares answers with those that were recorded before, in any partition.
func (d *decisions) judgeEngines(all []*answer, weights map[*answer]string) {
	byTime := slices.Clone(all)
	slices.SortStableFunc(byTime, func(a, b *answer) int { return cmp.Compare(a.first().RecordedAt, b.first().RecordedAt) })
	aMinuteBefore, next := newest{}, 0
	newestBefore, nextEngine := int64(0), 0
	var old *answer
	for _, a := range byTime {
		recorded := a.first().RecordedAt
		for ; byTime[next].first().RecordedAt < recorded-minuteMicros; next++ {
			aMinuteBefore.add(byTime[next])
		}
		for ; byTime[nextEngine].first().RecordedAt < recorded-hourMicros; nextEngine++ {
			newestBefore = max(newestBefore, byTime[nextEngine].facts.Long("engine"))
		}
		if weights[a] != Bad {
			weights[a] = cmp.Or(aMinuteBefore.weightOf(a), weights[a])
		}
		if a.facts.Long("engine") < newestBefore && (old == nil || a.first().index < old.first().index) {
			old = a
		}
	}
	if old != nil {
		d.found.Add(old.first().index, "ENGINE_OLD", "it was decided by version %d of the rules, after a newer one had decided", old.facts.Long("engine"))
	}
}

// brokerHadNewer says whether the broker had a newer bundle more than a minute before the answer was recorded.
func (d *decisions) brokerHadNewer(a *answer) bool {
	for _, bundle := range d.bundles {
		if bundle.Bundle.Number > a.facts.Long("bundle") && bundle.KafkaTime < a.first().RecordedAt-minuteMicros {
			return true
		}
	}
	return false
}
