import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import { reachableHost } from '../../lib/config/reachable-host.js'
import { DemoGroups } from './demo-groups.js'
import { demoHooks, demoSecret, type AnsweredHook } from './demo-hooks.js'

export interface HookMockOptions {
  host: string
  /** 0: any free port. */
  port: number
  /** A call is signed with one of these. Empty: signatures are not looked at. */
  secrets: readonly string[]
  /** Added to the demo's `lobby` and `team`. */
  groups: Record<string, string[]>
  /** One line a call on stdout. */
  log: boolean
}

export interface HookMock {
  url: string
  close (): Promise<void>
}

/** The hooks of the demo tenant, for gateways on this machine. */
export async function startDemoHooks (): Promise<HookMock> {
  return await startHookMock({ host: '127.0.0.1', port: 0, secrets: [demoSecret], groups: {}, log: false })
}

/** The demo tenant's hooks alone, at the root of a server of their own: for people who try their own gateway. */
export async function startHookMock ({ host, port, secrets, groups, log }: HookMockOptions): Promise<HookMock> {
  const app = Fastify({ logger: false, forceCloseConnections: true })
  await app.register(demoHooks, {
    secrets,
    groups: new DemoGroups(Object.entries(groups)),
    onAnswered: log ? printLine : undefined,
  })
  await app.listen({ host, port })
  const bound = app.server.address() as AddressInfo
  return {
    url: `http://${reachableHost(host)}:${bound.port}`,
    close: () => app.close(),
  }
}

function printLine ({ operation, tenantId, about, answer }: AnsweredHook): void {
  const time = new Date().toISOString().slice(11, 23)
  const line = [time, operation.padEnd(20), `tenant ${tenantId}`, about, `-> ${answer}`].filter(part => part !== '').join('  ')
  // Ids come from whoever calls: a control character in one must not write to the reader's terminal.
  // eslint-disable-next-line no-control-regex
  process.stdout.write(`${line.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?')}\n`)
}
