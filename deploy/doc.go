// Package deploy is what goes beside bgp-ovn: rules and alerts for Prometheus, and a
// dashboard for Grafana. There is no code here but tests.
package deploy
