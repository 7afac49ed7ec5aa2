package frr

// neighbour reads a statement about a neighbour or a peer group.
func (p *parser) neighbour(s statement) {
	no := s.word(0) == "no"
	if no {
		s.words = s.words[1:]
	}
	name := s.word(1)
	n := p.neighbours[name]
	if n == nil {
		if len(p.neighbours) >= mostNames || name == "" {
			p.leave(p.at, "too many neighbours")
			return
		}
		n = &neighbour{
			name: name, first: p.at, families: map[string]bool{}, in: map[string]string{}, out: map[string]string{},
		}
		p.neighbours[name] = n
		p.order = append(p.order, name)
	}
	if no {
		if s.word(2) == "activate" {
			n.families[p.family] = false
		}
		return
	}
	if !p.session(n, s) && !p.policy(n, s) {
		p.leave(p.at, "no counterpart")
	}
}

// session reads what concerns a session; false if it is something else.
func (p *parser) session(n *neighbour, s statement) bool {
	switch s.word(2) {
	case "interface":
		n.isInterface = true
		for i := 3; i < len(s.words); i++ {
			switch s.words[i] {
			case "peer-group":
				n.group = s.word(i + 1)
			case "remote-as":
				n.remoteAS = s.word(i + 1)
			}
		}
	case "peer-group":
		if n.isGroup = s.word(3) == ""; !n.isGroup {
			n.group = s.word(3)
		}
	case "remote-as":
		n.remoteAS = s.word(3)
	case "password":
		p.left = append(p.left, Left{
			Line: p.at.line, Text: "neighbor " + n.name + " password ...", Refused: true,
			Remark: "the password is not printed: write it to a file, and set password_file of the neighbour",
		})
	case "bfd":
		n.bfd = true
		if s.word(3) == "profile" {
			n.profile = s.word(4)
		}
	case "passive":
		n.passive = true
	case "shutdown":
		n.off = true
	case "ttl-security":
		n.gtsm = true
	case "ebgp-multihop":
		if n.multihop = number(s.word(3)); n.multihop == 0 {
			n.multihop = 255
		}
	case "update-source":
		n.source = s.word(3)
	case "timers":
		if s.word(3) == "connect" {
			n.retry = number(s.word(4))
		} else {
			n.holdTime = number(s.word(4))
		}
	case "description", "capability", "advertisement-interval", "graceful-restart", "disable-connected-check":
	default:
		return false
	}
	return true
}

// policy reads what concerns the routes of a family.
func (p *parser) policy(n *neighbour, s statement) bool {
	switch s.word(2) {
	case "activate":
		n.families[p.family] = true
	case "allowas-in":
		if n.allowOwn = number(s.word(3)); n.allowOwn == 0 {
			n.allowOwn = 3 // FRR's default
			if s.word(3) == "origin" {
				n.allowOwn = 1
			}
		}
	case "prefix-list":
		if s.word(4) == "in" {
			n.in[p.family] = s.word(3)
		} else {
			n.out[p.family] = s.word(3)
		}
	case "soft-reconfiguration":
	default:
		return false
	}
	return true
}

// effective is a neighbour with what its peer group says and it does not.
func (c *config) effective(n *neighbour) neighbour {
	out := *n
	g := c.neighbours[n.group]
	if g == nil {
		return out
	}
	if out.remoteAS == "" {
		out.remoteAS = g.remoteAS
	}
	if out.source == "" {
		out.source = g.source
	}
	if out.profile == "" {
		out.profile = g.profile
	}
	out.bfd = out.bfd || g.bfd
	out.passive = out.passive || g.passive
	out.gtsm = out.gtsm || g.gtsm
	out.off = out.off || g.off
	for _, v := range []struct{ to, from *int }{
		{&out.multihop, &g.multihop}, {&out.allowOwn, &g.allowOwn}, {&out.holdTime, &g.holdTime}, {&out.retry, &g.retry},
	} {
		if *v.to == 0 {
			*v.to = *v.from
		}
	}
	out.families = merged(g.families, n.families)
	out.in, out.out = merged(g.in, n.in), merged(g.out, n.out)
	return out
}

// merged are the entries of both, those of over where both have one.
func merged[V any](under, over map[string]V) map[string]V {
	out := map[string]V{}
	for k, v := range under {
		out[k] = v
	}
	for k, v := range over {
		out[k] = v
	}
	return out
}
