import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import type { Redis, RedisOptions } from 'ioredis'
import { maskRedisUrl } from '../lib/redis/redis-url.js'
import { CommandError } from './failure.js'
import { freePorts } from './free-ports.js'

/** Milliseconds for a Redis that may be there to answer. */
const ANSWER_MS = 1000

/** Milliseconds between two looks whether the one just started answers. */
const STARTING_MS = 50

/** Milliseconds for it to end. */
const END_MS = 2000

/** A port may be taken between finding and using it. */
const PORT_ATTEMPTS = 5

/** Redis has 16 databases unless told otherwise; the first is where people keep what they care about. */
const LAST_DATABASE = 15

/** The Redis through which the nodes of the demo find each other. */
export interface DevRedis {
  url: string
  /** For the person at the terminal: whose it is. */
  origin: string
  /** Resolves with how it ended, where the demo started it and has not closed it. */
  ended: Promise<string>
  close (): Promise<void>
}

export interface DevRedisOptions {
  /** Where redis-server is looked for: its PATH. */
  env: NodeJS.ProcessEnv
  /** From the configuration; empty: none is given. */
  redisUrl: string
  /** Where one may be running. Default: 6379 on this machine. */
  foundAt?: { host: string, port: number }
}

/**
 * The Redis that is given; else one started for the demo, which leaves alone what others keep in theirs; else one that
 * is running, in a database of its own.
 * @throws {CommandError} where there is none of them.
 */
export async function openDevRedis (
  { env, redisUrl, foundAt = { host: '127.0.0.1', port: 6379 } }: DevRedisOptions
): Promise<DevRedis> {
  if (redisUrl !== '') return notOurs(redisUrl, `${maskRedisUrl(redisUrl)}, as configured`)
  const started = await startRedis(env)
  if (started !== undefined) return started
  const where = `${foundAt.host}:${foundAt.port}`
  const database = await emptyDatabase(foundAt)
  if (typeof database === 'number') return notOurs(`redis://${where}/${database}`, `found at ${where}; its empty database ${database}`)
  throw new CommandError('MICS_NO_REDIS', `Several nodes find each other through Redis, and there is none: no redis-server is on the PATH, and ${where} ${database}. Install it (apt-get install redis-server, or brew install redis), or set REDIS_URL to one that runs. A single node needs none.`)
}

function notOurs (url: string, origin: string): DevRedis {
  return { url, origin, ended: new Promise(() => {}), close: async () => {} }
}

/** A redis-server for the demo alone; undefined where none is installed. */
async function startRedis (env: NodeJS.ProcessEnv): Promise<DevRedis | undefined> {
  for (let attempt = 1; ; attempt++) {
    const [port] = await freePorts(1)
    try {
      return await StartedRedis.start(env, port)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      if (attempt === PORT_ATTEMPTS || !/in use/i.test(String(error))) throw error
    }
  }
}

class StartedRedis implements DevRedis {
  readonly url: string
  readonly origin: string
  readonly ended: Promise<string>
  readonly #child: ChildProcess
  readonly #exit: Promise<string>
  #isClosing = false

  private constructor (child: ChildProcess, port: number) {
    this.url = `redis://127.0.0.1:${port}`
    this.origin = `started for this demo at 127.0.0.1:${port}, pid ${child.pid}`
    this.#child = child
    this.#exit = once(child, 'exit').then(([code, signal]) => signal ?? `exit code ${code}`)
    this.ended = new Promise(resolve => {
      this.#exit.then(how => { if (!this.#isClosing) resolve(how) })
    })
  }

  /** Resolves when it answers. Rejects with what it said where it ends before; with ENOENT where there is none. */
  static async start (env: NodeJS.ProcessEnv, port: number): Promise<StartedRedis> {
    // It saves nothing; the folder is for whoever tells it to.
    const settings = { port, bind: '127.0.0.1', save: '', appendonly: 'no', dir: tmpdir(), loglevel: 'warning' }
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
    // In a process group of its own: the terminal's Ctrl-C is for this process, which stops the nodes first.
    const child = spawn('redis-server', args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    await once(child, 'spawn')
    const redis = new StartedRedis(child, port)
    redis.#guard()
    let said = ''
    const listen = (chunk: Buffer): void => { said = `${said}${chunk}`.slice(-1000) }
    child.stdout?.on('data', listen)
    child.stderr?.on('data', listen)
    const client = await connect({ host: '127.0.0.1', port, retryStrategy: () => STARTING_MS, maxRetriesPerRequest: null })
    const how = await Promise.race([client.ping().then(() => undefined), redis.#exit])
    client.disconnect()
    if (how !== undefined) throw new Error(`redis-server ended at its start (${how}): ${said}`)
    return redis
  }

  async close (): Promise<void> {
    this.#isClosing = true
    this.#child.kill()
    const patience = setTimeout(() => this.#child.kill('SIGKILL'), END_MS)
    await this.#exit
    clearTimeout(patience)
  }

  /** Ends it should this process be killed: a shell waits at the other end of a pipe that closes then. */
  #guard (): void {
    const guard = spawn('sh', ['-c', 'read -r line; kill "$1"', 'sh', String(this.#child.pid)], {
      detached: true, stdio: ['pipe', 'ignore', 'ignore'],
    })
    // Without a shell only the protection against that is missing.
    guard.once('error', () => {})
    this.#exit.then(() => guard.kill())
  }
}

/** The number of a database with nothing in it, or why there is none to use. */
async function emptyDatabase (address: { host: string, port: number }): Promise<number | string> {
  const patience = { connectTimeout: ANSWER_MS, commandTimeout: ANSWER_MS, retryStrategy: () => null }
  const client = await connect({ ...address, ...patience, lazyConnect: true })
  try {
    await client.connect()
    await client.ping()
  } catch {
    client.disconnect()
    return 'answers no PING without a password'
  }
  let database = LAST_DATABASE
  while (database > 0 && !await isEmpty(client, database)) database--
  client.disconnect()
  return database === 0 ? 'has no empty database' : database
}

/** False too where there is no such database. */
async function isEmpty (client: Redis, database: number): Promise<boolean> {
  return await client.select(database).then(async () => await client.dbsize() === 0, () => false)
}

async function connect (options: RedisOptions): Promise<Redis> {
  // Loaded here, so that a single node need not wait for it.
  const { Redis } = await import('ioredis')
  const client = new Redis(options)
  // Calls reject with the same; without a listener it would be printed too.
  client.on('error', () => {})
  return client
}
