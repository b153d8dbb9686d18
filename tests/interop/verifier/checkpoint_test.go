package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"judge/internal/judge"
)

// codesWith judges a copy of clean after a change of its checkpoint, and returns the codes of the whole log.
func codesWith(t *testing.T, change func(string) string, set func(*judge.Options)) []string {
	t.Helper()
	clean := exportFolder("clean")
	options, err := readOptions(filepath.Join(clean, "trust.toml"), filepath.Join(clean, "auditor.key"), "")
	if err != nil {
		t.Fatal(err)
	}
	export := t.TempDir()
	if err := os.CopyFS(export, os.DirFS(filepath.Join(clean, "export"))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(export, "checkpoint")
	if change != nil {
		if err := os.WriteFile(path, []byte(change(readText(t, path))), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if set != nil {
		set(&options)
	}
	result, err := judge.Export(export, options)
	if err != nil {
		t.Fatal(err)
	}
	codes := []string{}
	for _, finding := range result.Findings.Sorted() {
		if finding.Entry == judge.WholeLog {
			codes = append(codes, finding.Code)
		}
	}
	return codes
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestCheckpointLines(t *testing.T) {
	lastLine := func(text string) string {
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		return lines[len(lines)-1]
	}
	for name, each := range map[string]struct {
		change func(string) string
		wanted string
	}{
		"a good line again": {func(text string) string { return text + lastLine(text) + "\n" }, ""},
		"a bad line of a key that has a good one": {func(text string) string {
			line := lastLine(text)
			return text + line[:len(line)-8] + "AAA" + line[len(line)-5:] + "\n"
		}, "SIGNATURE"},
		"base64 that is not canonical": {func(text string) string {
			return text + "— stranger AAAAAAF=\n"
		}, "CHECKPOINT"},
		"two witnesses of three": {func(text string) string {
			return strings.TrimSuffix(text, lastLine(text)+"\n")
		}, "QUORUM"},
		"no line of a known key": {func(text string) string {
			signed, _, _ := strings.Cut(text, "\n\n")
			return signed + "\n\n— stranger AAAAAAE=\n"
		}, "SIGNATURE"},
		"witnesses without the log": {func(text string) string {
			signed, lines, _ := strings.Cut(text, "\n\n")
			_, witnesses, _ := strings.Cut(lines, "\n")
			return signed + "\n\n" + witnesses
		}, "CHECKPOINT"},
		"a bad line of the log beside witnesses": {func(text string) string {
			signed, lines, _ := strings.Cut(text, "\n\n")
			line, witnesses, _ := strings.Cut(lines, "\n")
			return signed + "\n\n" + line[:len(line)-8] + "AAA" + line[len(line)-5:] + "\n" + witnesses
		}, "SIGNATURE"},
		"an extension line, so that no signature holds": {func(text string) string {
			return strings.Replace(text, "\n\n", "\nmore\n\n", 1)
		}, "CHECKPOINT"},
		"another log, so that no signature holds": {func(text string) string {
			return "other." + text
		}, "CHECKPOINT"},
		"an extension line, and no known key": {func(text string) string {
			signed, _, _ := strings.Cut(text, "\n\n")
			return signed + "\nmore\n\n— stranger AAAAAAE=\n"
		}, "CHECKPOINT"},
		"nothing": {func(string) string { return "" }, "CHECKPOINT"},
	} {
		if got := strings.Join(codesWith(t, each.change, nil), " "); got != each.wanted {
			t.Errorf("%s: told %q, and should tell %q", name, got, each.wanted)
		}
	}
}

func TestOlderCheckpoints(t *testing.T) {
	for older, wanted := range map[string][]string{
		"clean": {}, "forged": {"TRUNCATED"}, "lies/full": {"FORKED"},
	} {
		path := exportFolder(filepath.FromSlash(older), "export", "checkpoint")
		text := []byte(readText(t, path))
		if got := codesWith(t, nil, func(o *judge.Options) { o.Older = text }); !slices.Equal(got, wanted) {
			t.Errorf("%s: told %v, and should tell %v", older, got, wanted)
		}
	}
}

// TestOlderCheckpointsStandAlone judges nothing beside them, whatever else is wrong.
func TestOlderCheckpointsStandAlone(t *testing.T) {
	clean := exportFolder("clean")
	for older, wanted := range map[string]string{"forged": "TRUNCATED", "lies/full": "FORKED"} {
		options, err := readOptions(filepath.Join(clean, "trust.toml"), filepath.Join(clean, "auditor.key"), "")
		if err != nil {
			t.Fatal(err)
		}
		options.Older = []byte(readText(t, exportFolder(filepath.FromSlash(older), "export", "checkpoint")))
		result, err := judge.Export(filepath.Join(clean, "export"), options)
		if err != nil {
			t.Fatal(err)
		}
		if found := result.Findings.Sorted(); len(found) != 1 || found[0].Code != wanted {
			t.Errorf("%s: told %v, and should tell %s alone", older, found, wanted)
		}
	}
}

func TestNoCheckpoint(t *testing.T) {
	clean := exportFolder("clean")
	empty := t.TempDir()
	withPolicy := t.TempDir()
	if err := os.WriteFile(filepath.Join(withPolicy, "witness.policy"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, each := range []struct{ export, trust, wanted string }{
		{empty, "", judge.Note}, {withPolicy, "", judge.Unchecked}, {empty, filepath.Join(clean, "trust.toml"), judge.Unchecked},
	} {
		options, err := readOptions(each.trust, "", "")
		if err != nil {
			t.Fatal(err)
		}
		options.TrustLogNames = true
		result, err := judge.Export(each.export, options)
		if err != nil {
			t.Fatal(err)
		}
		if found := result.Findings.Sorted(); len(found) != 1 || found[0].Code != "NO_CHECKPOINT" || found[0].Weight != each.wanted {
			t.Errorf("told %v, and should tell NO_CHECKPOINT %s", found, each.wanted)
		}
	}
}

func TestAgeOfTheCheckpoint(t *testing.T) {
	seen := time.Unix(1_800_000_000, 0)
	for _, each := range []struct {
		now    time.Time
		wanted []string
	}{
		{seen.Add(time.Second), []string{}}, {seen.Add(2 * time.Second), []string{"STALE"}},
		{seen.Add(-time.Minute), []string{}}, {seen.Add(-61 * time.Second), []string{"STALE"}},
	} {
		got := codesWith(t, nil, func(o *judge.Options) { o.MaxAge, o.Now = time.Second, each.now })
		if !slices.Equal(got, each.wanted) {
			t.Errorf("at %s: told %v, and should tell %v", each.now, got, each.wanted)
		}
	}
}

func TestUse(t *testing.T) {
	clean := exportFolder("clean")
	export := filepath.Join(clean, "export")
	for _, each := range []struct {
		args   []string
		wanted int
	}{
		{[]string{export, "--trust", filepath.Join(clean, "trust.toml"), "--key", filepath.Join(clean, "auditor.key")}, exitGood},
		{[]string{"--json", export, "--key", filepath.Join(clean, "auditor.key"), "--trust-log-names"}, exitGood},
		{[]string{"--json", export, "--key", filepath.Join(clean, "auditor.key")}, exitOpen},
		{[]string{export}, exitOpen},
		{[]string{filepath.Join(export, "tile")}, exitOpen},
		{[]string{export, "--key", filepath.Join(clean, "trust.toml")}, exitWrongUse},
		{[]string{export, "more"}, exitWrongUse},
		{[]string{filepath.Join(clean, "nowhere")}, exitWrongUse},
		{nil, exitWrongUse},
		{[]string{"vectors", vectorFolder()}, exitGood},
		{[]string{"vectors", export}, exitWrongUse},
	} {
		var out, problems strings.Builder
		if got := run(each.args, &out, &problems); got != each.wanted {
			t.Errorf("%v: exit code %d, and should be %d: %s", each.args, got, each.wanted, problems.String())
		}
	}
}

func TestPartiesThatNobodyNames(t *testing.T) {
	for wanted, set := range map[int]func(*judge.Options){
		0: nil,
		1: func(o *judge.Options) { o.Trust.Named.Approvers = nil },
		2: func(o *judge.Options) { o.Trust.Named.Approvers, o.Trust.Named.Intake = nil, nil },
		5: func(o *judge.Options) { o.Trust = nil },
	} {
		got := codesWith(t, nil, set)
		if len(got) != wanted || slices.ContainsFunc(got, func(code string) bool { return code != "NOT_PINNED" }) {
			t.Errorf("told %v, and should tell NOT_PINNED %d times", got, wanted)
		}
	}
	if got := codesWith(t, nil, func(o *judge.Options) { o.Trust, o.TrustLogNames = nil, true }); len(got) != 0 {
		t.Errorf("told %v, though the log's word is accepted", got)
	}
}
