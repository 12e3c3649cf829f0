{{- define "mics.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{/* At most 50 characters: the longest suffix still makes a legal name of a Service. */}}
{{- define "mics.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "mics.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "mics.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* What selects every pod of this release, whatever it is. Never changed: selectors of a Deployment cannot be. */}}
{{- define "mics.releaseLabels" -}}
app.kubernetes.io/name: {{ include "mics.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* What selects the gateways alone. */}}
{{- define "mics.selectorLabels" -}}
{{ include "mics.releaseLabels" . }}
app.kubernetes.io/component: gateway
{{- end }}

{{/* NetworkPolicy peers: the gateways of this release, and of those that belong to the same cluster. */}}
{{- define "mics.nodePeers" -}}
- podSelector:
    matchLabels:
      {{- include "mics.selectorLabels" . | nindent 6 }}
{{- range .Values.networkPolicy.otherReleases }}
- podSelector:
    matchLabels:
      app.kubernetes.io/instance: {{ . }}
      app.kubernetes.io/component: gateway
{{- end }}
{{- end }}

{{- define "mics.commonLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "mics.labels" -}}
{{ include "mics.selectorLabels" . }}
{{ include "mics.commonLabels" . }}
{{- end }}

{{- define "mics.image" -}}
{{- with .Values.image }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "mics.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "mics.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{/* A variable of the gateway as text. YAML's numbers are floats here: 67108864 must not become 6.7108864e+07. */}}
{{- define "mics.text" -}}
{{- if kindIs "float64" . }}{{ int64 . }}{{ else if kindIs "map" . }}{{ toJson . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{/* Call with (list $ name default): what the gateway takes a number to be. 0 is a value. */}}
{{- define "mics.number" -}}
{{- $config := (index . 0).Values.config }}
{{- $name := index . 1 }}
{{- if hasKey $config $name }}{{ int64 (index $config $name) }}{{ else }}{{ index . 2 }}{{ end }}
{{- end }}

{{- define "mics.port" -}}
{{- include "mics.number" (list . "PORT" 8080) }}
{{- end }}

{{- define "mics.nodePort" -}}
{{- include "mics.number" (list . "NODE_PORT" 8081) }}
{{- end }}

{{/*
What docs/operations.md says to give a process that stops, after which it is late, and 120 seconds more: without them the
kubelet would kill it before Prometheus has seen that, and MicsDrainStuck could never fire.
*/}}
{{- define "mics.terminationGracePeriodSeconds" -}}
{{- $delay := include "mics.number" (list . "DRAIN_DELAY_SECONDS" 0) }}
{{- $drain := include "mics.number" (list . "DRAIN_TIMEOUT_SECONDS" 10) }}
{{- $flush := include "mics.number" (list . "KAFKA_FLUSH_SECONDS" 5) }}
{{- add $delay $drain $flush 10 120 }}
{{- end }}

{{/* A Deployment does not wait for pods that end, only for those that begin. */}}
{{- define "mics.minReadySeconds" -}}
{{- if kindIs "invalid" .Values.minReadySeconds }}
{{- add (include "mics.number" (list . "DRAIN_DELAY_SECONDS" 0)) (include "mics.number" (list . "DRAIN_TIMEOUT_SECONDS" 10)) }}
{{- else }}
{{- int64 .Values.minReadySeconds }}
{{- end }}
{{- end }}

{{/* Non-empty where the chart mounts the tenants file. */}}
{{- define "mics.mountsTenants" -}}
{{- if not (or .Values.config.TENANTS_FILE .Values.config.TENANT_AUTH_MAP) }}yes{{ end }}
{{- end }}

{{- define "mics.tenantsSecretName" -}}
{{- .Values.tenantsSecret.existing | default (printf "%s-tenants" (include "mics.fullname" .)) }}
{{- end }}

{{/* The variables that the chart knows to be set, beside those of an existing Secret. */}}
{{- define "mics.secretVariables" -}}
{{- $variables := dict }}
{{- if .Values.dev.redis.enabled }}
{{- $_ := set $variables "REDIS_URL" (printf "redis://%s-redis:6379" (include "mics.fullname" .)) }}
{{- end }}
{{- toYaml (merge (deepCopy .Values.secrets) $variables) }}
{{- end }}

{{- define "mics.configVariables" -}}
{{- $variables := dict }}
{{- if .Values.dev.kafka.enabled }}
{{- $_ := set $variables "KAFKA_BROKERS" (printf "%s-kafka:9092" (include "mics.fullname" .)) }}
{{- $_ := set $variables "KAFKA_CREATE_TOPICS" true }}
{{- end }}
{{- if include "mics.mountsTenants" . }}
{{- $_ := set $variables "TENANTS_FILE" (printf "/etc/mics/tenants/%s" .Values.tenantsSecret.key) }}
{{- end }}
{{- toYaml (merge (deepCopy .Values.config) $variables) }}
{{- end }}

{{/* What would start and not work, said before anything is installed. */}}
{{- define "mics.check" -}}
{{- $secrets := include "mics.secretVariables" . | fromYaml }}
{{- $redis := or $secrets.REDIS_URL (index $secrets "REDIS__CONNECTION") }}
{{- if not .Values.existingSecret }}
{{- if and $redis (not $secrets.CLUSTER_GRPC_TOKEN) }}
{{- fail "secrets.CLUSTER_GRPC_TOKEN is missing: gateways that share a Redis show it to each other. Set it to a long random text, or have it in existingSecret." }}
{{- end }}
{{- $most := ternary .Values.autoscaling.maxReplicas .Values.replicaCount .Values.autoscaling.enabled | int }}
{{- if and (gt $most 1) (not $redis) }}
{{- fail "secrets.REDIS_URL is missing: without Redis several gateways do not reach each other's clients. Set it, have it in existingSecret, or set replicaCount to 1 and autoscaling.enabled to false." }}
{{- end }}
{{- end }}
{{- if not (include "mics.mountsTenants" .) }}
{{- if or .Values.tenants .Values.tenantsSecret.existing }}
{{- fail "tenants or tenantsSecret.existing is set beside config.TENANTS_FILE or config.TENANT_AUTH_MAP: name the tenants in one place." }}
{{- end }}
{{- else if and .Values.tenants .Values.tenantsSecret.existing }}
{{- fail "tenants and tenantsSecret.existing are both set: name the tenants in one place." }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) }}
{{- fail "ingress.host is missing: the name under which clients reach the gateway." }}
{{- end }}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}
{{- fail "httpRoute.parentRefs is missing: the Gateway that the route belongs to." }}
{{- end }}
{{- if and .Values.autoscaling.enabled (not .Values.autoscaling.cpuPercent) (not .Values.autoscaling.connectionsPerPod) }}
{{- fail "autoscaling.cpuPercent and autoscaling.connectionsPerPod are both 0: set one, or set autoscaling.enabled to false." }}
{{- end }}
{{- end }}
