import t from 'tap'
import { SeenKeys } from '../../lib/chat-client/seen-keys.js'

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
})

t.test('long keys are told apart, and take little memory', async t => {
  const seen = new SeenKeys(10)
  const long = 'x'.repeat(1024 * 1024)
  t.ok(seen.add(`${long}a`))
  t.ok(seen.add(`${long}b`))
  t.notOk(seen.add(`${long}a`))
  t.ok(seen.characters < 200, `${seen.characters} characters`)
})
