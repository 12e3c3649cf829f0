import { setImmediate as nextTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Handovers } from '../../lib/offline/handovers.js'
import { OfflineIndex } from '../../lib/offline/offline-index.js'
import { setup as setupBuffer, type BufferSetup } from './buffer.js'

interface Setup extends BufferSetup {
  index: OfflineIndex
  /** What was reported: `user=count`. */
  reports: string[]
  /** What moved: `user>member`. */
  moves: string[]
  /** Members that a user is connected to elsewhere. */
  online: Map<string, string[]>
  here: Set<string>
  /** Users whose devices were told to look. */
  woken: string[]
  handovers: Handovers
  store: {
    isGone: boolean
    peerIsGone: boolean
    /** Awaited before a report is answered. */
    answering?: () => Promise<void>
    /** Awaited before a peer has taken what it is given. */
    taking?: () => Promise<void>
  }
}

function setup (test: Test): Setup {
  const buffer = setupBuffer()
  const reports: string[] = []
  const moves: string[] = []
  const online = new Map<string, string[]>()
  const here = new Set<string>()
  const woken: string[] = []
  const store: Setup['store'] = { isGone: false, peerIsGone: false }
  const handovers = new Handovers(buffer.buffer, {
    hold: async (memberKey, entries) => {
      await store.taking?.()
      if (store.peerIsGone) return undefined
      moves.push(...entries.map(({ userId }) => `${userId}>${memberKey}`))
      return entries.length
    },
  })
  const index = new OfflineIndex({
    buffer: buffer.buffer,
    handovers,
    isReachable: () => !store.isGone,
    wake: (_tenantId, userId) => {
      woken.push(userId)
      return here.has(userId)
    },
    routes: {
      hold: async (_tenantId, userId, count) => {
        if (store.isGone) throw new Error('gone')
        reports.push(`${userId}=${count}`)
        await store.answering?.()
        return online.get(userId) ?? []
      },
    },
  })
  test.teardown(() => index.close())
  return { ...buffer, index, handovers, reports, moves, online, here, woken, store }
}

t.test('it reports once a turn how many messages there are, and when there are none left', async t => {
  const { add, takeAll, index, reports } = setup(t)
  for (let seq = 1; seq <= 3; seq++) add({ seq })
  await nextTurn()
  await index.settle('t1', 'bob')
  t.strictSame(reports, ['bob=3'])
  takeAll()
  await index.settle('t1', 'bob')
  t.strictSame(reports, ['bob=3', 'bob=0'])
  t.equal(index.outstanding, 0)
  t.equal(index.settle('t1', 'bob'), undefined)
})

t.test('what came and went within a turn is not worth a report', async t => {
  const { add, takeAll, index, reports } = setup(t)
  add({ seq: 1 })
  takeAll()
  await index.settle('t1', 'bob')
  t.strictSame(reports, [])
})

t.test('messages for a user who is connected elsewhere move there before `settle` resolves', async t => {
  const { add, index, moves, online, reports } = setup(t)
  online.set('bob', ['node-2#1', 'node-3#1'])
  add({ seq: 1 })
  await index.settle('t1', 'bob')
  t.strictSame(moves, ['bob>node-2#1'])
  t.equal(reports.at(-1), 'bob=0')
})

t.test('`settle` waits for messages that leave for another node while they are reported', async t => {
  const { add, index, handovers, moves, online, store } = setup(t)
  online.set('bob', ['node-2#1'])
  let take = (): void => {}
  store.taking = async () => await new Promise(resolve => { take = resolve })
  const isReported = new Promise<void>(resolve => {
    store.answering = async () => {
      store.answering = undefined
      handovers.move('t1', 'bob', 'node-3#1')
      resolve()
    }
  })
  add({ seq: 1 })
  let isSettled = false
  const settled = index.settle('t1', 'bob')?.then(() => { isSettled = true })
  await isReported
  await nextTurn()
  t.equal(isSettled, false)
  take()
  await settled
  t.strictSame(moves, ['bob>node-3#1'])
})

t.test('what comes back from such a node goes to where the user is', async t => {
  const { add, index, handovers, moves, online, store } = setup(t)
  online.set('bob', ['node-2#1'])
  store.peerIsGone = true
  store.answering = async () => {
    store.answering = undefined
    handovers.move('t1', 'bob', 'node-3#1').finally(() => { store.peerIsGone = false })
  }
  add({ seq: 1 })
  await index.settle('t1', 'bob')
  t.strictSame(moves, ['bob>node-2#1'])
  t.equal(index.outstanding, 0)
})

t.test('they stay for a user who is connected here too, whose devices are told', async t => {
  const { add, index, moves, online, here, woken } = setup(t)
  online.set('bob', ['node-2#1'])
  here.add('bob')
  add({ seq: 1 })
  await index.settle('t1', 'bob')
  t.strictSame(moves, [])
  t.ok(woken.includes('bob'))
})

t.test('a report that failed is made again', async t => {
  const { add, index, reports, store } = setup(t)
  store.isGone = true
  add({ seq: 1 })
  await index.settle('t1', 'bob')
  t.equal(index.outstanding, 1)
  t.equal(index.failures, 1)
  store.isGone = false
  await index.settle('t1', 'bob')
  t.strictSame(reports, ['bob=1'])
  t.equal(index.outstanding, 0)
})

t.test('a move that failed is tried again, and then all of it has moved', async t => {
  const { add, index, moves, online, store } = setup(t)
  online.set('bob', ['node-2#1'])
  store.peerIsGone = true
  add({ seq: 1 })
  await index.settle('t1', 'bob')
  t.strictSame(moves, [])
  add({ seq: 2 })
  store.peerIsGone = false
  await index.settle('t1', 'bob')
  t.strictSame(moves, ['bob>node-2#1', 'bob>node-2#1'])
  t.equal(index.outstanding, 0)
})

t.test('a move that failed is not tried again at once: messages that come back are no news', async t => {
  const { add, index, online, reports, store } = setup(t)
  online.set('bob', ['node-2#1'])
  store.peerIsGone = true
  store.answering = async () => await nextTurn()
  add({ seq: 1 })
  await index.settle('t1', 'bob')
  for (let turn = 0; turn < 200; turn++) await nextTurn()
  // Retries have a clock of their own, and may fall into it on a slow machine.
  t.ok(reports.length < 20, `${reports.length} reports`)
  t.equal(index.outstanding, 1)
})

t.test('devices here are told although the store does not answer', async t => {
  const { add, index, store, woken } = setup(t)
  store.isGone = true
  add({ seq: 1 })
  await index.settle('t1', 'bob')
  t.ok(woken.includes('bob'))
})

t.test('everything is reported again on request', async t => {
  const { add, index, reports } = setup(t)
  add({ seq: 1 })
  add({ seq: 2, userId: 'carol' })
  await Promise.all([index.settle('t1', 'bob'), index.settle('t1', 'carol')])
  index.reassert()
  await Promise.all([index.settle('t1', 'bob'), index.settle('t1', 'carol')])
  t.strictSame(reports, ['bob=1', 'carol=1', 'bob=1', 'carol=1'])
})
