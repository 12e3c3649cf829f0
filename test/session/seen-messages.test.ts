import t from 'tap'
import { SeenMessages } from '../../lib/session/seen-messages.js'

const aMessage = (msgId: string) => ({ userId: 'dave', deviceId: 'd1', msgId })

t.test('a message is new once, by sender, device and msg_id', async t => {
  const seen = new SeenMessages()
  t.equal(seen.add(aMessage('m1')), true)
  t.equal(seen.add(aMessage('m1')), false)
  t.equal(seen.add({ ...aMessage('m1'), userId: 'erik' }), true)
  t.equal(seen.add({ ...aMessage('m1'), deviceId: 'd2' }), true)
  t.equal(seen.add(aMessage('m2')), true)
})

t.test('it remembers all that a pull may bring, and not for ever', async t => {
  const seen = new SeenMessages()
  for (let i = 0; i < 1000; i++) seen.add(aMessage(`pulled${i}`))
  for (let i = 0; i < 1000; i++) seen.add(aMessage(`live${i}`))
  t.equal(seen.add(aMessage('pulled0')), false)
  for (let i = 1000; i < 5000; i++) seen.add(aMessage(`live${i}`))
  t.equal(seen.add(aMessage('live4999')), false)
  t.equal(seen.add(aMessage('pulled0')), true, 'the oldest gave way')
})
