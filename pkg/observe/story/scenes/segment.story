# A provider network that is stretched with VNI 2001: VLAN 100 of br-ex, with a VM
# and a virtual port on cmp-1, a router's gateway on gw-1, and floating IPs: one on
# cmp-1 and one on the gateway's node.
include base
set gw1 on dp-vlan nat 'fa:16:3e:0d:51:99 172.24.8.199 is_chassis_resident("vm1")' nat 'fa:16:3e:74:e6:3c 172.24.8.200 is_chassis_resident("cr-lrp-gw1")'
set lrp-gw1 mac "fa:16:3e:74:e6:3c 172.24.8.146/24"
set cr-lrp-gw1 mac "fa:16:3e:74:e6:3c 172.24.8.146/24"
port vmV on dp-vlan mac "fa:16:3e:aa:00:08 172.24.8.20 2001:db8:8::20" chassis cmp-1 up
virtual vip on dp-vlan mac "fa:16:3e:4b:00:10 172.24.8.50" chassis cmp-1 up
port down on dp-vlan mac "fa:16:3e:aa:00:09 172.24.8.21" chassis cmp-1 down
port elsewhere on dp-vlan mac "fa:16:3e:aa:00:0a 172.24.8.22" chassis cmp-2 up
made veth-ovs-2001 on br-ex ofport 21
learned nothing
