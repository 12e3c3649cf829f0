import t from 'tap'
import { judgeFullCalls } from '../../lib/hook-doctor/check-load.js'
import { Findings } from '../../lib/hook-doctor/findings.js'
import type { CheckGroup } from '../../lib/hook-doctor/finding.js'
import type { GivenOptions } from '../../lib/hook-doctor/hook-doctor.js'
import { startHookMock } from '../../routes/dev/hook-mock.js'
import { SECRET, startStrictHooks, type Faults } from '../helpers/strict-hook-server.js'
import { examine, found } from './hook-doctor-findings.js'
import { mics } from './run.js'

const only = (...checks: CheckGroup[]): Partial<GivenOptions> => ({ only: new Set(checks) })
const config = { checkBatchMaxMessages: 64 }

/** Answers these hooks so, and the others as they should be. */
function replyOn (operations: string[], status: number, body = ''): Faults {
  return {
    intercept: (called, response) => {
      if (operations.includes(called)) response.writeHead(status).end(body)
      return operations.includes(called)
    },
  }
}

/** Only messages to groups that there are may go out. */
const onlyToGroups: NonNullable<Faults['checks']> = messages =>
  messages.map(({ groupId }) => groupId === 'team' ? { allow: true } : { allow: false, reason: 'no such recipient' })

t.test('a server that is asked about many messages with one call passes every check', async t => {
  const sizes = new Set<number>()
  const server = await startStrictHooks(t, {
    config,
    checks: messages => {
      sizes.add(messages.length)
      return messages.map(() => ({ allow: true }))
    },
  })
  const report = await examine(server.url)
  found(t, report)
  t.ok(report.ok)
  t.same([...sizes].sort((a, b) => a - b), [1, 4, 64])
  t.match(report.findings.filter(({ check }) => check === 'check-messages'), [
    { name: 'one message', seen: /^allowed/ },
    { name: 'a group message' },
    { name: 'ids beyond ASCII' },
    { name: 'an unknown group' },
    { name: 'different messages', seen: /^yes, yes, yes, yes .*whether the order is kept cannot be told/ },
    { name: 'the same, the other way round' },
    { name: '64 messages, 1 MiB together', seen: /^64 allowed, 0 refused/ },
  ])
  t.match(report.findings.find(({ name }) => name === 'a wrong signature'), { seen: 'refused by auth, check-message, check-messages, get-group-members' })
  t.ok(report.findings.some(({ name }) => name === 'a body that is no protobuf, to /check-messages'))
  t.ok(report.findings.some(({ name }) => name === 'a body of 8 MiB, to /check-messages'))
  t.ok(report.findings.some(({ check, name }) => check === 'load' && name === '32 calls of /check-messages at once'))
  t.ok(report.findings.some(({ check, name }) => check === 'load' && name === 'calls about 64 messages each'))
})

