import t from 'tap'
import { reconnectDelayMs } from '../../../sdk/client/src/reconnect.js'

t.test('the wait is random, below a bound that doubles from a second to thirty', async t => {
  t.strictSame([0, 1, 2, 3, 4, 5, 6, 50, 5000].map(failures => reconnectDelayMs(1006, failures, 1)),
    [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000])
  t.equal(reconnectDelayMs(1006, 3, 0.5), 4000)
  t.equal(reconnectDelayMs(1006, 3, 0), 0)
})

t.test('a node that shuts down is left at once, also after failures', async t => {
  t.equal(reconnectDelayMs(4200, 7, 1), 1000)
})
