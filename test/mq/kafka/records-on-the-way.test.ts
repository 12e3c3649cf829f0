import t from 'tap'
import { RecordsBehind } from '../../../lib/mq/kafka/records-behind.js'
import { RecordsOnTheWay } from '../../../lib/mq/kafka/records-on-the-way.js'

t.test('it knows the oldest record on its way, in whatever order they are settled', async t => {
  const records = new RecordsOnTheWay<string>()
  const [a, b, c] = ['a', 'b', 'c'].map(text => records.add(text))
  t.equal(records.latestId, c)
  t.equal(records.take(b), 'b')
  t.equal(records.take(b), undefined, 'once')
  t.equal(records.oldestId, a)
  t.equal(records.take(a), 'a')
  t.equal(records.oldestId, c)
  t.equal(records.some(text => text === 'c'), true)
  t.equal(records.some(text => text === 'a'), false)
  const d = records.add('d')
  t.strictSame(records.takeAll(), ['c', 'd'])
  t.equal(records.size, 0)
  t.equal(records.oldestId, d + 1)
})

t.test('a mark holds for what is behind, and until that is settled', async t => {
  const behind = new RecordsBehind<string>()
  behind.mark('line', 3, 7, 'why')
  t.strictSame([2, 3, 4, 7, 8].map(id => behind.get('line', id)), [undefined, undefined, 'why', 'why', undefined])
  t.equal(behind.get('other', 5), undefined)
  behind.mark('line', 5, 9, 'another')
  t.strictSame([4, 8, 9, 10].map(id => behind.get('line', id)), ['why', 'why', 'why', undefined],
    'a failure behind a failure is of the same kind, and what came meanwhile is behind both')
  behind.mark('other', 8, 9, 'why')
  behind.mark('line', 10, 12, 'again')
  t.equal(behind.get('line', 11), 'again')
  behind.forget(10)
  t.equal(behind.size, 1)
  behind.forget(13)
  t.equal(behind.size, 0)
})
