package signed

import (
	"encoding/json"
	"fmt"
	"regexp"

	"judge/internal/c2sp"
	"judge/internal/crypt"
	"judge/internal/record"
)

var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Receipt is what intake returned to a sender (section 13).
type Receipt struct {
	ReferralID string `json:"referral_id"`
	ID         string `json:"id"`
	CaseID     string `json:"case_id"`
	EventID    string `json:"event_id"`
	ReceivedAt string `json:"received_at"`
	LoggedBy   string `json:"logged_by"`
	Signature  string `json:"signature"`

	EventDigest    string `json:"event_digest"`    // of the sender's words; "" in a receipt without them
	EventSignature string `json:"event_signature"` // over the receipt and that digest
}

// ParseReceipt reads a receipt in JSON.
func ParseReceipt(text []byte) (*Receipt, error) {
	receipt := &Receipt{}
	return receipt, json.Unmarshal(text, receipt)
}

// SignedText is what intake signs.
func (r *Receipt) SignedText() []byte {
	return r.lines("referral-receipt-v1")
}

// EventText is what intake signs about the sender's words.
func (r *Receipt) EventText() []byte {
	return fmt.Appendf(r.lines("referral-event-receipt-v1"), "%s\n", r.EventDigest)
}

func (r *Receipt) lines(label string) []byte {
	id := r.ReferralID
	if id == "" {
		id = r.ID
	}
	return fmt.Appendf(nil, "%s\n%s\n%s\n%s\n%s\n%s\n", label, id, r.CaseID, r.EventID, r.ReceivedAt, r.LoggedBy)
}

// Check says why intake did not sign the receipt.
func (r *Receipt) Check(intake [][]byte) error {
	signature, err := crypt.Base64(r.Signature)
	if err != nil {
		return err
	}
	if !crypt.VerifyAny(intake, r.SignedText(), signature) {
		return fmt.Errorf("no key of intake signed the receipt")
	}
	if r.EventDigest == "" {
		return nil
	}
	return r.checkEvent(intake)
}

func (r *Receipt) checkEvent(intake [][]byte) error {
	if !digestForm.MatchString(r.EventDigest) {
		return fmt.Errorf("%q is no digest of words", r.EventDigest)
	}
	signature, err := crypt.Base64(r.EventSignature)
	if err != nil {
		return err
	}
	if !crypt.VerifyAny(intake, r.EventText(), signature) {
		return fmt.Errorf("no key of intake signed the digest of the words")
	}
	return nil
}

// CheckProof says why the proof does not show that the receipt's event is in the log.
func (r *Receipt) CheckProof(policy *c2sp.Policy, text string) error {
	proof, err := c2sp.ParseProof(text)
	if err != nil {
		return err
	}
	if err := proof.Verify(policy); err != nil {
		return err
	}
	leaf, err := record.ParseLeaf(proof.Leaf)
	if err != nil {
		return err
	}
	if leaf.Topic != "referral-intake" || leaf.EventID != r.EventID || leaf.CaseID != r.CaseID {
		return fmt.Errorf("the proof is of another record")
	}
	return nil
}
