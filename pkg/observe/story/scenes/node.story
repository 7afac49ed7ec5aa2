# Four nodes, each with one provider bridge, and no network yet.
chassis cmp-1 cmp-2 gw-1 gw-2
mapping public:br-ex
bridge br-ex mac 3a:f7:e9:54:e8:4d
