package kube

// The codes of explanations and reports, in the order in which explanations come upon
// them. docs/kubernetes-rules.md says what each means.
const (
	CodeNoService          = "no-service"               // no service has the address
	CodeKindOff            = "kind-off"                 // its kind is not in kube.advertise
	CodeNoAddress          = "no-address"               // nobody has given the service an address
	CodeHostname           = "address-hostname"         // a host name only
	CodeProxy              = "ip-mode-proxy"            // ipMode: Proxy
	CodeClass              = "class-mismatch"           // another load balancer's
	CodeNoEndpoints        = "no-endpoints"             // none that serves, of its family
	CodeNoLocalEndpoints   = "no-local-endpoints"       // none here, and the policy is Local
	CodeNodeUnknown        = "node-unknown"             // the API has no such Node
	CodeNodeMismatch       = "node-mismatch"            // the chassis is another node's
	CodeNodeExcluded       = "node-excluded"            // by its label
	CodeNetworkUnavailable = "node-network-unavailable" // by its condition
	CodeNodeCordoned       = "node-cordoned"            // and its drain time has passed
	CodeNodeDraining       = "node-draining"            // informational: a last resort
	CodeNoGatewayRouter    = "no-gateway-router"        // OVN-Kubernetes has made none
	CodeUnclaimed          = "gateway-unclaimed"        // it is not bound here
	CodeSchema             = "unsupported-sb-schema"    // no load balancers of routers
	CodeNotInSouthbound    = "not-in-southbound"        // no row of the gateway router has it
	CodeNoBackend          = "no-usable-backend"        // a row has it, without a backend
	CodeOtherNetwork       = "other-network"            // another network's gateway router has it
	CodeEgressOther        = "egress-other-node"        // assigned to another node
	CodeEgressUnproven     = "egress-unproven"          // informational: the database cannot show it
	CodeNoFlow             = "no-bridge-flow"           // the external bridge does not let it in
	CodeUnverified         = "unverified"               // the flows cannot be read
	CodeNoUplink           = "no-uplink"                // informational: no flows to be asked for
	CodeNotSynced          = "kube-not-synced"          // the API has not been read completely
	CodeStale              = "kube-stale"               // informational: the API is away
	CodeCRDMissing         = "egressip-crd-missing"     // the API has no egress IPs
)
