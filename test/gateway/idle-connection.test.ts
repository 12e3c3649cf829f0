import type { IncomingMessage } from 'node:http'
import t from 'tap'
import { body } from '../helpers/client.js'
import { collectGarbage } from '../helpers/collect-garbage.js'
import { startGateway } from '../helpers/gateway.js'
import { PATIENT, until } from '../helpers/until.js'

t.test('a connection keeps neither the request that it began with nor its response', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const requests: Array<WeakRef<IncomingMessage>> = []
  // A response holds its request.
  gateway.server.app.server.on('upgrade', (request: IncomingMessage) => requests.push(new WeakRef(request)))
  const clients = [await gateway.connect('alice'), await gateway.connect('bob')]
  t.equal(requests.length, 2)
  await until('the requests are let go', () => {
    collectGarbage()
    return requests.every(request => request.deref() === undefined)
  })
  await clients[0].sendAndAck({ toUserId: 'bob', msgBody: body('still here') })
  await clients[1].waitMessages(1)
})
