# A provider bridge br-ex with a flat and a VLAN network, and a router r1 that
# connects the tenant network dp-priv (10.0.0.0/26) to the flat one. Its gateway
# is on gw-1, the tenant VM vm1 on cmp-1. Nothing is exposed on cmp-1 yet.
include node
patch br-ex provnet-c1 ofport 1
patch br-ex provnet-v1 ofport 2
localnet provnet-c1 on dp-pub network public
localnet provnet-v1 on dp-vlan network public tag 100
routerport lrp-gw1 on dp-r1 mac "fa:16:3e:74:e6:3b 172.24.4.146/24 2001:db8::146/64" peer gw1 redirect cr-lrp-gw1
switchport gw1 on dp-pub peer lrp-gw1
gateway cr-lrp-gw1 on dp-r1 mac "fa:16:3e:74:e6:3b 172.24.4.146/24 2001:db8::146/64" of lrp-gw1 chassis gw-1 up
routerport lrp-p1 on dp-r1 mac "fa:16:3e:2c:7a:01 10.0.0.1/26" peer p1
switchport p1 on dp-priv peer lrp-p1
port vm1 on dp-priv mac "fa:16:3e:0d:51:22 10.0.0.5" chassis cmp-1 up cidrs "10.0.0.5/26"
