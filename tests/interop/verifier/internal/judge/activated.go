package judge

import (
	"fmt"

	"judge/internal/signed"
)

// judgeActivations judges the time of activation that each believed bundle says of itself (section 12.2).
func (r *run) judgeActivations() {
	for _, bundle := range r.bundles {
		r.judgeActivation(bundle)
	}
}

// judgeActivation tells the first thing that is wrong with the time. A bundle without a time of the broker is compared
// with acts alone, in a drill also with the time at which it was logged.
func (r *run) judgeActivation(bundle signed.ActiveBundle) {
	at, number := bundle.Bundle.At, bundle.Bundle.Number
	drill := r.isDrill()
	hadByBroker := bundle.KafkaTime != 0
	latest := bundle.KafkaTime
	if drill {
		latest = max(latest, bundle.LoggedAt)
	}
	activated := r.activationOf(number)
	switch {
	case (hadByBroker || drill) && at > latest+minuteMicros:
		r.found.Add(bundle.Index, "ACTIVATED_AT", "bundle %d says that it was activated after the broker had it", number)
	case activated != nil && at < activated.At-minuteMicros:
		r.found.Add(bundle.Index, "ACTIVATED_AT", "bundle %d says that it was activated before %s did it", number, activated.By)
	case activated == nil && hadByBroker && at < bundle.KafkaTime-minuteMicros:
		r.found.AddWeighted(bundle.Index, "ACTIVATED_AT", Unchecked,
			"bundle %d says that it was activated before the broker had it, and no act activates it", number)
	}
}

// activationOf returns the act `policy activate`, in any state, that names a bundle and has the smallest time; or nil.
func (r *run) activationOf(number int64) (earliest *act) {
	subject := fmt.Sprintf("policy:%d", number)
	for i := range r.acts {
		a := &r.acts[i]
		if a.Command == "policy activate" && a.Names(subject) && (earliest == nil || a.At < earliest.At) {
			earliest = a
		}
	}
	return earliest
}
