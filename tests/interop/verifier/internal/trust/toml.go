package trust

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// File is the auditor's own trust.toml.
type File struct {
	WitnessPolicy string
	Named         *Named
}

// leastPeople is how many of each office trust.toml must name, unless it is off.
const leastPeople = 2

// ParseFile reads trust.toml.
func ParseFile(text []byte) (*File, error) {
	var fields map[string]any
	if err := toml.Unmarshal(text, &fields); err != nil {
		return nil, fmt.Errorf("trust.toml: %w", err)
	}
	file := &File{Named: newNamed()}
	for _, needed := range []string{"witness_policy", "intake", "policy_keepers", "approvers", "operators", "writers"} {
		if _, found := fields[needed]; !found {
			return nil, fmt.Errorf("trust.toml: the field %s is missing", needed)
		}
	}
	for name, value := range fields {
		if err := file.field(name, value); err != nil {
			return nil, fmt.Errorf("trust.toml: %s: %w", name, err)
		}
	}
	return file, file.Named.finish()
}

func (f *File) field(name string, value any) error {
	named := f.Named
	switch name {
	case "witness_policy":
		return f.policy(value)
	case "signed_from":
		return setTime(&named.SignedFrom, value)
	case "two_operators_from":
		return setTime(&named.TwoFrom, value)
	case "two_operators_for_tokens_from":
		return setTime(&named.TwoForTokenFrom, value)
	case "policy_bundles":
		return f.bundles(value)
	case "intake", "policy_keepers", "approvers", "operators", "writers":
		if value == "off" {
			return nil
		}
	default:
		return fmt.Errorf("the word is not known")
	}
	switch name {
	case "intake":
		return eachText(value, func(key string) error { return addKey(&named.Intake, key) })
	case "policy_keepers":
		return people(named.PolicySigners, "", value)
	case "approvers":
		return people(named.Approvers, "", value)
	case "operators":
		return people(named.Operators, "operator/", value)
	}
	return f.writers(value)
}

func (f *File) policy(value any) error {
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("it is no text")
	}
	for _, line := range strings.Split(text, "\n") {
		if words := ourWords(line); words != nil {
			return fmt.Errorf("the line %q belongs to the log's own file", line)
		}
	}
	f.WitnessPolicy = text
	return nil
}

func setTime(target *int64, value any) error {
	moment, ok := value.(time.Time)
	if !ok {
		return fmt.Errorf("it is no date-time with an offset")
	}
	*target = moment.UnixMilli()
	return nil
}

func (f *File) bundles(value any) error {
	table, ok := value.(map[string]any)
	if !ok {
		return fmt.Errorf("it is no table")
	}
	for _, number := range slices.Sorted(maps.Keys(table)) {
		text, _ := table[number].(string)
		if err := f.Named.pin(number, text); err != nil {
			return err
		}
	}
	return nil
}

func (f *File) writers(value any) error {
	table, ok := value.(map[string]any)
	if !ok || len(table) != len(Services) {
		return fmt.Errorf("it does not name the four services")
	}
	for service, keys := range table {
		lasting := 0
		add := func(text string) error {
			key, until, ends := strings.Cut(text, " until ")
			if err := f.Named.addWriter(service, key); err != nil {
				return err
			}
			if ends {
				return f.Named.endWriterKey(key, until)
			}
			lasting++
			return nil
		}
		if err := eachText(keys, add); err != nil {
			return err
		}
		if lasting == 0 {
			return fmt.Errorf("every key of %s has an end", service)
		}
	}
	return nil
}

func people(target map[string][]byte, prefix string, value any) error {
	table, ok := value.(map[string]any)
	if !ok || len(table) < leastPeople {
		return fmt.Errorf("it does not name two, and is not \"off\"")
	}
	for name, key := range table {
		text, _ := key.(string)
		if err := addPerson(target, prefix, name, text); err != nil {
			return err
		}
	}
	return nil
}

// eachText visits each text of a list that has at least one.
func eachText(value any, visit func(string) error) error {
	list, ok := value.([]any)
	if !ok || len(list) == 0 {
		return fmt.Errorf("it is no list of keys, and is not \"off\"")
	}
	for _, item := range list {
		text, ok := item.(string)
		if !ok {
			return fmt.Errorf("an item is no text")
		}
		if err := visit(text); err != nil {
			return err
		}
	}
	return nil
}
