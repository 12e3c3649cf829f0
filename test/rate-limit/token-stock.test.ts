import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { TokenStock, type Grant } from '../../lib/rate-limit/token-stock.js'

/** A stock under a clock of the test's, and a bucket that does as the test says. */
function setup () {
  const clock = { now: 0 }
  const source = {
    isUp: true,
    wants: [] as number[],
    givenBack: 0,
    local: 0,
    /** Where a fetch is not answered at once. */
    held: undefined as undefined | Array<{ resolve: (grant: Grant) => void, reject: (error: Error) => void }>,
    grant: (want: number): Grant => ({ granted: want, nextMs: 0 }),
    async fetch (_qps: number, want: number): Promise<Grant> {
      source.wants.push(want)
      if (source.held === undefined) return source.grant(want)
      const { held } = source
      return await new Promise((resolve, reject) => held.push({ resolve, reject }))
    },
    giveBack (_qps: number, tokens: number) { source.givenBack += tokens },
    localRate: (qps: number) => qps / 2,
    onLocal () { source.local++ },
  }
  const stock = new TokenStock(source, () => clock.now, () => 0.5)
  const take = (count: number, qps = 1000) => Array.from({ length: count }, () => stock.take(qps))
  return { clock, source, stock, take }
}

async function turns (): Promise<void> {
  for (let i = 0; i < 3; i++) await setImmediate()
}

t.test('what asks in one turn of the event loop is one fetch', async t => {
  const { source, take } = setup()
  const answers = take(10)
  t.ok(answers.every(answer => answer instanceof Promise))
  t.same(await Promise.all(answers), Array(10).fill(true))
  t.same(source.wants, [10], 'for as many tokens')
  await turns()
  t.equal(source.wants.length, 1)
})

t.test('a load that has just begun needs ever fewer fetches', async t => {
  const { source, take } = setup()
  for (let i = 0; i < 1000; i++) await take(1)[0]
  t.ok(source.wants.length < 20, `${source.wants.length} fetches`)
  t.ok(source.wants.reduce((sum, want) => sum + want) < 1500, 'and not much more is taken than needed')
})

t.test('a steady load is answered at once, for a fetch in each 100 ms', async t => {
  const { clock, source, stock, take } = setup()
  let [asked, passed, waited] = [0, 0, 0]
  for (let ms = 0; ms < 5000; ms += 10) {
    const answers = take(7)
    asked += answers.length
    if (ms >= 500) waited += answers.filter(answer => answer instanceof Promise).length
    if (ms === 500) source.wants = []
    passed += (await Promise.all(answers)).filter(Boolean).length
    await turns()
    if (ms % 100 === 0) stock.sweep()
    clock.now += 10
  }
  t.equal(passed, asked)
  t.equal(waited, 0)
  t.ok(source.wants.length <= 46, `${source.wants.length} fetches in 4.5 s`)
  const taken = source.wants.reduce((sum, want) => sum + want) - source.givenBack
  t.ok(Math.abs(taken - 450 * 7) <= 105, `${taken} tokens taken, and no more than 150 ms' worth of them not used`)
})

t.test('when the bucket is empty the answer is no at once, until it may have tokens again', async t => {
  const { clock, source, take } = setup()
  source.grant = () => ({ granted: 2, nextMs: 30 })
  t.same(await Promise.all(take(4)), [true, true, false, false], 'the first get what there is')
  t.same(take(3), [false, false, false])
  clock.now += 99
  t.same(take(1), [false], 'it is left alone for about 100 ms')
  clock.now += 1
  source.grant = () => ({ granted: 0, nextMs: 700 })
  t.same(await Promise.all(take(1)), [false])
  clock.now += 699
  t.same(take(1), [false], 'or until the next token comes')
  clock.now += 1
  source.grant = want => ({ granted: want, nextMs: 0 })
  t.same(await Promise.all(take(1)), [true])
})

t.test('what comes during a fetch waits for the next, in order', async t => {
  const { source, take } = setup()
  source.held = []
  const order: string[] = []
  const first = take(2)
  await turns()
  const second = take(2)
  for (const [index, answer] of [...first, ...second].entries()) {
    Promise.resolve(answer).then(passes => order.push(`${index} ${passes}`), t.threw)
  }
  t.equal(source.held.length, 1, 'one fetch at a time')
  source.held[0].resolve({ granted: source.wants[0], nextMs: 0 })
  await turns()
  t.same(order.slice(0, 2), ['0 true', '1 true'])
  const last = take(1)
  t.type(last[0], Promise, 'nobody overtakes')
  source.held[1].resolve({ granted: 1, nextMs: 5 })
  await turns()
  t.same(order.map(line => line[0]), ['0', '1', '2', '3'])
  t.equal(await last[0], false)
})

t.test('not more wait than the bucket can hold tokens', async t => {
  const { source, take } = setup()
  source.held = []
  const answers = take(20, 5)
  t.same(answers.map(answer => answer instanceof Promise), Array.from({ length: 20 }, (_, i) => i < 5))
  t.same(answers.slice(5), Array(15).fill(false))
  await turns()
  t.same(source.wants, [5])
  source.held[0].resolve({ granted: 5, nextMs: 0 })
  t.same(await Promise.all(answers.slice(0, 5)), Array(5).fill(true))
})

t.test('what is not used any more goes back, the more the longer', async t => {
  const { clock, source, stock, take } = setup()
  for (let ms = 0; ms < 1000; ms += 10) {
    await Promise.all(take(10))
    await turns()
    clock.now += 10
  }
  source.givenBack = 0
  const steps: number[] = []
  for (let i = 0; i < 20; i++) {
    clock.now += 100
    const before = source.givenBack
    stock.sweep()
    steps.push(source.givenBack - before)
  }
  t.ok(source.givenBack >= 50 && source.givenBack <= 150, `${source.givenBack} tokens lay here`)
  t.ok(stock.isIdle)
  t.equal(steps.at(-1), 0)
})

t.test('while the bucket cannot be reached the share of this node passes', async t => {
  const { clock, source, take } = setup()
  source.isUp = false
  t.equal(take(30, 20).filter(answer => answer === true).length, 10, 'half of the limit')
  t.equal(source.local, 30)
  t.same(source.wants, [])
  clock.now += 500
  t.equal(take(30, 20).filter(answer => answer === true).length, 5)
  source.isUp = true
  t.same(await Promise.all(take(2, 20)), [true, true], 'and then the bucket is asked again')
})

t.test('a fetch that fails is answered by the share of this node, and not tried again at once', async t => {
  const { clock, source, take } = setup()
  source.held = []
  const answers = take(4, 6)
  await turns()
  source.held[0].reject(new Error('gone'))
  t.same(await Promise.all(answers), [true, true, true, false])
  t.same(take(1, 6), [false])
  t.equal(source.wants.length, 1)
  clock.now += 100
  const again = take(1, 6)
  await turns()
  t.equal(source.wants.length, 2)
  source.held[1].resolve({ granted: source.wants[1], nextMs: 0 })
  t.equal(await again[0], true)
})

t.test('a limit that changes counts from the next fetch', async t => {
  const { clock, source, take } = setup()
  source.grant = () => ({ granted: 0, nextMs: 1000 })
  t.same(await Promise.all(take(3, 1)), [false, false, false])
  clock.now += 1000
  await Promise.all(take(50, 40))
  t.equal(source.wants.at(-1), 40)
})
