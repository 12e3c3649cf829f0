import { existsSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import { loadConfig } from '../../lib/config/load-config.js'
import { environmentVariable } from '../../lib/config/environment.js'
import { kafkaVersion } from '../../scripts/find-kafka.js'
import { readDocument, root } from '../helpers/markdown.js'

interface Service {
  build?: string
  image?: string
  command?: string[]
  environment?: Record<string, string | number>
  ports?: string[]
  volumes?: string[]
  depends_on?: Record<string, { condition: string }>
  healthcheck?: { disable?: boolean }
}

const compose: { services: Record<string, Service>, volumes: Record<string, unknown> } = parse(readDocument('compose.yaml'))
const { gateway, hooks, redis, kafka } = compose.services
const services = Object.entries(compose.services)

/** The variables of a service as Docker passes them where there is no `.env`. */
function environmentOf ({ environment = {} }: Service): Record<string, string> {
  return Object.fromEntries(Object.entries(environment).map(([name, value]) =>
    [name, String(value).replace(/\$\{\w+:-([^}]*)\}/g, '$1')]))
}

/** What a command line says of an option. */
function option ({ command = [] }: Service, name: string): string | undefined {
  return command[command.indexOf(name) + 1]
}

t.test('the gateway of compose.yaml starts with the variables that it has there, without an .env', async t => {
  for (const name of Object.keys(gateway.environment ?? {})) t.ok(environmentVariable(name), name)
  t.doesNotThrow(() => loadConfig(environmentOf(gateway)))
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

t.test('its Kafka is the one that the tests run', async t => {
  t.equal(kafka.image, `apache/kafka:${kafkaVersion}`)
})

t.test('what it builds, mounts and waits for is there', async t => {
  for (const [name, { build, volumes = [], depends_on: dependencies = {} }] of services) {
    if (build !== undefined) t.ok(existsSync(`${root}${build}/Dockerfile`), `${name}: ${build}`)
    for (const volume of volumes) {
      const [source] = volume.split(':')
      t.ok(/^[./]/.test(source) ? existsSync(`${root}${source}`) : source in compose.volumes, `${name}: ${source}`)
    }
    for (const [other, { condition }] of Object.entries(dependencies)) {
      t.ok(other in compose.services, `${name}: ${other}`)
      if (condition === 'service_healthy') {
        t.ok(compose.services[other].healthcheck !== undefined, `${other} has a health check to wait for`)
      }
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
  t.match(dockerfile, `ENTRYPOINT ["node", "${bin.mics}"]`)
  const versions = [...dockerfile.matchAll(/^FROM node:(\d+)-slim/gm)].map(([, version]) => Number(version))
  t.equal(new Set(versions).size, 1, 'one version in all stages')
  t.ok(versions[0] >= parseInt(engines.node.slice('>='.length), 10))
})
