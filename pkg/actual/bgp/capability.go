package bgp

import (
	"fmt"
	"slices"
	"strings"

	api "github.com/osrg/gobgp/v4/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
)

// Capability is what one end offers in its OPEN (RFC 5492).
type Capability struct {
	// Name is stable; Detail is what goes with it, such as the family or a time.
	Name   string `json:"name"`
	Detail string `json:"detail,omitempty"`
}

// String is the name with what goes with it.
func (c Capability) String() string { return strings.TrimSpace(c.Name + " " + c.Detail) }

// capabilitiesOf lists capabilities in order, each once.
func capabilitiesOf(list []*api.Capability) []Capability {
	out := []Capability{}
	for _, c := range list {
		out = append(out, capabilityOf(c)...)
	}
	slices.SortFunc(out, func(a, b Capability) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(out)
}

func capabilityOf(c *api.Capability) []Capability {
	one := func(name, detail string) []Capability { return []Capability{{Name: name, Detail: detail}} }
	switch {
	case c.GetMultiProtocol() != nil:
		return one("family", familyText(c.GetMultiProtocol().GetFamily()))
	case c.GetRouteRefresh() != nil:
		return one("route-refresh", "")
	case c.GetEnhancedRouteRefresh() != nil:
		return one("enhanced-route-refresh", "")
	case c.GetExtendedNexthop() != nil:
		return one("extended-next-hop", "")
	case c.GetGracefulRestart() != nil:
		return one("graceful-restart", fmt.Sprintf("%d s", c.GetGracefulRestart().GetTime()))
	case c.GetLongLivedGracefulRestart() != nil:
		return one("long-lived-graceful-restart", "")
	case c.GetFourOctetAsn() != nil:
		return one("4-octet-as", fmt.Sprint(c.GetFourOctetAsn().GetAsn()))
	case c.GetAddPath() != nil:
		return addPath(c.GetAddPath())
	case c.GetFqdn() != nil:
		return one("host-name", printable(c.GetFqdn().GetHostName()))
	case c.GetSoftwareVersion() != nil:
		return one("software", printable(c.GetSoftwareVersion().GetSoftwareVersion()))
	case c.GetExtendedMessage() != nil:
		return one("extended-message", "")
	case c.GetUnknown() != nil:
		return one("unknown", fmt.Sprint(c.GetUnknown().GetCode()))
	}
	return nil // an old code for one that is listed
}

func addPath(c *api.AddPathCapability) (out []Capability) {
	for _, t := range c.GetTuples() {
		mode := strings.ToLower(strings.TrimPrefix(t.GetMode().String(), "MODE_"))
		out = append(out, Capability{"add-path", familyText(t.GetFamily()) + " " + mode})
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
