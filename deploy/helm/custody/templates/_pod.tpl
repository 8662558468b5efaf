{{- define "custody.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "custody.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: { drop: [ALL] }
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{/* Volumes of one role: its configuration, its secrets and no others, and the places that may be written. */}}
{{- define "custody.volumes" -}}
{{- $values := .root.Values -}}
- name: config
  configMap: { name: {{ include "custody.fullname" .root }}-{{ .role }} }
- name: data
{{- if eq .role "notary" }}
  persistentVolumeClaim: { claimName: {{ $values.notary.persistence.existingClaim | default (printf "%s-notary" (include "custody.fullname" .root)) }} }
{{- else }}
  emptyDir: { sizeLimit: 1Gi }
{{- end }}
- name: tmp
  emptyDir: { sizeLimit: 256Mi }
{{- if and (eq .role "collector") $values.subjects.enabled }}
- name: keys
  persistentVolumeClaim: { claimName: {{ $values.subjects.existingClaim }} }
{{- end }}
- name: secrets
  projected:
    # r--r-----
    defaultMode: 288
    sources:
{{- if and (ne .role "migrate") $values.kafka.sasl.enabled }}
      - secret:
          name: {{ $values.kafka.sasl.existingSecret }}
          items: [{ key: {{ $values.kafka.sasl.passwordKey }}, path: kafka/password }]
{{- end }}
{{- if and (ne .role "migrate") $values.kafka.tls.enabled $values.kafka.tls.caSecret }}
      - secret:
          name: {{ $values.kafka.tls.caSecret }}
          items: [{ key: ca.crt, path: kafka-ca/ca.crt }]
{{- end }}
{{- if has .role (list "ledger" "notary" "migrate") }}
{{- $user := include "custody.storeUser" . | fromYaml }}
      - secret:
          name: {{ $user.existingSecret }}
          items: [{ key: {{ $user.passwordKey }}, path: clickhouse/password }]
{{- if $values.clickhouse.caSecret }}
      - secret:
          name: {{ $values.clickhouse.caSecret }}
          items: [{ key: ca.crt, path: clickhouse-ca/ca.crt }]
{{- end }}
{{- end }}
{{- if and (eq .role "notary") $values.notary.signingKey.existingSecret }}
      - secret:
          name: {{ $values.notary.signingKey.existingSecret }}
          items: [{ key: {{ $values.notary.signingKey.key }}, path: notary/key }]
{{- end }}
{{- if and (eq .role "notary") $values.retention.enabled }}
      - secret:
          name: {{ $values.retention.existingSecret }}
          items: [{ key: {{ $values.retention.passwordKey }}, path: clickhouse-retention/password }]
{{- end }}
{{- if and (eq .role "collector") $values.subjects.enabled }}
      - secret:
          name: {{ $values.subjects.kek.existingSecret }}
          items: [{ key: {{ $values.subjects.kek.key }}, path: subjects/kek }]
{{- end }}
{{- if eq .role "collector" }}
      - secret:
          name: {{ $values.digestKey.existingSecret }}
          items: [{ key: {{ $values.digestKey.key }}, path: digest/key }]
      - secret:
          name: {{ $values.ingest.tokens.existingSecret }}
          items:
{{- range $values.ingest.tokens.keys }}
            - { key: {{ .key }}, path: ingest-tokens/{{ .key }} }
{{- end }}
{{- if $values.ingest.tls.existingSecret }}
      - secret:
          name: {{ $values.ingest.tls.existingSecret }}
          items: [{ key: tls.crt, path: ingest-tls/tls.crt }, { key: tls.key, path: ingest-tls/tls.key }]
{{- end }}
{{- end }}
{{- if not (has .role (list "migrate" "topics")) }}
      - secret:
          name: {{ $values.admin.token.existingSecret }}
          items: [{ key: {{ $values.admin.token.key }}, path: admin/token }]
{{- end }}
{{- end -}}

{{- define "custody.volumeMounts" -}}
- { name: config, mountPath: /etc/custody/config, readOnly: true }
- { name: secrets, mountPath: /etc/custody/secrets, readOnly: true }
- { name: data, mountPath: /data }
- { name: tmp, mountPath: /tmp }
{{- if and (eq .role "collector") .root.Values.subjects.enabled }}
- { name: keys, mountPath: /keys }
{{- end }}
{{- end -}}
