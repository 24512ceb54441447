{{- /*
Names and labels. The full name is the release's where it says "pilotlight" already, so that two
installations in one cluster never share an object.
*/ -}}
{{- define "pilotlight.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "pilotlight.clusterName" -}}
{{- printf "%s-%s" (include "pilotlight.fullname" .) .Release.Namespace | trunc 55 | trimSuffix "-" -}}
{{- end -}}

{{- define "pilotlight.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: pilotlight
{{ include "pilotlight.selector" . }}
{{- end -}}

{{- define "pilotlight.selector" -}}
app.kubernetes.io/name: pilotlight
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "pilotlight.platformKeySecret" -}}
{{- .Values.platformKey.existingSecret | default (printf "%s-platform-key" (include "pilotlight.fullname" .)) -}}
{{- end -}}

{{- define "pilotlight.postgresqlSecret" -}}
{{- .Values.postgresql.existingSecret | default (printf "%s-postgresql" (include "pilotlight.fullname" .)) -}}
{{- end -}}

{{- define "pilotlight.postgresqlKey" -}}
{{- if .Values.postgresql.existingSecret -}}{{ .Values.postgresql.existingSecretKey }}{{- else -}}url{{- end -}}
{{- end -}}

{{- define "pilotlight.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "pilotlight.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- /*
Where a component's pods run, of a list of everything and the component's name. The platform's go
before functions' pods, which have no priority: those make room for it.
*/ -}}
{{- define "pilotlight.placement" -}}
{{- $root := first . -}}
{{- $component := last . -}}
{{- $own := get $root.Values $component -}}
{{- if or $own.priorityClassName $root.Values.platformPriority }}
priorityClassName: {{ $own.priorityClassName | default (include "pilotlight.clusterName" $root) }}
{{- end }}
{{- range $name := list "nodeSelector" "tolerations" "affinity" }}
{{- with get $own $name }}
{{ $name }}: {{ toJson . }}
{{- end }}
{{- end }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "pilotlight.selector" $root | nindent 8 }}
        app.kubernetes.io/component: {{ $component }}
  {{- end }}
{{- end -}}

{{- define "pilotlight.environment" -}}
{{- if has .Release.Namespace .Values.accounts -}}
{{- fail (printf "accounts: %s is the release's own namespace, whose Secrets are access keys and the platform key: give functions another one" .Release.Namespace) -}}
{{- end -}}
- {name: PILOTLIGHT_REGION, value: {{ .Values.region | quote }}}
- {name: PILOTLIGHT_NAMESPACES, value: {{ join "," .Values.accounts | quote }}}
- {name: PILOTLIGHT_RELEASE_NAMESPACE, value: {{ .Release.Namespace | quote }}}
- {name: PILOTLIGHT_LEASE_NAME, value: {{ include "pilotlight.fullname" . | quote }}}
- {name: PILOTLIGHT_CONCURRENCY_LIMIT, value: {{ .Values.concurrencyLimit | quote }}}
{{- /* Below the release's namespace are its Services, as pods of the cluster may name them. */}}
- {name: PILOTLIGHT_RESERVED_HOSTS, value: {{ append .Values.hosts.reserved (printf "*.%s" .Release.Namespace) | join "," | quote }}}
- {name: PILOTLIGHT_ACCOUNT_HOSTS, value: {{ toJson .Values.hosts.accounts | quote }}}
{{- /* An upgrade with --reuse-values has no values that came since. */}}
{{- $network := .Values.functions.network }}
{{- $blocked := concat $network.blocked $network.blockedIPv6 }}
{{- $walls := dict "blocked" $blocked "denyByDefault" $network.denyByDefault "grants" ($network.grants | default dict) "subnets" ($network.subnets | default dict) }}
- {name: PILOTLIGHT_WALLS, value: {{ toJson $walls | quote }}}
- {name: PILOTLIGHT_PLATFORM_KEY_FILE, value: /etc/pilotlight/platform-key/key}
- name: PILOTLIGHT_POSTGRESQL_URL
  valueFrom:
    secretKeyRef:
      name: {{ include "pilotlight.postgresqlSecret" . }}
      key: {{ include "pilotlight.postgresqlKey" . }}
{{- with .Values.aws.endpointUrl }}
- {name: PILOTLIGHT_AWS_ENDPOINT_URL, value: {{ . | quote }}}
{{- end }}
{{- with .Values.eventSources.private }}
- {name: PILOTLIGHT_PRIVATE_SOURCES, value: {{ join "," . | quote }}}
{{- end }}
{{- end -}}

{{- /*
Kubernetes changes no StatefulSet's storage. An upgrade that asks for it is refused here, before
anything of it is applied. `helm template` sees no cluster and refuses nothing.
*/ -}}
{{- define "pilotlight.checkStorage" -}}
{{- $name := printf "%s-postgresql" (include "pilotlight.fullname" .) -}}
{{- with lookup "apps/v1" "StatefulSet" .Release.Namespace $name -}}
{{- $there := "none" -}}
{{- range .spec.volumeClaimTemplates -}}
{{- $there = printf "%s of class %q" .spec.resources.requests.storage (.spec.storageClassName | default "") -}}
{{- end -}}
{{- $wanted := "none" -}}
{{- if $.Values.postgresql.persistent -}}
{{- $wanted = printf "%s of class %q" $.Values.postgresql.storage $.Values.postgresql.storageClassName -}}
{{- end -}}
{{- if ne $there $wanted -}}
{{- fail (printf "postgresql: the database has a persistent volume (%s), the values ask for another (%s), and Kubernetes changes no StatefulSet's storage. Keep postgresql.persistent, storage and storageClassName as they were; or back up, delete the StatefulSet %s, upgrade and restore (docs/backup.md)" $there $wanted $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Secrets and settings that are read once: their change restarts the pod. */ -}}
{{- define "pilotlight.checksums" -}}
checksum/settings: {{ toJson (list .Values.postgresql .Values.platformKey .Values.runtimes .Values.accounts .Values.hosts) | sha256sum }}
{{- end -}}

{{- /*
What functions may ask names of, a list of peers. Resolvers may run on the nodes, where no pod
selector finds them.
*/ -}}
{{- define "pilotlight.dnsPeers" -}}
{{- range .Values.functions.network.dns }}
- {{ toJson . }}
{{- end -}}
{{- range (lookup "v1" "Node" "" "").items -}}
{{- range .status.addresses -}}
{{- if eq .type "InternalIP" }}
- ipBlock: {cidr: {{ printf "%s/%s" .address (contains ":" .address | ternary "128" "32") }}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
