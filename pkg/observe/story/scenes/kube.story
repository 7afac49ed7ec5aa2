# Node worker-a of a cluster in interconnect mode and its neighbour worker-b, with the gateway in shared mode, uplink port 1
# and patch port 2. GR_worker-a is the gateway router, worker-a the switch of the pods.
chassis 6f9c1e0a-2d1f-4a6b-9d5e-0c7f3a5b9e11 6f9c1e0a-2d1f-4a6b-9d5e-0c7f3a5b9e12
mapping physnet:br-ex
bridge br-ex mac 02:42:ac:12:00:02
patch br-ex br-ex_worker-a ofport 2
uplink br-ex eth0 ofport 1
datapath GR_worker-a
datapath ext_worker-a
datapath ovn_cluster_router
datapath worker-a
localnet br-ex_worker-a on ext_worker-a network physnet
switchport etor-GR_worker-a type l3gateway on ext_worker-a mac 02:42:ac:12:00:02 peer rtoe-GR_worker-a chassis 6f9c1e0a-2d1f-4a6b-9d5e-0c7f3a5b9e11 option l3gateway-chassis=6f9c1e0a-2d1f-4a6b-9d5e-0c7f3a5b9e11 nat "02:42:ac:12:00:02 192.0.2.11"
routerport rtoe-GR_worker-a type l3gateway on GR_worker-a mac "02:42:ac:12:00:02 192.0.2.11/24 2001:db8:2::11/64" peer etor-GR_worker-a chassis 6f9c1e0a-2d1f-4a6b-9d5e-0c7f3a5b9e11 option l3gateway-chassis=6f9c1e0a-2d1f-4a6b-9d5e-0c7f3a5b9e11 id gateway-physical-ip=yes
routerport rtos-worker-a on ovn_cluster_router mac "0a:58:0a:f4:01:01 10.244.1.1/24 fd00:10:244:2::1/64" peer stor-worker-a redirect cr-rtos-worker-a
gateway cr-rtos-worker-a on ovn_cluster_router mac "0a:58:0a:f4:01:01 10.244.1.1/24 fd00:10:244:2::1/64" of rtos-worker-a chassis 6f9c1e0a-2d1f-4a6b-9d5e-0c7f3a5b9e11 up
template 6f9c1e0a-2d1f-4a6b-9d5e-0c7f3a5b9e11 NODEIP_IPv4_0=192.0.2.11 NODEIP_IPv6_0=2001:db8:2::11
flows br-ex
node worker-a on 6f9c1e0a-2d1f-4a6b-9d5e-0c7f3a5b9e11 mode shared
