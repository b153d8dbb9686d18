package judge

import (
	"crypto/ecdh"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"judge/internal/c2sp"
	"judge/internal/record"
	"judge/internal/trust"
)

// Options say how an export is judged.
type Options struct {
	Trust  *trust.File      // the auditor's own file, or nil
	Key    *ecdh.PrivateKey // opens the lent keys, or nil
	Older  []byte           // an older checkpoint of the same log, or nil
	MaxAge time.Duration    // asked age of the checkpoint, or 0
	Now    time.Time

	TrustLogNames bool // take the log's word for whom Trust does not name
}

// Result is what came of an export.
type Result struct {
	Findings *Findings
	Counts   map[string]int
}

// export is an export folder while it is judged.
type export struct {
	folder     string
	options    Options
	found      *Findings
	policy     *c2sp.Policy
	checkpoint *c2sp.Checkpoint
	entries    []Entry // up to what ended the walk
	whole      bool    // nothing ended the walk
}

// Export judges an export folder. An error means that it could not be judged at all.
func Export(folder string, options Options) (*Result, error) {
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s is no folder", folder)
	}
	x := &export{folder: folder, options: options, found: NewFindings(), whole: true}
	result := &Result{Findings: x.found, Counts: map[string]int{}}
	x.checkPinned()
	if !x.openCheckpoint() {
		return result, nil
	}
	keys, err := x.openKeys()
	if err != nil {
		return nil, err
	}
	stands, err := x.compareOlder()
	if err != nil || !stands {
		return result, err
	}
	if err := x.walkEntries(); err != nil {
		return nil, err
	}
	log := Log{Entries: x.entries, Keys: keys, Seen: x.checkpoint.Seen, HasSeen: x.checkpoint.HasSeen,
		Ended: !x.whole, Decided: true}
	if options.Trust != nil {
		log.Mine = options.Trust.Named
	}
	result.Counts = Judge(log, x.found)
	if x.whole {
		err = x.compareFiles()
	}
	return result, err
}

// checkPinned tells of which parties the auditor names nobody, so that the log's own word counts (section 11).
func (x *export) checkPinned() {
	if x.options.TrustLogNames {
		return
	}
	mine := &trust.Named{}
	if x.options.Trust != nil {
		mine = x.options.Trust.Named
	}
	for _, party := range mine.NotPinned() {
		x.found.Add(WholeLog, "NOT_PINNED", "your own file names nobody for %s, so the log's word decides", party)
	}
}

// read reads a file of the export; found is false if it is not there.
func (x *export) read(path string) (content []byte, found bool, err error) {
	content, err = os.ReadFile(filepath.Join(x.folder, filepath.FromSlash(path)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	return content, err == nil, err
}

// openCheckpoint checks the checkpoint and its quorum; false ends the judgement.
func (x *export) openCheckpoint() bool {
	text, found, err := x.read("checkpoint")
	policyText, hasPolicy, policyErr := x.read("witness.policy")
	if err != nil || !found {
		weight := Unchecked
		if x.options.Trust == nil && !hasPolicy {
			weight = Note
		}
		x.found.AddWeighted(WholeLog, "NO_CHECKPOINT", weight, "the export has no checkpoint: it is unfinished")
		return false
	}
	err = policyErr
	if x.options.Trust != nil {
		policyText, err = []byte(x.options.Trust.WitnessPolicy), nil
	}
	if err == nil {
		x.policy, err = c2sp.ParsePolicy(string(policyText))
	}
	if err != nil {
		x.found.Add(WholeLog, "CHECKPOINT", "the policy cannot be read: %v", err)
		return false
	}
	checkpoint, trouble := c2sp.OpenCheckpoint(x.policy, text)
	if trouble != nil {
		x.found.Add(WholeLog, trouble.Code, "%s", trouble.Words)
		return false
	}
	x.checkpoint = checkpoint
	x.checkAge()
	return true
}

func (x *export) checkAge() {
	if x.options.MaxAge == 0 {
		return
	}
	seen := time.Unix(x.checkpoint.Seen, 0)
	switch {
	case !x.checkpoint.HasSeen:
		x.found.Add(WholeLog, "STALE", "no witness is asked, so nobody knows how old the checkpoint is")
	case x.options.Now.Sub(seen) > x.options.MaxAge:
		x.found.Add(WholeLog, "STALE", "the witnesses saw the checkpoint at %s", seen.UTC().Format(time.RFC3339))
	case seen.Sub(x.options.Now) > time.Minute:
		x.found.Add(WholeLog, "STALE", "the witnesses saw the checkpoint later than your clock says")
	}
}

func (x *export) openKeys() (record.CaseKeys, error) {
	if x.options.Key == nil {
		return nil, nil
	}
	file, found, err := x.read("keys")
	if err != nil || !found {
		return nil, err
	}
	return record.OpenLentKeys(x.options.Key, x.checkpoint.Origin, file)
}
