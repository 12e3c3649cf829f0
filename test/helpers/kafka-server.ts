import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { IAdminClient, Producer } from '@confluentinc/kafka-javascript'
import type { Test } from 'tap'
import { classArchive, findJava, findKafka } from '../../scripts/find-kafka.js'
import { makeCertificate, type Certificate } from './certificate.js'
import { lastingPort } from './free-port.js'
import { KAFKA_PATIENCE, metadataOf, promised, withKafkaClient } from './kafka-client.js'
import { openListener, serverProperties, type KafkaListener, type KafkaProperties } from './kafka-properties.js'
import { putOnLeash } from './leash.js'
import { until } from './until.js'

export interface KafkaServerOptions {
  /** More of server.properties, such as `{ 'message.max.bytes': 1000 }`. Topics are not created by themselves. */
  properties?: KafkaProperties
  /** Listeners beside the open one, such as `{ SECURE: { tls: true, sasl: 'PLAIN' } }`. */
  listeners?: Record<string, KafkaListener>
  /** Users and their passwords, for listeners with SASL. */
  users?: Record<string, string>
}

export interface KafkaTopicOptions {
  partitions?: number
  /** Such as `{ 'max.message.bytes': '1000' }`. */
  config?: Record<string, string>
}

/** A port may be taken between finding and using it. */
const PORT_ATTEMPTS = 5

/** For a start to be quick; the server does not live long. */
const javaOptions = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto']

/** A real Apache Kafka, one node, on free ports of 127.0.0.1, empty, in a temporary folder. */
export class KafkaServer {
  private child!: ChildProcess

  private constructor (
    private readonly java: string,
    private readonly libs: string,
    private readonly folder: string,
    private readonly ports: ReadonlyMap<string, number>,
    private readonly certificate?: Certificate
  ) {}

  /** Resolves when it answers. */
  static async start (options: KafkaServerOptions = {}): Promise<KafkaServer> {
    const java = findJava()
    const kafka = findKafka()
    if (java.path === undefined || kafka.path === undefined) {
      throw new Error(java.problem ?? kafka.problem ?? 'no Java or no Kafka found: run `node scripts/install-kafka.js`')
    }
    for (let attempt = 1; ; attempt++) {
      const server = await KafkaServer.prepare(java.path, kafka.path, options)
      try {
        await server.run()
        return server
      } catch (error) {
        await server.close()
        if (attempt === PORT_ATTEMPTS || !/Address already in use|BindException/.test(String(error))) throw error
      }
    }
  }

  /** A server in a folder of its own, configured and formatted. */
  private static async prepare (
    java: string, libs: string, { properties = {}, listeners = {}, users = {} }: KafkaServerOptions
  ): Promise<KafkaServer> {
    const folder = mkdtempSync(join(tmpdir(), 'mics-kafka-'))
    try {
      const ports = new Map<string, number>()
      for (const name of [openListener, ...Object.keys(listeners)]) ports.set(name, await lastingPort())
      const certificate = Object.values(listeners).some(({ tls }) => tls) ? makeCertificate(folder) : undefined
      const server = new KafkaServer(java, libs, folder, ports, certificate)
      const controllerPort = await lastingPort()
      const text = serverProperties({ folder, controllerPort, ports, listeners, users, certificate, more: properties })
      writeFileSync(server.propertiesFile, text)
      server.format(scramCredentials(listeners, users))
      return server
    } catch (error) {
      rmSync(folder, { recursive: true, force: true })
      throw error
    }
  }

  /** Of the process that runs now. */
  get pid (): number {
    return this.child.pid as number
  }

  /** Where clients connect without TLS and SASL. */
  get brokers (): string {
    return this.brokersOf(openListener)
  }

  /** Where clients connect to one of the listeners that were asked for. */
  brokersOf (listener: string): string {
    const port = this.ports.get(listener)
    if (port === undefined) throw new Error(`this server has no listener ${listener}: name it in the options of its start`)
    return `127.0.0.1:${port}`
  }

  /** The path of the certificate that clients with TLS must trust, in PEM. It is for 127.0.0.1 and localhost. */
  get certificateFile (): string {
    if (this.certificate === undefined) throw new Error('this server has no listener with TLS: ask for one at its start')
    return this.certificate.cert
  }

  /** Resolves when the topic can be written and read. */
  async createTopic (name: string, { partitions = 1, config = {} }: KafkaTopicOptions = {}): Promise<void> {
    await this.administer(async (admin, client) => {
      const topic = { topic: name, num_partitions: partitions, replication_factor: 1, config }
      await promised<void>(done => admin.createTopic(topic, KAFKA_PATIENCE, error => done(error)))
      await until(`there is a topic ${name}`, async () => await leads(client, [name]))
    })
  }

  /** Resolves when the topic is gone. */
  async deleteTopic (name: string): Promise<void> {
    await this.administer(async (admin, client) => {
      await promised<void>(done => admin.deleteTopic(name, KAFKA_PATIENCE, error => done(error)))
      await until(`there is no topic ${name}`, async () =>
        (await metadataOf(client)).topics.every(topic => topic.name !== name))
    })
  }

