import { join } from 'node:path'
import t, { type Test } from 'tap'
import { EventType } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { withKafka } from '../helpers/kafka-server.js'
import { until } from '../helpers/until.js'
import { MicsProcess } from '../process/mics-process.js'
import { connectRecord, eventRecord, publish, SECRET, TRACE_ID } from './event-records.js'
import { mics, type Finished } from './run.js'

const kafka = await withKafka(t)

const tenants = {
  TENANT_AUTH_MAP: '{"acme":"http://acme","globex":"http://globex"}',
  TENANT_HOOK_SECRETS: `{"acme":"${SECRET}"}`,
}

/** Each test has a tenant of its own, whose topic this is. */
async function topicOf (tenant: string, options = {}): Promise<string> {
  const topic = `im-mics-${tenant}-event`
  await kafka.createTopic(topic, options)
  return topic
}

function tailing (t: Test, args: string[], env: NodeJS.ProcessEnv = {}): MicsProcess {
  return MicsProcess.start(t, ['events', 'tail', ...args], { KAFKA_BROKERS: kafka.brokers, ...env })
}

/** All that there is, and no more. */
async function tail (args: string[], env: NodeJS.ProcessEnv = {}): Promise<Finished> {
  return await mics(['events', 'tail', '--from-beginning', '--no-follow', ...args], { KAFKA_BROKERS: kafka.brokers, ...env })
}

function parsed (stdout: string): Array<Record<string, any>> {
  return stdout.split('\n').filter(Boolean).map(line => JSON.parse(line))
}

t.test('events are printed as JSON with all their fields, decoded', async t => {
  const topic = await topicOf('acme')
  await publish(t, kafka.brokers, [
    connectRecord(topic),
    eventRecord(topic, { body: 'grüezi' }),
    eventRecord(topic, { type: EventType.GROUP_CHAT_MSG, toUserId: '', groupId: 'team', key: 'team', body: Buffer.from([0, 255]) }),
  ])
  const { stdout, stderr, exitCode } = await tail(['--tenant', 'acme'], tenants)
  t.equal(exitCode, 0)
  t.equal(stderr, '')
  const [online, single, group] = parsed(stdout)
  t.strictSame(online, {
    time: '2026-01-31T08:00:00.000Z',
    event_type: 'CONNECT_ONLINE',
    tenant_id: 'acme',
    msg_id: '',
    user_id: 'ann',
    device_id: 'phone',
    to_user_id: '',
    group_id: '',
    timestamp: 1_769_846_400_000,
    node_id: 'node-1',
    trace_id: TRACE_ID,
    signature: 'ok',
    event_data: {
      code: 1000, tenant_id: 'acme', user_id: 'ann', device_id: 'phone', node_id: 'node-1', trace_id: TRACE_ID,
    },
    key: 'ann',
    partition: 0,
    offset: 0,
    size: online?.size,
  })
  t.strictSame(single?.event_data, {
    tenant_id: 'acme',
    user_id: 'ann',
    device_id: 'phone',
    msg_id: 'm1',
    msg_type: 'SINGLE_CHAT',
    to_user_id: 'bob',
    group_id: '',
    msg_body_size: 7,
    timestamp_ms: 1_769_846_400_000,
  }, 'without the body')
  t.match(group, { event_type: 'GROUP_CHAT_MSG', group_id: 'team', event_data: { msg_type: 'GROUP_CHAT', msg_body_size: 2 } })

  const withBodies = parsed((await tail(['--tenant', 'acme', '--bodies'], tenants)).stdout)
  t.match(withBodies[1]?.event_data, { msg_body: 'Z3LDvGV6aQ==', msg_body_text: 'grüezi' })
  t.equal(withBodies[2]?.event_data.msg_body, 'AP8=')
  t.notOk('msg_body_text' in withBodies[2]?.event_data, 'what is no text is not shown as one')
})

t.test('a signature is checked with the secret that there is', async t => {
  const topic = await topicOf('globex')
  await publish(t, kafka.brokers, [eventRecord(topic), eventRecord(topic, { secret: '' }), eventRecord(topic, { secret: 'other' })])
  const folder = t.testdir({
    secret: `${SECRET}\n`,
    other: 'other',
    'tenants.yaml': `tenants: { globex: { authUrl: "http://globex", secret: other, defaults: { tenantSecret: ${SECRET} } } }`,
  })
  const states = async (args: string[], env: NodeJS.ProcessEnv = {}): Promise<string[]> =>
    parsed((await tail(['--tenant', 'globex', ...args], env)).stdout).map(({ signature }) => signature)

  t.strictSame(await states([]), ['unknown', 'none', 'unknown'], 'no tenant is configured')
  t.strictSame(await states([], tenants), ['unknown', 'none', 'unknown'], 'the tenant has no secret')
  t.strictSame(await states([], { MICS_EVENT_SECRET: 'other' }), ['bad', 'none', 'ok'])
  t.strictSame(await states(['--secret-file', join(folder, 'secret')], { MICS_EVENT_SECRET: 'other' }), ['ok', 'none', 'bad'])
  t.strictSame(await states(['--secret-file', join(folder, 'secret'), '--secret-file', join(folder, 'other')]), ['ok', 'none', 'ok'],
    'one of two')
  t.strictSame(await states([], { TENANTS_FILE: join(folder, 'tenants.yaml') }), ['ok', 'none', 'bad'])
  const { stderr } = await tail(['--tenant', 'globex'], { MICS_EVENT_SECRET: 'other' })
  t.match(stderr, /^warning: a signature does not hold; .*--secret-file\n$/, 'said once')
})

