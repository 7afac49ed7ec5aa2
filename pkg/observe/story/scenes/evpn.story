# The scene base for EVPN: the gateway of r1 and its tenant network are in the
# VPN of VNI 1001, and the ports that this makes on br-ex are there. Nothing is
# learned.
include base
set gw1 id neutron_bgpvpn:vni=1001 id neutron_bgpvpn:as=64999
set p1 id neutron_bgpvpn:vni=1001 id neutron_bgpvpn:as=64999
made veth-ovs-1001 on br-ex ofport 11
learned nothing
