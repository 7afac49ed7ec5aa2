package unnumbered

import (
	"net/netip"
	"testing"
)

// TestMachine tells a link's machine what happens, a word each: "a" advertises itself, "a?"
// answers, "." is a second, ".a" one with a in the kernel's table, and "r" a review.
func TestMachine(t *testing.T) {
	for _, c := range []struct {
		name, events string
		want, other  string
		asked        int
	}{
		{"nobody", ". . .", "", "", 0},
		{"the first", "a . a .", "a", "", 0},
		{"another address of the same router", "a b . . .", "b", "", 3},
		{"not yet", "a b . .", "a", "", 3},
		{"both answer", "a b . a? . . .", "a", "b", 2},
		{"both advertise", "a b . a . . . b . . .", "a", "b", 2},
		{"the other one goes", "a b a? r . . .", "a", "", 1},
		{"then the first goes, too", "a b a? r b . . .", "b", "", 4},
		{"a third one waits", "a b c . . .", "b", "", 3},
		{"from the kernel's table", ".a .", "a", "", 0},
		{"its address changes", ".a .b", "b", "", 0},
		{"it is in the table no more", ".a . .", "a", "", 0},
		{"two in the table", ".ab .ab", "", "", 0},
		{"a third one in the table", ".a .ab", "a", "", 0},
		{"an advertisement is better than the table", ".a b .a", "b", "", 0},
		{"the table does not change an advertisement", "a .b .b .b", "a", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m machine
			asked := 0
			for _, ask := range play(&m, c.events) {
				if ask {
					asked++
				}
			}
			if m.addr != address(c.want) || m.other != address(c.other) || asked != c.asked {
				t.Errorf("neighbour %s, other %s, asked %d times", m.addr, m.other, asked)
			}
		})
	}
}

func play(m *machine, events string) (asked []bool) {
	for i := 0; i < len(events); {
		word := events[i:]
		for j := range word {
			if word[j] == ' ' {
				word = word[:j]
				break
			}
		}
		i += len(word) + 1
		switch {
		case word[0] == '.':
			var table []netip.Addr
			for _, c := range word[1:] {
				table = append(table, address(string(c)))
			}
			asked = append(asked, m.second(table))
		case word == "r":
			m.review()
		case word[len(word)-1] == '?':
			m.answer(address(word[:1]))
		default:
			asked = append(asked, m.advertisement(address(word)))
		}
	}
	return asked
}

func address(name string) netip.Addr {
	if name == "" {
		return netip.Addr{}
	}
	return netip.MustParseAddr("fe80::" + name)
}
