package rtnl

// Numbers of the kernel's headers that package unix lacks, under the kernel's
// own names.
const (
	RTEXT_FILTER_SKIP_STATS = 1 << 3 // linux/rtnetlink.h; keeps counters out of link messages
	RTA_NH_ID               = 30     // linux/rtnetlink.h; the next hop is an object of its own, since 5.3
	IFA_PROTO               = 11     // linux/if_addr.h; kept since 5.18, ignored before
	NDA_PROTOCOL            = 12     // linux/neighbour.h; kept since 5.2, ignored before
	VETH_INFO_PEER          = 1      // linux/veth.h; holds an ifinfomsg and attributes for the other end
	IN6_ADDR_GEN_MODE_NONE  = 1      // linux/if_link.h; no automatic link-local address

	// linux/netconf.h.
	NETCONFA_IFINDEX                     = 1
	NETCONFA_FORWARDING                  = 2
	NETCONFA_RP_FILTER                   = 3
	NETCONFA_PROXY_NEIGH                 = 5
	NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN = 6
	NETCONFA_IFINDEX_ALL                 = ^uint32(0) // -1: the settings of "all"
	NETCONFA_IFINDEX_DEFAULT             = ^uint32(1) // -2: those of devices to come
)
