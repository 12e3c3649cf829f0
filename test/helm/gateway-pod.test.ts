import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { environmentVariable } from '../../lib/config/environment.js'
import { loadConfig } from '../../lib/config/load-config.js'
import { parseTenantsFile } from '../../lib/tenants/tenants-file.js'
import { alertGroups } from '../helpers/alert-rules.js'
import { startGateway } from '../helpers/gateway.js'
import {
  decoded, exampleNames, gatewayEnvironment, gatewayPod, objectOf, render, someValues, type KubernetesObject,
} from '../helpers/helm.js'
import { readDocument } from '../helpers/markdown.js'

/** What the Secrets that production.yaml asks for hold, by its own words. */
const secretsOfOthers = {
  REDIS_URL: 'redis-sentinel://:password@a:26379,b:26379,c:26379#main',
  CLUSTER_GRPC_TOKEN: 'a-long-random-text',
  KAFKA_SASL_PASSWORD: 'password',
}

for (const example of exampleNames) {
  t.test(`a gateway starts with the environment that ${example}.yaml gives it`, async t => {
    const objects = render({ examples: [example] })
    const others = example === 'production' ? secretsOfOthers : {}
    const config = loadConfig({ ...gatewayEnvironment(objects), ...others })
    t.match(config, {
      nodeId: 'mics-7d4b9c-abcde', publicEndpoint: 'http://10.1.2.3:8081', tenantsFile: '/etc/mics/tenants/tenants.yaml',
    })
    t.not(config.redisUrl, '')
    t.not(config.kafkaBrokers, '')
  })

  t.test(`the grace period of ${example}.yaml lets its gateway stop, or MicsDrainStuck say that it does not`, async t => {
    const objects = render({ examples: [example] })
    const { drainDelaySeconds, drainTimeoutSeconds, kafkaFlushSeconds } =
      loadConfig({ ...gatewayEnvironment(objects), ...example === 'production' ? secretsOfOthers : {} })
    const { terminationGracePeriodSeconds, containers: [{ lifecycle }] } = gatewayPod(objects)
    const stopLimit = drainDelaySeconds + drainTimeoutSeconds + kafkaFlushSeconds + 10
    t.equal(terminationGracePeriodSeconds, stopLimit + 120)
    t.ok(terminationGracePeriodSeconds >= stopLimit + secondsUntilDrainStuckFires(objects))
    t.equal(lifecycle, undefined, 'a hook that slept would take from it')
  })
}

t.test('where the values set none of them, the grace period goes by the defaults of the gateway; 0 is 0', async t => {
  const names = ['DRAIN_DELAY_SECONDS', 'DRAIN_TIMEOUT_SECONDS', 'KAFKA_FLUSH_SECONDS']
  const graceWith = (value: number | null, which = names): number => gatewayPod(render({
    values: { ...someValues, config: Object.fromEntries(which.map(name => [name, value])) },
  })).terminationGracePeriodSeconds
  const defaults = names.map(name => Number(loadDefault(name)))
  // To Helm null takes away what values.yaml sets.
  t.equal(graceWith(null, names.slice(0, 2)), defaults.reduce((sum, seconds) => sum + seconds, 10 + 120))
  t.equal(graceWith(0), 130)
  t.equal(graceWith(200), 730)
})

t.test('operations.md asks for the same grace period', async t => {
  const text = readDocument('docs/operations.md').replace(/\s+/g, ' ')
  t.match(text,
    'Give the process `DRAIN_DELAY_SECONDS`, `DRAIN_TIMEOUT_SECONDS`, `KAFKA_FLUSH_SECONDS` where it publishes events, and 10 seconds more')
  t.match(text, 'The chart gives it 120 seconds on top')
})

t.test('the probes ask a gateway for what it answers, on the port that it listens on', async t => {
  const objects = render({ values: { ...someValues, config: { PORT: 9000, NODE_PORT: 9001 } } })
  const [{ ports, ...container }] = gatewayPod(objects).containers
  const config = loadConfig({ ...gatewayEnvironment(objects) })
  t.strictSame(ports, [{ name: 'http', containerPort: config.port }, { name: 'node', containerPort: config.nodePort }])
  t.equal(config.publicEndpoint, 'http://10.1.2.3:9001')

  const { server, url } = await startGateway(t)
  const asked = async (): Promise<number[]> => await Promise.all(['startup', 'liveness', 'readiness'].map(async kind => {
    const { path, port } = container[`${kind}Probe`].httpGet
    t.equal(port, 'http')
    return (await fetch(new URL(path, url))).status
  }))
  t.strictSame(await asked(), [200, 200, 200])
  const paths = ['startup', 'liveness', 'readiness'].map(kind => container[`${kind}Probe`].httpGet.path)
  t.strictSame(paths, ['/healthz', '/healthz', '/readyz'])
  t.equal(server.app.lifecycle.state, 'ready')
})

