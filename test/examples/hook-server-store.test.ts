import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'

// Plain JavaScript, without types, as it is for readers.
const load = async (name: string) => await import(new URL(`../../examples/hook-server/${name}`, import.meta.url).href)
const { Store } = await load('store.js')
const { eventHandler } = await load('events.js')

function openStore (t: Test) {
  const file = join(t.testdir(), 'hook-server.db')
  const store = new Store(file)
  t.teardown(() => store.close())
  return { store, file }
}

function offlineMessage (msgId: string, toUserId = 'ben') {
  const message = { userId: 'ann', deviceId: 'phone', msgId }
  return { type: 'OFFLINE_MESSAGE', identity: `${msgId} to ${toUserId}`, toUserId, message, messageBytes: Buffer.from(msgId) }
}

function kept (store: any, userId: string): string[] {
  return store.keptMessages(userId, 0, 5000).map(({ bytes }: { bytes: Uint8Array }) => Buffer.from(bytes).toString())
}

t.test('an event that comes twice is kept once, for each of its recipients', async t => {
  const { store } = openStore(t)
  const handle = eventHandler(store, { warn () {} })
  for (const event of [
    offlineMessage('m1'), offlineMessage('m2'), offlineMessage('m1'), offlineMessage('m1', 'cleo'),
    { ...offlineMessage('m3'), type: 'SINGLE_CHAT_MSG' }, { type: 'CONNECT_ONLINE', identity: 'c1' },
  ]) handle(event)
  t.strictSame(kept(store, 'ben'), ['m1', 'm2'])
  t.strictSame(kept(store, 'cleo'), ['m1'])
})

t.test('beyond 1,000 messages for a user the oldest go, and the log says so', async t => {
  const { store } = openStore(t)
  const warnings: object[] = []
  const handle = eventHandler(store, { warn: (fields: object) => warnings.push(fields) })
  for (let i = 1; i <= 1002; i++) handle(offlineMessage(`m${i}`))
  handle(offlineMessage('m1', 'cleo'))
  const all = kept(store, 'ben')
  t.strictSame([all.length, all[0], all.at(-1)], [1000, 'm3', 'm1002'])
  t.strictSame(warnings, [{ userId: 'ben', dropped: 1 }, { userId: 'ben', dropped: 1 }])
  t.strictSame(kept(store, 'cleo'), ['m1'])
})

t.test('what is too old goes', async t => {
  const { store } = openStore(t)
  for (const [now, msgId] of [[1000, 'old'], [2000, 'new']]) {
    const { identity, toUserId: userId, message, messageBytes: bytes } = offlineMessage(String(msgId))
    store.keep({ identity, userId, message, bytes, now })
  }
  t.equal(store.deleteKeptBefore(2000), 1)
  t.strictSame(kept(store, 'ben'), ['new'])
})

t.test('a token is found in another process, and is not in the file', async t => {
  const { store, file } = openStore(t)
  const token = store.createUser('ann')
  t.equal(store.createUser('ann'), undefined, 'there is one already')
  const other = new Store(file)
  t.teardown(() => other.close())
  t.equal(other.userOfToken(token), 'ann')
  t.equal(other.userOfToken(`${token}x`), undefined)
  t.notOk(readFileSync(file).includes(token))
})

t.test('a group gets other members, and keeps its own where one cannot be written', async t => {
  const { store } = openStore(t)
  for (const userId of ['ann', 'ben']) store.createUser(userId)
  store.setMembers('garden', ['ann', 'ben', 'ann'])
  t.strictSame(store.members('garden'), ['ann', 'ben'])
  t.throws(() => store.setMembers('garden', ['ben', 'nobody']), /FOREIGN KEY/)
  t.strictSame(store.members('garden'), ['ann', 'ben'])
  store.setMembers('garden', ['ben'])
  t.strictSame([store.isMember('garden', 'ann'), store.isMember('garden', 'ben')], [false, true])
})
