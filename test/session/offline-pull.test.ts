import pino from 'pino'
import t from 'tap'
import type { TenantSettings } from '../../lib/config/gateway-config.js'
import { HookFailure } from '../../lib/hooks/hook-failure.js'
import type { OfflinePage } from '../../lib/hooks/offline-page.js'
import { ThrottledLog } from '../../lib/log/throttled-log.js'
import { TenantMetrics } from '../../lib/metrics/tenant-metrics.js'
import { pullOfflineMessages, type OfflinePullDeps } from '../../lib/session/offline-pull.js'
import { TenantBytes } from '../../lib/tenants/tenant-bytes.js'

const PAGE_BYTES = 100

/** A pull of empty pages from a tenant that has so many. */
function setup (count: number) {
  const asked: string[] = []
  const metrics = new TenantMetrics()
  const pulledBytes = new TenantBytes(PAGE_BYTES)
  const deps: OfflinePullDeps = {
    hooks: {
      timeoutMs: 150,
      getOfflineMessages: async (_settings, _tenantId, { cursor }) => {
        asked.push(cursor)
        if (asked.length > count) return { ok: false, failure: new HookFailure('timeout', 'no complete answer in time') }
        const page: OfflinePage = {
          ok: true, messages: [], nextCursor: `${asked.length}`, hasMore: true, isCut: false, byteLength: PAGE_BYTES,
        }
        return { ok: true, value: page }
      },
    },
    pulledBytes,
    maxFrameBytes: 1000,
    throttledLog: new ThrottledLog(1000),
    log: pino({ level: 'silent' }),
  }
  const pages = pullOfflineMessages(deps, {} as TenantSettings,
    { tenantId: 't1', userId: 'bob', deviceId: 'd1', traceId: '', metrics })
  const problems = (): Record<string, number> => Object.fromEntries(metrics.pullProblems.entries())
  return { pages, asked, pulledBytes, problems }
}

t.test('the next page is asked for when the former is done with, and each has room until then', async t => {
  const { pages, asked, pulledBytes, problems } = setup(2)
  await pages.next()
  t.same([asked, pulledBytes.total], [[''], PAGE_BYTES])
  await pages.next()
  t.same([asked, pulledBytes.total], [['', '1'], PAGE_BYTES])
  t.equal((await pages.next()).done, true)
  t.same([asked, pulledBytes.total], [['', '1', '2'], 0])
  t.same(problems(), {})
})

t.test('whoever stops in the middle asks for no more, and gives the room back', async t => {
  const { pages, asked, pulledBytes } = setup(2)
  await pages.next()
  await pages.return()
  t.same([asked, pulledBytes.total], [[''], 0])
})

t.test('where there is no room for a page the pull ends', async t => {
  const { pages, asked, pulledBytes, problems } = setup(2)
  pulledBytes.reserve('t1', 1)
  t.equal((await pages.next()).done, true)
  t.same([asked, pulledBytes.total], [[''], 1])
  t.same(problems(), { no_room: 1 })
})
