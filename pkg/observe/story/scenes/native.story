# A router of OVN's dynamic routing with its gateway on hv1, an internal network and two
# VMs; the fabric is behind eth1.
northd 26.03.1-21.8.0-82.14
chassis hv1 hv2
datapath lr0 key 7
datapath ls0 key 8
datapath pub key 9
routerport lrp-ext on lr0 mac "00:00:00:00:ff:02 172.24.4.5/24 2001:db8:4::5/64" redirect cr-lrp-ext peer pub-lr0
gateway cr-lrp-ext on lr0 mac "00:00:00:00:ff:02 172.24.4.5/24 2001:db8:4::5/64" of lrp-ext chassis hv1 option dynamic-routing=true
routerport lrp-int on lr0 mac "00:00:00:00:ff:01 10.0.1.1/24" peer ls0-lr0
switchport pub-lr0 on pub peer lrp-ext
switchport ls0-lr0 on ls0 peer lrp-int
port vm1 on ls0 mac "f0:00:00:00:00:01 10.0.1.10" chassis hv1 up
port vm2 on ls0 mac "f0:00:00:00:00:02 10.0.1.11" chassis hv2 up
device eth1 mac 02:00:00:00:00:e1
address 192.0.2.11/24 dev eth1
