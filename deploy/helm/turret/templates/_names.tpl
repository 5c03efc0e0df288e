{{- define "turret.roles" -}}
{{ ternary "all" "collector api pipeline" (eq .Values.mode "all") }}
{{- end }}

{{- define "turret.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "turret.selector" -}}
app.kubernetes.io/name: turret
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "turret.labels" -}}
{{ include "turret.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "turret.secret" -}}
{{ .Values.existingSecret | default .Release.Name }}
{{- end }}

{{- define "turret.hasSecret" -}}
{{ if or .Values.existingSecret .Values.database.url }}yes{{ end }}
{{- end }}

{{- /* What cannot run is refused here, before it is installed. */ -}}
{{- define "turret.check" -}}
{{- if eq .Values.mode "split" }}
{{- if not (include "turret.hasSecret" .) }}
{{- fail "mode split needs database.url, or existingSecret with TURRET_DATABASE_URL: the embedded database serves one pod" }}
{{- end }}
{{- if not .Values.lake.url }}
{{- fail "mode split needs lake.url (s3://bucket/prefix), which all pods share" }}
{{- end }}
{{- end }}
{{- end }}