t.test('a secret file that is no use is an error', async t => {
  const folder = t.testdir({ empty: '\n' })
  for (const [path, problem] of [['empty', /is empty/], ['missing', /cannot read .*ENOENT/]] as const) {
    const { stderr, exitCode } = await tail(['--tenant', 'acme', '--secret-file', join(folder, path)])
    t.match(stderr, problem)
    t.equal(exitCode, 1)
  }
})

t.test('a table has a line an event, and nothing that moves the cursor', async t => {
  const topic = await topicOf('table')
  await publish(t, kafka.brokers, [
    connectRecord(topic),
    eventRecord(topic, { userId: 'a\u001b[2Jnn\u202e', body: 'one\ntwo' }),
    eventRecord(topic, { type: EventType.OFFLINE_MESSAGE, groupId: 'team' }),
    { topic, key: 'k', value: Buffer.from('no event at all'), headers: [] },
  ])
  const { stdout } = await tail(['--tenant', 'table', '--format', 'table', '--bodies'], tenants)
  const lines = stdout.trimEnd().split('\n')
  t.equal(lines.length, 5)
  t.match(lines[0], /^TIME +PLACE +TYPE +USER +DEVICE +TO +MSG_ID +BYTES +SIGNED +NODE +TRACE +BODY$/)
  t.match(lines[1], /^2026-01-31T08:00:00\.000Z +0\/0 +CONNECT_ONLINE +ann +phone +- +- +- +unknown +node-1 +0af7/)
  t.match(lines[2], /SINGLE_CHAT_MSG +a\\u001b\[2Jnn\\u202e +phone +bob +m1 +7 .* one\\u000atwo$/)
  t.match(lines[3], /OFFLINE_MESSAGE +ann +phone +bob in group team /)
  t.match(lines[4], / 0\/3 +not an MqEvent +- +-/)
  t.notMatch(stdout, '\u001b')
})

t.test('without more it begins with the newest, and ends at Ctrl-C', async t => {
  const topic = await topicOf('newest')
  await publish(t, kafka.brokers, [eventRecord(topic, { msgId: 'old' })])
  const process = tailing(t, ['--tenant', 'newest'])
  await until('a new one is printed', async () => {
    await publish(t, kafka.brokers, [eventRecord(topic, { msgId: 'new' })])
    return process.stdout.includes('"new"')
  })
  process.signal('SIGINT')
  t.equal(await process.ended, 0)
  t.notMatch(process.stdout, '"old"')
  t.equal(process.stderr, '')
})

t.test('what comes is printed as it comes', async t => {
  const topic = await topicOf('following', { partitions: 3 })
  await publish(t, kafka.brokers, [eventRecord(topic, { msgId: 'first' })])
  const process = tailing(t, ['--tenant', 'following', '--from-beginning'])
  await process.prints(/"first"/)
  await publish(t, kafka.brokers, [eventRecord(topic, { msgId: 'second', userId: 'carl' })])
  await process.prints(/"second"/)
  process.signal('SIGTERM')
  t.equal(await process.ended, 0)
})

t.test('it ends when nobody reads any more', async t => {
  const topic = await topicOf('head')
  await publish(t, kafka.brokers, [eventRecord(topic)])
  const process = tailing(t, ['--tenant', 'head', '--from-beginning'])
  await process.prints(/"m1"/)
  process.child.stdout?.destroy()
  let code: number | string | undefined
  process.ended.then(ended => { code = ended })
  await until('it has ended', async () => {
    await publish(t, kafka.brokers, [eventRecord(topic)])
    return code !== undefined
  })
  t.equal(code, 0)
  t.equal(process.stderr, '')
})

t.test('it ends after as many as were asked for', async t => {
  const topic = await topicOf('limit')
  await publish(t, kafka.brokers, ['1', '2', '3'].map(msgId => eventRecord(topic, { msgId })))
  const { stdout, exitCode } = await mics(['events', 'tail', '-t', 'limit', '--from-beginning', '--limit', '2'], { KAFKA_BROKERS: kafka.brokers })
  t.strictSame(parsed(stdout).map(({ msg_id: id }) => id), ['1', '2'])
  t.equal(exitCode, 0)
})

t.test('only some types can be asked for', async t => {
  const topic = await topicOf('types')
  await publish(t, kafka.brokers, [
    connectRecord(topic), eventRecord(topic), eventRecord(topic, { type: EventType.GROUP_CHAT_MSG }),
    { topic, key: 'k', value: Buffer.from('no event'), headers: [] },
  ])
  const typesOf = async (...args: string[]): Promise<string[]> =>
    parsed((await tail(['-t', 'types', ...args])).stdout).map(({ event_type: type }) => type)
  t.strictSame(await typesOf('--type', 'connect_online, GROUP_CHAT_MSG'), ['CONNECT_ONLINE', 'GROUP_CHAT_MSG'])
  t.strictSame(await typesOf('--type', 'SINGLE_CHAT_MSG', '--type', 'CONNECT_ONLINE'), ['CONNECT_ONLINE', 'SINGLE_CHAT_MSG'])
  t.match(await mics(['events', 'tail', '-t', 'types', '--type', 'CHAT']), { exitCode: 1, stderr: /It takes CONNECT_ONLINE, / })
})

t.test('it can begin at a time', async t => {
  const topic = await topicOf('since')
  await publish(t, kafka.brokers, [eventRecord(topic)])
  const count = async (since: string): Promise<number> =>
    parsed((await mics(['events', 'tail', '-t', 'since', '--since', since, '--no-follow'], { KAFKA_BROKERS: kafka.brokers })).stdout).length
  t.equal(await count('1d'), 1)
  t.equal(await count('2020-01-01'), 1)
  t.equal(await count('2100-01-01'), 0)
})

t.test('brokers of the command line go before those of the environment, by either name', async t => {
  const topic = await topicOf('brokers')
  await publish(t, kafka.brokers, [eventRecord(topic)])
  const { stdout } = await tail(['-t', 'brokers', '--brokers', kafka.brokers], { KAFKA_BROKERS: '', KAFKA__BOOTSTRAP_SERVERS: '127.0.0.1:1' })
  t.equal(parsed(stdout).length, 1)
})

t.test('the topic is the one that the gateway would publish to', async t => {
  await kafka.createTopic('events.a-x20b')
  await publish(t, kafka.brokers, [eventRecord('events.a-x20b')])
  const { stdout } = await tail(['-t', 'a b'], { KAFKA_EVENT_TOPIC: 'events.{tenant_id}', KAFKA_DLQ_TOPIC: 'dead.{tenant_id}' })
  t.equal(parsed(stdout).length, 1)
})

t.test('a topic that is not there is an error that says what to do', async t => {
  const { stdout, stderr, exitCode } = await tail(['-t', 'nobody'])
  t.equal(exitCode, 1)
  t.equal(stdout, '')
  t.match(stderr, /^there is no topic im-mics-nobody-event, .*KAFKA_CREATE_TOPICS.*--wait.*is "nobody" the tenant's id\?\n$/)
  t.notOk((await kafka.topics()).includes('im-mics-nobody-event'))
})

t.test('a topic that is not there can be waited for, and nothing of it is missed', async t => {
  const process = tailing(t, ['-t', 'later', '--wait', '--limit', '1'])
  await process.prints(/waiting for the topic im-mics-later-event/)
  const topic = await topicOf('later')
  await publish(t, kafka.brokers, [eventRecord(topic, { msgId: 'the first' })])
  t.equal(await process.ended, 0)
  t.match(process.stdout, '"the first"')

  const waiting = tailing(t, ['-t', 'never', '--wait'])
  await waiting.prints(/waiting for the topic/)
  waiting.signal('SIGINT')
  t.equal(await waiting.ended, 0, 'waiting can be ended too')
})

t.test('no brokers, and none that answer, are errors that say what to do', async t => {
  const none = await tail(['-t', 'acme'], { KAFKA_BROKERS: '' })
  t.match(none, { exitCode: 1, stderr: /^no Kafka brokers are given: set KAFKA_BROKERS, or use --brokers host:port\n$/ })
  const bad = await tail(['-t', 'acme', '--brokers', 'kafka:port'])
  t.match(bad, { exitCode: 2, stderr: /KAFKA_BROKERS: / })
  const silent = await tail(['-t', 'acme', '--brokers', '127.0.0.1:1'])
  t.match(silent, { exitCode: 1, stderr: /^no Kafka to work with at 127\.0\.0\.1:1: .*Connection refused.*\n$/ })
})

t.test('without Kafka it says so once, can be ended, and goes on when that is back', async t => {
  const topic = await topicOf('outage')
  await publish(t, kafka.brokers, [eventRecord(topic, { msgId: 'before' })])
  const tails = [1, 2, 3].map(() => tailing(t, ['-t', 'outage', '--from-beginning']))
  const [interrupted, terminated, lasting] = tails
  await Promise.all(tails.map(async process => await process.prints(/"before"/)))
  await kafka.kill()
  await Promise.all(tails.map(async process => await process.prints(/warning: Kafka: /)))
  interrupted.signal('SIGINT')
  terminated.signal('SIGTERM')
  t.equal(await interrupted.ended, 0)
  t.equal(await terminated.ended, 0)

  await kafka.restart()
  await lasting.prints(/Kafka answers again/)
  await publish(t, kafka.brokers, [eventRecord(topic, { msgId: 'after' })])
  await lasting.prints(/"after"/)
  t.match(lasting.stderr, /^warning: Kafka: .*; trying again\nKafka answers again\n$/)

  kafka.pause()
  lasting.signal('SIGINT')
  t.equal(await lasting.ended, 0, 'a broker that hangs does not keep it')
  kafka.resume()
})
