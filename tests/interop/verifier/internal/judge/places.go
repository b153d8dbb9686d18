package judge

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"judge/internal/signed"
)

// hold is a place of a service that an offer of a step `place` holds (section 15.4).
type hold struct {
	opened, closed *entry // closed: nil while it holds
	exercise       bool
}

// unread is a case that cannot be read: what its leaves say of the places that it may hold.
type unread struct {
	first, closed *entry
	opened        []*entry
}

// places compares the free places that answers name with those that the decisions leave.
type places struct {
	*decisions
	holds  map[string][]*hold // by service
	unread []*unread
	of     map[int64]map[string]int64 // number of a bundle → service → places
}

// judgePlaces tells each answer whose free places no order of the decisions explains (FREE_FALSE).
func (d *decisions) judgePlaces() {
	p := &places{decisions: d, holds: map[string][]*hold{}, of: map[int64]map[string]int64{}}
	for i := range d.bundles {
		p.of[d.bundles[i].Bundle.Number] = placesOf(d.bundles[i].Bundle)
	}
	for _, c := range d.cases {
		p.readHolds(c)
	}
	p.readUnread()
	for _, c := range d.cases {
		for _, a := range c.answers {
			p.judgeFree(a)
		}
	}
}

// placesOf are the services of a bundle that have a number of places.
func placesOf(bundle *signed.Bundle) map[string]int64 {
	found := map[string]int64{}
	for path, text := range bundle.Files {
		var agency struct {
			Services []struct {
				ID     string `yaml:"id"`
				Places *int64 `yaml:"places"`
			} `yaml:"services"`
		}
		if !strings.HasPrefix(path, "directory/") || yaml.Unmarshal(text, &agency) != nil {
			continue
		}
		for _, service := range agency.Services {
			if service.Places != nil {
				found[service.ID] = *service.Places
			}
		}
	}
	return found
}

// readHolds reads what the decisions of a case hold, also those behind a finding that ended its judgement.
func (p *places) readHolds(c *decidedCase) {
	now := map[string]*hold{}
	services := map[string]string{}
	for _, e := range c.entries {
		if e.kind != "DECISION" || !e.counts() || e.body == nil || p.isDisowned(e) {
			continue
		}
		id := e.body.Text("offer_id")
		switch name := nameOf(e.Type); {
		case name == "offer-opened" && e.body.Text("kind") == "PLACE":
			services[id] = e.body.Text("service")
		case name == "offer-closed" && now[id] != nil:
			now[id].closed = e
			delete(now, id)
			continue
		case name == "offer-accepted" && e.body.Bool("late") && services[id] != "" && now[id] == nil:
		default:
			continue
		}
		now[id] = &hold{opened: e, exercise: e.value.Meta.Drill}
		p.holds[services[id]] = append(p.holds[services[id]], now[id])
	}
}

// readUnread reads the leaves of cases that have decisions and cannot be read.
func (p *places) readUnread() {
	cases := map[string]*unread{}
	for _, e := range p.entries {
		if e.kind != "DECISION" || !e.counts() || e.body != nil {
			continue
		}
		if cases[e.CaseID] == nil {
			cases[e.CaseID] = &unread{first: e}
			p.unread = append(p.unread, cases[e.CaseID])
		}
		switch nameOf(e.Type) {
		case "offer-opened":
			cases[e.CaseID].opened = append(cases[e.CaseID].opened, e)
		case "case-closed":
			cases[e.CaseID].closed = e
		}
	}
}

// mayBeBefore says whether a decision may stand before an answer, and isBefore whether it surely does.
func (p *places) mayBeBefore(e *entry, a *answer) bool {
	first := a.first()
	if e.Partition == first.Partition {
		return e.Offset < first.Offset
	}
	return e.RecordedAt <= first.RecordedAt+minuteMicros || (p.drill && e.kafkaMicros() <= first.kafkaMicros()+minuteMicros)
}

func (p *places) isBefore(e *entry, a *answer) bool {
	first := a.first()
	if e.Partition == first.Partition {
		return e.Offset < first.Offset
	}
	return e.RecordedAt < first.RecordedAt-minuteMicros && !(p.drill && e.kafkaMicros() >= first.kafkaMicros()-minuteMicros)
}

// judgeFree compares each number that an answer names with the fewest and the most places that may be free.
func (p *places) judgeFree(a *answer) {
	services := p.of[a.facts.Long("bundle")]
	free, _ := a.facts["free"].(map[string]any)
	wrong := []string{}
	for service, value := range free {
		number, _ := value.(int64)
		places, limited := services[service]
		if !limited {
			continue
		}
		least, most := p.held(service, a)
		if number < max(0, places-most) || number > max(0, places-least) {
			wrong = append(wrong, service)
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		p.found.Add(a.first().index, "FREE_FALSE", "no order of the decisions explains the free places of %s", strings.Join(wrong, ", "))
	}
}

// held are the fewest and the most places of a service that cases may hold before an answer. Beside a real case,
// exercises hold none; beside an exercise, they may.
func (p *places) held(service string, a *answer) (least, most int64) {
	isExercise := a.first().value.Meta.Drill
	for _, h := range p.holds[service] {
		if h.exercise && !isExercise {
			continue
		}
		if p.mayBeBefore(h.opened, a) && (h.closed == nil || !p.isBefore(h.closed, a)) {
			most++
		}
		if p.isBefore(h.opened, a) && (h.closed == nil || !p.mayBeBefore(h.closed, a)) && !h.exercise {
			least++
		}
	}
	for _, c := range p.unread {
		if !p.mayBeBefore(c.first, a) || (c.closed != nil && p.isBefore(c.closed, a)) {
			continue
		}
		for _, opened := range c.opened {
			if p.mayBeBefore(opened, a) {
				most++
			}
		}
	}
	return least, most
}