t.test('the order of verdicts is seen where messages get different ones', async t => {
  const right = await startStrictHooks(t, { config: { checkBatchMaxMessages: 2 }, checks: onlyToGroups })
  const report = await examine(right.url, only('check-messages'))
  found(t, report)
  t.match(report.findings.filter(({ name }) => /different|other way/.test(name)), [{ seen: /^no, yes \(/ }, { seen: /^yes, no \(/ }])

  const wrong = await startStrictHooks(t, { config, checks: messages => onlyToGroups(messages).reverse() })
  found(t, await examine(wrong.url, only('check-messages')),
    /^fail check-messages, different messages: alone they got no, yes, no, no, and together no, no, yes, no => .*in the order of the request/)
  // What is allowed first, whichever it is.
  const sorted = await startStrictHooks(t, {
    config, checks: messages => onlyToGroups(messages).sort((a, b) => Number(b.allow) - Number(a.allow)),
  })
  t.equal((await examine(sorted.url, only('check-messages'))).ok, false)
})

t.test('another number of verdicts than messages fails', async t => {
  const cases: [NonNullable<Faults['checks']>, RegExp][] = [
    [() => [], /one message: 0 verdicts for 1 message: the body is empty => answer with one verdict for each message, in the order/],
    [() => [{ allow: true }], /different messages: 1 verdict for 4 messages => /],
    [messages => messages.slice(0, 50).map(() => ({ allow: true })), /64 messages, 1 MiB together: 50 verdicts for 64 messages/],
    [messages => [...messages, {}].map(() => ({ allow: true })), /one message: more than 1 verdicts for 1 message/],
  ]
  for (const [checks, pattern] of cases) {
    const server = await startStrictHooks(t, { config, checks })
    found(t, await examine(server.url, only('check-messages')), pattern)
  }
  const empty = await startStrictHooks(t, { config, ...replyOn(['check-messages'], 200) })
  found(t, await examine(empty.url, only('check-messages')), /0 verdicts for 1 message: the body is empty/)
})

t.test('a server that does not serve what its config switches on fails', async t => {
  const server = await startStrictHooks(t, { config, ...replyOn(['check-messages'], 404) })
  found(t, await examine(server.url, only('check-messages')),
    /^fail check-messages, one message: HTTP status 404 .* => serve \/check-messages there, or take check_batch_max_messages out of config/)
  const small = await startStrictHooks(t, { config, maxBody: 500_000 })
  found(t, await examine(small.url, only('check-messages')), /^fail check-messages, 64 messages, 1 MiB together: HTTP status 413 => raise the limit/)
  const text = await startStrictHooks(t, { config, ...replyOn(['check-messages'], 200, 'yes') })
  found(t, await examine(text.url, only('check-messages')), /not a CheckMessagesResponse; it is plain text/)
})

t.test('forged calls of it are seen', async t => {
  const server = await startStrictHooks(t, { config, trustsUnsigned: true })
  const report = await examine(server.url, only('signatures'))
  found(t, report, /^fail signatures, no signature: accepted by auth, check-message, check-messages, /)
})

t.test('while nothing switches it on, it is a hint at most', async t => {
  const cases: [Faults, RegExp, 'skip' | 'pass'][] = [
    [replyOn(['check-messages'], 404), /^not served, and not needed: check_batch_max_messages is not set$/, 'skip'],
    [replyOn(['check-messages'], 500), /^HTTP status 500; not needed/, 'skip'],
    [{ checks: () => [] }, /^0 verdicts for 1 message: the body is empty; not needed/, 'skip'],
    [{ config: { checkMessageDisabled: true } }, /^check_message_disabled is set/, 'skip'],
    [{}, /^served; check_batch_max_messages in config switches it on/, 'pass'],
  ]
  for (const [faults, seen, result] of cases) {
    const server = await startStrictHooks(t, faults)
    const report = await examine(server.url, only('check-messages', 'signatures'))
    found(t, report)
    t.match(report.findings.filter(({ check }) => check === 'check-messages'), [{ result, seen }])
    t.notOk(JSON.stringify(report.findings.filter(({ check }) => check === 'signatures')).includes('check-messages'))
  }
})

t.test('where it is on, /check-message need not be served', async t => {
  const server = await startStrictHooks(t, { config, ...replyOn(['check-message'], 404) })
  const report = await examine(server.url)
  found(t, report)
  t.match(report.findings.filter(({ check }) => check === 'check-message'), [{ result: 'skip', seen: /^not served, and not needed/ }])
})

t.test('a config of batches that can hardly be meant is a warning', async t => {
  const cases: [Faults['config'], RegExp][] = [
    [{ checkBatchMaxMessages: 1 }, /check_batch_max_messages 1: messages are checked one by one => give 16 or more/],
    [{ checkBatchMaxMessages: 1000 }, /check_batch_max_messages 1000 => 256 is the most/],
    [{ checkBatchMaxMessages: 64, checkBatchMaxWaitMs: 100 }, /check_batch_max_wait_ms 100 => 50 is the most/],
    [{ checkBatchMaxWaitMs: 5 }, /check_batch_max_wait_ms is set without check_batch_max_messages/],
    [{ checkBatchMaxMessages: 64, checkMessageDisabled: true }, /check_message_disabled and check_batch_max_messages are both set/],
  ]
  for (const [config, pattern] of cases) {
    const server = await startStrictHooks(t, { config })
    found(t, await examine(server.url, only('auth')), pattern)
  }
})

t.test('a full call must leave the gateway some of its 150 ms', async t => {
  const judge = (times: number[], ownDelayMs = 0) => {
    const findings = new Findings(new Set(['load']), new Set())
    judgeFullCalls({ findings, ownDelayMs, options: { budgetMs: 150 } }, 'calls about 64 messages each', times)
    return findings.all
  }
  t.match(judge([10, 12, 149]), [{ result: 'pass', seen: 'p50 12 ms, max 149 ms of 3 calls' }])
  t.match(judge([10, 60, 149]), [{ result: 'warn', advice: /aim at 50 ms: set a smaller check_batch_max_messages/ }])
  t.match(judge([10, 12, 151]), [{ result: 'fail', advice: /gives up after 150 ms, and then no message of the call is checked/ }])
  t.match(judge([10, 12, 151], 30), [{ result: 'warn', seen: /this machine itself was held up/ }])
})

t.test('--batch examines it though nothing switches it on', async t => {
  const mock = await startHookMock({ host: '127.0.0.1', port: 0, secrets: [SECRET], groups: {}, log: false })
  t.teardown(async () => await mock.close())
  const given = ['hook', 'doctor', '--url', mock.url, '--tenant', 'demo', '--secret', SECRET, '--only', 'check-messages', '--timeout', '60']
  const { stdout, exitCode } = await mics([...given, '--batch', '16'])
  t.equal(exitCode, 0, stdout)
  t.match(stdout, /\nPOST \/check-messages\n {2}pass one message: allowed/)
  t.match(stdout, /\n {2}pass 16 messages, 1 MiB together: 16 allowed, 0 refused/)
  const without = await mics(given)
  t.match(without.stdout, /pass several messages with one call: served; check_batch_max_messages/)
  for (const wrong of ['1', '257', 'many']) {
    const { stderr, exitCode } = await mics([...given, '--batch', wrong])
    t.equal(exitCode, 2)
    t.match(stderr, /It takes a number of messages, from 2 to 256\./)
  }
})
