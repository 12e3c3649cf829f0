import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { ConversationTurns } from '../../lib/session/conversation-turns.js'

interface Deferred {
  promise: Promise<void>
  resolve: () => void
  reject: (error: Error) => void
}

function defer (): Deferred {
  const deferred: Partial<Deferred> = {}
  deferred.promise = new Promise((resolve, reject) => Object.assign(deferred, { resolve, reject }))
  return deferred as Deferred
}

t.test('steps of one conversation run in the order of entering, whichever is ready first', t => {
  const turns = new ConversationTurns()
  const ran: string[] = []
  const [a, b, c] = [turns.enter('bob'), turns.enter('bob'), turns.enter('bob')]
  c.take(() => { ran.push('c') })
  b.take(() => { ran.push('b') })
  t.same(ran, [])
  a.take(() => { ran.push('a') })
  t.same(ran, ['a', 'b', 'c'])
  t.end()
})

t.test('conversations do not wait for each other', t => {
  const turns = new ConversationTurns()
  const ran: string[] = []
  turns.enter('bob')
  turns.enter('carol').take(() => { ran.push('carol') })
  t.same(ran, ['carol'])
  t.end()
})

t.test('a turn that is skipped lets the next go', t => {
  const turns = new ConversationTurns()
  const ran: string[] = []
  const [a, b, c] = [turns.enter('bob'), turns.enter('bob'), turns.enter('bob')]
  c.take(() => { ran.push('c') })
  b.skip()
  t.same(ran, [])
  a.skip()
  t.same(ran, ['c'])
  t.end()
})

t.test('the next waits until an asynchronous step has ended, well or badly', async t => {
  const turns = new ConversationTurns()
  const ran: string[] = []
  const first = defer()
  const second = defer()
  const third = defer()
  turns.enter('bob').take(() => first.promise)
  turns.enter('bob').take(() => {
    ran.push('second')
    return second.promise
  })
  turns.enter('bob').take(() => {
    ran.push('third')
    third.resolve()
  })
  t.same(ran, [])
  first.resolve()
  await first.promise
  await Promise.resolve()
  t.same(ran, ['second'], 'and the third waits for the second')
  second.reject(new Error('a step that fails'))
  await third.promise
  t.same(ran, ['second', 'third'])
})

t.test('a conversation that ended begins anew', t => {
  const turns = new ConversationTurns()
  const ran: number[] = []
  for (let i = 0; i < 3; i++) turns.enter('bob').take(() => { ran.push(i) })
  t.same(ran, [0, 1, 2])
  t.end()
})

t.test('a step may enter its own conversation: it comes after all that wait', t => {
  const turns = new ConversationTurns()
  const ran: string[] = []
  const a = turns.enter('bob')
  const b = turns.enter('bob')
  b.take(() => { ran.push('b') })
  a.take(() => {
    ran.push('a')
    turns.enter('bob').take(() => { ran.push('c') })
  })
  t.same(ran, ['a', 'b', 'c'])
  t.end()
})

interface Plan {
  conversation: string
  step: 'sync' | 'async' | 'fails' | 'skip'
}

const plans = fc.array(fc.record<Plan>({
  conversation: fc.constantFrom('a', 'b', 'c'),
  step: fc.constantFrom('sync', 'async', 'fails', 'skip'),
}), { minLength: 1, maxLength: 40 })

t.test('property: in the order of entering, one at a time, whatever becomes ready or ends when', async () => {
  await fc.assert(fc.asyncProperty(plans, fc.scheduler(), fc.boolean(), async (plan, scheduler, enterLate) => {
    const turns = new ConversationTurns()
    const ran = new Map<string, number[]>()
    const running = new Map<string, number>()
    let left = plan.length
    const allDone = defer()
    const done = (): void => { if (--left === 0) allDone.resolve() }
    const overlaps: number[] = []
    plan.forEach(({ conversation, step }, i) => {
      const run = (): Promise<void> | undefined => {
        const others = running.get(conversation) ?? 0
        if (others > 0) overlaps.push(i)
        ran.set(conversation, [...ran.get(conversation) ?? [], i])
        if (step === 'sync') {
          done()
          return
        }
        running.set(conversation, others + 1)
        return scheduler.schedule(Promise.resolve(), `end of ${i}`).then(() => {
          running.set(conversation, 0)
          done()
          if (step === 'fails') throw new Error('a step that fails')
        })
      }
      const ready = (turn: ReturnType<ConversationTurns['enter']>): void => {
        if (step !== 'skip') return turn.take(run)
        turn.skip()
        done()
      }
      const turn = turns.enter(conversation)
      // Some are ready as soon as they have entered, as messages without hooks are.
      if (enterLate && i % 3 === 0) ready(turn)
      else scheduler.schedule(Promise.resolve(), `ready ${i}`).then(() => ready(turn))
    })
    await scheduler.waitFor(allDone.promise)
    assert.deepEqual(overlaps, [], 'steps that began while another of their conversation ran')
    for (const conversation of new Set(plan.map(item => item.conversation))) {
      const entered = [...plan.entries()].filter(([, item]) => item.conversation === conversation && item.step !== 'skip')
      assert.deepEqual(ran.get(conversation) ?? [], entered.map(([i]) => i))
    }
  }), { numRuns: 200 })
})
