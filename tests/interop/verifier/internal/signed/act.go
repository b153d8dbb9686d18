package signed

import (
	"fmt"
	"slices"
	"strings"

	"judge/internal/crypt"
	"judge/internal/own"
)

const (
	wordLabel   = "referral-operator-word-v1\n"
	actLabel    = "referral-operator-act-v1\n"
	longestWord = 3660 // s
)

var twoOperators = []string{
	"agency connect", "agency token", "audit renew", "audit token", "ca init", "ca replace", "ca sign",
	"oversight reader add", "recover", "staff add", "staff enable", "staff password", "topics rebuild",
}

// TakesTwo says whether a command about these subjects takes two operators.
func TakesTwo(command string, about []string) bool {
	ends := slices.ContainsFunc(about, func(subject string) bool { return strings.HasPrefix(subject, "ended:") })
	if ends && (command == "agency token" || command == "audit token" || command == "ca replace") {
		return false
	}
	return slices.Contains(twoOperators, command)
}

// OfTokens says whether the later time of tokens counts for a command.
func OfTokens(command string) bool {
	return command == "agency token" || command == "audit token" || command == "oversight reader add"
}

// WordText is what the second operator signs.
func WordText(to, command, digest string, until int64) []byte {
	return fmt.Appendf(nil, "%s%s\n%s\n%s\n%d\n", wordLabel, to, command, digest, until)
}

// ActText is what the first operator signs.
func ActText(act *own.Act) []byte { return append([]byte(actLabel), act.Form()...) }

// CheckAct says why an act is not one of two operators (section 12.4); that its word is new is not checked here.
func CheckAct(act *own.Act, operators map[string][]byte) error {
	if act.Second == nil || act.Signature == nil {
		return fmt.Errorf("the word of a second operator, or the signature of the first, is missing")
	}
	if !crypt.Verify(operators[act.By], ActText(act), act.Signature) {
		return fmt.Errorf("%s did not sign this act", act.By)
	}
	second := act.Second
	if second.By == act.By {
		return fmt.Errorf("%s gave the word to itself", act.By)
	}
	word := WordText(act.By, act.Command, second.Digest, second.Until)
	if !crypt.Verify(operators[second.By], word, second.Signature) {
		return fmt.Errorf("%s did not sign this word for %s", second.By, act.By)
	}
	at := floorSeconds(act.At)
	if second.Until < at || second.Until > at+longestWord {
		return fmt.Errorf("the word ends at %d, and the act was at %d", second.Until, at)
	}
	return nil
}

func floorSeconds(micros int64) int64 {
	seconds := micros / 1_000_000
	if micros%1_000_000 < 0 {
		seconds--
	}
	return seconds
}
