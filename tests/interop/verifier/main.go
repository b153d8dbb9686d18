// Command judge verifies an export of the audit log, and runs the test vectors of its format page.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"judge/internal/judge"
	"judge/internal/record"
	"judge/internal/trust"
	"judge/internal/vectors"
)

const (
	exitGood     = 0
	exitBad      = 1
	exitWrongUse = 2
	exitOpen     = 3

	usage = `usage: judge EXPORT [--trust trust.toml] [--key auditor.key] [--json]
                    [--trust-log-names] [--older CHECKPOINT] [--max-age DURATION]
       judge vectors FOLDER
`
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, out, problems io.Writer) int {
	if len(args) > 0 && args[0] == "vectors" {
		return runVectors(args[1:], out, problems)
	}
	flags := flag.NewFlagSet("judge", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	trustPath := flags.String("trust", "", "whom to believe")
	keyPath := flags.String("key", "", "the key that opens the lent keys")
	olderPath := flags.String("older", "", "an older checkpoint of the same log")
	trustLogNames := flags.Bool("trust-log-names", false, "take the log's word for whom your file does not name")
	maxAge := flags.Duration("max-age", 0, "how old the checkpoint may be")
	asJSON := flags.Bool("json", false, "print JSON")
	folder, err := parseArgs(flags, args)
	if err != nil {
		fmt.Fprintf(problems, "judge: %v\n%s", err, usage)
		return exitWrongUse
	}
	options, err := readOptions(*trustPath, *keyPath, *olderPath)
	if err != nil {
		fmt.Fprintf(problems, "judge: %v\n", err)
		return exitWrongUse
	}
	options.MaxAge, options.Now, options.TrustLogNames = *maxAge, time.Now(), *trustLogNames
	result, err := judge.Export(folder, options)
	if err != nil {
		fmt.Fprintf(problems, "judge: %v\n", err)
		return exitWrongUse
	}
	if *asJSON {
		err = printJSON(out, result)
	} else {
		err = printTable(out, result)
	}
	if err != nil {
		fmt.Fprintf(problems, "judge: %v\n", err)
		return exitWrongUse
	}
	return result.Findings.ExitCode()
}

// parseArgs allows options before and behind the folder.
func parseArgs(flags *flag.FlagSet, args []string) (folder string, err error) {
	if err := flags.Parse(args); err != nil {
		return "", err
	}
	if flags.NArg() == 0 {
		return "", fmt.Errorf("no export is named")
	}
	folder = flags.Arg(0)
	if err := flags.Parse(flags.Args()[1:]); err != nil {
		return "", err
	}
	if flags.NArg() != 0 {
		return "", fmt.Errorf("%q is too much", flags.Args())
	}
	return folder, nil
}

func readOptions(trustPath, keyPath, olderPath string) (options judge.Options, err error) {
	if trustPath != "" {
		text, err := os.ReadFile(trustPath)
		if err != nil {
			return options, err
		}
		if options.Trust, err = trust.ParseFile(text); err != nil {
			return options, err
		}
	}
	if keyPath != "" {
		text, err := os.ReadFile(keyPath)
		if err != nil {
			return options, err
		}
		if options.Key, err = record.ParseAuditorKey(text); err != nil {
			return options, err
		}
	}
	if olderPath != "" {
		options.Older, err = os.ReadFile(olderPath)
	}
	return options, err
}

func countsLine(counts map[string]int) string {
	var parts []string
	for name, count := range counts {
		parts = append(parts, fmt.Sprintf("%s: %d", name, count))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func verdict(exitCode int) string {
	switch exitCode {
	case exitGood:
		return "What is judged here holds: nothing bad was found, and nothing stayed unchecked."
	case exitOpen:
		return "Nothing bad was found, but something could not be checked."
	}
	return "The log does not hold: something bad was found."
}

func printTable(out io.Writer, result *judge.Result) error {
	for _, finding := range result.Findings.Sorted() {
		entry := fmt.Sprint(finding.Entry)
		if finding.Entry == judge.WholeLog {
			entry = "log"
		}
		if _, err := fmt.Fprintf(out, "%7s  %-21s  %-9s  %s\n", entry, finding.Code, finding.Weight, finding.Words); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "%s\n%s\nNot judged here: %s.\n", countsLine(result.Counts),
		verdict(result.Findings.ExitCode()), strings.Join(judge.NotJudged, ", "))
	return err
}

func printJSON(out io.Writer, result *judge.Result) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", " ")
	return encoder.Encode(map[string]any{
		"findings": result.Findings.Sorted(), "counts": result.Counts, "exit_code": result.Findings.ExitCode(),
		"verdict": verdict(result.Findings.ExitCode()), "not_judged": judge.NotJudged,
	})
}

func runVectors(args []string, out, problems io.Writer) int {
	if len(args) != 1 {
		fmt.Fprint(problems, usage)
		return exitWrongUse
	}
	report, err := vectors.Run(args[0])
	if err != nil {
		fmt.Fprintf(problems, "judge: %v\n", err)
		return exitWrongUse
	}
	for _, line := range report.Lines() {
		fmt.Fprintln(out, line)
	}
	if len(report.Failures) > 0 {
		return exitBad
	}
	return exitGood
}
