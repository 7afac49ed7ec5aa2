{{- define "bgp-ovn.labels" -}}
app.kubernetes.io/name: bgp-ovn
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "bgp-ovn.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $_ := set $config "state" "/var/lib/bgp-ovn/state.db" -}}
{{- $_ := set $config "socket" "/run/bgp-ovn/control.sock" -}}
{{- $_ := set $config "ovsdb_connection" "unix:/run/openvswitch/db.sock" -}}
{{- $_ := set $config "ovs_rundir" "/run/openvswitch" -}}
{{- $_ := set $config.bgp "speaker" "unix:/run/bgp-ovn/speaker.sock" -}}
{{- if .Values.metrics.port }}
{{- $_ := set $config "metrics" (dict "listen" (printf ":%d" (int .Values.metrics.port))) -}}
{{- end }}
{{- toYaml $config -}}
{{- end }}
{{- /* Whether the controller reads the Kubernetes API with the service account of its pod. */ -}}
{{- define "bgp-ovn.api" -}}
{{- $config := .Values.config -}}
{{- if and (has "k8s_ovn_bgp_driver" (get $config "drivers" | default list)) (not (dig "kube" "kubeconfig" "" $config)) -}}
yes
{{- end -}}
{{- end }}
