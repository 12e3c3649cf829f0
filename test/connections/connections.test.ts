import t from 'tap'
import { Connections } from '../../lib/connections/connections.js'
import { fakeSession } from './fake-session.js'

t.test('connections are found by tenant, user and device', async t => {
  const connections = new Connections()
  const phone = fakeSession('t1', 'alice', 'phone')
  const laptop = fakeSession('t1', 'alice', 'laptop')
  const bob = fakeSession('t1', 'bob', 'phone')
  const elsewhere = fakeSession('t2', 'alice', 'phone')
  for (const session of [phone, laptop, bob, elsewhere]) connections.add(session)

  t.strictSame(connections.ofUser('t1', 'alice'), [phone, laptop])
  t.equal(connections.ofDevice('t1', 'alice', 'laptop'), laptop)
  t.equal(connections.ofDevice('t2', 'alice', 'phone'), elsewhere)
  t.equal(connections.count, 4)
  t.equal(connections.countOfTenant('t1'), 3)
  t.strictSame(connections.list('t1'), [phone, laptop, bob])
  t.strictSame(connections.list(), [phone, laptop, bob, elsewhere])
})

t.test('what nobody is connected as is empty', async t => {
  const connections = new Connections()
  connections.add(fakeSession('t1', 'alice', 'phone'))
  t.strictSame(connections.ofUser('t1', 'bob'), [])
  t.strictSame(connections.ofUser('t2', 'alice'), [])
  t.equal(connections.ofDevice('t1', 'alice', 'laptop'), undefined)
  t.equal(connections.countOfTenant('t2'), 0)
  t.strictSame(connections.list('t2'), [])
  t.strictSame(connections.ofUser('t1', 'constructor'), [])
})

t.test('a connection takes the place of its device, counted once', async t => {
  const connections = new Connections()
  const old = fakeSession('t1', 'alice', 'phone')
  const other = fakeSession('t1', 'alice', 'laptop')
  const fresh = fakeSession('t1', 'alice', 'phone')
  connections.add(old)
  connections.add(other)
  connections.add(fresh)
  t.strictSame(connections.ofUser('t1', 'alice'), [other, fresh])
  t.equal(connections.count, 2)
  t.equal(connections.countOfTenant('t1'), 2)

  connections.remove(old)
  t.equal(connections.ofDevice('t1', 'alice', 'phone'), fresh, 'the old one takes nothing with it')
  t.equal(connections.count, 2)
})

t.test('removing twice counts once, and the last takes its user and tenant along', async t => {
  const connections = new Connections()
  const phone = fakeSession('t1', 'alice', 'phone')
  const laptop = fakeSession('t1', 'alice', 'laptop')
  connections.add(phone)
  connections.add(laptop)
  connections.remove(phone)
  connections.remove(phone)
  t.equal(connections.count, 1)
  t.strictSame(connections.ofUser('t1', 'alice'), [laptop])
  connections.remove(laptop)
  t.equal(connections.count, 0)
  t.equal(connections.countOfTenant('t1'), 0)
  t.strictSame(connections.list(), [])
  connections.remove(laptop)
  t.equal(connections.count, 0)
})

t.test("a user's list and the list of all may be walked while connections come and go", async t => {
  const connections = new Connections()
  const sessions = ['a', 'b', 'c'].map(deviceId => fakeSession('t1', 'alice', deviceId))
  for (const session of sessions) connections.add(session)

  const walked: unknown[] = []
  for (const session of connections.ofUser('t1', 'alice')) {
    walked.push(session)
    connections.remove(session)
    connections.add(fakeSession('t1', 'alice', `new ${session.deviceId}`))
  }
  t.strictSame(walked, sessions)
  for (const session of connections.list()) connections.remove(session)
  t.equal(connections.count, 0)
})
