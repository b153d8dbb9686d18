package trust

import "testing"

const (
	keyA = "4v4qObcyZkKCfW2C1JdiLNbCl/54Jw6qQ2sB8Ia288s="
	keyB = "W2SJycf9Dc9QVF58FkiG70BJHsBsfxsSMEF5foEXU14="
)

func lines(t *testing.T, text string) *Named {
	t.Helper()
	named, err := ParseLines(text)
	if err != nil {
		t.Fatal(err)
	}
	return named
}

func TestYourRowsCountBeforeThoseOfTheLog(t *testing.T) {
	mine := lines(t, "# intake ed25519 "+keyA+"\n# signed-from 2026-12-01T00:00:00Z\n")
	believed := NewBelieved(mine)
	believed.Log(lines(t, "# intake ed25519 "+keyB+"\n# approver desk ed25519 "+keyB+"\n"+
		"# policy-signer keeper ed25519 "+keyB+"\n# operator one ed25519 "+keyA+"\n# operator two ed25519 "+keyB+"\n"))
	if len(believed.Approvers()) != 1 || len(believed.Intake()) != 1 || string(believed.Intake()[0]) != string(mine.Intake[0]) {
		t.Error("the row of intake is yours, and that of approvers, of which you name none, is the log's")
	}
	if believed.ErasuresFrom() == 0 || believed.Writers().RecordsFrom() != 0 {
		t.Error("signed-from counts beside intake, and not beside writers, of which you name none")
	}
	if len(believed.Operators()) != 2 {
		t.Error("the operators are those of the log")
	}
	believed.Log(lines(t, ""))
	if signers, _ := believed.Signers(); len(believed.Operators()) != 0 || len(signers) != 1 {
		t.Error("the log names no operators any more, and its signers stay")
	}
}

func TestSmallOrderKeysAreRefused(t *testing.T) {
	if _, err := ParseLines("# intake ed25519 AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"); err == nil {
		t.Error("the neutral point is no key")
	}
}

const fourWriters = "# writer intake ed25519 " + keyA + "\n# writer routing ed25519 /sFChnP2r+iSZLOAc0SuiyadElpQOFUgJofbWnEoV58=\n" +
	"# writer notifier ed25519 LJuaQtV63/1Q5usdpUPek62X022XbSorlzXnFC8/uFk=\n" +
	"# writer oversight ed25519 tfkAlTGPPwRM2OQLWEJT2Gd3vmK/ByITNOX9IZnPp/c=\n"

func TestEndOfAKeyOfAWriter(t *testing.T) {
	named := lines(t, fourWriters+"# writer-until "+keyA+" 2026-12-02T00:00:00Z\n# writer-until "+keyA+" 2026-12-01T00:00:00Z\n")
	end := int64(1_796_083_200_000)
	for kafkaTime, wanted := range map[int64]int{end - 1: 1, end: 1, end + 1: 0, 0: 0, -1: 0} {
		if got := len(named.WriterKeys("intake", kafkaTime)); got != wanted {
			t.Errorf("at %d count %d keys, and should %d", kafkaTime, got, wanted)
		}
	}
	if len(named.WriterKeys("routing", 0)) != 1 {
		t.Error("a key without an end counts always")
	}
	believed := NewBelieved(nil)
	believed.Log(lines(t, fourWriters))
	if notes := believed.Log(named); len(notes) != 1 || notes[0] != "WRITER_KEYS" {
		t.Errorf("an end is a change of the writers, and told was %v", notes)
	}
	if len(lines(t, "# writer-until "+keyA+" 2026-12-01T00:00:00Z\n").WritersUntil) != 0 {
		t.Error("an end counts only beside writers")
	}
}

func TestSignedFromCountsBesideItsRow(t *testing.T) {
	from := "# signed-from 2026-12-01T00:00:00Z\n"
	if lines(t, from+"# approver desk ed25519 "+keyA+"\n").erasuresFrom() != 0 {
		t.Error("signed-from counts for erasures beside a key of intake, and not beside an approver")
	}
	if lines(t, from+"# intake ed25519 "+keyA+"\n").erasuresFrom() == 0 {
		t.Error("signed-from counts for erasures beside a key of intake")
	}
}

func TestNotPinned(t *testing.T) {
	if got := lines(t, fourWriters).NotPinned(); len(got) != 4 || got[0] != "intake" {
		t.Errorf("not pinned are %v", got)
	}
}
