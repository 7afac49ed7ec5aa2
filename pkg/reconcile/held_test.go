package reconcile

import (
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// What is held although nobody knows where it came from names the row or driver because
// of which it is: that rows cannot be read is one reason of several.
func TestHeldNamesTheRow(t *testing.T) {
	c := New(Config{Journal: NoJournal{}})
	for _, tt := range []struct {
		skip observe.Skip
		want string
	}{
		{
			observe.Skip{
				Table: "Learned", Row: "main", Code: observe.SkipUnknown, Text: "the neighbours have not told yet", Hold: true,
			},
			"Learned main: the neighbours have not told yet",
		},
		{
			observe.Skip{Table: "Port_Binding", Row: "vm-1", Code: observe.SkipUnreadable, Text: "no MAC address", Hold: true},
			"Port_Binding vm-1 cannot be read: no MAC address",
		},
	} {
		keep := c.keeper(Round{Skipped: []observe.Skip{tt.skip}})
		b := keep(object.Rule{Priority: 32000, Table: 201}.Key(), nil)
		if b == nil || !strings.HasSuffix(b.Text, "where it came from is not recorded, and "+tt.want) {
			t.Errorf("got %+v, want %q", b, tt.want)
		}
	}
}
