package object

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// RouteTargetsOf is a set of route targets (RFC 4360 section 4), each in one of
// the three forms that ParseRD knows.
func RouteTargetsOf(list ...string) (Words, error) {
	out := make([]string, len(list))
	for i, text := range list {
		canon, ok := administered(text)
		if !ok {
			return Words{}, fmt.Errorf("route target %q: use AS:NUMBER or IPV4:NUMBER, such as 64999:1001 (RFC 4360)", text)
		}
		out[i] = canon
	}
	return WordsOf(out...), nil
}

// ParseRD checks a route distinguisher (RFC 4364 section 4.2) and returns its one
// form: IPV4:NUMBER with a number of 16 bits (type 1), AS:NUMBER with an AS of 16
// and a number of 32 bits (type 0), or an AS of 32 and a number of 16 (type 2).
func ParseRD(text string) (string, error) {
	canon, ok := administered(text)
	if !ok {
		return "", fmt.Errorf("route distinguisher %q: use IPV4:NUMBER or AS:NUMBER, such as 192.0.2.1:1001 (RFC 4364)", text)
	}
	return canon, nil
}

// administered reads administrator:number, of eight octets less two for the type
// altogether.
func administered(text string) (string, bool) {
	who, number, ok := strings.Cut(text, ":")
	if !ok {
		return "", false
	}
	bits := 16
	if ip, err := netip.ParseAddr(who); err == nil {
		if !ip.Is4() {
			return "", false
		}
		who = ip.String()
	} else {
		as, err := strconv.ParseUint(who, 10, 32)
		if err != nil {
			return "", false
		}
		if as <= 0xffff {
			bits = 32
		}
		who = strconv.FormatUint(as, 10)
	}
	n, err := strconv.ParseUint(number, 10, bits)
	if err != nil {
		return "", false
	}
	return who + ":" + strconv.FormatUint(n, 10), true
}
