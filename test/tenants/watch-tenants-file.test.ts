import { once, EventEmitter } from 'node:events'
import { rename, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { TenantConfig } from '../../lib/config/gateway-config.js'
import { loadTenantsFile } from '../../lib/tenants/tenants-file.js'
import { watchTenantsFile } from '../../lib/tenants/watch-tenants-file.js'

function content (...ids: string[]): string {
  return `tenants: {${ids.map(id => `${id}: { authUrl: "http://${id}" }`).join(', ')}}\n`
}

/** Writes as a careful operator does: a look in between finds the old content or the new one. */
async function put (path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text)
  await rename(`${path}.new`, path)
}

/** The watch's own timers do not keep a process alive, and a test that waits for it has no others. */
function stayAlive (t: Test): void {
  const timer = setInterval(() => {}, 60_000)
  t.teardown(() => clearInterval(timer))
}

/** A watched file that holds tenant `a`. `told` is everything its watcher said so far; `next` waits for more. */
async function watched (t: Test) {
  stayAlive(t)
  const path = join(t.testdir({ 'tenants.yaml': content('a') }), 'tenants.yaml')
  const { contentHash } = await loadTenantsFile(path)
  const events = new EventEmitter()
  const told: string[] = []
  const tell = (what: string): void => {
    told.push(what)
    events.emit('told')
  }
  const watcher = watchTenantsFile(path, {
    intervalMs: 5,
    contentHash,
    onChange: (tenants: TenantConfig[]) => tell(tenants.map(({ id }) => id).join(' ')),
    onError: error => tell(`${error.name}: ${error.message.replaceAll(path, 'file')}`),
  })
  t.teardown(() => watcher.close())

  let read = 0
  return {
    path,
    told,
    watcher,
    async next (): Promise<string | undefined> {
      while (told.length <= read) await once(events, 'told')
      return told[read++]
    },
  }
}

t.test('a file renamed into place is noticed', async t => {
  const { path, next } = await watched(t)
  await put(path, content('a', 'b'))
  t.equal(await next(), 'a b')
  await put(path, content('b'))
  t.equal(await next(), 'b')
})

t.test('a file written in place is noticed, whatever is seen of it on the way', async t => {
  const { path, next, told } = await watched(t)
  await writeFile(path, content('c'))
  while (await next() !== 'c');
  t.strictSame(told.filter(what => !what.startsWith('TenantsFileError: ')), ['c'], 'and told of once')
})

t.test('a file that is touched, or written as it was, is no change', async t => {
  const { path, next, told } = await watched(t)
  await utimes(path, new Date(), new Date(0))
  await put(path, content('a'))
  await put(path, content('a', 'b'))
  t.equal(await next(), 'a b')
  t.strictSame(told, ['a b'])
})

t.test('a broken file is told once, and so is its repair', async t => {
  const { path, next, told } = await watched(t)
  await put(path, 'tenants: [')
  t.match(await next(), /^TenantsFileError: file: line 1, column \d+: .*a bracket is not closed/)
  await put(path, content('a'))
  t.equal(await next(), 'a', 'even where it is what was in force')
  t.equal(told.length, 2)
})

t.test('a missing file is told once, and so is its return', async t => {
  const { path, next, told } = await watched(t)
  await rm(path)
  t.match(await next(), /^TenantsFileError: file: does not exist/)
  await put(path, content('a'))
  t.equal(await next(), 'a')
  t.equal(told.length, 2)
})

t.test('a listener that throws is told of and does not end the watch', async t => {
  stayAlive(t)
  const path = join(t.testdir({ 'tenants.yaml': content('a') }), 'tenants.yaml')
  const events = new EventEmitter()
  const { contentHash } = await loadTenantsFile(path)
  const watcher = watchTenantsFile(path, {
    intervalMs: 5,
    contentHash,
    onChange: ([tenant]) => {
      if (tenant?.id === 'bad') throw new Error('no')
      events.emit('change', tenant?.id)
    },
    onError: error => events.emit('refused', error.message),
  })
  t.teardown(() => watcher.close())
  const refused = once(events, 'refused')
  await put(path, content('bad'))
  t.strictSame(await refused, ['no'])
  const change = once(events, 'change')
  await put(path, content('good'))
  t.strictSame(await change, ['good'])
})

t.test('without a known hash, what it finds first is no change', async t => {
  stayAlive(t)
  const path = join(t.testdir({ 'tenants.yaml': 'tenants: [' }), 'tenants.yaml')
  const events = new EventEmitter()
  const watcher = watchTenantsFile(path, {
    intervalMs: 5,
    onChange: ([tenant]) => events.emit('change', tenant?.id),
    onError: () => t.fail('the first content is for its reader to refuse'),
  })
  t.teardown(() => watcher.close())
  // Again and again: one of these follows the first look. Each stays for long enough to be seen twice.
  let count = 0
  const writer = setInterval(() => { put(path, content(`t${count++}`)).catch(t.error) }, 50)
  t.teardown(() => clearInterval(writer))
  const [id] = await once(events, 'change')
  t.match(id, /^t\d+$/)
})

t.test('a closed watch says nothing more', async t => {
  const { path, watcher, told } = await watched(t)
  watcher.close()
  await put(path, content('b'))
  const events = new EventEmitter()
  const onChange = (): void => { events.emit('change') }
  const other = watchTenantsFile(path, { intervalMs: 5, contentHash: 'other', onChange, onError: t.error })
  t.teardown(() => other.close())
  await once(events, 'change')
  t.strictSame(told, [])
})
