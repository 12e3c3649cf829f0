import t from 'tap'
import { Tenants } from '../../lib/tenants/tenants.js'

const gateway = {
  hookSignRequired: false,
  hookMaxConcurrency: 32,
  hookQueueTimeoutMs: 10,
  hookBreakerFailureThreshold: 5,
  hookBreakerOpenMs: 5000,
}

function config (id: string, secret = '') {
  return { id, authUrl: `http://${id}`, secret, defaults: { heartbeatTimeoutSeconds: 10 } }
}

t.test('tenants are found by id', async t => {
  const tenants = new Tenants(gateway, [config('a'), config('b')])
  t.equal(tenants.get('a')?.authUrl, 'http://a')
  t.equal(tenants.get('c'), undefined)
  t.equal(tenants.get('constructor'), undefined)
  t.strictSame(tenants.ids(), ['a', 'b'])
  t.equal(tenants.size, 2)
})

t.test('a replacement tells what it added, changed and removed, and keeps what it did not touch', async t => {
  const tenants = new Tenants(gateway, [config('kept'), config('changed'), config('gone')])
  const kept = tenants.get('kept')
  const changed = tenants.get('changed')
  t.strictSame(tenants.replaceAll([config('new'), config('kept'), config('changed', 'secret')]),
    { added: ['new'], changed: ['changed'], removed: ['gone'] })
  t.equal(tenants.get('kept'), kept)
  t.not(tenants.get('changed'), changed)
  t.equal(tenants.get('changed')?.secret, 'secret')
  t.equal(tenants.get('gone'), undefined)
})

t.test('events come after the swap is complete', async t => {
  const tenants = new Tenants(gateway, [config('a'), config('b')])
  const seen: string[] = []
  for (const event of ['added', 'changed', 'removed'] as const) {
    tenants.on(event, id => seen.push(`${event} ${id}, now ${tenants.ids().join(' ')}`))
  }
  tenants.replaceAll([config('b', 'x'), config('c')])
  t.strictSame(seen, ['removed a, now b c', 'changed b, now b c', 'added c, now b c'])
})

t.test('two tenants of one id are refused and nothing changes', async t => {
  const tenants = new Tenants(gateway, [config('a')])
  tenants.on('removed', () => t.fail('removed'))
  t.throws(() => tenants.replaceAll([config('b'), config('b')]), { message: 'two tenants have the id b: give each its own' })
  t.strictSame(tenants.ids(), ['a'])
})
