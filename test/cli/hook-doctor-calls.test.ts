import t from 'tap'
import { DoctorReportLines } from '../../cli/doctor-report.js'
import { networkProblem } from '../../lib/hook-doctor/network-problem.js'
import { expectedSign, expectedSignatureHeader, type HookCall } from '../helpers/hook-server.js'
import { SECRET as GATEWAY_SECRET, startGateway } from '../helpers/gateway.js'
import { PATIENT } from '../helpers/until.js'
import { examine } from './hook-doctor-findings.js'

t.test('the doctor calls as a gateway does', async t => {
  const { hooks, connect } = await startGateway(t, {}, PATIENT)
  const alice = await connect('alice')
  await alice.sendAndAck({ toUserId: 'bob', msgBody: Buffer.from('hi') })
  const byGateway = hooks.calls.splice(0)

  await examine(`${hooks.url}/t1`, { tenantId: 't1', secret: GATEWAY_SECRET, only: new Set(['auth', 'check-message']) })
  const byDoctor = hooks.calls.splice(0)
  for (const operation of ['auth', 'check-message']) {
    const isOf = (call: HookCall): boolean => call.operation === operation
    const [theirs, ours] = [byGateway, byDoctor].map(calls => calls.find(isOf) as HookCall)
    t.strictSame(Object.keys(ours.headers).sort(), Object.keys(theirs.headers).sort(), operation)
    t.equal(ours.headers['content-type'], theirs.headers['content-type'])
    t.equal(ours.meta.tenantId, 't1')
    t.equal(ours.headers.traceparent?.slice(3, 35), ours.meta.traceId)
    t.equal(ours.meta.sign, expectedSign(ours, GATEWAY_SECRET))
    t.equal(ours.headers['x-mics-signature'], expectedSignatureHeader(ours, GATEWAY_SECRET))
  }
  t.equal(new Set(byDoctor.map(({ meta }) => meta.requestId)).size, byDoctor.length, 'each call has an id of its own')
})

t.test('what keeps a server from being reached is told by its name, with what to do', async t => {
  const cases: [string, RegExp, RegExp][] = [
    ['ENOTFOUND', /no address is known for hooks\.example/, /DNS record/],
    ['EAI_AGAIN', /name server does not answer/, /DNS works/],
    ['ECONNREFUSED', /hooks\.example:443 refuses the connection/, /127\.0\.0\.1 is not reached from outside/],
    ['UND_ERR_CONNECT_TIMEOUT', /no connection to hooks\.example:443/, /firewall/],
    ['EHOSTUNREACH', /no way to hooks\.example:443/, /routes/],
    ['CERT_HAS_EXPIRED', /not valid now/, /renew it/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', /for another name/, /use the name in the certificate/],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', /is not trusted/, /intermediate certificates/],
    ['ERR_SSL_WRONG_VERSION_NUMBER', /does not speak TLS/, /begins with http:/],
    ['UND_ERR_SOCKET', /closed the connection without an answer/, /server's log/],
    ['HPE_INVALID_CONSTANT', /does not answer in HTTP\/1\.1/, /gRPC/],
    ['EWHATEVER', /no answer from hooks\.example:443: it broke \(EWHATEVER\)/, /log/],
  ]
  for (const [code, seen, advice] of cases) {
    const error = Object.assign(new Error('it broke'), { code })
    t.match(await networkProblem({ operation: 'auth', url: 'https://hooks.example/auth', ms: 1, isSigned: false, error }), { seen, advice }, code)
  }
})

t.test('a terminal is shown signs, and a title once', async t => {
  const lines = new DoctorReportLines(true)
  t.strictSame(lines.of({ check: 'auth', name: 'a good token', result: 'pass', seen: 'user bob', advice: '' }),
    ['', 'POST /auth', '  ✓ a good token: user bob'])
  t.strictSame(lines.of({ check: 'auth', name: 'a bad token', result: 'fail', seen: 'let in', advice: 'look it up' }),
    ['  ✗ a bad token: let in', '    → look it up'])
  t.strictSame(lines.of({ check: 'load', name: 'keep-alive', result: 'warn', seen: 'closed', advice: 'keep it' }),
    ['', 'Time and connections', '  ! keep-alive: closed', '    → keep it'])
})
