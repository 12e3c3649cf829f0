import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import fc from 'fast-check'
import t from 'tap'
import { FlushQueue } from '../../lib/connections/flush-queue.js'
import { Outbound } from '../../lib/connections/outbound.js'

const KIB = 1024

/** A socket whose writes end on command; or at once, as those do that the kernel takes whole. */
class FakeSocket extends Duplex {
  readonly writes: Buffer[][] = []
  takesAtOnce = false
  isOpen = true
  /** Bytes that the kernel has. */
  taken = 0
  private pending?: (error?: Error) => void

  constructor () {
    super({ highWaterMark: 16 * KIB })
    this.on('error', () => {})
  }

  override _read (): void {}

  override _write (chunk: Buffer, _encoding: string, callback: (error?: Error) => void): void {
    this.begin([chunk], callback)
  }

  override _writev (chunks: Array<{ chunk: Buffer }>, callback: (error?: Error) => void): void {
    this.begin(chunks.map(({ chunk }) => chunk), callback)
  }

  get isWriting (): boolean {
    return this.pending !== undefined
  }

  get bytesWritten (): number {
    return this.writes.flat().reduce((sum, { length }) => sum + length, 0)
  }

  /** The kernel has taken what was written; the stream's callbacks have run when this resolves. */
  async complete (): Promise<void> {
    const { pending } = this
    this.pending = undefined
    this.taken = this.bytesWritten
    pending?.()
    await turn()
  }

  private begin (chunks: Buffer[], callback: (error?: Error) => void): void {
    this.writes.push(chunks)
    if (this.takesAtOnce) {
      this.taken = this.bytesWritten
      callback()
    } else {
      this.pending = callback
    }
  }
}

interface Setup {
  socket: FakeSocket
  outbound: Outbound<string>
  written: string[]
}

function setup (maxBytes = 1024 * KIB): Setup {
  const socket = new FakeSocket()
  const written: string[] = []
  // A clock that stands: bulk waits for a turn without new frames, however slow the machine is.
  const outbound = new Outbound<string>(socket, maxBytes, new FlushQueue(() => 0), {
    tenantId: 't1',
    get isOpen () { return socket.isOpen },
    onWritten: cargo => { written.push(cargo) },
    onRoom: () => {},
  })
  return { socket, outbound, written }
}

function turn (): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

function frame (bytes: number, fill = 'x'): Buffer {
  return Buffer.alloc(bytes, fill)
}

t.test('the frames of one turn are one write, in order', async t => {
  const { socket, outbound, written } = setup()
  for (const name of ['a', 'b', 'c']) t.ok(outbound.send(frame(10, name), name))
  t.equal(socket.writes.length, 0, 'not before the end of the turn')
  await turn()
  t.equal(socket.writes.length, 1)
  t.equal(socket.writes[0].length, 1, 'small frames are joined into one buffer')
  t.equal(socket.writes[0][0].toString(), 'a'.repeat(10) + 'b'.repeat(10) + 'c'.repeat(10))
  t.same(written, [])
  await socket.complete()
  t.same(written, ['a', 'b', 'c'])
  t.equal(outbound.bytes, 0)
})

t.test('a frame of a large fan-out is written a little later, with those that came meanwhile', async t => {
  const { socket, outbound } = setup()
  outbound.send(frame(1, 'a'), 'a', true)
  await turn()
  outbound.send(frame(1, 'b'), 'b', true)
  while (socket.writes.length === 0) await turn()
  t.equal(Buffer.concat(socket.writes[0]).toString(), 'ab')
})

t.test('a prompt frame takes those of large fan-outs before it along, in order', async t => {
  const { socket, outbound } = setup()
  outbound.send(frame(1, 'a'), 'a', true)
  outbound.send(frame(1, 'b'), 'b')
  outbound.send(frame(1, 'c'), 'c', true)
  await turn()
  t.equal(Buffer.concat(socket.writes.flat()).toString(), 'abc')
  await socket.complete()
  while (outbound.isInBulk) await turn()
  t.equal(socket.bytesWritten, 3, 'and nothing twice')
})

t.test('close does not wait for the turn of a large fan-out', async t => {
  const { socket, outbound } = setup()
  outbound.send(frame(70 * KIB), 'a', true)
  outbound.send(frame(70 * KIB), 'b', true)
  t.same(outbound.close(), ['b'])
  t.equal(socket.bytesWritten, 70 * KIB)
  await socket.complete()
  while (outbound.isInBulk) await turn()
  t.equal(socket.bytesWritten, 70 * KIB, 'nothing behind the end')
})

