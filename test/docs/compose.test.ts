import { existsSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import { loadConfig } from '../../lib/config/load-config.js'
import { environmentVariable } from '../../lib/config/environment.js'
import { kafkaVersion } from '../../scripts/find-kafka.js'
import { compose, environmentOf, filesOf, type Service } from '../helpers/compose.js'
import { readDocument, root } from '../helpers/markdown.js'

const { hooks, redis, kafka, nginx } = compose.services
const services = Object.entries(compose.services)
const gateways = services.filter(([name]) => name.startsWith('gateway-'))
const [[, gateway]] = gateways

/** What a command line says of an option. */
function option ({ command = [] }: Service, name: string): string | undefined {
  return command[command.indexOf(name) + 1]
}

t.test('the gateways of compose.yaml start with the variables that they have there, without an .env', async t => {
  t.equal(gateways.length, 2)
  for (const [name, service] of gateways) {
    for (const variable of Object.keys(service.environment ?? {})) t.ok(environmentVariable(variable), variable)
    t.doesNotThrow(() => loadConfig(environmentOf(service)), name)
  }
})

t.test('they are one cluster, in which each is itself and is reached by its own name', async t => {
  for (const [name, service] of gateways) {
    const { nodeId, publicEndpoint, nodePort } = loadConfig(environmentOf(service))
    t.equal(nodeId, name)
    t.equal(publicEndpoint, `http://${name}:${nodePort}`)
    const { NODE_ID: _, PUBLIC_ENDPOINT: __, ...shared } = service.environment ?? {}
    const { NODE_ID: ___, PUBLIC_ENDPOINT: ____, ...sharedByFirst } = gateway.environment ?? {}
    t.same(shared, sharedByFirst)
    t.same({ ...service, environment: {} }, { ...gateway, environment: {} })
  }
})

t.test('its variables lead to the other services', async t => {
  const { tenants, redisUrl, kafkaBrokers } = loadConfig(environmentOf(gateway))
  t.match(tenants, [{ id: 'demo', authUrl: `http://hooks:${option(hooks, '--port')}`, secret: option(hooks, '--secret') }])
  t.equal(option(hooks, '--host'), '0.0.0.0', 'the gateway is in another container')
  t.match(redisUrl, /redis:6379/)
  t.match(redis.image, /^redis:/)
  const advertised = environmentOf(kafka).KAFKA_ADVERTISED_LISTENERS.split(',')
  t.ok(advertised.includes(`INTERNAL://${kafkaBrokers}`), kafkaBrokers)
  t.ok(advertised.some(listener => `127.0.0.1:9092:${listener.split(':').at(-1)}` === kafka.ports?.[0]))
})

t.test('its Kafka is the one that the tests run, and what the chart runs for trying out is the same', async t => {
  t.equal(kafka.image, `apache/kafka:${kafkaVersion}`)
  const { dev } = parse(readDocument('helm/mics/values.yaml'))
  t.strictSame({ redis: redis.image, kafka: kafka.image }, { redis: dev.redis.image, kafka: dev.kafka.image })
})

t.test('every image has a version', async t => {
  for (const [name, { image, build }] of services) {
    if (build === undefined) t.match(image, /^[\w/-]+:v?\d+[\w.-]*$/, name)
  }
})

t.test('clients reach nginx at the port that the page says, and nothing else is open to other machines', async t => {
  const open = services.flatMap(([name, { ports = [] }]) => ports.map(port => ({ name, port })))
    .filter(({ port }) => !port.startsWith('127.0.0.1:'))
  t.same(open, [{ name: 'nginx', port: '8080:8080' }])
  t.match(nginx.depends_on, Object.fromEntries(gateways.map(([name]) => [name, { condition: 'service_healthy' }])))
})

t.test('what it builds, mounts and waits for is there', async t => {
  for (const [name, service] of services) {
    const { build, volumes = [], depends_on: dependencies = {} } = service
    if (build !== undefined) t.ok(existsSync(`${root}${build}/Dockerfile`), `${name}: ${build}`)
    const files = filesOf(service)
    for (const file of files.values()) t.ok(existsSync(root + file), `${name}: ${file}`)
    const others = volumes.map(volume => volume.split(':')[0]).filter(source => !source.startsWith('./'))
    for (const volume of others) t.ok(volume in compose.volumes, `${name}: ${volume}`)
    const waits = Array.isArray(dependencies)
      ? dependencies.map(other => [other, 'service_started'])
      : Object.entries(dependencies).map(([other, { condition }]) => [other, condition])
    for (const [other, condition] of waits) {
      t.ok(other in compose.services, `${name}: ${other}`)
      // The gateways' own is in the image.
      if (condition !== 'service_healthy' || other.startsWith('gateway-')) continue
      t.ok(compose.services[other].healthcheck !== undefined, `${other} has a health check to wait for`)
    }
  }
})

t.test('what the Dockerfile copies exists, and .dockerignore lets it pass', async t => {
  const ignored = readDocument('.dockerignore').trim().split('\n')
  const copied = [...readDocument('Dockerfile').matchAll(/^COPY (?!--from)(.+)$/gm)]
    .flatMap(([, words]) => words.split(' ').slice(0, -1))
  t.not(copied.length, 0)
  for (const path of copied) {
    t.ok(existsSync(`${root}${path}`), path)
    t.notOk(ignored.includes(path), `${path} is not ignored`)
  }
  const { include } = JSON.parse(readDocument('tsconfig.build.json'))
  for (const path of [...include, 'scripts', 'tsconfig.json']) t.notOk(ignored.includes(path), `${path} is not ignored`)
})

t.test('the image starts the command of package.json, on a Node.js that it allows', async t => {
  const { bin, engines } = JSON.parse(readDocument('package.json'))
  const dockerfile = readDocument('Dockerfile')
  t.match(dockerfile, `ENTRYPOINT ["/usr/bin/tini", "--", "node", "${bin.mics}"]`)
  t.match(dockerfile, /^ +&& apt-get install .* tini\b/m)
  t.match(dockerfile, /^HEALTHCHECK /m)
  const versions = [...dockerfile.matchAll(/^FROM node:(\d+)-slim/gm)].map(([, version]) => Number(version))
  t.equal(new Set(versions).size, 1, 'one version in all stages')
  t.ok(versions[0] >= parseInt(engines.node.slice('>='.length), 10))
})
