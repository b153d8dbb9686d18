package judge

import "testing"

// TestRecordOfAWrongClockCountsForNoOther has records that are RECORDED_AHEAD or RECORDED_BACK: no other is compared
// with them, and they neither lengthen nor end a run of late ones.
func TestRecordOfAWrongClockCountsForNoOther(t *testing.T) {
	expect(t, Log{Entries: []Entry{
		rungReached(1, 0, 0, 0).entry(t),
		rungReached(2, 30, 1, 1).entry(t),
		rungReached(3, 2, 2, 2).entry(t),
	}}, "1 RECORDED_AHEAD bad")
	expect(t, Log{Entries: []Entry{
		rungReached(1, 10, 10, 10).entry(t),
		rungReached(2, 0, 11, 11).entry(t), // back, and late
		rungReached(3, 12, 12, 12).entry(t),
	}}, "1 RECORDED_BACK bad")
	expect(t, Log{Entries: []Entry{
		rungReached(1, 0, 2, 2).entry(t),
		rungReached(2, 30, 3, 3).entry(t), // ahead: the run goes on
		rungReached(3, 2, 4, 4).entry(t),
		rungReached(4, 0, 5, 5).entry(t), // back: the run goes on
		rungReached(5, 4, 6, 6).entry(t),
		rungReached(6, 6, 6, 6).entry(t), // in time: the run ends
		rungReached(7, 7, 9, 9).entry(t),
	}}, "0 RECORDED_LATE note", "1 RECORDED_AHEAD bad", "3 RECORDED_BACK bad", "6 RECORDED_LATE note")
}

func TestTimeIsThereIfItIsNotZero(t *testing.T) {
	none, negative := rungReached(1, 0, 0, 0), rungReached(1, 0, 0, 0)
	none.recordedAt, negative.recordedAt = 0, -1
	expect(t, Log{Entries: []Entry{none.entry(t)}})
	expect(t, Log{Entries: []Entry{negative.entry(t)}}, "0 RECORDED_LATE note")
}
