// Package own reads the values that audit itself writes (section 9).
package own

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"unicode/utf8"

	"judge/internal/crypt"
)

// object is a JSON object whose known fields are taken one by one; the first error stays.
type object struct {
	fields map[string]json.RawMessage
	err    error
}

func parseObject(text []byte) *object {
	o := &object{}
	if !utf8.Valid(text) {
		o.err = fmt.Errorf("the value is not UTF-8")
		return o
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	if o.err = decoder.Decode(&o.fields); o.err == nil {
		if _, err := decoder.Token(); err != io.EOF || o.fields == nil {
			o.err = fmt.Errorf("the value is not one object")
		}
	}
	return o
}

func (o *object) fail(format string, parts ...any) {
	if o.err == nil {
		o.err = fmt.Errorf(format, parts...)
	}
}

// take reads a field into target; it must be there unless it is optional, and is never null.
func (o *object) take(name string, target any, optional bool) bool {
	raw, found := o.fields[name]
	delete(o.fields, name)
	if !found {
		if !optional {
			o.fail("the field %s is missing", name)
		}
		return false
	}
	if hasNull(raw) {
		o.fail("the field %s is null, or has a null in it", name)
		return false
	}
	if err := json.Unmarshal(raw, target); err != nil {
		o.fail("the field %s has another type", name)
		return false
	}
	return true
}

// hasNull says whether a value of JSON is null, or has one in it.
func hasNull(raw json.RawMessage) bool {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	for {
		token, err := decoder.Token()
		if err != nil {
			return false
		}
		if token == nil {
			return true
		}
	}
}

func (o *object) text(name string, form *regexp.Regexp, optional bool) (text string) {
	if o.take(name, &text, optional) && form != nil && !form.MatchString(text) {
		o.fail("the field %s has another form", name)
	}
	return text
}

func (o *object) number(name string, optional bool) (number int64) {
	o.take(name, &number, optional)
	return number
}

func (o *object) truth(name string) (truth bool) {
	o.take(name, &truth, false)
	return truth
}

func (o *object) texts(name string, form *regexp.Regexp) []string {
	var raw []string
	o.take(name, &raw, true)
	texts := []string{}
	for _, text := range raw {
		if !form.MatchString(text) {
			o.fail("an item of %s has another form", name)
			return nil
		}
		texts = append(texts, text)
	}
	return texts
}

func (o *object) base64(name string, optional bool) []byte {
	var text string
	if !o.take(name, &text, optional) {
		return nil
	}
	raw, err := crypt.Base64(text)
	if err != nil {
		o.fail("the field %s is no base64", name)
	}
	return raw
}

// end refuses what is left, and says the first error.
func (o *object) end() error {
	for name := range o.fields {
		o.fail("the field %s is not known", name)
	}
	return o.err
}

var idField = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
