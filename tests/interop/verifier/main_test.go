package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"judge/internal/c2sp"
	"judge/internal/judge"
	"judge/internal/vectors"
)

// folderOf is a folder of material: a variable of the environment names it, else it stands beside this program.
func folderOf(variable string, beside ...string) string {
	if folder := os.Getenv(variable); folder != "" {
		return folder
	}
	return filepath.Join(append([]string{".."}, beside...)...)
}

func vectorFolder() string { return folderOf("JUDGE_VECTORS", "vectors", "log-format") }

// exportFolder is a folder of exports; beside this program they may stand in a folder of their own.
func exportFolder(name ...string) string {
	folder := folderOf("JUDGE_EXPORTS", "exports")
	if inner := filepath.Join(folder, "all"); isFolder(inner) {
		folder = inner
	}
	return filepath.Join(append([]string{folder}, name...)...)
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func TestVectors(t *testing.T) {
	report, err := vectors.Run(vectorFolder())
	if err != nil {
		t.Fatal(err)
	}
	for _, failure := range report.Failures {
		t.Error(failure)
	}
}

// told is what a judgement told: entry, code and weight of each finding.
type told [][3]any

// judgeExport judges the export of a folder that also has trust.toml and auditor.key.
func judgeExport(t *testing.T, folder, export string) *judge.Result {
	t.Helper()
	older := filepath.Join(folder, "older")
	if _, err := os.Stat(older); err != nil {
		older = ""
	}
	options, err := readOptions(filepath.Join(folder, "trust.toml"), filepath.Join(folder, "auditor.key"), older)
	if err != nil {
		t.Fatal(err)
	}
	var asked expected
	readJSON(t, filepath.Join(folder, "expected.json"), &asked)
	options.MaxAge, options.Now = time.Duration(asked.MaxAge)*time.Second, time.Unix(asked.Now, 0)
	result, err := judge.Export(export, options)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

type expected struct {
	ExitCode int            `json:"exit_code"`
	Findings told           `json:"findings"`
	Counts   map[string]int `json:"counts"`
	MaxAge   int64          `json:"max_age_s"`
	Now      int64          `json:"now_s"`
}

// readExpected leaves only what a verifier judges, and says the exit code of that.
func readExpected(t *testing.T, folder string) expected {
	t.Helper()
	var wanted expected
	readJSON(t, filepath.Join(folder, "expected.json"), &wanted)
	ours := told{}
	exitCode := 0
	for _, finding := range wanted.Findings {
		code := finding[1].(string)
		if !judge.Judges(code) {
			if !slices.Contains(judge.NotJudged, code) {
				t.Errorf("nobody knows the code %s", code)
			}
			continue
		}
		ours = append(ours, finding)
		switch {
		case finding[2] == judge.Bad:
			exitCode = 1
		case finding[2] == judge.Unchecked && exitCode == 0:
			exitCode = 3
		}
	}
	if len(ours) == len(wanted.Findings) && exitCode != wanted.ExitCode {
		t.Errorf("expected.json says the exit code %d, and its findings %d", wanted.ExitCode, exitCode)
	}
	wanted.Findings, wanted.ExitCode = ours, exitCode
	delete(wanted.Counts, "decisions")
	delete(wanted.Counts, "decisions re-executed")
	delete(wanted.Counts, "free places compared")
	return wanted
}

func readJSON(t *testing.T, path string, target any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, target); err != nil {
		t.Fatal(err)
	}
}

func TestExports(t *testing.T) {
	folders := []string{exportFolder("clean"), exportFolder("forged")}
	lies, err := filepath.Glob(exportFolder("lies", "*"))
	if err != nil || len(lies) == 0 {
		t.Fatal("there are no lies", err)
	}
	alone, err := filepath.Glob(exportFolder("alone", "*"))
	if err != nil || len(alone) == 0 {
		t.Fatal("no export has a finding alone", err)
	}
	for _, folder := range slices.Concat(folders, lies, alone) {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			wanted := readExpected(t, folder)
			result := judgeExport(t, folder, filepath.Join(folder, "export"))
			got := told{}
			for _, finding := range result.Findings.Sorted() {
				got = append(got, [3]any{finding.Entry, finding.Code, finding.Weight})
			}
			for _, findings := range []told{got, wanted.Findings} {
				for i, finding := range findings {
					if slices.Contains([]any{"TILE", "BUNDLE", "ROOT"}, finding[1]) {
						findings[i][0] = judge.WholeLog // at which entry they stand is nothing to compare
					}
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(wanted.Findings) {
				t.Errorf("told %v, and should tell %v", got, wanted.Findings)
			}
			if result.Findings.ExitCode() != wanted.ExitCode {
				t.Errorf("exit code %d, and should be %d", result.Findings.ExitCode(), wanted.ExitCode)
			}
			if !slices.Contains(alone, folder) && !reflect.DeepEqual(result.Counts, wanted.Counts) {
				t.Errorf("counted %v, and should count %v", result.Counts, wanted.Counts)
			}
		})
	}
}

// TestAlone checks that every export of alone.json is there, and its finding is told in it and nothing else that is no note.
func TestAlone(t *testing.T) {
	var document struct {
		Vectors []struct {
			Name, Finding string
			ExitCode      int `json:"exit_code"`
		}
	}
	readJSON(t, filepath.Join(vectorFolder(), "alone.json"), &document)
	for _, one := range document.Vectors {
		var wanted expected
		readJSON(t, exportFolder("alone", one.Name, "expected.json"), &wanted)
		for _, finding := range wanted.Findings {
			if finding[2] != judge.Note && finding[1] != one.Finding {
				t.Errorf("%s: %v should not be told", one.Name, finding)
			}
		}
		if wanted.ExitCode != one.ExitCode || (one.Finding != "" && !judge.Judges(one.Finding)) {
			t.Errorf("%s: %s should be told, with the exit code %d", one.Name, one.Finding, one.ExitCode)
		}
	}
}

// TestLies checks that every lie has its export, and its finding is told there.
func TestLies(t *testing.T) {
	var document struct {
		Vectors []struct {
			Name    string
			Finding string
		}
	}
	readJSON(t, filepath.Join(vectorFolder(), "lies.json"), &document)
	for _, lie := range document.Vectors {
		var wanted expected
		readJSON(t, exportFolder("lies", lie.Name, "expected.json"), &wanted)
		named := slices.ContainsFunc(wanted.Findings, func(finding [3]any) bool { return finding[1] == lie.Finding })
		if !named || judge.Judges(lie.Finding) == slices.Contains(judge.NotJudged, lie.Finding) {
			t.Errorf("%s: %s should be told, here or by a program that decides again", lie.Name, lie.Finding)
		}
	}
}

type mutation struct {
	Name     string
	File     string
	Done     string
	Finding  string
	ExitCode int `json:"exit_code"`
}

func TestMutations(t *testing.T) {
	var document struct{ Vectors []mutation }
	readJSON(t, filepath.Join(vectorFolder(), "mutations.json"), &document)
	if len(document.Vectors) == 0 {
		t.Fatal("there are no mutations")
	}
	clean := exportFolder("clean")
	for _, change := range document.Vectors {
		t.Run(strings.ReplaceAll(change.Name, "/", "_"), func(t *testing.T) {
			export := t.TempDir()
			if err := os.CopyFS(export, os.DirFS(filepath.Join(clean, "export"))); err != nil {
				t.Fatal(err)
			}
			mutate(t, export, change)
			result := judgeExport(t, clean, export)
			found := result.Findings.Sorted()
			named := slices.ContainsFunc(found, func(finding judge.Finding) bool { return finding.Code == change.Finding })
			if !named || result.Findings.ExitCode() != change.ExitCode {
				t.Errorf("%s should come of it, with the exit code %d; told: %v", change.Finding, change.ExitCode, found)
			}
		})
	}
}

func mutate(t *testing.T, export string, change mutation) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(export, filepath.FromSlash(change.File)))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no file fits %s", change.File)
	}
	path := paths[0]
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	switch change.Done {
	case "flip":
		content[len(content)-2] ^= 1
	case "cut":
		content = content[:len(content)-1]
	case "append":
		more := byte(0)
		if strings.HasSuffix(path, ".policy") || strings.HasSuffix(path, ".avsc") {
			more = '\n'
		}
		content = append(content, more)
	case "size":
		lines := bytes.Split(content, []byte("\n"))
		size, err := c2sp.ParseNumber(string(lines[1]))
		if err != nil {
			t.Fatal(err)
		}
		lines[1] = fmt.Append(nil, size-1)
		content = bytes.Join(lines, []byte("\n"))
	case "remove":
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return
	default:
		t.Fatalf("nobody knows the change %q", change.Done)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestEveryFileCounts flips a bit in each file of clean: nothing may stay unnoticed.
func TestEveryFileCounts(t *testing.T) {
	clean := exportFolder("clean")
	options, err := readOptions(filepath.Join(clean, "trust.toml"), filepath.Join(clean, "auditor.key"), "")
	if err != nil {
		t.Fatal(err)
	}
	export := t.TempDir()
	if err := os.CopyFS(export, os.DirFS(filepath.Join(clean, "export"))); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(export, func(path string, file os.DirEntry, err error) error {
		if err != nil || file.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		places := []int{len(content) / 2}
		if !strings.Contains(path, "schemas") {
			places = append(places, 0, len(content)/3, len(content)-1)
		}
		for _, at := range places {
			changed := bytes.Clone(content)
			changed[at] ^= 4
			if err := os.WriteFile(path, changed, 0o644); err != nil {
				return err
			}
			if result, err := judge.Export(export, options); err == nil && result.Findings.ExitCode() == 0 {
				t.Errorf("byte %d of %s was changed, and nobody noticed", at, path)
			}
		}
		return os.WriteFile(path, content, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestMissingFilesOfTheLog removes files of which the log has the bytes: that is no finding.
func TestMissingFilesOfTheLog(t *testing.T) {
	clean := exportFolder("clean")
	for _, path := range []string{"schemas", "witness.policy"} {
		export := t.TempDir()
		if err := os.CopyFS(export, os.DirFS(filepath.Join(clean, "export"))); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(export, path)); err != nil {
			t.Fatal(err)
		}
		if result := judgeExport(t, clean, export); result.Findings.ExitCode() != 0 {
			t.Errorf("without %s: told %v", path, result.Findings.Sorted())
		}
	}
}
