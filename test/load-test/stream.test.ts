import t from 'tap'
import { Arrivals } from '../../lib/load-test/arrivals.js'
import { addLatencies, emptyLatencies, record, summaryOf } from '../../lib/load-test/latencies.js'
import { BUFFERED, FAILED, SENT, Stream } from '../../lib/load-test/stream.js'
import { addTally, count, emptyTally, sum } from '../../lib/load-test/tally.js'
import { WebSocketFrames } from '../../lib/load-test/websocket-frames.js'

function newStream (options = { recipients: 1, isHeldDelivered: false }) {
  const tally = emptyTally()
  return { tally, stream: new Stream(0, tally, options) }
}

t.test('a stream keeps a bounded number of messages, and counts the oldest beyond as they are', async t => {
  const { tally, stream } = newStream()
  for (let n = 0; n < 70_000; n++) {
    const sequence = stream.open(n)
    stream.answer(sequence, SENT)
    if (n > 0) stream.arrive(sequence)
  }
  t.match(tally.deliveries, { lost: 1, received: 69_999 }, 'the first, which nobody received')
  t.ok(stream.isSettled)
})

t.test('a delivery may come before its ack', async t => {
  const { tally, stream } = newStream()
  stream.arrive(stream.open(1))
  t.notOk(stream.isSettled)
  t.equal(stream.answer(0, SENT), 1)
  t.ok(stream.isSettled)
  t.match(tally.deliveries, { expected: 1, received: 1, unexpected: 0, lost: 0 })
  t.equal(stream.answer(0, SENT), undefined, 'a second ack is for nothing')
})

t.test('what a message comes to depends on its ack', async t => {
  const { tally, stream } = newStream()
  for (let n = 0; n < 4; n++) stream.open(n)
  stream.answer(0, SENT)
  stream.answer(1, FAILED)
  stream.answer(2, BUFFERED)
  stream.close()
  t.match(tally.deliveries, { expected: 2, lost: 1, held: 1, missed: 0 })
  t.equal(tally.messages.unanswered, 1)
})

t.test('what waits for an absent recipient is lost where it does not come', async t => {
  const { tally, stream } = newStream({ recipients: 1, isHeldDelivered: true })
  stream.answer(stream.open(0), BUFFERED)
  stream.close()
  t.match(tally.deliveries, { lost: 1, held: 0 })
})

t.test('arrivals tell repeats from messages that are late', async t => {
  const arrivals = new Arrivals(2)
  t.strictSame([0, 1, 3, 2, 3, 40, 0, 41].map(sequence => arrivals.take(0, sequence)),
    ['in-order', 'in-order', 'in-order', 'late', 'repeat', 'in-order', 'too-late', 'in-order'])
  t.equal(arrivals.take(1, 0), 'in-order', 'each stream has its own')
})

t.test('histograms and counts of threads add up', async t => {
  const [a, b] = [emptyLatencies(), emptyLatencies()]
  for (let ms = 1; ms <= 100; ms++) record((ms % 2 === 0 ? a : b).ack, ms * 1000)
  addLatencies(a, b)
  const summary = summaryOf(a.ack)
  t.match(summary, { count: 100, min: 1 })
  t.ok(Math.abs((summary?.p50 ?? 0) - 50) < 1)
  t.ok(Math.abs((summary?.max ?? 0) - 100) < 1)
  t.equal(summaryOf(a.connect), null)

  const [x, y] = [emptyTally(), emptyTally()]
  count(x.messages.failed, 'a')
  count(y.messages.failed, 'a', 2)
  count(y.messages.failed, '__proto__')
  x.messages.sent = 1
  y.messages.sent = 2
  addTally(x, y)
  t.equal(x.messages.sent, 3)
  t.equal(x.messages.failed.a, 3)
  for (let n = 0; n < 1000; n++) count(x.messages.failed, `reason ${n}`)
  t.ok(Object.keys(x.messages.failed).length <= 101, 'reasons that differ each time are bounded')
  t.equal(sum(x.messages.failed), 1004)
})

t.test('frames are read in whatever pieces they come', async t => {
  const large = Buffer.alloc(3000, 'y')
  const header = Buffer.alloc(10)
  header[0] = 0x82
  header[1] = 127
  header.writeBigUInt64BE(3000n, 2)
  const bytes = Buffer.concat([
    Buffer.from([0x82, 2, 1, 2]), Buffer.from([0x02, 1, 3]), Buffer.from([0x89, 0]), Buffer.from([0x80, 1, 4]),
    header, large,
    Buffer.from([0x88, 4, 0x10, 0x04]), Buffer.from('by'),
  ])
  for (const size of [1, 7, 1000, bytes.length]) {
    const heard: string[] = []
    const frames = new WebSocketFrames({
      onBinary: (bytes, start, end) => { heard.push(end - start > 10 ? `${end - start}` : bytes.toString('hex', start, end)) },
      onPing: () => { heard.push('ping') },
      onClose: (code, reason) => { heard.push(`${code} ${reason}`) },
      onProtocolError: what => { heard.push(what) },
    })
    for (let at = 0; at < bytes.length; at += size) {
      const piece = Buffer.from(bytes.subarray(at, at + size))
      frames.push(piece, piece.length)
      piece.fill(0)
    }
    t.strictSame(heard, ['0102', 'ping', '0304', '3000', '4100 by'], `pieces of ${size}`)
  }
})
