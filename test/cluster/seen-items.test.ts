import t from 'tap'
import { newResult, type ItemResult } from '../../lib/cluster/item-result.js'
import { MAX_UNANSWERED } from '../../lib/cluster/node-rpc-limits.js'
import { SeenItems } from '../../lib/cluster/seen-items.js'

function result (id: number, missing: number[] = []): ItemResult {
  return { ...newResult(id), missing }
}

class Collected {
  readonly ids: number[] = []
  push (results: ItemResult[]): void {
    for (const { id } of results) this.ids.push(id)
  }
}

t.test('an item is new, then in progress, then answered', async t => {
  const seen = new SeenItems()
  const answers = new Collected()
  t.equal(seen.find(1, answers), undefined)
  seen.begin(1, answers)
  t.equal(seen.find(1, answers), 'in_progress')
  t.equal(seen.unfinished, 1)
  const done = result(1)
  seen.finish(done)
  t.equal(seen.find(1, answers), done)
  t.equal(seen.unfinished, 0)
})

t.test('the answer goes to the stream that asked last', async t => {
  const seen = new SeenItems()
  const [old, fresh] = [new Collected(), new Collected()]
  seen.begin(1, old)
  seen.find(1, fresh)
  seen.finish(result(1))
  t.same([old.ids, fresh.ids], [[], [1]])
})

t.test('the oldest answers are forgotten, by number and by what is in them', async t => {
  const seen = new SeenItems(3, 10)
  const nobody = new Collected()
  const known = (): number[] => [1, 2, 3, 4, 5, 6].filter(id => seen.find(id, nobody) !== undefined)
  for (const id of [1, 2, 3, 4]) seen.remember(id, result(id))
  t.same(known(), [2, 3, 4])
  seen.remember(5, result(5, [0, 1, 2, 3, 4, 5]))
  seen.remember(6, result(6, [0, 1, 2, 3, 4, 5]))
  t.same(known(), [6])
})

t.test('as many are remembered as a peer may have unanswered, twice over', async t => {
  const seen = new SeenItems()
  const count = 2 * 2 * MAX_UNANSWERED
  for (let id = 1; id <= count; id++) seen.remember(id, result(id))
  t.not(seen.find(1, new Collected()), undefined)
})
