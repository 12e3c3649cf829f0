import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Listening, Told } from './dev-node.js'

// As a source beside this one, or compiled as this one is.
const program = fileURLToPath(new URL(`./dev-node${extname(import.meta.url)}`, import.meta.url))

export interface DevNodesOptions {
  /** A node's environment each, NODE_ID and PORT in it. */
  envs: NodeJS.ProcessEnv[]
  /** Where the demo tenant's hooks are served to all of them. */
  hooksUrl: string
  /** Milliseconds until a node that has ended starts again: time to see what the others do. */
  restartDelayMs: number
  /** What to tell the person at the terminal. */
  say: (line: string) => void
}

export interface RunningNode {
  nodeId: string
  /** Where clients on this machine reach it. */
  url: string
  pid: number
}

/** The nodes of the demo, a process each, so that a person can stop or kill one as if it were a machine. */
export class DevNodes {
  readonly #nodes: DevNode[]
  readonly #restartDelayMs: number
  readonly #say: (line: string) => void
  readonly #restarts = new Set<NodeJS.Timeout>()
  #isClosing = false

  /** Starts them. */
  constructor ({ envs, hooksUrl, restartDelayMs, say }: DevNodesOptions) {
    this.#restartDelayMs = restartDelayMs
    this.#say = say
    this.#nodes = envs.map(env => new DevNode(env, hooksUrl))
  }

  /** Resolves when all listen; from then on one that ends is started again. Rejects when one of them cannot. */
  async listening (): Promise<RunningNode[]> {
    const running = await Promise.all(this.#nodes.map(node => node.listening()))
    this.#tell()
    for (const node of this.#nodes) this.#follow(node)
    return running
  }

  /** Drains all at once; resolves when their processes are gone. */
  async close (): Promise<void> {
    this.#isClosing = true
    for (const restart of this.#restarts) clearTimeout(restart)
    await Promise.all(this.#nodes.map(node => node.stop()))
  }

  async #follow (node: DevNode): Promise<void> {
    const how = await node.ended
    if (this.#isClosing) return
    this.#say(`${node.nodeId} has ended (${how}) and starts again in ${this.#restartDelayMs / 1000} s`)
    const restart = setTimeout(() => {
      this.#restarts.delete(restart)
      this.#restart(node)
    }, this.#restartDelayMs)
    this.#restarts.add(restart)
  }

  async #restart (node: DevNode): Promise<void> {
    node.start()
    this.#follow(node)
    try {
      const { nodeId, pid } = await node.listening()
      this.#say(`${nodeId} is back, pid ${pid}`)
      this.#tell()
    } catch {
      // It has ended, as #follow says, and has said why.
    }
  }

  #tell (): void {
    const nodes = this.#nodes.map(({ nodeId, port }) => ({ nodeId, port }))
    for (const node of this.#nodes) node.tell({ nodes })
  }
}

/** A node did not come to listen; it has said on stderr why. */
export class NodeEndedError extends Error {
  readonly code = 'MICS_DEV_NODE_ENDED'
}

class DevNode {
  readonly nodeId: string
  /** Known once it listens, and kept when it starts again. */
  port: number
  /** Resolves with how the process that was started last has ended. */
  ended!: Promise<string>
  readonly #env: NodeJS.ProcessEnv
  readonly #hooksUrl: string
  #child!: ChildProcess

  constructor (env: NodeJS.ProcessEnv, hooksUrl: string) {
    this.nodeId = env.NODE_ID ?? ''
    this.port = Number(env.PORT)
    this.#env = env
    this.#hooksUrl = hooksUrl
    this.start()
  }

  start (): void {
    this.#child = fork(program, [this.#hooksUrl], {
      env: { ...this.#env, PORT: String(this.port) },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      // In a process group of its own: the terminal's Ctrl-C is for the parent, and a second one would end it at once.
      detached: true,
    })
    this.ended = once(this.#child, 'exit').then(([code, signal]) => signal ?? `exit code ${code}`)
  }

  /** Rejects with a NodeEndedError when it ends before. */
  async listening (): Promise<RunningNode> {
    const ended = this.ended.then(how => { throw new NodeEndedError(`${this.nodeId} did not start (${how})`) })
    const [{ url, port }] = await Promise.race([once(this.#child, 'message') as Promise<[Listening]>, ended])
    this.port = port
    return { nodeId: this.nodeId, url, pid: this.#child.pid as number }
  }

  tell (told: Told): void {
    // One that has just ended is told when it starts again.
    if (this.#child.connected) this.#child.send(told, () => {})
  }

  async stop (): Promise<void> {
    this.#child.kill('SIGTERM')
    await this.ended
  }
}
