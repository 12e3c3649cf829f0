import type { AddressInfo } from 'node:net'
import type { DemoNode } from '../lib/config/app-options.js'
import { loadConfig } from '../lib/config/load-config.js'
import { fail } from './failure.js'

/*
 * One node of `mics dev --nodes`, a process of its own: see dev-nodes.ts, which starts it with its configuration in
 * the environment and the URL of the demo's hooks as its argument.
 */

/** What a node says once it listens. */
export interface Listening {
  /** Where clients on this machine reach it. */
  url: string
  port: number
}

/** What a node is told, again whenever it changes. */
export interface Told {
  nodes: DemoNode[]
}

let nodes: DemoNode[] = []
process.on('message', (told: Told) => { nodes = told.nodes })
// The channel ends with the process at its other end, however that one ended: then it is time to go.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))

try {
  const [hooksUrl] = process.argv.slice(2)
  const config = loadConfig(process.env, { embedded: true })
  const { startServer } = await import('../server.js')
  const { app, url } = await startServer({ config, embedded: true, demo: { hooksUrl, nodes: () => nodes } })
  const { port } = app.server.address() as AddressInfo
  process.send?.({ url, port } satisfies Listening)
} catch (error) {
  fail(error)
}
