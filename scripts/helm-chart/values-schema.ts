import { environmentVariables, type EnvironmentVariable } from '../../lib/config/environment.js'
import { tenantSchema } from '../../lib/tenants/tenants-file-schema.js'

type Schema = Record<string, unknown>

/**
 * JSON Schema (draft 7, which every Helm 3 reads) of the chart's values. Variables and tenants come from the gateway's
 * own tables. Nothing that is not named here is allowed, so that a typo is an error.
 */
export function valuesSchema (): Schema {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Values of the chart mics',
    ...only({
      // Helm sets it for charts that are part of others.
      global: object,
      nameOverride: text,
      fullnameOverride: text,
      image: only({ repository: name, tag: text, digest: text, pullPolicy: choice('Always', 'IfNotPresent', 'Never') }),
      imagePullSecrets: listOf(only({ name })),
      replicaCount: integer(0),
      config: only(variables(({ secret }) => !secret)),
      secrets: only(variables(({ secret }) => secret)),
      existingSecret: text,
      tenants: { type: 'object', propertyNames: tenantId, additionalProperties: portable(tenantSchema) },
      tenantsSecret: only({ existing: text, key: name }),
      heapMiB: integer(64),
      resources: object,
      extraEnv: listOf({ ...object, required: ['name'] }),
      extraVolumes: listOf({ ...object, required: ['name'] }),
      extraVolumeMounts: listOf({ ...object, required: ['name', 'mountPath'] }),
      probes: only({ readiness: probe, liveness: probe, startup: probe }),
      strategy: object,
      minReadySeconds: { type: ['integer', 'null'], minimum: 0 },
      serviceAccount: only({ create: boolean, name: text, annotations: texts }),
      service: only({ type: choice('ClusterIP', 'NodePort', 'LoadBalancer'), port: port(), annotations: texts }),
      ingress: only({ enabled: boolean, className: name, host: text, tlsSecret: text, annotations: texts }),
      httpRoute: only({
        enabled: boolean,
        parentRefs: listOf({ ...object, required: ['name'] }),
        hostnames: listOf(name),
        annotations: texts,
        weight: integer(0, 1_000_000),
        otherBackends: listOf({ ...object, required: ['name', 'port', 'weight'] }),
      }),
      networkPolicy: only({
        enabled: boolean,
        otherReleases: listOf(name),
        clientsFrom: listOf(object),
        metricsNamespace: text,
        egress: listOf(object),
      }),
      autoscaling: only({
        enabled: boolean,
        minReplicas: integer(1),
        maxReplicas: integer(1),
        cpuPercent: integer(0),
        connectionsPerPod: integer(0),
        scaleDownSeconds: integer(1, 1800),
      }),
      podDisruptionBudget: only({
        enabled: boolean, maxUnavailable: { anyOf: [integer(0), { type: 'string', pattern: '^[0-9]+%$' }] },
      }),
      topologySpread: only({ zone: spread, host: spread }),
      podAnnotations: texts,
      podLabels: texts,
      nodeSelector: texts,
      tolerations: listOf(object),
      affinity: object,
      priorityClassName: text,
      podSecurityContext: object,
      securityContext: object,
      serviceMonitor: only({ enabled: boolean, interval: { type: 'string', pattern: '^([0-9]+(ms|s|m|h))+$' }, labels: texts }),
      prometheusRule: only({ enabled: boolean, labels: texts, runbookUrl: text }),
      dashboard: only({ enabled: boolean, labels: texts }),
      dev: only({
        redis: only({ enabled: boolean, image: name }),
        kafka: only({ enabled: boolean, image: name }),
        hooks: only({ enabled: boolean, secret: name }),
      }),
    }),
  }
}

const text: Schema = { type: 'string' }
const name: Schema = { type: 'string', minLength: 1 }
const boolean: Schema = { type: 'boolean' }
const object: Schema = { type: 'object' }
const texts: Schema = { type: 'object', additionalProperties: text }
const spread = choice('ScheduleAnyway', 'DoNotSchedule', '')
const probe = only({
  initialDelaySeconds: integer(0),
  periodSeconds: integer(1),
  timeoutSeconds: integer(1),
  successThreshold: integer(1),
  failureThreshold: integer(1),
})

/** As in lib/tenants/tenant-id.ts, without what Go's regular expressions lack. */
const tenantId: Schema = { pattern: '^[^\\s\\p{Cc}]([^\\p{Cc}]*[^\\s\\p{Cc}])?$', maxLength: 128 }

/** Values that are not the same in all pods, or that Kubernetes needs to know as well. */
const ownInKubernetes: Record<string, Schema> = {
  NODE_ID: { type: 'string', pattern: '\\$\\(POD_NAME\\)' },
  PUBLIC_ENDPOINT: { type: 'string', pattern: '^https?://.*\\$\\(POD_(IP|NAME)\\)' },
  PORT: port(),
  NODE_PORT: port(),
  // Their ports and memory would be others than the chart's: more pods do the same.
  WORKERS: choice('1'),
}

function variables (wanted: (variable: EnvironmentVariable) => boolean): Record<string, Schema> {
  return Object.fromEntries(environmentVariables.filter(wanted).map(variable =>
    [variable.name, { description: variable.help, ...ownInKubernetes[variable.name] ?? schemaOf(variable) }]))
}

function schemaOf (variable: EnvironmentVariable): Schema {
  switch (variable.type) {
    case 'integer': return integer(variable.min, variable.max)
    case 'boolean': return boolean
    case 'choice': return choice(...variable.choices)
    case 'text': return name
    case 'tenant-map': return { type: ['object', 'string'] }
  }
}

/** Without the formats that only the gateway knows. */
function portable (schema: object): Schema {
  return JSON.parse(JSON.stringify(schema), (_key, value) =>
    value?.format === 'hook-url' ? { type: 'string', pattern: '^https?://' } : value)
}

function only (properties: Record<string, Schema>): Schema {
  return { type: 'object', additionalProperties: false, properties }
}

function listOf (items: Schema): Schema {
  return { type: 'array', items }
}

function choice (...values: string[]): Schema {
  return { enum: values }
}

function port (): Schema {
  return integer(1, 65_535)
}

function integer (minimum: number, maximum?: number): Schema {
  return { type: 'integer', minimum, ...maximum === undefined ? {} : { maximum } }
}
