import { createElement } from 'react'
import { renderToString } from 'react-dom/server'
import t from 'tap'
import { useConnectionState, useMessages } from '../../../sdk/client/src/react.js'
import { ScriptedGateway } from './scripted-gateway.js'
import { SdkClient } from './sdk-client.js'

t.test('a component renders where the connection is, on a server too', async t => {
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url })
  const Status = () => `${useConnectionState(alice.client).name}, ${useMessages(alice.client).length} messages`
  t.equal(renderToString(createElement(Status)), 'offline, 0 messages')
  alice.client.connect()
  await gateway.letIn()
  await alice.untilState('connected')
  t.equal(renderToString(createElement(Status)), 'connected, 0 messages')
})
