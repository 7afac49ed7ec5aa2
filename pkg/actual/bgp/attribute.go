package bgp

import (
	"fmt"
	"slices"
	"strings"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// common lists the attributes that do not depend on the prefix, but the next
// hop, in the order of their type codes. Those that a path does not have are
// left out.
func (a attrs) common() ([]bgp.PathAttributeInterface, error) {
	list := []bgp.PathAttributeInterface{bgp.NewPathAttributeOrigin(uint8(a.origin))}
	if n := int(a.prepend.Times); n > 0 {
		list = append(list, bgp.NewPathAttributeAsPath([]bgp.AsPathParamInterface{
			bgp.NewAs4PathParam(bgp.BGP_ASPATH_ATTR_TYPE_SEQ, slices.Repeat([]uint32{a.prepend.AS}, n)),
		}))
	}
	if a.med.Set {
		list = append(list, bgp.NewPathAttributeMultiExitDisc(a.med.Value))
	}
	if a.localPref.Set {
		list = append(list, bgp.NewPathAttributeLocalPref(a.localPref.Value))
	}
	if !a.communities.Empty() {
		values, err := speaker.CommunityNumbers(a.communities)
		if err != nil {
			return nil, err
		}
		list = append(list, bgp.NewPathAttributeCommunities(values))
	}
	if !a.large.Empty() {
		values, err := largeToAPI(a.large)
		if err != nil {
			return nil, err
		}
		list = append(list, bgp.NewPathAttributeLargeCommunities(values))
	}
	return list, nil
}

// readOptional is the inverse of common for what a path may lack.
func readOptional(path *object.Path, attr bgp.PathAttributeInterface) bool {
	switch a := attr.(type) {
	case *bgp.PathAttributeAsPath:
		return readPrepend(path, a)
	case *bgp.PathAttributeMultiExitDisc:
		path.MED = object.MetricOf(a.Value)
	case *bgp.PathAttributeLocalPref:
		path.LocalPref = object.MetricOf(a.Value)
	case *bgp.PathAttributeCommunities:
		path.Communities = speaker.CommunitiesOf(a.Value)
	case *bgp.PathAttributeLargeCommunities:
		path.LargeCommunities = largeFromAPI(a.Values)
	default:
		return false
	}
	return true
}

// readPrepend reads AS_PATH as we write it: one number, several times. An empty one is
// none.
func readPrepend(path *object.Path, a *bgp.PathAttributeAsPath) bool {
	var list []uint32
	for _, segment := range a.Value {
		if segment.GetType() != bgp.BGP_ASPATH_ATTR_TYPE_SEQ {
			return false
		}
		list = append(list, segment.GetAS()...)
	}
	if len(list) == 0 {
		return true
	}
	if len(list) > object.MostPrepended || slices.ContainsFunc(list, func(as uint32) bool { return as != list[0] }) {
		return false
	}
	path.Prepend = object.Prepend{AS: list[0], Times: uint8(len(list))}
	return true
}

// largeToAPI reads communities of three 32-bit numbers (RFC 8092).
func largeToAPI(w object.Words) ([]*bgp.LargeCommunity, error) {
	var out []*bgp.LargeCommunity
	for _, text := range w.List() {
		var c bgp.LargeCommunity
		if _, err := fmt.Sscanf(text, "%d:%d:%d", &c.ASN, &c.LocalData1, &c.LocalData2); err != nil {
			return nil, fmt.Errorf("large community %q: %w", text, err)
		}
		out = append(out, &c)
	}
	return out, nil
}

// largeFromAPI is the inverse of largeToAPI.
func largeFromAPI(values []*bgp.LargeCommunity) object.Words {
	out := make([]string, len(values))
	for i, c := range values {
		out[i] = fmt.Sprintf("%d:%d:%d", c.ASN, c.LocalData1, c.LocalData2)
	}
	return object.WordsOf(out...)
}

// validateAttributes refuses communities that are not spelt as they are read
// back: each audit would find them changed.
func validateAttributes(p object.Path) error {
	for _, list := range []struct {
		have object.Words
		of   func(...string) (object.Words, error)
	}{{p.Communities, object.CommunitiesOf}, {p.LargeCommunities, object.LargeCommunitiesOf}} {
		canon, err := list.of(list.have.List()...)
		if err == nil && canon != list.have {
			err = fmt.Errorf("communities %s: write them as %s", list.have,
				strings.ReplaceAll(canon.String(), ",", " "))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
