// Package vectors runs the test vectors of the format page.
package vectors

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// check judges one vector: an error means that it was refused, or has another result than it names.
type check func(v *vector) error

// checks are the files that belong to a verifier.
var checks = map[string]check{}

// elsewhere says why a file has no check here.
var elsewhere = map[string]string{
	"alone.json":     "names exports; go test judges each",
	"lies.json":      "names exports; go test judges each",
	"mutations.json": "changes the export clean; go test applies each",
}

// Report is what came of all vectors.
type Report struct {
	Passed   map[string]int
	Total    map[string]int
	Failures []string
}

// Run runs every vector of a folder. A file that nobody knows is an error.
func Run(folder string) (*Report, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s has no vectors", folder)
	}
	report := &Report{Passed: map[string]int{}, Total: map[string]int{}}
	for _, path := range paths {
		if err := report.file(path); err != nil {
			return nil, err
		}
	}
	return report, nil
}

func (r *Report) file(path string) error {
	name := filepath.Base(path)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var document struct{ Vectors []map[string]json.RawMessage }
	if err := json.Unmarshal(text, &document); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if elsewhere[name] != "" {
		return nil
	}
	run := checks[name]
	if run == nil {
		return fmt.Errorf("%s is a file of vectors that this program does not know", name)
	}
	named := map[string]map[string]json.RawMessage{}
	for _, fields := range document.Vectors {
		named[string(fields["name"])] = fields
	}
	for i, fields := range document.Vectors {
		r.Total[name]++
		if err := runOne(run, fields, named[string(fields["base"])]); err != nil {
			r.Failures = append(r.Failures, fmt.Sprintf("%s %d %s: %v", name, i, fields["name"], err))
			continue
		}
		r.Passed[name]++
	}
	return nil
}

// runOne runs one vector: a good one must be accepted, a bad one refused, and each of its keys be known.
func runOne(run check, fields, base map[string]json.RawMessage) error {
	v := &vector{fields: fields, base: base, used: map[string]bool{"name": true, "why": true, "base": true}}
	good := v.flag("good")
	err := run(v)
	if v.broken != nil {
		return v.broken
	}
	switch {
	case good && err != nil:
		return fmt.Errorf("it should be accepted: %w", err)
	case !good && err == nil:
		return fmt.Errorf("it should be refused: %s", fields["why"])
	}
	if good {
		for key := range fields {
			if !v.used[key] {
				return fmt.Errorf("the key %q is not known", key)
			}
		}
	}
	return nil
}

// Lines are the report as text.
func (r *Report) Lines() []string {
	var lines []string
	for name, total := range r.Total {
		lines = append(lines, fmt.Sprintf("%-22s %3d of %3d", name, r.Passed[name], total))
	}
	for name, why := range elsewhere {
		lines = append(lines, fmt.Sprintf("%-22s not run: %s", name, why))
	}
	slices.Sort(lines)
	passed, total := 0, 0
	for name := range r.Total {
		passed, total = passed+r.Passed[name], total+r.Total[name]
	}
	lines = append(lines, r.Failures...)
	return append(lines, fmt.Sprintf("%s %d of %d", strings.Repeat(" ", 17)+"sum", passed, total))
}
