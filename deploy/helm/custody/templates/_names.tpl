{{- define "custody.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "custody.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end -}}

{{- define "custody.labels" -}}
{{ include "custody.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "custody.image" -}}
{{- with .Values.image -}}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) -}}{{- with .digest -}}@{{ . }}{{- end -}}
{{- end -}}
{{- end -}}

{{/* The roles that run: no deliveries without sinks, and no notary where another one verifies. */}}
{{- define "custody.roles" -}}
{{- $roles := list "collector" "detect" "ledger" -}}
{{- if .Values.sinks -}}{{- $roles = append $roles "sink" -}}{{- end -}}
{{- if .Values.notary.enabled -}}{{- $roles = append $roles "notary" -}}{{- end -}}
{{- toYaml $roles -}}
{{- end -}}

{{/* Who a role is in ClickHouse: each has a user of its own. */}}
{{- define "custody.storeUser" -}}
{{- index .root.Values.clickhouse (get (dict "ledger" "writer" "notary" "notary" "migrate" "migrator") .role) | toYaml -}}
{{- end -}}

{{- define "custody.serviceAccount" -}}
{{- default (include "custody.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}
