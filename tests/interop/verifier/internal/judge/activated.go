package judge

import (
	"fmt"

	"judge/internal/signed"
)

// judgeActivations judges the time of activation that each believed bundle says of itself (section 12.2).
func (r *run) judgeActivations() {
	for _, bundle := range r.bundles {
		if bundle.KafkaTime > 0 {
			r.judgeActivation(bundle)
		}
	}
}

func (r *run) judgeActivation(bundle signed.ActiveBundle) {
	at, number := bundle.Bundle.At, bundle.Bundle.Number
	latest := bundle.KafkaTime
	if r.isDrill() {
		latest = max(latest, bundle.LoggedAt)
	}
	activated, named := r.activationOf(number)
	switch {
	case at > latest+minuteMicros:
		r.found.Add(bundle.Index, "ACTIVATED_AT", "bundle %d says that it was activated after the broker had it", number)
	case activated != nil && at < activated.At-minuteMicros:
		r.found.Add(bundle.Index, "ACTIVATED_AT", "bundle %d says that it was activated before %s did it", number, activated.By)
	case !named && at < bundle.KafkaTime-minuteMicros:
		r.found.AddWeighted(bundle.Index, "ACTIVATED_AT", Unchecked,
			"bundle %d says that it was activated before the broker had it, and no act names it", number)
	}
}

// activationOf returns the first act that activated a bundle, and whether any act names it.
func (r *run) activationOf(number int64) (activated *act, named bool) {
	subject := fmt.Sprintf("policy:%d", number)
	for i := range r.acts {
		if !r.acts[i].Names(subject) {
			continue
		}
		named = true
		if r.acts[i].Command == "policy activate" {
			return &r.acts[i], true
		}
	}
	return nil, named
}
