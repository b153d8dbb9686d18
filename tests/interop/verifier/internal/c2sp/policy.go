// Package c2sp reads checkpoints, policy files, tiles and proofs of the C2SP (section 3).
package c2sp

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"judge/internal/crypt"

	cosignature "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

const (
	typeLogKey     = 0x01
	typeWitnessKey = 0x04
)

// Policy says which log and which witnesses make a checkpoint valid.
type Policy struct {
	Logs      []note.Verifier
	Witnesses []Witness
	Groups    []Group
	Quorum    string // name of a witness or group, or "none"
}

// Witness is one witness of a policy.
type Witness struct {
	Name     string
	Verifier note.Verifier
}

// Group is witnessed when at least Least of its members are.
type Group struct {
	Name    string
	Least   int
	Members []string
}

// ParsePolicy reads the C2SP lines of a policy file; lines that begin with # are passed over.
func ParsePolicy(text string) (*Policy, error) {
	if i := strings.IndexFunc(text, isForbidden); i >= 0 {
		return nil, fmt.Errorf("the policy has a control character at byte %d", i)
	}
	parser := &policyParser{policy: &Policy{}, free: map[string]bool{}, keys: map[string]bool{}}
	for number, line := range strings.Split(text, "\n") {
		words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if err := parser.line(words); err != nil {
			return nil, fmt.Errorf("line %d of the policy: %w", number+1, err)
		}
	}
	if parser.policy.Quorum == "" {
		return nil, fmt.Errorf("the policy has no line quorum")
	}
	return parser.policy, nil
}

func isForbidden(r rune) bool { return (r < 0x20 && r != '\t' && r != '\n') || r == 0x7f }

type policyParser struct {
	policy *Policy
	free   map[string]bool // defined name → it is in no group yet
	keys   map[string]bool
}

func (p *policyParser) line(words []string) error {
	switch {
	case words[0] == "log" && (len(words) == 2 || len(words) == 3):
		verifier, err := note.NewVerifier(words[1])
		if err != nil {
			return err
		}
		p.policy.Logs = append(p.policy.Logs, verifier)
		return p.key("log", words[1], typeLogKey)
	case words[0] == "witness" && (len(words) == 3 || len(words) == 4):
		verifier, err := cosignature.NewVerifierForCosignatureV1(words[2])
		if err != nil {
			return err
		}
		p.policy.Witnesses = append(p.policy.Witnesses, Witness{words[1], verifier})
		if err := p.key("witness", words[2], typeWitnessKey); err != nil {
			return err
		}
		return p.define(words[1])
	case words[0] == "group" && len(words) >= 4:
		return p.group(words[1], words[2], words[3:])
	case words[0] == "quorum" && len(words) == 2:
		if _, defined := p.free[words[1]]; p.policy.Quorum != "" || (!defined && words[1] != "none") {
			return fmt.Errorf("the quorum %q is not defined, or named twice", words[1])
		}
		p.policy.Quorum = words[1]
		return nil
	}
	return fmt.Errorf("%q is no line of a policy", strings.Join(words, " "))
}

// key refuses a key of another type, of small order, or that stands twice.
func (p *policyParser) key(role, vkey string, wanted byte) error {
	parts := strings.SplitN(vkey, "+", 3)
	raw, err := crypt.Base64(parts[len(parts)-1])
	if err != nil {
		return err
	}
	if len(raw) == 0 || raw[0] != wanted {
		return fmt.Errorf("the key of a %s is of another type", role)
	}
	if err := crypt.CheckKey(raw[1:]); err != nil {
		return err
	}
	if seen := role + string(raw[1:]); p.keys[seen] {
		return fmt.Errorf("a key of a %s stands twice", role)
	} else {
		p.keys[seen] = true
	}
	return nil
}

func (p *policyParser) define(name string) error {
	if _, defined := p.free[name]; defined || name == "none" {
		return fmt.Errorf("the name %q is taken", name)
	}
	p.free[name] = true
	return nil
}

func (p *policyParser) group(name, threshold string, members []string) error {
	for _, member := range members {
		if !p.free[member] {
			return fmt.Errorf("the member %q is not defined, or is in another group", member)
		}
		p.free[member] = false
	}
	least := len(members)
	switch threshold {
	case "all":
	case "any":
		least = 1
	default:
		number, err := strconv.Atoi(threshold)
		if err != nil || number < 1 || number > len(members) || strconv.Itoa(number) != threshold {
			return fmt.Errorf("the threshold %q does not fit %d members", threshold, len(members))
		}
		least = number
	}
	p.policy.Groups = append(p.policy.Groups, Group{name, least, members})
	return p.define(name)
}

// holds says whether these witnesses (by name) make the quorum.
func (p *Policy) holds(signed map[string]bool) bool {
	if p.Quorum == "none" {
		return true
	}
	witnessed := map[string]bool{}
	for name := range signed {
		witnessed[name] = true
	}
	for _, group := range p.Groups {
		count := 0
		for _, member := range group.Members {
			if witnessed[member] {
				count++
			}
		}
		witnessed[group.Name] = count >= group.Least
	}
	return witnessed[p.Quorum]
}

// seen is the latest second t for which the witnesses that signed at t or later make the quorum.
func (p *Policy) seen(times map[string]int64) (second int64, ok bool) {
	if p.Quorum == "none" {
		return 0, false
	}
	var candidates []int64
	for _, time := range times {
		candidates = append(candidates, time)
	}
	slices.Sort(candidates)
	slices.Reverse(candidates)
	for _, candidate := range candidates {
		signed := map[string]bool{}
		for name, time := range times {
			if time >= candidate {
				signed[name] = true
			}
		}
		if p.holds(signed) {
			return candidate, true
		}
	}
	return 0, false
}