t.test('a start may take the 8 seconds that it waits for Redis', async t => {
  const { periodSeconds, failureThreshold } = gatewayPod(render({ values: someValues })).containers[0].startupProbe
  t.ok(periodSeconds * failureThreshold > 2 * 8)
})

t.test('the environment carries large numbers, lists of tenants and text as they are', async t => {
  const config = loadConfig(gatewayEnvironment(render({
    values: {
      secrets: { ...someValues.secrets, TENANT_HOOK_SECRETS: { acme: 'a "secret": $(POD_IP) {{ x }}' } },
      config: {
        MAX_MESSAGE_BYTES: 67108864,
        OFFLINE_BUFFER_MAX_BYTES: 1099511627776,
        WS_KEEPALIVE_INTERVAL_SECONDS: 0,
        ADMIT_WITHOUT_REDIS: false,
        TENANT_AUTH_MAP: { acme: 'http://hooks.acme.example:8081' },
        NODE_ID: 'eu-$(POD_NAME)',
        PUBLIC_ENDPOINT: 'http://[fd00::1]:8081/$(POD_NAME)',
      },
    },
  })))
  t.match(config, {
    maxMessageBytes: 67108864,
    offlineBufferMaxBytes: 1099511627776,
    wsKeepaliveIntervalSeconds: 0,
    admitWithoutRedis: false,
    nodeId: 'eu-mics-7d4b9c-abcde',
    publicEndpoint: 'http://[fd00::1]:8081/mics-7d4b9c-abcde',
    tenants: [{ id: 'acme', authUrl: 'http://hooks.acme.example:8081', secret: 'a "secret": $(POD_IP) {{ x }}' }],
  })
})

t.test('tenants become the file that the gateway reads, in a folder that follows its changes', async t => {
  const oddId = '中文 "id": #1'
  const tenants = {
    acme: { authUrl: 'http://h:1', secret: 'yes', caps: { tenantMaxConnections: 2147483647 } },
    [oddId]: { authUrl: 'https://h/2', secret: '0123', defaults: { checkMessageFailClosed: true } },
  }
  const objects = render({ values: { ...someValues, tenants } })
  const { 'tenants.yaml': file } = decoded(objectOf(objects, 'Secret', 'mics-tenants'))
  const parsed = parseTenantsFile('tenants.yaml', Buffer.from(file))
  t.match(parsed.find(({ id }) => id === 'acme'), tenants.acme)
  t.match(parsed.find(({ id }) => id === oddId), tenants[oddId])

  const { volumes, containers: [{ volumeMounts }] } = gatewayPod(objects)
  t.match(volumes, [{}, { name: 'tenants', secret: { secretName: 'mics-tenants' } }])
  const mount = volumeMounts.find(({ name }: { name: string }) => name === 'tenants')
  t.strictSame(mount, { name: 'tenants', mountPath: '/etc/mics/tenants', readOnly: true }, 'no subPath, which never changes')
  t.equal(gatewayEnvironment(objects).TENANTS_FILE, `${mount.mountPath}/tenants.yaml`)
})

t.test('a change of tenants restarts no pod; a change of the environment does', async t => {
  const template = (values: object): unknown =>
    objectOf(render({ values: { ...someValues, ...values } }), 'Deployment').spec.template
  const before = template({})
  t.strictSame(template({ tenants: { acme: { authUrl: 'http://h' } } }), before)
  t.notSame(template({ config: { LOG_LEVEL: 'warn' } }), before)
  t.notSame(template({ secrets: { ...someValues.secrets, CLUSTER_GRPC_TOKEN: 'other' } }), before)
})

t.test('without tenants the file lists none, which the gateway takes', async t => {
  const { 'tenants.yaml': file } = decoded(objectOf(render({ values: someValues }), 'Secret', 'mics-tenants'))
  t.strictSame(parseTenantsFile('tenants.yaml', Buffer.from(file)), [])
})

t.test('Secrets of others are used, and none is made for what they hold', async t => {
  const objects = render({ values: { existingSecret: 'env', tenantsSecret: { existing: 'file', key: 'all.json' } } })
  t.strictSame(objects.filter(({ kind }) => kind === 'Secret'), [])
  const { volumes, containers: [{ envFrom }] } = gatewayPod(objects)
  t.match(envFrom, [{ configMapRef: { name: 'mics' } }, { secretRef: { name: 'env' } }])
  t.match(volumes, [{}, { secret: { secretName: 'file' } }])
  t.equal(gatewayEnvironment(objects).TENANTS_FILE, '/etc/mics/tenants/all.json')
})

