import t from 'tap'
import { ChatClient } from '../../lib/chat-client/chat-client.js'
import { MessageType } from '../../lib/gen/mics/message/v1/message_pb.js'
import { startMockServer } from '../../routes/mock/mock-server.js'
import { play, type StartClient } from './play.js'
import { shippedScenarios } from './scenarios.js'

/** It has one token, and waits ten seconds for an upgrade. */
const notForIt = new Set(['token-expiry', 'refuse-upgrade-hangs', 'refuse-connect-ack-hangs'])

const startClient: StartClient = (url, { tenantId, deviceId, tokens, heartbeatTimeoutMs = 30_000 }, onMessage) => {
  let state: { name: string, code?: number } = { name: 'connecting' }
  const client = new ChatClient({
    urls: [url.replace(/^http/, 'ws')],
    tenantId,
    deviceId,
    token: tokens[0],
    heartbeatMs: heartbeatTimeoutMs / 3,
    random: () => 0,
    onEvent: event => {
      if (event.type === 'connected') state = { name: 'connected' }
      else if (event.type === 'closed') state = { name: event.retryMs === undefined ? 'closed' : 'waiting', code: event.code }
      else if (event.type === 'message' && !event.isRepeat) onMessage(event.message.userId, event.message.msgId)
    },
  })
  return {
    send: async ({ toUserId, groupId, msgId, body }) => {
      const msgType = groupId === undefined ? MessageType.SINGLE_CHAT : MessageType.GROUP_CHAT
      const { status, reason } = await client.send({ msgId, msgType, toUserId, groupId, msgBody: Buffer.from(body ?? '') })
      return status === 0 ? undefined : reason
    },
    state: () => state,
    close: async () => {
      client.close()
      await client.ended
    },
  }
}

t.test('the client of `mics client` does in each scenario what is expected of a client', async t => {
  const mock = await startMockServer({ host: '127.0.0.1', port: 0, scenario: {} })
  t.teardown(() => mock.close())
  for (const [name, scenario] of shippedScenarios().filter(([name]) => !notForIt.has(name))) {
    await t.test(name, t => play(t, mock, scenario, startClient))
  }
})
