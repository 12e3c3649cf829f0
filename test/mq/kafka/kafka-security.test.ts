import { join } from 'node:path'
import t from 'tap'
import { withKafka } from '../../helpers/kafka-server.js'
import { until } from '../../helpers/until.js'
import { record, sent, withTransport } from './transport.js'

const kafka = await withKafka(t, {
  listeners: {
    ENCRYPTED: { tls: true },
    PLAIN: { sasl: 'PLAIN' },
    SCRAM256: { sasl: 'SCRAM-SHA-256' },
    SCRAM512: { tls: true, sasl: 'SCRAM-SHA-512' },
  },
  users: { mics: 'correct horse' },
})
await kafka.createTopic('secured')

const login = { KAFKA_SASL_USERNAME: 'mics', KAFKA_SASL_PASSWORD: 'correct horse' }
const trust = { KAFKA_SSL_CA_FILE: kafka.certificateFile }

const ways: Array<[what: string, listener: string, env: NodeJS.ProcessEnv]> = [
  ['TLS', 'ENCRYPTED', { KAFKA_SECURITY_PROTOCOL: 'ssl', ...trust }],
  ['PLAIN', 'PLAIN', { KAFKA_SECURITY_PROTOCOL: 'sasl_plaintext', KAFKA_SASL_MECHANISM: 'PLAIN', ...login }],
  ['SCRAM-SHA-256', 'SCRAM256', { KAFKA_SECURITY_PROTOCOL: 'sasl_plaintext', KAFKA_SASL_MECHANISM: 'SCRAM-SHA-256', ...login }],
  ['TLS and SCRAM-SHA-512', 'SCRAM512',
    { KAFKA_SECURITY_PROTOCOL: 'sasl_ssl', KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512', ...login, ...trust }],
]
for (const [what, listener, env] of ways) {
  t.test(`with ${what} a record is stored`, async t => {
    const transport = await withTransport(t, kafka.brokersOf(listener), env)
    t.equal(await sent(transport, record('secured', 'a', what)), undefined)
  })
}

t.test('a topic is created over TLS and SASL too', async t => {
  const [, listener, env] = ways.at(-1) as typeof ways[0]
  const transport = await withTransport(t, kafka.brokersOf(listener), { ...env, KAFKA_CREATE_TOPICS: 'true' })
  t.equal(await sent(transport, record('secured-creation', 'a', 'x')), undefined)
})

const wrongs: Array<[what: string, listener: string, env: NodeJS.ProcessEnv, problem: RegExp]> = [
  ['a wrong password', 'PLAIN', { ...ways[1][2], KAFKA_SASL_PASSWORD: 'wrong' }, /Authentication failed/],
  ['a certificate that is not trusted', 'ENCRYPTED', { KAFKA_SECURITY_PROTOCOL: 'ssl' }, /certificate verify failed/],
]
for (const [what, listener, env, problem] of wrongs) {
  t.test(`${what} is told of, and is no fault of a topic`, async t => {
    const transport = await withTransport(t, kafka.brokersOf(listener), { ...env, KAFKA_DELIVERY_TIMEOUT_MS: '1000' })
    const told: string[] = []
    transport.on('down', problem => told.push(problem))
    t.match(await sent(transport, record('secured', 'a', 'x')), { fault: 'cluster' })
    await until('it is told', () => told.length > 0)
    t.match(told, [problem])
    t.notMatch(told.join(), /wrong/, 'no secret')
  })
}

t.test('what cannot be used stops the start, and says which file it is', async t => {
  const folder = t.testdir({ 'garbage.pem': 'garbage' })
  const garbage = join(folder, 'garbage.pem')
  const ssl = { KAFKA_SECURITY_PROTOCOL: 'ssl' }
  await t.rejects(withTransport(t, kafka.brokers, { ...ssl, KAFKA_SSL_CA_FILE: join(folder, 'missing.pem') }),
    { code: 'MICS_KAFKA_SETTINGS_INVALID', message: /^KAFKA_SSL_CA_FILE: cannot read .*missing\.pem \(ENOENT\)$/ })
  await t.rejects(withTransport(t, kafka.brokers, { ...ssl, KAFKA_SSL_CA_FILE: garbage }),
    { code: 'MICS_KAFKA_SETTINGS_INVALID', message: /ssl\.ca\.location/ })
  const badKey = { KAFKA_SSL_CERT_FILE: kafka.certificateFile, KAFKA_SSL_KEY_FILE: garbage }
  await t.rejects(withTransport(t, kafka.brokers, { ...ssl, ...badKey }),
    { code: 'MICS_KAFKA_SETTINGS_INVALID', message: /ssl\.key\.location/ })
})
