package avro

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	nameForm     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	fullNameForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$`)
)

// Valid says why a text is no schema of Avro, with any of Avro's types. Defaults, aliases' targets and logical types
// are not judged: a reader passes over those that it does not know.
func Valid(text []byte) error {
	if err := CheckKeys(text); err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var schema any
	if err := decoder.Decode(&schema); err != nil {
		return err
	}
	return (&validator{named: map[string]bool{}}).check(schema, "")
}

// validator knows the names that were defined so far.
type validator struct{ named map[string]bool }

func isPrimitive(word string) bool { return primitives[word] || word == "float" || word == "double" }

func (v *validator) check(schema any, namespace string) error {
	switch typed := schema.(type) {
	case string:
		if !isPrimitive(typed) && !v.named[fullName(namespace, typed)] {
			return fmt.Errorf("the type %q is not defined", typed)
		}
		return nil
	case []any:
		return v.union(typed, namespace)
	case map[string]any:
		return v.object(typed, namespace)
	}
	return fmt.Errorf("a schema is neither word, list nor object")
}

// union refuses a union in a union, and a type that stands twice in one; of named types two names are two types.
func (v *validator) union(branches []any, namespace string) error {
	var seen []string
	for _, branch := range branches {
		if _, nested := branch.([]any); nested {
			return fmt.Errorf("a union stands in a union")
		}
		if err := v.check(branch, namespace); err != nil {
			return err
		}
		kind := branchName(branch, namespace)
		if slices.Contains(seen, kind) {
			return fmt.Errorf("a union has %q twice", kind)
		}
		seen = append(seen, kind)
	}
	return nil
}

func branchName(branch any, namespace string) string {
	object, isObject := branch.(map[string]any)
	if !isObject {
		word, _ := branch.(string)
		if isPrimitive(word) {
			return word
		}
		return fullName(namespace, word)
	}
	kind, _ := object["type"].(string)
	switch kind {
	case "record", "enum", "fixed":
		name, _, _ := definedName(object, namespace)
		return name
	case "array", "map":
		return kind
	}
	return branchName(kind, namespace)
}

func (v *validator) object(object map[string]any, namespace string) error {
	kind, isWord := object["type"].(string)
	if !isWord {
		return fmt.Errorf("the type of a schema is no word")
	}
	switch kind {
	case "array":
		return v.check(object["items"], namespace)
	case "map":
		return v.check(object["values"], namespace)
	case "record", "enum", "fixed":
	default:
		return v.check(kind, namespace)
	}
	name, inner, err := definedName(object, namespace)
	if err != nil {
		return err
	}
	if v.named[name] || isPrimitive(name) {
		return fmt.Errorf("the name %q is taken", name)
	}
	v.named[name] = true
	if err := checkAliases(object["aliases"]); err != nil {
		return err
	}
	switch kind {
	case "enum":
		return checkSymbols(object["symbols"])
	case "fixed":
		return checkSize(object["size"])
	}
	return v.fields(object["fields"], inner)
}

// definedName is the full name that an object defines, and the namespace within it.
func definedName(object map[string]any, namespace string) (name, inner string, err error) {
	short, _ := object["name"].(string)
	if given, found := object["namespace"]; found {
		text, isText := given.(string)
		if !isText || (text != "" && !fullNameForm.MatchString(text)) {
			return "", "", fmt.Errorf("%v is no namespace", given)
		}
		namespace = text
	}
	if !fullNameForm.MatchString(short) {
		return "", "", fmt.Errorf("%q is no name", short)
	}
	if dot := strings.LastIndex(short, "."); dot >= 0 {
		return short, short[:dot], nil
	}
	return fullName(namespace, short), namespace, nil
}

func (v *validator) fields(value any, namespace string) error {
	list, isList := value.([]any)
	if !isList {
		return fmt.Errorf("a record has no list of fields")
	}
	seen := map[string]bool{}
	for _, each := range list {
		field, isObject := each.(map[string]any)
		if !isObject {
			return fmt.Errorf("a field is no object")
		}
		name, _ := field["name"].(string)
		if !nameForm.MatchString(name) || seen[name] {
			return fmt.Errorf("the field %q has no name of its own", name)
		}
		seen[name] = true
		if err := checkAliases(field["aliases"]); err != nil {
			return err
		}
		if order, found := field["order"]; found && order != "ascending" && order != "descending" && order != "ignore" {
			return fmt.Errorf("the order of the field %s is %v", name, order)
		}
		if err := v.check(field["type"], namespace); err != nil {
			return fmt.Errorf("field %s: %w", name, err)
		}
	}
	return nil
}

func checkAliases(value any) error {
	if value == nil {
		return nil
	}
	list, isList := value.([]any)
	if !isList {
		return fmt.Errorf("the aliases are no list")
	}
	for _, alias := range list {
		if name, _ := alias.(string); !fullNameForm.MatchString(name) {
			return fmt.Errorf("%v is no alias", alias)
		}
	}
	return nil
}

func checkSymbols(value any) error {
	list, isList := value.([]any)
	if !isList {
		return fmt.Errorf("an enum has no symbols")
	}
	seen := map[string]bool{}
	for _, each := range list {
		symbol, _ := each.(string)
		if !nameForm.MatchString(symbol) || seen[symbol] {
			return fmt.Errorf("the symbol %v is none, or stands twice", each)
		}
		seen[symbol] = true
	}
	return nil
}

func checkSize(value any) error {
	number, isNumber := value.(json.Number)
	if !isNumber {
		return fmt.Errorf("a fixed has no size")
	}
	if size, err := number.Int64(); err != nil || size < 0 {
		return fmt.Errorf("%s is no size", number)
	}
	return nil
}
