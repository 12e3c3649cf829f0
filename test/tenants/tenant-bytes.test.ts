import t from 'tap'
import { TenantBytes } from '../../lib/tenants/tenant-bytes.js'

t.test('a tenant holds no more than its bound, whatever the others hold', async t => {
  const bytes = new TenantBytes(100)
  t.equal(bytes.reserve('t1', 60), true)
  t.equal(bytes.reserve('t1', 41), false)
  t.equal(bytes.reserve('t1', 40), true)
  t.equal(bytes.reserve('t2', 100), true)
  bytes.release('t1', 60)
  t.equal(bytes.reserve('t1', 61), false)
  t.equal(bytes.reserve('t1', 60), true)
  t.equal(bytes.total, 200)
})

t.test('all together hold no more than the bound of all', async t => {
  const bytes = new TenantBytes(100, 150)
  t.equal(bytes.reserve('t1', 100), true)
  t.equal(bytes.reserve('t2', 51), false)
  t.equal(bytes.reserve('t2', 50), true)
  bytes.release('t1', 100)
  t.equal(bytes.reserve('t3', 100), true)
  bytes.release('t2', 50)
  bytes.release('t3', 100)
  t.equal(bytes.total, 0)
})

t.test('what is larger than the bound fits alone', async t => {
  const bytes = new TenantBytes(100, 150)
  t.equal(bytes.reserve('t1', 200), true)
  t.equal(bytes.reserve('t1', 1), false)
  t.equal(bytes.reserve('t2', 1), false)
  bytes.release('t1', 200)
  t.equal(bytes.reserve('t2', 1), true)
})