t.test('large frames are written together without being copied', async t => {
  const { socket, outbound, written } = setup()
  const frames = [frame(20 * KIB), frame(20 * KIB)]
  frames.forEach((item, i) => outbound.send(item, `${i}`))
  await turn()
  t.equal(socket.writes.length, 1, 'one call')
  t.equal(socket.writes[0][0], frames[0], 'the very buffers')
  t.equal(socket.writes[0][1], frames[1])
  await socket.complete()
  t.same(written, ['0', '1'])
})

t.test('a single frame is written as it is, small or larger than a batch', async t => {
  for (const size of [10, 200 * KIB]) {
    const { socket, outbound } = setup()
    const only = frame(size)
    outbound.send(only)
    await turn()
    t.equal(socket.writes[0][0], only)
  }
})

t.test('the socket gets a batch at a time; the rest stays where it can be saved', async t => {
  const { socket, outbound, written } = setup()
  for (let i = 0; i < 10; i++) outbound.send(frame(20 * KIB), `${i}`)
  await turn()
  t.equal(socket.bytesWritten, 60 * KIB)
  await socket.complete()
  t.same(written, ['0', '1', '2'])
  t.equal(socket.bytesWritten, 120 * KIB, 'and the next when that was taken')
  t.equal(outbound.bytes, 140 * KIB)
  t.same(outbound.close(), ['6', '7', '8', '9'])
})

t.test('everything goes out in one turn to a socket that takes everything', async t => {
  const { socket, outbound, written } = setup()
  socket.takesAtOnce = true
  for (let i = 0; i < 10; i++) outbound.send(frame(20 * KIB), `${i}`)
  await turn()
  t.equal(socket.bytesWritten, 200 * KIB)
  t.same(written, ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
})

t.test('a frame beyond the bound is reported, and queued so that close returns its cargo', async t => {
  const { socket, outbound } = setup(100)
  t.ok(outbound.send(frame(60), 'a'))
  await turn()
  t.ok(outbound.send(frame(40), 'b'), 'up to the bound')
  t.notOk(outbound.send(frame(1), 'c'), 'and not a byte more: what the socket has not taken counts')
  t.same(outbound.close(), ['b', 'c'])
  socket.destroy()
  t.same(outbound.unconfirmed(), ['a'])
})

t.test('an empty queue takes a frame of any size', async t => {
  const { socket, outbound } = setup(100)
  t.ok(outbound.hasRoom(1000))
  t.ok(outbound.send(frame(1000)))
  t.notOk(outbound.hasRoom(1))
  await turn()
  t.notOk(outbound.hasRoom(1), 'the socket has it, but the kernel does not')
  await socket.complete()
  t.ok(outbound.hasRoom(1000))
})

t.test('a burst in one turn is no overflow while the socket takes it', async t => {
  const { socket, outbound, written } = setup(100)
  socket.takesAtOnce = true
  for (let i = 0; i < 1000; i++) t.ok(outbound.send(frame(60), `${i}`))
  await turn()
  t.equal(socket.bytesWritten, 60_000)
  t.equal(written.length, 1000)
})

t.test('a burst in one turn is an overflow as soon as the socket stops taking', t => {
  const { socket, outbound } = setup(100)
  socket.takesAtOnce = true
  for (let i = 0; i < 10; i++) outbound.send(frame(60))
  socket.takesAtOnce = false
  t.notOk(outbound.send(frame(60)), 'one is with the socket, one here')
  t.equal(outbound.bytes, 120)
  t.end()
})

t.test('close gives the socket what it still takes', async t => {
  const { socket, outbound, written } = setup()
  outbound.send(frame(10), 'a')
  t.same(outbound.close(), [], 'nothing is left')
  t.equal(socket.bytesWritten, 10)
  await socket.complete()
  t.same(written, ['a'])
  t.same(outbound.unconfirmed(), [])
})

t.test('a closed queue writes nothing more', async t => {
  const { socket, outbound, written } = setup()
  outbound.send(frame(70 * KIB), 'a')
  outbound.send(frame(70 * KIB), 'b')
  await turn()
  t.same(outbound.close(), ['b'])
  await socket.complete()
  await turn()
  t.same(written, ['a'])
  t.equal(socket.bytesWritten, 70 * KIB)
})

t.test('what the socket was given when it broke is unconfirmed', async t => {
  const { socket, outbound, written } = setup()
  outbound.send(frame(10), 'a')
  await turn()
  outbound.send(frame(10), 'b')
  socket.destroy()
  await turn()
  t.same(outbound.close(), ['b'])
  t.same(outbound.unconfirmed(), ['a'])
  t.same(outbound.unconfirmed(), [], 'told once')
  t.same(written, [])
})

t.test('sending to a destroyed socket loses nothing', async t => {
  const { socket, outbound, written } = setup()
  socket.destroy()
  outbound.send(frame(10), 'a')
  await turn()
  outbound.send(frame(10), 'b')
  await turn()
  t.same([...outbound.close(), ...outbound.unconfirmed()].sort(), ['a', 'b'])
  t.same(written, [])
})

t.test('a socket that has ended but is not destroyed loses nothing', async t => {
  const { socket, outbound, written } = setup()
  socket.end()
  outbound.send(frame(10), 'a')
  await turn()
  await turn()
  t.same([...outbound.close(), ...outbound.unconfirmed()], ['a'])
  t.same(written, [])
})

t.test('the late callback of a batch that was taken at once does not speak for the next', async t => {
  const { socket, outbound, written } = setup()
  socket.takesAtOnce = true
  outbound.send(frame(10), 'a')
  outbound.flush()
  t.same(written, ['a'])
  socket.takesAtOnce = false
  outbound.send(frame(10), 'b')
  outbound.flush()
  await turn()
  t.same(written, ['a'], 'b is still with the socket')
  await socket.complete()
  t.same(written, ['a', 'b'])
})

interface Send {
  do: 'send'
  bytes: number
  isBulk: boolean
}

type Step = Send | { do: 'complete' | 'turn' | 'switch' | 'flush' }

const bytes = fc.oneof(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 70 * KIB }))

