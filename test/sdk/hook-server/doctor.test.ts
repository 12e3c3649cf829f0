import t, { type Test } from 'tap'
import type { HookHandlerOptions } from '../../../sdk/hook-server/src/index.js'
import { examine, found, troubles } from '../../cli/hook-doctor-findings.js'
import { GOOD_TOKEN, SECRET } from '../../helpers/strict-hook-server.js'
import { forms, serveHooks, type Form } from './forms.js'

/*
 * The doctor knows what a gateway needs of a hook server, and this package promises it.
 */

const kept = Array.from({ length: 250 }, (_, i) => (
  { msgId: `m${i}`, userId: 'bob', deviceId: 'd1', toUserId: 'doctor', body: `${i}`, timestampMs: 1 }
))

async function serve (t: Test, form: Form, more: Partial<HookHandlerOptions> = {}): Promise<string> {
  return await serveHooks(t, form, {
    secrets: SECRET,
    basePath: '/im/hooks',
    authenticate: ({ token }) => token === GOOD_TOKEN
      ? { ok: true, userId: 'doctor', config: { offlineUseHookPull: true, checkBatchMaxMessages: 256 } }
      : { ok: false, reason: 'unknown token' },
    checkMessage: () => ({ allow: true }),
    getGroupMembers: ({ groupId }) => groupId === 'team' ? ['alice', 'bob'] : [],
    getOfflineMessages: ({ maxMessages, cursor }) => {
      const from = Number(cursor)
      const to = from + maxMessages
      return { messages: kept.slice(from, to), ...(to < kept.length ? { nextCursor: String(to) } : {}) }
    },
    logger: { warn () {}, error () {} },
    ...more,
  } as HookHandlerOptions)
}

for (const form of forms) {
  t.test(`${form}: the doctor finds nothing to mend`, async t => {
    const report = await examine(await serve(t, form))
    found(t, report)
    t.equal(report.counts.skip, 0)
    t.match(report.findings.find(({ check }) => check === 'get-offline-messages'), { seen: /^250 messages in 3 pages/ })
  })
}

t.test('another secret, and a server that looks at none, are found', async t => {
  const other = await examine(await serve(t, 'node', { secrets: 'another-long-secret' }))
  t.match(troubles(other)[0], /HTTP status 401: meta\.sign is wrong: give this server and the gateway the same secret.* => .*compare the secret/)
  const open = await examine(await serve(t, 'node', { secrets: undefined, allowUnsigned: true } as Partial<HookHandlerOptions>))
  t.notSame(troubles(open).filter(line => line.startsWith('fail signatures')), [])
  t.equal(open.ok, false)
})
