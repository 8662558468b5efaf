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
{{- with include "custody.config.subjects" .root | fromYaml -}}
{{- $_ := set $config "subjects" . -}}
{{- end -}}
{{- end -}}
{{- if eq .role "notary" -}}
{{- $_ := set $config "verify_cron" $values.notary.verifyCron -}}
{{- $anchors := dict "anchors" $values.notary.anchors "anchors_required" (int $values.notary.anchorsRequired) -}}
{{- $notary := mergeOverwrite (dict) ($config.notary | default dict) $anchors -}}
{{- if $values.notary.signingKey.existingSecret -}}
{{- $_ := set $notary "key" (dict "file" "/etc/custody/secrets/notary/key") -}}
{{- end -}}
{{- $_ := set $config "notary" $notary -}}
{{- $_ := set $config "retention" (include "custody.config.retention" .root | fromYaml) -}}
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

{{/* What removes is told only to the notary, which announces and signs what goes. */}}
{{- define "custody.config.retention" -}}
{{- with .Values.retention -}}
enabled: {{ .enabled }}
{{- if .enabled }}
days: {{ int .days }}
minimum_days: {{ int .minimumDays }}
cron: {{ .cron | quote }}
username: {{ .username | quote }}
password: { file: /etc/custody/secrets/clickhouse-retention/password }
{{- end }}
{{- end -}}
{{- end -}}

{{- define "custody.config.subjects" -}}
{{- if .Values.subjects.enabled -}}
{{- $kek := dict "file" "/etc/custody/secrets/subjects/kek" -}}
{{- $subjects := merge (dict "enabled" true "directory" "/keys" "kek" $kek) .Values.subjects.config -}}
{{- toYaml $subjects -}}
{{- end -}}
{{- end -}}

{{/* Values that contradict each other; the schema sees one at a time. */}}
{{- define "custody.checkValues" -}}
{{- range $key := list "retention" "subjects" -}}
{{- if hasKey $.Values.config $key -}}
{{- fail (printf "config.%s: say it in %s of these values, which decide" $key $key) -}}
{{- end -}}
{{- end -}}
{{- with .Values.retention -}}
{{- if and .enabled (not $.Values.notary.enabled) -}}
{{- fail "retention.enabled: the notary announces and removes what goes, and notary.enabled is false" -}}
{{- end -}}
{{- if and .enabled (lt (int .days) (int .minimumDays)) -}}
{{- fail (printf "retention.days: %d is below retention.minimumDays (%d)" (int .days) (int .minimumDays)) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.subjects.enabled (not .Values.subjects.existingClaim) -}}
{{- fail "subjects.existingClaim: name a ReadWriteMany volume claim for the keys, which must outlive the pods, or leave subjects.enabled false" -}}
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
