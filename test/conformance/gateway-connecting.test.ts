import t from 'tap'
import { CloseCode } from '../../lib/protocol/close-codes.js'
import { AckReason } from '../../lib/protocol/server-errors.js'
import { connectParams } from '../../lib/session/connect-params.js'
import { TestClient } from '../helpers/client.js'
import { startPatientGateway } from '../helpers/patient-gateway.js'
import { vectors } from './vectors.js'

const subprotocol = vectors('subprotocol')
const closeCodes = vectors('close-codes')

t.test('the gateway finds token, tenant and device where the vectors put them', async t => {
  for (const { token, offered } of subprotocol.tokens) t.equal(connectParams({}, offered.join(', ')).token, token)
  for (const { url, tenant_id: tenantId, device_id: deviceId } of subprotocol.urls) {
    t.match(connectParams(Object.fromEntries(new URL(url).searchParams), undefined), { tenantId, deviceId }, url)
  }
})

t.test('a running gateway takes the tokens of the vectors, and answers with mics.v1', async t => {
  const gateway = await startPatientGateway(t)
  const tokens: string[] = []
  gateway.hooks.auth = ({ token }) => {
    tokens.push(token)
    return { ok: true, userId: 'alice' }
  }
  for (const [index, { token }] of subprotocol.tokens.entries()) {
    const client = TestClient.open(gateway.url, { token, asSubprotocol: true, deviceId: `d${index}` })
    await client.connectAck()
    t.equal(client.ws.protocol, 'mics.v1')
    client.ws.terminate()
  }
  t.strictSame(tokens, subprotocol.tokens.map(({ token }) => token))
})

t.test('the close codes of the vectors are the gateway\'s, all of them', async t => {
  const own = closeCodes.cases.filter(({ from }) => from === 'gateway')
  t.strictSame(Object.fromEntries(own.map(({ name, code }) => [name, code])), { ...CloseCode })
})

t.test('the reasons of the vectors are the gateway\'s, all of them', async t => {
  const { cases } = vectors('ack-reasons')
  t.strictSame(new Set(cases.filter(({ reason, send_again: again }) => reason !== '' && again !== 'as_the_tenant_says').map(({ reason }) => reason)),
    new Set(Object.values(AckReason)))
})