const steps = fc.array(fc.oneof(
  { weight: 6, arbitrary: fc.record<Send>({ do: fc.constant('send'), bytes, isBulk: fc.boolean() }) },
  { weight: 4, arbitrary: fc.constantFrom<Step>({ do: 'complete' }, { do: 'turn' }, { do: 'switch' }, { do: 'flush' }) }
), { maxLength: 60 })

t.test('property: cargo is reported written, or returned by close or unconfirmed, exactly once', async () => {
  await fc.assert(fc.asyncProperty(steps, fc.boolean(), async (steps, breaks) => {
    const { socket, outbound, written } = setup(128 * KIB)
    let sent = 0
    let sentBytes = 0
    const sizes: number[] = []
    for (const step of steps) {
      switch (step.do) {
        case 'send': {
          const { bytes, isBulk } = step
          const room = outbound.hasRoom(bytes)
          const fits = outbound.send(frame(bytes), `${sent++}`, isBulk)
          assert(fits || !room, 'what had room fits')
          sentBytes += bytes
          sizes.push(bytes)
          break
        }
        case 'complete': await socket.complete(); break
        case 'turn': await turn(); break
        case 'flush': outbound.flush(); break
        case 'switch':
          socket.takesAtOnce = !socket.takesAtOnce
          if (socket.takesAtOnce) await socket.complete()
      }
      const writtenBytes = sizes.slice(0, written.length).reduce((sum, size) => sum + size, 0)
      assert(writtenBytes <= socket.taken, 'written is what the kernel has')
      assert(outbound.bytes >= 0 && outbound.bytes <= sentBytes)
    }
    const returned = outbound.close()
    if (!breaks) while (socket.isWriting) await socket.complete()
    await turn()
    const confirmed = written.length
    socket.destroy()
    await turn()
    const unconfirmed = outbound.unconfirmed()
    assert.equal(written.length, confirmed, 'nothing counts as written once the socket is gone')
    if (!breaks) assert.deepEqual(unconfirmed, [])
    // In the order of sending as well: first what was written, then what was not confirmed, then what was not given.
    assert.deepEqual([...written, ...unconfirmed, ...returned], Array.from({ length: sent }, (_, i) => `${i}`))
    if (!breaks) assert.equal(outbound.bytes, 0)
  }), { numRuns: 300 })
})

t.test('nothing is written behind a close frame: it comes back with the rest', async t => {
  const { socket, outbound, written } = setup()
  outbound.send(frame(60 * KIB), 'taken')
  outbound.send(frame(60 * KIB), 'waiting')
  await turn()
  socket.isOpen = false
  await socket.complete()
  t.same(written, ['taken'])
  t.equal(socket.bytesWritten, 60 * KIB)
  t.same(outbound.close(), ['waiting'])
})
