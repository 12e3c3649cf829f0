import t from 'tap'
import { MicsClient, MicsError } from '../../sdk/client/src/node.js'
import { startMockServer } from '../../routes/mock/mock-server.js'
import { play, type StartClient } from './play.js'
import { shippedScenarios } from './scenarios.js'

const startClient: StartClient = (url, script, onMessage) => {
  const { tenantId, deviceId, tokens, heartbeatTimeoutMs, connectTimeoutMs } = script
  let asked = 0
  const client = new MicsClient({
    url: url.replace(/^http/, 'ws'),
    tenantId,
    deviceId,
    token: () => tokens[Math.min(asked++, tokens.length - 1)],
    heartbeatTimeoutMs,
    connectTimeoutMs,
    random: () => 0,
  })
  client.on('message', ({ userId, msgId }) => onMessage(userId, msgId))
  // Its end, if there is one, the state tells.
  client.connect().catch(() => {})
  return {
    send: async ({ toUserId, groupId, msgId, body = '' }) => {
      const message = groupId === undefined ? { toUserId: toUserId ?? '', msgId, body } : { groupId, msgId, body }
      try {
        await client.send(message)
        return undefined
      } catch (error) {
        if (error instanceof MicsError && error.code === 'MICS_MESSAGE_FAILED') return error.ack?.reason
        throw error
      }
    },
    state: () => client.state,
    close: () => client.close(),
  }
}

t.test('@mics/client does in each scenario what is expected of a client', async t => {
  const mock = await startMockServer({ host: '127.0.0.1', port: 0, scenario: {} })
  t.teardown(() => mock.close())
  for (const [name, scenario] of shippedScenarios()) {
    await t.test(name, t => play(t, mock, scenario, startClient))
  }
})
