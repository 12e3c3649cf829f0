import t from 'tap'
import { ThrottledLog } from '../../lib/log/throttled-log.js'

function setup (): { log: (kind: string, fields?: object) => void, lines: object[], clock: { time: number } } {
  const clock = { time: 0 }
  const lines: object[] = []
  const throttled = new ThrottledLog(1000, () => clock.time)
  return {
    clock,
    lines,
    log: (kind, fields = {}) => {
      throttled.log(kind, (fields, message) => lines.push({ ...fields, message }), fields, kind)
    },
  }
}

t.test('the first event of a kind is logged at once', t => {
  const { log, lines } = setup()
  log('hook failed', { tenantId: 't1' })
  t.same(lines, [{ tenantId: 't1', message: 'hook failed' }])
  t.end()
})

t.test('further ones are counted and told with the first line after the interval', t => {
  const { log, lines, clock } = setup()
  log('hook failed', { n: 0 })
  for (let n = 1; n <= 5; n++) {
    clock.time += 199
    log('hook failed', { n })
  }
  t.equal(lines.length, 1)
  clock.time = 1000
  log('hook failed', { n: 6 })
  t.same(lines[1], { n: 6, suppressed: 5, message: 'hook failed' })
  clock.time = 2000
  log('hook failed', { n: 7 })
  t.same(lines[2], { n: 7, message: 'hook failed' }, 'the count begins anew')
  t.end()
})

t.test('each kind has its own interval', t => {
  const { log, lines, clock } = setup()
  log('a')
  clock.time = 500
  log('b')
  clock.time = 1000
  log('a')
  log('b')
  t.same(lines, [{ message: 'a' }, { message: 'b' }, { message: 'a' }])
  t.end()
})

t.test('however many kinds there are, the log goes on', t => {
  const { log, lines } = setup()
  for (let i = 0; i < 25_000; i++) log(`kind ${i}`)
  t.equal(lines.length, 25_000)
  log('kind 24999')
  t.equal(lines.length, 25_000, 'and still throttles what it has just seen')
  t.end()
})
