import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { Heartbeats } from '../../lib/heartbeat/heartbeats.js'
import type { Session } from '../../lib/session/session.js'

/** A session as far as heartbeats know it. */
class FakeSession {
  heartbeatWindowMs = 1000
  lastFrameAt = 0
  pings = 0
  closedWith: number[] = []
  silentMs (now: number): number { return now - this.lastFrameAt }
  ping (): void { this.pings++ }
  close (code: number): void { this.closedWith.push(code) }
}

function start (t: Test, keepaliveMs = 0) {
  mock.timers.enable({ apis: ['setInterval'] })
  let now = 0
  const heartbeats = new Heartbeats(keepaliveMs, () => now)
  t.teardown(() => {
    heartbeats.close()
    mock.timers.reset()
  })
  return {
    watch (fields: Partial<FakeSession> = {}) {
      const session = Object.assign(new FakeSession(), { lastFrameAt: now }, fields)
      return { session, watched: heartbeats.watch(session as unknown as Session) }
    },
    heartbeats,
    now: () => now,
    pass (ms: number): void {
      for (const end = now + ms; now < end;) {
        now += 50
        mock.timers.tick(50)
      }
    },
  }
}

t.test('a silent session is closed with 4100 when its window is over, within half a second', async t => {
  const { watch, pass } = start(t)
  const { session } = watch()
  pass(1000)
  t.strictSame(session.closedWith, [])
  pass(500)
  t.strictSame(session.closedWith, [4100])
})

t.test('a frame moves the end of the window', async t => {
  const { watch, pass, now } = start(t)
  const { session } = watch()
  for (let i = 0; i < 50; i++) {
    pass(950)
    t.strictSame(session.closedWith, [])
    session.lastFrameAt = now()
  }
  pass(1500)
  t.strictSame(session.closedWith, [4100])
})

t.test('windows of a minute, of hours and of a second stand side by side', async t => {
  const { watch, pass } = start(t)
  const sessions = [1, 60, 300, 7200].map(seconds => watch({ heartbeatWindowMs: seconds * 1000 }).session)
  const closed = (): number => sessions.filter(session => session.closedWith.length > 0).length
  const counts: number[] = []
  for (const seconds of [1, 59, 240, 6900]) {
    pass(seconds * 1000 - 500)
    counts.push(closed())
    pass(500)
  }
  pass(500)
  t.strictSame([...counts, closed()], [0, 1, 2, 3, 4])
})

t.test('a window longer than a turn of the wheel is kept to', async t => {
  const { watch, pass } = start(t)
  const { session } = watch({ heartbeatWindowMs: 600_000 })
  pass(600_000)
  t.strictSame(session.closedWith, [])
  pass(500)
  t.strictSame(session.closedWith, [4100])
})

t.test('a session that is no longer watched is left alone', async t => {
  const { watch, heartbeats, pass } = start(t, 500)
  const { session, watched } = watch()
  heartbeats.unwatch(watched)
  heartbeats.unwatch(watched)
  pass(5000)
  t.match(session, { closedWith: [], pings: 0 })
})

t.test('sessions are pinged at the interval, however long it is', async t => {
  for (const seconds of [1, 30, 120, 600]) {
    const { watch, pass, heartbeats } = start(t, seconds * 1000)
    const { session } = watch({ heartbeatWindowMs: 1e9 })
    pass(seconds * 1000)
    t.equal(session.pings, 0, `not before ${seconds} s`)
    pass(seconds * 1000)
    t.equal(session.pings, 1, `once in twice ${seconds} s`)
    heartbeats.close()
    mock.timers.reset()
  }
})
