package speaker

import "github.com/osrg/gobgp/v4/pkg/packet/bgp"

// Fault is why a session is not up, or went down last, as a word that is stable.
type Fault string

// The faults. docs/glossary.md says what each means.
const (
	FaultNoAnswer      Fault = "no-answer"      // nothing comes back: a filter, or passwords that differ
	FaultRefused       Fault = "refused"        // nobody listens there
	FaultUnreachable   Fault = "unreachable"    // no route, or no neighbour behind it
	FaultPassword      Fault = "password"       // the password cannot be set here
	FaultWrongAS       Fault = "wrong-as"       // the AS number in the OPEN is not the configured one
	FaultIdentifier    Fault = "bad-identifier" // both ends have one BGP identifier, or one is 0
	FaultCapability    Fault = "capability"     // one end demands what the other one lacks
	FaultOpenRejected  Fault = "open-rejected"  // the other end refuses our OPEN and does not get to say why
	FaultHoldTimer     Fault = "hold-timer"     // no message came for the hold time
	FaultPrefixLimit   Fault = "prefix-limit"   // too many prefixes were announced
	FaultAdminShutdown Fault = "admin-shutdown" // an operator shut the session down, or reset it
	FaultUnconfigured  Fault = "unconfigured"   // the other end does not have this neighbour, or not any more
	FaultMalformed     Fault = "malformed"      // a message could not be read
	FaultLost          Fault = "connection-lost"
	FaultBFD           Fault = "bfd-down"     // BFD has found that nothing gets through
	FaultNotification  Fault = "notification" // any other message that ends the session
	FaultOther         Fault = "other"
)

// subBFDDown is the subcode of a CEASE by BFD (RFC 9384), which GoBGP has no name for.
const subBFDDown = 10

// notificationFault is the fault that a NOTIFICATION (RFC 4271 section 6, RFC 4486) tells.
func notificationFault(code, subcode uint8) Fault {
	switch code {
	case bgp.BGP_ERROR_MESSAGE_HEADER_ERROR, bgp.BGP_ERROR_UPDATE_MESSAGE_ERROR:
		return FaultMalformed
	case bgp.BGP_ERROR_HOLD_TIMER_EXPIRED:
		return FaultHoldTimer
	case bgp.BGP_ERROR_OPEN_MESSAGE_ERROR:
		switch subcode {
		case bgp.BGP_ERROR_SUB_BAD_PEER_AS:
			return FaultWrongAS
		case bgp.BGP_ERROR_SUB_BAD_BGP_IDENTIFIER:
			return FaultIdentifier
		case bgp.BGP_ERROR_SUB_UNSUPPORTED_CAPABILITY:
			return FaultCapability
		}
	case bgp.BGP_ERROR_FSM_ERROR:
		// GoBGP expects no NOTIFICATION as the answer to its OPEN, and says that of itself.
		if subcode == bgp.BGP_ERROR_SUB_RECEIVE_UNEXPECTED_MESSAGE_IN_OPENSENT_STATE {
			return FaultOpenRejected
		}
	case bgp.BGP_ERROR_CEASE:
		switch subcode {
		case bgp.BGP_ERROR_SUB_MAXIMUM_NUMBER_OF_PREFIXES_REACHED:
			return FaultPrefixLimit
		case bgp.BGP_ERROR_SUB_ADMINISTRATIVE_SHUTDOWN, bgp.BGP_ERROR_SUB_ADMINISTRATIVE_RESET,
			bgp.BGP_ERROR_SUB_OTHER_CONFIGURATION_CHANGE:
			return FaultAdminShutdown
		case subBFDDown:
			return FaultBFD
		case bgp.BGP_ERROR_SUB_PEER_DECONFIGURED, bgp.BGP_ERROR_SUB_CONNECTION_REJECTED:
			return FaultUnconfigured
		}
	}
	return FaultNotification
}

// connectFault is the fault in the end of an error's text.
func connectFault(why string) Fault {
	switch why {
	case "i/o timeout", "connection timed out":
		return FaultNoAnswer
	case "connection refused":
		return FaultRefused
	case "no route to host", "network is unreachable":
		return FaultUnreachable
	case "connection reset by peer", "EOF":
		return FaultUnconfigured
	}
	return FaultOther
}

// downFault is the fault in GoBGP's word for why a session ended.
func downFault(reason string) Fault {
	switch reason {
	case "read-failed", "write-failed", "graceful-restart":
		return FaultLost
	case "hold-timer-expired":
		return FaultHoldTimer
	case "bad-peer-as":
		return FaultWrongAS
	case "admin-down":
		return FaultAdminShutdown
	case "invalid-msg":
		return FaultMalformed
	}
	return FaultOther
}

// Ended is how a session that was up ended.
type Ended struct {
	Fault Fault
	// Notified says that a NOTIFICATION ended it, by which end ever: without the
	// N bit of RFC 8538, which is not offered, no routes are kept then.
	Notified bool
}