t.test('the variables of a Secret of others stand above those of the chart', async t => {
  const { envFrom } = gatewayPod(render({ values: { ...someValues, existingSecret: 'env' } })).containers[0]
  t.strictSame(envFrom.at(-1), { secretRef: { name: 'env' } }, 'Kubernetes takes the last')
})

t.test('no pod of ours is root, may become it, writes to its image or talks to Kubernetes', async t => {
  for (const example of exampleNames) {
    for (const { kind, metadata, spec } of render({ examples: [example] })) {
      const pod = kind === 'Pod' ? spec : kind === 'Deployment' ? spec.template.spec : undefined
      if (pod === undefined) continue
      t.equal(pod.automountServiceAccountToken, false, metadata.name)
      t.match(pod.securityContext, { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } }, metadata.name)
      for (const { securityContext } of pod.containers) {
        t.match(securityContext, { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } }, metadata.name)
        if (metadata.name !== 'mics-kafka') t.equal(securityContext.readOnlyRootFilesystem, true, metadata.name)
      }
    }
  }
  t.equal(gatewayPod(render({ values: someValues })).securityContext.runAsUser, 1000)
})

t.test('a rollout never has fewer gateways than wanted', async t => {
  t.match(objectOf(render({ values: someValues }), 'Deployment').spec,
    { replicas: 2, strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } })
  const scaled = objectOf(render({ values: { ...someValues, autoscaling: { enabled: true } } }), 'Deployment')
  t.notOk('replicas' in scaled.spec, 'the autoscaler alone decides')
})

t.test('a rollout goes on to the next gateway when the one before has drained, however long that takes', async t => {
  for (const [delay, drain] of [[0, 0], [15, 120], [600, 600]]) {
    const config = { DRAIN_DELAY_SECONDS: delay, DRAIN_TIMEOUT_SECONDS: drain }
    const { minReadySeconds, progressDeadlineSeconds } = objectOf(render({ values: { ...someValues, config } }), 'Deployment').spec
    t.equal(minReadySeconds, delay + drain)
    t.ok(progressDeadlineSeconds > minReadySeconds, 'Kubernetes refuses it otherwise')
  }
  t.match(objectOf(render({ values: { ...someValues, minReadySeconds: 0 } }), 'Deployment').spec, { minReadySeconds: 0 })
})

t.test('helm test: its check is content with a gateway, and with nothing else', async t => {
  const { containers: [{ command, args, env }] } = objectOf(render({ values: someValues }), 'Pod', 'mics-test').spec
  t.strictSame(env, [{ name: 'GATEWAY_URL', value: 'http://mics:80' }])
  const check = async (gateway: string): Promise<{ code: number, said: string }> => {
    t.equal(command[0], 'node')
    const env = { ...process.env, GATEWAY_URL: gateway }
    const child = spawn(process.execPath, [...command.slice(1), ...args], { env })
    const [said, complaint, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
    return { code, said: said + complaint }
  }
  const { server, url } = await startGateway(t)
  t.strictSame(await check(url), { code: 0, said: '/readyz: ready\n/ws: upgraded\n' })

  const flat = createServer((_request, response) => response.end('fine'))
  await once(flat.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => flat.close())
  t.strictSame(await check(`http://127.0.0.1:${(flat.address() as AddressInfo).port}`),
    { code: 1, said: '/readyz: ready\n/ws answered 200 and did not upgrade\n' })

  await server.app.lifecycle.leave(0)
  t.match(await check(url), { code: 1, said: '/readyz answered 503: {"status":"leaving"' })
})

/** How long after its limit the alert fires at the latest, where a rule is evaluated once a minute, as by default. */
function secondsUntilDrainStuckFires (objects: KubernetesObject[]): number {
  const rule = alertGroups().flatMap(({ rules }) => rules).find(({ alert }) => alert === 'MicsDrainStuck')
  const monitor = objects.find(({ kind }) => kind === 'ServiceMonitor')
  const scrape = monitor === undefined ? '15s' : monitor.spec.endpoints[0].interval
  return seconds(rule?.for) + 2 * seconds(scrape) + 60
}

function seconds (duration: string | undefined): number {
  const [, number, unit] = /^(\d+)([sm])$/.exec(duration ?? '') ?? []
  if (number === undefined) throw new Error(`${String(duration)} is no duration`)
  return Number(number) * (unit === 'm' ? 60 : 1)
}

function loadDefault (name: string): number {
  const variable = environmentVariable(name)
  if (variable.type !== 'integer') throw new Error(`${name} is no number`)
  return variable.default
}
