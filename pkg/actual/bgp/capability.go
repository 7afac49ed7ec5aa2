package bgp

import (
	"fmt"
	"slices"
	"strings"

	api "github.com/osrg/gobgp/v4/api"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
)

// Capability is what one end offers in its OPEN (RFC 5492).
type Capability struct {
	// Name is stable; Detail is what goes with it, for people.
	Name   string
	Detail string
	// Family is that of family and add-path, Mode the direction of add-path, Seconds the
	// time of graceful-restart, and Number the AS of 4-octet-as or the code of one that is
	// not known.
	Family  string
	Mode    string
	Seconds uint32
	Number  uint32
}

// String is the name with what goes with it.
func (c Capability) String() string { return strings.TrimSpace(c.Name + " " + c.Detail) }

// capabilitiesOf lists capabilities in order, each once.
func capabilitiesOf(list []*api.Capability) []Capability {
	out := []Capability{}
	for _, c := range list {
		out = append(out, capabilityOf(c)...)
	}
	sorting.Sort(out, func(a, b Capability) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(out)
}

func capabilityOf(c *api.Capability) []Capability {
	one := func(name, detail string) []Capability { return []Capability{{Name: name, Detail: detail}} }
	switch {
	case c.GetMultiProtocol() != nil:
		family := familyText(c.GetMultiProtocol().GetFamily())
		return []Capability{{Name: "family", Detail: family, Family: family}}
	case c.GetRouteRefresh() != nil:
		return one("route-refresh", "")
	case c.GetEnhancedRouteRefresh() != nil:
		return one("enhanced-route-refresh", "")
	case c.GetExtendedNexthop() != nil:
		return one("extended-next-hop", "")
	case c.GetGracefulRestart() != nil:
		seconds := c.GetGracefulRestart().GetTime()
		return []Capability{{Name: "graceful-restart", Detail: fmt.Sprintf("%d s", seconds), Seconds: seconds}}
	case c.GetLongLivedGracefulRestart() != nil:
		return one("long-lived-graceful-restart", "")
	case c.GetFourOctetAsn() != nil:
		as := c.GetFourOctetAsn().GetAsn()
		return []Capability{{Name: "4-octet-as", Detail: fmt.Sprint(as), Number: as}}
	case c.GetAddPath() != nil:
		return addPath(c.GetAddPath())
	case c.GetFqdn() != nil:
		return one("host-name", printable(c.GetFqdn().GetHostName()))
	case c.GetSoftwareVersion() != nil:
		return one("software", printable(c.GetSoftwareVersion().GetSoftwareVersion()))
	case c.GetExtendedMessage() != nil:
		return one("extended-message", "")
	case c.GetUnknown() != nil:
		code := c.GetUnknown().GetCode()
		return []Capability{{Name: "unknown", Detail: fmt.Sprint(code), Number: code}}
	}
	return nil // an old code for one that is listed
}

func addPath(c *api.AddPathCapability) (out []Capability) {
	for _, t := range c.GetTuples() {
		mode := strings.ToLower(strings.TrimPrefix(t.GetMode().String(), "MODE_"))
		family := familyText(t.GetFamily())
		out = append(out, Capability{Name: "add-path", Detail: family + " " + mode, Family: family, Mode: mode})
	}
	return out
}

func familyText(f *api.Family) string {
	if family, ok := speaker.FamilyFromAPI(f); ok {
		return family.String()
	}
	return fmt.Sprintf("AFI %d SAFI %d", f.GetAfi(), f.GetSafi())
}

// printable is text of a neighbour without what could control a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
}
