/** As the table in docs/protocol.md, "Sending and acks", has it. */
const failedReasons: [reason: string, sendAgain: 'no' | 'later' | 'with_new_msg_id'][] = [
  ['missing to_user_id', 'no'],
  ['missing group_id', 'no'],
  ['invalid msg_type', 'no'],
  ['msg_body_too_large', 'no'],
  ['tenant qps limited', 'later'],
  ['message rejected', 'no'],
  ['check unavailable', 'later'],
  ['group members unavailable', 'later'],
  ['group members empty', 'no'],
  ['group too large', 'no'],
  ['msg_id conflict', 'with_new_msg_id'],
  ['delivery failed', 'later'],
  ['internal error', 'later'],
]

export function ackReasons (): object {
  return {
    description: 'What a client makes of an ack. status: 0 SENT, 1 FAILED. send_again: no; later, with the same msg_id; with a new msg_id; or as the tenant says, whose own words any other reason is.',
    cases: [
      { status: 0, reason: '', sent: true, send_again: 'no' },
      { status: 0, reason: 'duplicate', sent: true, send_again: 'no' },
      ...failedReasons.map(([reason, sendAgain]) => ({ status: 1, reason, sent: false, send_again: sendAgain })),
      { status: 1, reason: '你已被禁言', sent: false, send_again: 'as_the_tenant_says' },
      { status: 1, reason: 'Internal Error', sent: false, send_again: 'as_the_tenant_says' },
    ],
  }
}

type Received = [user: string, device: string, msgId: string, body?: string]

const sequences: [name: string, received: [message: Received, repeat: boolean][]][] = [
  ['the same message again', [[['alice', 'phone', '1'], false], [['alice', 'phone', '1'], true], [['alice', 'phone', '1'], true]]],
  ['the same msg_id of another device', [[['alice', 'phone', '1'], false], [['alice', 'laptop', '1'], false]]],
  ['the same msg_id of another user', [[['alice', 'phone', '1'], false], [['bob', 'phone', '1'], false]]],
  ['the body is not part of it', [[['alice', 'phone', '1', 'one'], false], [['alice', 'phone', '1', 'two'], true]]],
  ['ids that are the same when they are put together', [
    [['a', 'b', 'c'], false], [['ab', '', 'c'], false], [['a', '', 'bc'], false], [['a:b', 'c', 'd'], false], [['a', 'b:c', 'd'], false],
    [['a', 'b', 'c","d'], false], [['a\u0000', 'b', 'c'], false], [['a', '\u0000b', 'c'], false],
  ]],
  ['case and Unicode forms make a difference', [[['José', 'd', '1'], false], [['Jose\u0301', 'd', '1'], false], [['josé', 'd', '1'], false], [['\ufeffJosé', 'd', '1'], false]]],
  ['long ids that end differently', [[['alice', 'd', `${'x'.repeat(1000)}1`], false], [['alice', 'd', `${'x'.repeat(1000)}2`], false], [['alice', 'd', `${'x'.repeat(1000)}1`], true]]],
  ['repeats among others', [[['alice', 'd', '1'], false], [['alice', 'd', '2'], false], [['alice', 'd', '1'], true], [['alice', 'd', '3'], false], [['alice', 'd', '2'], true]]],
]

export function messageIdentity (): object {
  return {
    description: 'Which of the delivered messages are repeats, that the app must not see: known by the sender (user_id), the sending device (device_id) and msg_id. Each sequence is for a client of its own.',
    sequences: sequences.map(([name, received]) => ({
      name,
      deliveries: received.map(([[user, device, msgId, body = 'hello'], repeat]) =>
        ({ user_id: user, device_id: device, msg_id: msgId, msg_body: Buffer.from(body).toString('hex'), repeat })),
    })),
  }
}
