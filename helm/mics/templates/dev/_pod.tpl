{{/* Call with (list $ component): the labels that select it. */}}
{{- define "mics.dev.selectorLabels" -}}
{{ include "mics.releaseLabels" (index . 0) }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Call with (list $ component port): a Service for it. */}}
{{- define "mics.dev.service" -}}
{{- $root := index . 0 }}
{{- $component := index . 1 }}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "mics.fullname" $root }}-{{ $component }}
  labels:
    {{- include "mics.dev.selectorLabels" . | nindent 4 }}
    {{- include "mics.commonLabels" $root | nindent 4 }}
spec:
  selector:
    {{- include "mics.dev.selectorLabels" . | nindent 4 }}
  ports:
    - {name: main, port: {{ index . 2 }}, targetPort: main}
{{- end }}

{{/* Call with (list $ component): a Deployment up to the pod's own spec. */}}
{{- define "mics.dev.deployment" -}}
{{- $root := index . 0 }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "mics.fullname" $root }}-{{ index . 1 }}
  labels:
    {{- include "mics.dev.selectorLabels" . | nindent 4 }}
    {{- include "mics.commonLabels" $root | nindent 4 }}
spec:
  replicas: 1
  strategy: {type: Recreate}
  selector:
    matchLabels:
      {{- include "mics.dev.selectorLabels" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "mics.dev.selectorLabels" . | nindent 8 }}
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
{{- end }}
