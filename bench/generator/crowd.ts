import { setTimeout as delay } from 'node:timers/promises'
import type { Dialect } from './dialect.js'
import { Client, type Counts } from './client.js'

/** Connections being opened at the same time. */
const AT_ONCE = 64

/** A busy machine may let a hook be late; the gateway then sends the client away to come again later. */
const ATTEMPTS = 20
const BACKOFF_MS = 100

/** Connections from one address: it has some 28,000 ports. */
const PER_ADDRESS = 20_000

/** How often a part of the heartbeats is sent: all at once they would be a burst that no real clients make. */
const HEARTBEAT_STEP_MS = 50

let opened = 0

/** Clients of one kind of server that keep themselves alive. */
export class Crowd {
  readonly clients: Client[] = []
  readonly counts: Counts = { acks: 0, failed: 0, deliveries: 0, lost: 0 }
  private heartbeats?: NodeJS.Timeout
  private beaten = 0

  /** Resolves when all these users are connected too. */
  async open (users: readonly string[], dialect: Dialect, port: number): Promise<void> {
    let next = 0
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, users.length) }, async () => {
      while (next < users.length) this.clients.push(await this.connect(users[next++], dialect, port))
    }))
    if (dialect.heartbeat !== undefined) this.keepAlive(dialect.heartbeat)
  }

  close (): void {
    clearInterval(this.heartbeats)
    for (const client of this.clients) client.close()
  }

  private async connect (user: string, dialect: Dialect, port: number): Promise<Client> {
    for (let attempt = 1; ; attempt++) {
      const address = Math.floor(opened++ / PER_ADDRESS)
      const localAddress = address === 0 ? undefined : `127.0.0.${1 + address % 200}`
      try {
        return await Client.connect(user, dialect, this.counts, { port, localAddress })
      } catch (error) {
        if (attempt === ATTEMPTS) throw error
        await delay(BACKOFF_MS * attempt)
      }
    }
  }

  private keepAlive (heartbeat: NonNullable<Dialect['heartbeat']>): void {
    if (this.heartbeats !== undefined) return
    let lastAt = performance.now()
    let due = 0
    this.heartbeats = setInterval(() => {
      // By the clock: a busy process has fewer ticks.
      const now = performance.now()
      due += this.clients.length * Math.min(1, (now - lastAt) / heartbeat.everyMs)
      lastAt = now
      for (; due >= 1; due--) this.clients[this.beaten++ % this.clients.length].write(heartbeat.frame)
    }, HEARTBEAT_STEP_MS)
  }
}
