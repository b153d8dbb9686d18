package record

import "strings"

// CasePartitions is the number of partitions of each case topic.
const CasePartitions = 12

// IsCaseTopic says whether records of a topic belong to cases.
func IsCaseTopic(topic string) bool {
	return topic == "referral-intake" || topic == "referral-routing" || topic == "referral-notification"
}

// openKinds are the kinds of the topics that have no meta: topic → type → kind.
var openKinds = map[string]map[string]string{
	"referral-policy":     {"policy-activated.v1": "POLICY", "policy-activated.v2": "POLICY"},
	"referral-quarantine": {"quarantined.v1": "QUARANTINE", "quarantined.v2": "QUARANTINE"},
	"oversight-feed":      {"figure-released.v1": "FIGURE", "release-made.v1": "FIGURE"},
}

const maxOpenKey = 1000

// OpenType is the type that the one header ce_type names, or "".
func (p *Payload) OpenType() string {
	value, count := p.Header("ce_type")
	typeName, found := strings.CutPrefix(string(value), "referral.")
	if count != 1 || !found {
		return ""
	}
	return typeName
}

// KindOf computes the kind of a record from the record alone (section 5), and its value's parts, if it has them.
func KindOf(topic string, partition int64, payload *Payload) (string, *Value) {
	if !IsCaseTopic(topic) {
		if len(payload.Key) > maxOpenKey {
			return "UNREADABLE", nil
		}
		if kind := openKinds[topic][payload.OpenType()]; kind != "" {
			return kind, nil
		}
		return "UNREADABLE", nil
	}
	value, err := ParseValue(payload.Value)
	if err != nil {
		return "UNREADABLE", nil
	}
	meta := value.Meta
	if string(payload.Key) != meta.CaseID || partition != PartitionOf(meta.CaseID) ||
		meta.CaseSeq < 1 || IsNewestOfOtherTopic(meta.Type, topic) {
		return "FOREIGN", value
	}
	return KindOfType(topic, meta.Type), value
}

// KindOfType is the kind of a record of a case topic that is none of the exceptions.
func KindOfType(topic, typeName string) string {
	switch typeName {
	case "case-erased.v1", "case-erased.v2", "case-erased.v3", "case-erased.v4":
		return "ERASURE"
	case "section-disclosed.v1":
		return "DISCLOSURE"
	}
	if topic == "referral-routing" {
		return "DECISION"
	}
	return "EVENT"
}

// PartitionOf is the partition of a case: Kafka's murmur2 of its id.
func PartitionOf(caseID string) int64 {
	return int64(murmur2([]byte(caseID))&0x7fffffff) % CasePartitions
}

func murmur2(data []byte) uint32 {
	const multiplier = 0x5bd1e995
	hash := uint32(0x9747b28c) ^ uint32(len(data))
	for ; len(data) >= 4; data = data[4:] {
		word := uint32(data[0]) | uint32(data[1])<<8 | uint32(data[2])<<16 | uint32(data[3])<<24
		word *= multiplier
		word ^= word >> 24
		hash = hash*multiplier ^ word*multiplier
	}
	for i := len(data) - 1; i >= 0; i-- {
		hash ^= uint32(data[i]) << (8 * i)
	}
	if len(data) > 0 {
		hash *= multiplier
	}
	hash ^= hash >> 13
	hash *= multiplier
	return hash ^ hash>>15
}
