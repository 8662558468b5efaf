{{/* custody.yaml of one role: only what that role needs, so that it names no secret it does not have. */}}
{{- define "custody.config" -}}
{{- $values := .root.Values -}}
{{- $config := deepCopy $values.config -}}
{{- $_ := set $config "deployment" $values.deployment -}}
{{- $_ := set $config "log_level" $values.logLevel -}}
{{- $_ := set $config "data_dir" "/data" -}}
{{- $_ := set $config "sinks" list -}}
{{- if ne .role "migrate" -}}
{{- $_ := set $config "log" (include "custody.config.log" .root | fromYaml) -}}
{{- end -}}
{{- if has .role (list "ledger" "notary" "migrate") -}}
{{- $_ := set $config "store" (include "custody.config.store" . | fromYaml) -}}
{{- end -}}
{{- if eq .role "collector" -}}
{{- $_ := set $config "ingest" (include "custody.config.ingest" .root | fromYaml) -}}
{{- $_ := set $config "digest_key" (dict "file" "/etc/custody/secrets/digest/key") -}}
{{- end -}}
{{- if eq .role "notary" -}}
{{- $_ := set $config "verify_cron" $values.notary.verifyCron -}}
{{- $notary := dict "anchors" $values.notary.anchors "anchors_required" (int $values.notary.anchorsRequired) -}}
{{- if $values.notary.signingKey.existingSecret -}}
{{- $_ := set $notary "key" (dict "file" "/etc/custody/secrets/notary/key") -}}
{{- end -}}
{{- $_ := set $config "notary" $notary -}}
{{- end -}}
{{- if eq .role "sink" -}}
{{- $_ := set $config "sinks" $values.sinks -}}
{{- end -}}
{{- if not (has .role (list "migrate" "topics")) -}}
{{- $listener := dict "host" "0.0.0.0" "port" 8470 "dangerously_without_tls" true -}}
{{- $_ := set $config "admin" (dict "listener" $listener "tokens" (list (dict "file" "/etc/custody/secrets/admin/token"))) -}}
{{- end -}}
{{- $_ := set $config "sql" (dict "listener" (dict "enabled" false)) -}}
{{- toYaml $config -}}
{{- end -}}

{{- define "custody.config.log" -}}
{{- with .Values.kafka -}}
type: kafka
brokers: {{ toJson .brokers }}
partitions: {{ int .partitions }}
replication_factor: {{ int .replicationFactor }}
retention_hours: {{ int .retentionHours }}
create_topics: {{ not $.Values.topics.enabled }}
{{- if .tls.enabled }}
{{- if .tls.caSecret }}
tls: { ca_file: /etc/custody/secrets/kafka-ca/ca.crt }
{{- else }}
tls: {}
{{- end }}
{{- else }}
dangerously_without_tls: true
{{- end }}
{{- if .sasl.enabled }}
sasl:
  mechanism: {{ .sasl.mechanism }}
  username: {{ .sasl.username | quote }}
  password: { file: /etc/custody/secrets/kafka/password }
{{- end }}
{{- end -}}
{{- end -}}

{{- define "custody.config.store" -}}
{{- $user := include "custody.storeUser" . | fromYaml -}}
{{- with .root.Values.clickhouse -}}
type: clickhouse
url: {{ .url | quote }}
username: {{ $user.username | quote }}
password: { file: /etc/custody/secrets/clickhouse/password }
{{- if hasPrefix "http://" .url }}
dangerously_without_tls: true
{{- end }}
{{- if .cluster }}
cluster: {{ .cluster | quote }}
{{- end }}
{{- if .caSecret }}
ca_file: /etc/custody/secrets/clickhouse-ca/ca.crt
{{- end }}
{{- end -}}
{{- end -}}

{{- define "custody.config.ingest" -}}
{{- $ingest := deepCopy .Values.ingest.config -}}
{{- $listener := dict "host" "0.0.0.0" -}}
{{- if .Values.ingest.tls.existingSecret -}}
{{- $_ := set $listener "tls" (dict "cert_file" "/etc/custody/secrets/ingest-tls/tls.crt" "key_file" "/etc/custody/secrets/ingest-tls/tls.key") -}}
{{- else if .Values.ingest.tls.insecure -}}
{{- $_ := set $listener "dangerously_without_tls" true -}}
{{- else -}}
{{- fail "ingest.tls: name a Secret with existingSecret, or say insecure: true behind a proxy that ends TLS" -}}
{{- end -}}
{{- $_ := set $ingest "http" (mergeOverwrite (dict "port" 4318) $listener) -}}
{{- $_ := set $ingest "grpc" (mergeOverwrite (dict "port" 4317) $listener) -}}
{{- $tokens := list -}}
{{- range $index, $token := .Values.ingest.tokens.keys -}}
{{- $entry := dict "file" (printf "/etc/custody/secrets/ingest-tokens/%s" $token.key) -}}
{{- if $token.tenant -}}{{- $_ := set $entry "tenant" $token.tenant -}}{{- end -}}
{{- $tokens = append $tokens $entry -}}
{{- end -}}
{{- $_ := set $ingest "tokens" $tokens -}}
{{- toYaml $ingest -}}
{{- end -}}
