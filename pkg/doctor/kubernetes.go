package doctor

import "strings"

// kubernetes checks that the API tells the controller what it asks for.
func (e *exam) kubernetes() {
	k := e.Kubernetes
	if k == nil {
		return
	}
	const check = "kubernetes "
	if k.Fault != "" {
		e.fail(check+"api", k.Remedy, "the API cannot be asked: %s", k.Fault)
		return
	}
	var good []string
	for _, kind := range k.Kinds {
		switch {
		case kind.Fault != "":
			e.fail(check+kind.Name, kind.Remedy, "%s does not tell of them: %s", k.Server, kind.Fault)
		case kind.Unserved:
			e.warn(check+kind.Name, "take egressip out of kube.advertise, or see why OVN-Kubernetes has not installed the CRD",
				"the API does not serve them, and kube.advertise has egressip")
		default:
			good = append(good, kind.Name)
		}
	}
	if k.NoNode {
		e.fail(check+"node", "set kube.node_name or NODE_NAME to the name of the Node; kubectl get nodes lists them",
			"the API has no Node named %q", k.Node)
	}
	if len(good) > 0 {
		e.ok(check+"api", "%s answers; %s can be listed and watched", k.Server, strings.Join(good, ", "))
	}
}
