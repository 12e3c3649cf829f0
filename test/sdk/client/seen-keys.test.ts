import t from 'tap'
import { SeenKeys } from '../../../sdk/client/src/seen-keys.js'

t.test('a key is new once', async t => {
  const seen = new SeenKeys(10)
  t.ok(seen.add('a'))
  t.notOk(seen.add('a'))
  t.ok(seen.add('b'))
})

t.test('the latest are remembered, and twice as many at most', async t => {
  const seen = new SeenKeys(10)
  for (let i = 0; i < 30; i++) seen.add(String(i))
  for (let i = 20; i < 30; i++) t.notOk(seen.add(String(i)), `${i} is known`)
  t.ok(seen.add('0'), 'the oldest is forgotten')
  t.equal(seen.characters, 2 * 10 + 1)
})

t.test('long keys are told apart, and take little memory', async t => {
  const seen = new SeenKeys(10)
  const long = 'x'.repeat(1024 * 1024)
  t.ok(seen.add(`${long}a`))
  t.ok(seen.add(`${long}b`))
  t.notOk(seen.add(`${long}a`))
  t.ok(seen.characters < 600, `${seen.characters} characters`)
})

t.test('long keys that differ a little, anywhere, are all new', async t => {
  const seen = new SeenKeys(100_000)
  let added = 0
  const add = (key: string): void => { if (seen.add(key)) added++ }
  for (let i = 0; i < 50_000; i++) add('k'.repeat(300) + i)
  for (let i = 0; i < 300; i++) add('k'.repeat(i) + 'l' + 'k'.repeat(400 - i))
  for (let i = 0; i < 300; i++) add('k'.repeat(i) + 'lk'.repeat(50) + 'k'.repeat(400 - i))
  for (let i = 1; i <= 65_535; i += 3) add('k'.repeat(300) + String.fromCharCode(i) + 'k'.repeat(5))
  t.equal(added, 50_000 + 300 + 300 + 21_845)
})

t.test('a long key never meets one of another sender', async t => {
  const seen = new SeenKeys(10)
  const rest = 'm'.repeat(1000)
  t.ok(seen.add(JSON.stringify(['alice', 'phone', rest])))
  t.ok(seen.add(JSON.stringify(['bob', 'phone', rest])))
})
