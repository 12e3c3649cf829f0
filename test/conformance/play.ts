import type { Test } from 'tap'
import type { LogEntry } from '../../lib/mock-gateway/mock-log.js'
import { unfold, type ScriptedClient, type ScriptedMessages } from '../../lib/mock-gateway/scenario.js'
import type { MockServer } from '../../routes/mock/mock-server.js'
import { until } from '../helpers/until.js'
import type { ShippedScenario } from './scenarios.js'

/** What a runner needs of a client, whatever it is called there. */
export interface ClientUnderTest {
  /** Resolves with the reason where the message FAILED, undefined where it was SENT; rejects where neither is known. */
  send (message: ScriptedMessages): Promise<string | undefined>
  state (): { name: string, code?: number }
  close (): Promise<void>
}

export type StartClient = (
  url: string, script: ScriptedClient, onMessage: (from: string, msgId: string) => void
) => ClientUnderTest

/** Has a client play its part of a scenario, and compares what came of it with what the scenario expects. */
export async function play (
  t: Test, { url }: MockServer, scenario: ShippedScenario, start: StartClient
): Promise<void> {
  await post(url, 'scenario', scenario)
  const { client: script, expect } = scenario
  const received: Record<string, string[]> = {}
  const client = start(url, script, (from, msgId) => { (received[from] ??= []).push(msgId) })
  try {
    const sent: string[] = []
    const failed: Record<string, string> = {}
    await Promise.all((script.send ?? []).flatMap(unfold).map(async message => {
      try {
        const reason = await client.send(message)
        if (reason === undefined) sent.push(message.msgId)
        else failed[message.msgId] = reason
      } catch (error) {
        if (expect.state === 'connected') throw error
      }
    }))
    await until(`the client is ${expect.state}`, () => client.state().name === expect.state)
    if (expect.state === 'connected') await receiveAll(url, script, received)
    const log = await logOf(url)
    const attempts = log.filter(({ what }) => what === 'connect').length
    if (expect.closeCode !== undefined) t.equal(client.state().code, expect.closeCode, 'the close code')
    t.ok(attempts >= expect.connections.min && attempts <= expect.connections.max, `${attempts} attempts to connect`)
    if (expect.sent !== undefined) t.strictSame(sent.sort(), [...expect.sent].sort(), 'messages acked SENT')
    t.strictSame(failed, expect.failed ?? {}, 'messages acked FAILED')
    if (expect.processed !== undefined) {
      t.strictSame(log.filter(({ what }) => what === 'processed').map(({ msgId }) => msgId), expect.processed, 'messages processed')
    }
    t.strictSame(received, expect.received ?? {}, 'messages received')
  } finally {
    await client.close()
  }
}

/** Resolves when all that was on its way to the client is there: what is sent after it has arrived. */
async function receiveAll (
  url: string, { tenantId, userId }: ScriptedClient, received: Record<string, string[]>
): Promise<void> {
  await post(url, 'deliver', { tenantId, from: 'last', toUserId: userId, msgId: 'last' })
  await until('the last message is there', () => received.last !== undefined)
  delete received.last
}

export async function logOf (url: string): Promise<LogEntry[]> {
  const response = await fetch(`${url}/mock/log`)
  return (await response.text()).split('\n').filter(line => line !== '').map(line => JSON.parse(line) as LogEntry)
}

export async function post (url: string, path: string, body: unknown): Promise<unknown> {
  const response = await fetch(`${url}/mock/${path}`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`POST /mock/${path}: ${response.status} ${text}`)
  return text === '' ? undefined : JSON.parse(text)
}
