import t from 'tap'
import { LatelyReceived } from '../../lib/cluster/lately-received.js'
import { Delivery } from '../../lib/routing/delivery.js'
import { aMessage } from '../helpers/message.js'
import { entry } from '../offline/buffer.js'

t.test('an entry that came before is known; one for another user or device, and another message, is not', async t => {
  const lately = new LatelyReceived(1000, () => 0)
  t.equal(lately.hold(entry({ seq: 1 }, 0)), true)
  t.equal(lately.hold(entry({ seq: 1 }, 0)), false)
  t.equal(lately.hold(entry({ seq: 1, userId: 'carol' }, 0)), true)
  t.equal(lately.hold(entry({ seq: 1, deviceId: 'd1' }, 0)), true)
  t.equal(lately.hold(entry({ seq: 2 }, 0)), true)
  t.equal(lately.repeated, 1)
})

t.test('what was delivered is known, for those who got it', async t => {
  const lately = new LatelyReceived(1000, () => 0)
  const delivery = new Delivery(aMessage({ msgId: 'm1' }), 1)
  lately.delivered(delivery, ['bob', 'carol'], ['carol'])
  t.equal(lately.hold(entry({ seq: 1 }, 0)), false)
  t.equal(lately.hold(entry({ seq: 1, userId: 'carol' }, 0)), true, 'she was missing')
  t.equal(lately.hold(entry({ seq: 1, deviceId: 'd2' }, 0)), true, 'a copy for one device is its own')
})

t.test('what has moved on may come back', async t => {
  const lately = new LatelyReceived(1000, () => 0)
  lately.hold(entry({ seq: 1 }, 0))
  lately.forget(entry({ seq: 1 }, 0))
  t.equal(lately.hold(entry({ seq: 1 }, 0)), true)
})

t.test('it is forgotten after a time', async t => {
  let now = 0
  const lately = new LatelyReceived(1000, () => now)
  lately.hold(entry({ seq: 1 }, 0))
  now = 1500
  t.equal(lately.hold(entry({ seq: 1 }, 0)), false)
  lately.hold(entry({ seq: 2 }, 0))
  now = 2500
  lately.hold(entry({ seq: 3 }, 0))
  t.equal(lately.hold(entry({ seq: 1 }, 0)), true)
})
