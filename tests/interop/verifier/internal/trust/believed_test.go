package trust

import (
	"strings"
	"testing"
)

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
		t.Error("your signed-from counts for erasures, and not beside writers, of which you name none")
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

func TestSignedFromOfErasures(t *testing.T) {
	early, late := "# signed-from 2026-12-01T00:00:00Z\n", "# signed-from 2026-12-02T00:00:00Z\n"
	earlyAt, lateAt := int64(1_796_083_200_000), int64(1_796_169_600_000)
	approver := "# approver desk ed25519 " + keyA + "\n"
	for _, each := range []struct {
		mine, log string
		wanted    int64
	}{
		{"", approver + late, lateAt},
		{early, approver + late, lateAt},
		{late, approver + early, lateAt},
		{approver + early, approver + late, earlyAt}, // your row counts
		{approver, approver + late, 0},
	} {
		believed := NewBelieved(lines(t, each.mine))
		believed.Log(lines(t, each.log))
		if got := believed.ErasuresFrom(); got != each.wanted {
			t.Errorf("%q beside %q: erasures before %d need no persons, and should before %d", each.mine, each.log, got, each.wanted)
		}
	}
}

func TestNotesOfAChange(t *testing.T) {
	intake := "# intake ed25519 " + keyA + "\n"
	approver := "# approver desk ed25519 " + keyA + "\n"
	signer, otherSigner := "# policy-signer keeper ed25519 "+keyA+"\n", "# policy-signer keeper ed25519 "+keyB+"\n"
	operators := "# operator one ed25519 " + keyA + "\n# operator two ed25519 " + keyB + "\n"
	from := "# signed-from 2026-12-01T00:00:00Z\n"
	for name, each := range map[string]struct {
		mine, before, after string
		wanted              string
	}{
		"the first name of a row, behind other names": {"", intake, intake + approver + fourWriters + operators + signer, ""},
		"nobody any more":                  {"", intake + approver, "", "INTAKE_KEY APPROVERS"},
		"signed-from beside writers":       {"", fourWriters + approver, fourWriters + approver + from, "WRITER_KEYS"},
		"signed-from without writers":      {"", intake + approver, intake + approver + from, ""},
		"a time of the operators":          {"", operators, operators + "# two-operators-from 2026-12-01T00:00:00Z\n", "OPERATORS"},
		"another order of intake's keys":   {"", intake + "# intake ed25519 " + keyB + "\n", "# intake ed25519 " + keyB + "\n" + intake, "INTAKE_KEY"},
		"the end of a key that nobody has": {"", fourWriters, fourWriters + "# writer-until " + keyB + " 2026-12-01T00:00:00Z\n", ""},
		"yours count":                      {intake, intake, "# intake ed25519 " + keyB + "\n", "INTAKE_KEY"},
		"other signers":                    {"", signer, otherSigner, "POLICY_SIGNERS"},
		"other signers, and yours count":   {signer, signer, otherSigner, ""},
	} {
		believed := NewBelieved(lines(t, each.mine))
		believed.Log(lines(t, each.before))
		if got := strings.Join(believed.Log(lines(t, each.after)), " "); got != each.wanted {
			t.Errorf("%s: told %q, and should tell %q", name, got, each.wanted)
		}
	}
}

func TestLinesThatStandTwice(t *testing.T) {
	named := lines(t, fourWriters+"# writer routing ed25519 "+keyA+"\n# intake ed25519 "+keyA+"\n# intake ed25519 "+keyA+"\n"+
		"# policy-bundle 1 "+strings.Repeat("a", 64)+"\n# policy-bundle 1 "+strings.Repeat("b", 64)+"\n")
	if len(named.Intake) != 1 || len(named.Writers["routing"]) != 2 || len(named.Writers["intake"]) != 1 {
		t.Error("a key twice counts as once, and may be of two services")
	}
	if named.PolicyBundles[1] != strings.Repeat("b", 64) {
		t.Error("of two lines for one bundle the last counts")
	}
}

func TestNotPinned(t *testing.T) {
	if got := lines(t, fourWriters).NotPinned(); len(got) != 4 || got[0] != "intake" {
		t.Errorf("not pinned are %v", got)
	}
}
