import type { ChildProcess } from 'node:child_process'

/** What node:cluster sends with a connection, and gets back once the worker has it or does not want it. */
interface ClusterMessage {
  cmd?: string
  act?: string
  seq?: number
  ack?: number
}

interface Closable {
  close: () => void
}

/**
 * Connections that node:cluster has handed to a worker, and of which that worker has not said anything yet: one for
 * each address. Node.js forgets them where the worker ends in this moment; their clients would wait for good.
 */
export class ConnectionsInTransit {
  readonly #open = new Map<number, Closable>()
  #isOver = false

  constructor (child: ChildProcess) {
    const send = child.send.bind(child) as (...args: unknown[]) => boolean
    // The only place where they can be seen. What is sent stays as it is.
    child.send = (...args: unknown[]): boolean => {
      const [{ cmd, act, seq }, handle] = args as [ClusterMessage, Closable | undefined]
      if (cmd === 'NODE_CLUSTER' && act === 'newconn' && seq !== undefined && handle !== undefined) {
        this.#open.set(seq, handle)
        if (this.#isOver) this.close()
      }
      return send(...args)
    }
    child.on('internalMessage', ({ cmd, ack }: ClusterMessage) => {
      if (cmd === 'NODE_CLUSTER' && ack !== undefined) this.#open.delete(ack)
    })
  }

  /** The worker has ended: what is on the way to it, now or later, is closed, so that its client connects again. */
  close (): void {
    this.#isOver = true
    for (const handle of this.#open.values()) handle.close()
    this.#open.clear()
  }
}
