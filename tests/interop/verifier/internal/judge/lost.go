package judge

// judgeLost judges an answer that calls a record lost (section 15.6).
func (d *decisions) judgeLost(c *decidedCase, a *answer) {
	if !a.isOf("LOST") {
		return
	}
	sequence, at := a.head.Long("lost_seq"), a.at()
	var whole, any bool
	setAside := d.setAside(at)
	for _, e := range c.entries {
		if e.Topic != at.topic || e.CaseSeq != sequence || !e.counts() {
			continue
		}
		any = true
		whole = whole || e.body != nil
		setAside = setAside || d.setAside(e.place())
	}
	standing := d.at[at]
	strange := standing != nil && (standing.forged || standing.sealBroken || standing.ahead || standing.twin ||
		standing.kind == "FORK" || standing.kind == "FOREIGN" || standing.kind == "UNREADABLE")
	reveals := standing != nil && standing.CaseID == c.id && standing.CaseSeq > sequence
	switch {
	case whole && setAside:
		d.found.Add(a.first().index, "LOST_UNPROVEN", "routing set a record aside that can be read")
	case whole && !strange:
		d.found.Add(a.first().index, "LOST_FALSE", "routing called a record lost that the log holds whole")
	case !any && !strange && !reveals && (d.last == nil || d.isLongAgo(a.first())):
		d.found.Add(a.first().index, "LOST_FALSE", "nothing shows that a record was lost")
	}
}

// setAside says whether a quarantine record of routing names a position.
func (d *decisions) setAside(at position) bool {
	for _, said := range d.quarantines[at] {
		if said.reader == "routing" {
			return true
		}
	}
	return false
}
