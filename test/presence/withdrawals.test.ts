import t from 'tap'
import { Withdrawals } from '../../lib/presence/withdrawals.js'
import { until } from '../helpers/until.js'

t.test('a route that could not be removed is removed later, and then let be', async t => {
  let isGone = true
  let attempts = 0
  const removed: string[] = []
  const withdrawals = new Withdrawals({
    unregister: async (tenantId, userId, deviceId, order) => {
      attempts++
      if (isGone) throw new Error('gone')
      removed.push(`${tenantId} ${userId} ${deviceId} ${order}`)
    },
  })
  t.teardown(() => withdrawals.close())
  withdrawals.add({ tenantId: 't1', userId: 'bob', deviceId: 'd1', order: 7 })
  await until('it was tried twice', () => attempts === 2)
  isGone = false
  await until('it is removed', () => removed.length === 1)
  t.strictSame(removed, ['t1 bob d1 7'])
  const before = attempts
  withdrawals.add({ tenantId: 't1', userId: 'carol', deviceId: 'd1', order: 8 })
  t.equal(attempts, before + 1)
})
