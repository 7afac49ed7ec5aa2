package kube

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// What the API sends as protobuf is read field by field, by the numbers of generated.proto in k8s.io/api and
// k8s.io/apimachinery. The types of these modules would do it, too, and bring all other types of the API into
// the program: 4 MB. Tests hold what is read to them.

// field is a field of a message.
type field struct {
	number protowire.Number
	kind   protowire.Type
	octets []byte // of a text or a message
	value  uint64 // of a number
}

// eachField calls f with the fields of a message that are octets or numbers; there are others. An error of f
// ends it.
func eachField(data []byte, f func(field) error) error {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		it := field{number: number, kind: kind}
		switch kind {
		case protowire.BytesType:
			it.octets, n = protowire.ConsumeBytes(data)
		case protowire.VarintType:
			it.value, n = protowire.ConsumeVarint(data)
		default:
			n = protowire.ConsumeFieldValue(number, kind, data)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		if kind != protowire.BytesType && kind != protowire.VarintType {
			continue
		}
		if err := f(it); err != nil {
			return err
		}
	}
	return nil
}

// is reports what is wrong with a field that is not of a kind.
func (f field) is(kind protowire.Type) error {
	if f.kind != kind {
		return fmt.Errorf("field %d has wire type %d, where %d should be", f.number, f.kind, kind)
	}
	return nil
}

// text reads a string, which replaces one before it.
func (f field) text(into *string) error {
	*into = string(f.octets)
	return f.is(protowire.BytesType)
}

// texts reads one of several strings.
func (f field) texts(into *[]string) error {
	*into = append(*into, string(f.octets))
	return f.is(protowire.BytesType)
}

// flag reads a boolean.
func (f field) flag(into *bool) error {
	*into = f.value != 0
	return f.is(protowire.VarintType)
}

// optional reads a boolean that may be absent.
func (f field) optional(into **bool) error {
	*into = new(bool)
	return f.flag(*into)
}

// message reads a message.
func (f field) message(read func(field) error) error {
	if err := f.is(protowire.BytesType); err != nil {
		return err
	}
	return eachField(f.octets, read)
}

// pair reads one of the pairs of a map of strings.
func (f field) pair(into *map[string]string) error {
	var key, value string
	err := f.message(func(f field) error {
		switch f.number {
		case 1:
			return f.text(&key)
		case 2:
			return f.text(&value)
		}
		return nil
	})
	if *into == nil {
		*into = map[string]string{}
	}
	(*into)[key] = value
	return err
}

// metaFields are the fields of ObjectMeta that are read.
type metaFields struct {
	namespace, name, version string
	labels, annotations      map[string]string
}

func (m *metaFields) read(f field) error {
	switch f.number {
	case 1:
		return f.text(&m.name)
	case 3:
		return f.text(&m.namespace)
	case 6:
		return f.text(&m.version)
	case 11:
		return f.pair(&m.labels)
	case 12:
		return f.pair(&m.annotations)
	}
	return nil
}

// serviceFields are those of Service.
type serviceFields struct {
	metaFields
	kind, class                      string // spec.type, spec.loadBalancerClass
	externalTraffic, internalTraffic string
	publishNotReady                  bool
	clusterIPs, externalIPs          []string
	ports                            []portFields
	ingress                          []ingressFields
}

// portFields are those of ServicePort, and ingressFields those of LoadBalancerIngress.
type (
	portFields struct {
		protocol string
		port     int32
	}
	ingressFields struct{ ip, hostname, mode string }
)

func (s *serviceFields) read(f field) error {
	switch f.number {
	case 1:
		return f.message(s.metaFields.read)
	case 2:
		return f.message(s.readSpec)
	case 3:
		return f.message(func(f field) error { // ServiceStatus
			if f.number != 1 {
				return nil
			}
			return f.message(s.readBalancer)
		})
	}
	return nil
}

func (s *serviceFields) readSpec(f field) error {
	switch f.number {
	case 1:
		var port portFields
		err := f.message(port.read)
		s.ports = append(s.ports, port)
		return err
	case 4:
		return f.text(&s.kind)
	case 5:
		return f.texts(&s.externalIPs)
	case 11:
		return f.text(&s.externalTraffic)
	case 13:
		return f.flag(&s.publishNotReady)
	case 18:
		return f.texts(&s.clusterIPs)
	case 21:
		return f.text(&s.class)
	case 22:
		return f.text(&s.internalTraffic)
	}
	return nil
}

func (p *portFields) read(f field) error {
	switch f.number {
	case 2:
		return f.text(&p.protocol)
	case 3:
		p.port = int32(f.value) // as protobuf has it: the lower half
		return f.is(protowire.VarintType)
	}
	return nil
}

func (s *serviceFields) readBalancer(f field) error {
	if f.number != 1 {
		return nil
	}
	var in ingressFields
	err := f.message(func(f field) error {
		switch f.number {
		case 1:
			return f.text(&in.ip)
		case 2:
			return f.text(&in.hostname)
		case 3:
			return f.text(&in.mode)
		}
		return nil
	})
	s.ingress = append(s.ingress, in)
	return err
}

// sliceFields are those of EndpointSlice.
type sliceFields struct {
	metaFields
	addressType string
	endpoints   []endpointFields
}

// endpointFields are those of Endpoint.
type endpointFields struct {
	node                        string
	ready, serving, terminating *bool
}

func (s *sliceFields) read(f field) error {
	switch f.number {
	case 1:
		return f.message(s.metaFields.read)
	case 2:
		var e endpointFields
		err := f.message(e.read)
		s.endpoints = append(s.endpoints, e)
		return err
	case 4:
		return f.text(&s.addressType)
	}
	return nil
}

func (e *endpointFields) read(f field) error {
	switch f.number {
	case 2:
		return f.message(func(f field) error { // EndpointConditions
			switch f.number {
			case 1:
				return f.optional(&e.ready)
			case 2:
				return f.optional(&e.serving)
			case 3:
				return f.optional(&e.terminating)
			}
			return nil
		})
	case 6:
		return f.text(&e.node)
	}
	return nil
}

// nodeFields are those of Node.
type nodeFields struct {
	metaFields
	unschedulable bool
	conditions    []conditionFields
}

// conditionFields are those of NodeCondition.
type conditionFields struct{ kind, status string }

func (n *nodeFields) read(f field) error {
	switch f.number {
	case 1:
		return f.message(n.metaFields.read)
	case 2:
		return f.message(func(f field) error { // NodeSpec
			if f.number != 4 {
				return nil
			}
			return f.flag(&n.unschedulable)
		})
	case 3:
		return f.message(n.readStatus)
	}
	return nil
}

func (n *nodeFields) readStatus(f field) error {
	if f.number != 4 {
		return nil
	}
	var c conditionFields
	err := f.message(func(f field) error {
		switch f.number {
		case 1:
			return f.text(&c.kind)
		case 2:
			return f.text(&c.status)
		}
		return nil
	})
	n.conditions = append(n.conditions, c)
	return err
}
