package bgp

import "github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"

// Advice says what a fault usually means, and what to do about it.
func Advice(f speaker.Fault) (cause, remedy string) {
	if a, ok := advice[f]; ok {
		return a[0], a[1]
	}
	return "not known", "look at the log of this node and of the neighbour"
}

var advice = map[speaker.Fault][2]string{
	speaker.FaultNoAnswer: {
		"TCP port 179 is filtered on the way, the passwords (TCP MD5) differ, or one end has none",
		"compare the passwords of both ends; then: tcpdump -ni any tcp port 179",
	},
	speaker.FaultRefused: {
		"no BGP speaker listens at the neighbour, or a filter rejects the connection",
		"start the neighbour's BGP, and compare its address and port with bgp.peers",
	},
	speaker.FaultUnreachable: {
		"no route leads to the neighbour, or it does not answer ARP or neighbour discovery",
		"ip route get the neighbour's address; is its link up, and is the address right?",
	},
	speaker.FaultPassword: {
		"the kernel takes no TCP MD5 key for this neighbour",
		"shorten the password to 80 bytes; is CONFIG_TCP_MD5SIG on?",
	},
	speaker.FaultWrongAS: {
		"an AS number is not the one that the other end has configured",
		"compare bgp.as and the peer's as with the neighbour's configuration",
	},
	speaker.FaultIdentifier: {
		"both ends have the same BGP identifier, or one of them is 0.0.0.0",
		"give this node an identifier of its own: bgp.router_id",
	},
	speaker.FaultCapability: {
		"one end demands a capability or a family that the other one does not offer",
		"compare families of the peer with the neighbour's configuration",
	},
	speaker.FaultOpenRejected: {
		"the neighbour has another AS number configured for this node, or demands what is not offered here",
		"compare bgp.as and the peer's as and families with the neighbour; its log has the reason",
	},
	speaker.FaultHoldTimer: {
		"nothing came for the hold time: the way is broken or filtered, or the neighbour hangs",
		"ping the neighbour; then: tcpdump -ni any tcp port 179",
	},
	speaker.FaultPrefixLimit: {
		"more prefixes were announced than the limit of one end allows",
		"raise prefix_limit here or the neighbour's maximum-prefix, or announce less; then reset it",
	},
	speaker.FaultBFD: {
		"nothing gets through to the neighbour: its link, a switch on the way, or the neighbour is down",
		"ping the neighbour; then: tcpdump -ni any udp port 3784 or udp port 4784",
	},
	speaker.FaultAdminShutdown: {
		"an operator has shut the session down, or reset it",
		"ask the operator of the neighbour; no shutdown there",
	},
	speaker.FaultUnconfigured: {
		"the neighbour does not have this node as a neighbour, or not any more",
		"configure this node's address and AS at the neighbour",
	},
	speaker.FaultMalformed: {
		"a message was not valid: a defect at one end, or an attribute passed on from elsewhere",
		"update the neighbour, or filter what it passes on; keep the log of this node",
	},
	speaker.FaultLost: {
		"the TCP connection ended: the neighbour restarts, or its link went down",
		"is the neighbour up? ip link; the session comes back by itself",
	},
	speaker.FaultNotification: {
		"one end has ended the session with a NOTIFICATION",
		"look the code up in RFC 4271 section 6, and at the neighbour's log",
	},
}
