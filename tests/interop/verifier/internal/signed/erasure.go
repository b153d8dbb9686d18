package signed

import (
	"bytes"
	"fmt"

	"judge/internal/avro"
	"judge/internal/crypt"
)

const (
	requestLabel  = "referral-erasure-request-v1\n"
	approvalLabel = "referral-erasure-approval-v1\n"
	erasedLabelV4 = "referral-case-erased-v4\n"
	erasedLabelV3 = "referral-case-erased-v3\n"
)

// Erasure is the body of case-erased, decoded and as bytes.
type Erasure struct {
	CaseID string
	Body   avro.Record
	Bytes  []byte
}

// RequestText is what the approver signs who asked.
func (e *Erasure) RequestText() []byte {
	return fmt.Appendf(nil, "%s%s\n%s\n%s\n", requestLabel, e.CaseID, e.Body.Text("basis"), e.Body.Text("requested_by"))
}

// ApprovalText is what the other approver signs.
func (e *Erasure) ApprovalText() []byte {
	text := fmt.Appendf(nil, "%s%s\n%s\n%s\n%s\n", approvalLabel, e.CaseID, e.Body.Text("basis"),
		e.Body.Text("approved_by"), e.Body.Text("requested_by"))
	return append(text, e.Body.Bytes("requested_signature")...)
}

// IntakeText is what intake signs: the body with its own signature null.
func (e *Erasure) IntakeText() []byte {
	requested, approved := e.Body.Bytes("requested_signature"), e.Body.Bytes("approved_signature")
	_, isVersion4 := e.Body["requested_signature"]
	behind := e.Bytes[len(e.Bytes):]
	if isVersion4 {
		behind = e.Bytes[len(e.Bytes)-unionSize(requested)-unionSize(approved):]
	}
	ahead := e.Bytes[:len(e.Bytes)-len(behind)-unionSize(e.Body.Bytes("signature"))]
	label := erasedLabelV4
	if requested == nil && approved == nil {
		label, behind = erasedLabelV3, nil
	}
	text := append([]byte(label), e.CaseID...)
	text = append(append(text, '\n'), ahead...)
	return append(append(text, 0), behind...)
}

// unionSize is the length of null, or of a fixed beside it.
func unionSize(fixed []byte) int { return 1 + len(fixed) }

// CheckIntake says why intake did not sign the erasure.
func (e *Erasure) CheckIntake(intake [][]byte) error {
	signature := e.Body.Bytes("signature")
	if signature == nil {
		return fmt.Errorf("the erasure has no signature of intake")
	}
	if !crypt.VerifyAny(intake, e.IntakeText(), signature) {
		return fmt.Errorf("no key of intake signed the erasure")
	}
	return nil
}

// CheckPersons says why the erasure is not one of two persons.
func (e *Erasure) CheckPersons(approvers map[string][]byte) error {
	requested, approved := e.Body.Bytes("requested_signature"), e.Body.Bytes("approved_signature")
	if requested == nil || approved == nil {
		return fmt.Errorf("the signature of a person is missing")
	}
	asked := signerOf(approvers, e.RequestText(), requested)
	agreed := signerOf(approvers, e.ApprovalText(), approved)
	switch {
	case asked == nil || agreed == nil:
		return fmt.Errorf("no approver made the signature of a person")
	case bytes.Equal(asked, agreed):
		return fmt.Errorf("one approver signed both the request and the approval")
	case e.Body.Text("requested_by") == e.Body.Text("approved_by"):
		return fmt.Errorf("one account asked for the erasure and approved it")
	}
	return nil
}

func signerOf(people map[string][]byte, text, signature []byte) []byte {
	for _, key := range people {
		if crypt.Verify(key, text, signature) {
			return key
		}
	}
	return nil
}