  /** The names of all topics, those of Kafka itself left out. */
  async topics (): Promise<string[]> {
    return await this.administer(async (_, client) =>
      (await metadataOf(client)).topics.map(({ name }) => name).filter(name => !name.startsWith('__')).sort())
  }

  /** It leaves in order. Resolves when the process is gone. */
  async stop (): Promise<void> {
    await this.end('SIGTERM')
  }

  /** Resolves when the process is gone. */
  async kill (): Promise<void> {
    await this.end('SIGKILL')
  }

  /** On the same ports with the same data, after it was stopped or killed. Resolves when its topics can be used. */
  async restart (): Promise<void> {
    await this.stop()
    await this.run()
  }

  /** It hangs: connections stay open and nothing is answered, until `resume`. */
  pause (): void {
    this.child.kill('SIGSTOP')
  }

  resume (): void {
    this.child.kill('SIGCONT')
  }

  async close (): Promise<void> {
    if (this.child !== undefined) await this.kill()
    rmSync(this.folder, { recursive: true, force: true })
  }

  private get isGone (): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  private get propertiesFile (): string {
    return join(this.folder, 'server.properties')
  }

  private get logFile (): string {
    return join(this.folder, 'kafka.log')
  }

  private async end (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.isGone) return
    const gone = once(this.child, 'exit')
    this.child.kill(signal)
    // A process that stands still takes no SIGTERM.
    this.child.kill('SIGCONT')
    await gone
  }

  private async administer<T> (use: (admin: IAdminClient, client: Producer) => Promise<T>): Promise<T> {
    return await withKafkaClient(this.brokers, async (client, admin) => await use(admin, client))
  }

  private format (scram: readonly string[]): void {
    const { status, error, stderr } = spawnSync(this.java, this.commandLine('kafka.tools.StorageTool', [
      'format', '--cluster-id', 'bWljcy10ZXN0LWNsdXN0ZXI', '--config', this.propertiesFile,
      ...scram.flatMap(credential => ['--add-scram', credential]),
    ]), { encoding: 'utf8' })
    if (status !== 0) throw new Error(`Kafka's folder could not be formatted: ${error?.message ?? stderr}`)
  }

  private commandLine (main: string, args: readonly string[]): string[] {
    const archive = classArchive(this.libs)
    return [
      ...javaOptions,
      ...(existsSync(archive) ? [`-XX:SharedArchiveFile=${archive}`] : []),
      '-cp', join(this.libs, '*'), main, ...args,
    ]
  }

  private async run (): Promise<void> {
    const log = openSync(this.logFile, 'w')
    const child = spawn(this.java, this.commandLine('kafka.Kafka', [this.propertiesFile]), { stdio: ['ignore', log, log] })
    closeSync(log)
    this.child = child
    putOnLeash(child, this.folder)
    const deadline = Date.now() + 2 * KAFKA_PATIENCE
    while (!await this.isReady()) {
      if (this.isGone) throw new Error(`Kafka ended at its start:\n${this.endOfLog()}`)
      if (Date.now() > deadline) throw new Error(`Kafka does not answer:\n${this.endOfLog()}`)
    }
  }

  /** It answers, it is in the cluster, and every topic has its leader. May take a second to say no. */
  private async isReady (): Promise<boolean> {
    // Looked at first because it costs nothing: a client of Kafka takes its time to give up.
    if (!await isListening(this.ports.get(openListener) as number)) return false
    try {
      return await withKafkaClient(this.brokers, async client => await leads(client), 1000)
    } catch {
      return false // it does not answer yet
    }
  }

  private endOfLog (): string {
    return readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-40).join('\n')
  }
}

/** A server that is closed when the test ends. */
export async function withKafka (t: Test, options?: KafkaServerOptions): Promise<KafkaServer> {
  const server = await KafkaServer.start(options)
  t.teardown(async () => await server.close())
  return server
}

/** Is the broker there, and a leader for each partition of these topics, or of all? */
async function leads (client: Producer, names?: readonly string[]): Promise<boolean> {
  const { brokers, topics } = await metadataOf(client)
  const wanted = names?.map(name => topics.find(topic => topic.name === name)) ?? topics
  return brokers.length > 0 && wanted.every(topic => topic?.partitions.every(({ leader }) => leader >= 0))
}

/** In the words of Kafka's storage tool. */
function scramCredentials (listeners: Record<string, KafkaListener>, users: Record<string, string>): string[] {
  const mechanisms = new Set(Object.values(listeners).map(({ sasl }) => sasl).filter(sasl => sasl?.startsWith('SCRAM')))
  return [...mechanisms].flatMap(mechanism =>
    Object.entries(users).map(([user, password]) => `${mechanism}=[name=${user},password=${password}]`))
}

/** Looks every now and then for a moment. */
function isListening (port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => setTimeout(() => resolve(false), 20))
  })
}
