// npx tsx bench/codec.ts: what the hand-written codec of the hot frames costs beside protobuf-es.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import {
  ClientFrameSchema, MessageAckSchema, MessageDeliverySchema, MessageRequestSchema, ServerFrameSchema,
} from '../lib/gen/mics/message/v1/message_pb.js'
import { decodeClientFrame } from '../lib/protocol/client-frame.js'
import type { Message } from '../lib/protocol/message.js'
import { encodeAck, encodeDelivery, frameOf, type Ack } from '../lib/protocol/server-frame.js'

const ROUNDS = 8
const ROUND_MS = 35

interface Contest { name: string, ours: () => unknown, theirs: () => unknown }

function message (bodyBytes: number): Message {
  return {
    tenantId: 'acme',
    userId: 'user-100023',
    deviceId: 'web-7f3a91',
    msgId: '0195d2c4-7a1e-7c3b-9d55-2f6e8a1b4c70',
    msgType: 0,
    toUserId: 'user-200046',
    groupId: '',
    msgBody: Buffer.alloc(bodyBytes, 'hello '),
    timestampMs: 1_760_000_000_123n,
  }
}

function decode (bodyBytes: number): Contest {
  const value = create(MessageRequestSchema, message(bodyBytes))
  const frame = Buffer.from(toBinary(ClientFrameSchema, create(ClientFrameSchema, {
    payload: { case: 'message', value },
  })))
  return {
    name: `decode ClientFrame, body ${bodyBytes} B`,
    ours: () => decodeClientFrame(frame),
    theirs: () => fromBinary(ClientFrameSchema, frame),
  }
}

function deliver (bodyBytes: number): Contest {
  const ours = message(bodyBytes)
  const theirs = create(MessageRequestSchema, ours)
  return {
    name: `encode delivery, body ${bodyBytes} B`,
    ours: () => encodeDelivery(ours),
    theirs: () => frameOf(toBinary(ServerFrameSchema, create(ServerFrameSchema, {
      payload: { case: 'delivery', value: create(MessageDeliverySchema, { message: theirs }) },
    }))),
  }
}

function ack (): Contest {
  const ours: Ack = {
    msgId: '0195d2c4-7a1e-7c3b-9d55-2f6e8a1b4c70',
    status: 0,
    timestampMs: 1_760_000_000_123,
    reason: '',
    partialDelivery: false,
    offlineNotifiedUsers: 0,
    offlineBufferedUsers: 1,
    offlineSkippedUsers: 0,
  }
  const theirs = { ...ours, timestampMs: BigInt(ours.timestampMs) }
  return {
    name: 'encode ack',
    ours: () => encodeAck(ours),
    theirs: () => frameOf(toBinary(ServerFrameSchema, create(ServerFrameSchema, {
      payload: { case: 'ack', value: create(MessageAckSchema, theirs) },
    }))),
  }
}

/** Nanoseconds per call, over about ROUND_MS. */
function measure (run: () => unknown): number {
  let calls = 0
  const start = process.hrtime.bigint()
  let spent = 0
  while (spent < ROUND_MS * 1e6) {
    for (let i = 0; i < 500; i++) sink = run()
    calls += 500
    spent = Number(process.hrtime.bigint() - start)
  }
  return spent / calls
}

// Read at the end, so that no call can be optimised away.
let sink: unknown

const contests = [decode(128), decode(1024), deliver(128), deliver(1024), ack()]
const times = contests.map(() => ({ ours: [] as number[], theirs: [] as number[] }))

// Interleaved, so that a neighbour's load falls on all alike; the first round only warms up.
for (let round = 0; round <= ROUNDS; round++) {
  contests.forEach((contest, i) => {
    const ours = measure(contest.ours)
    const theirs = measure(contest.theirs)
    if (round === 0) return
    times[i].ours.push(ours)
    times[i].theirs.push(theirs)
  })
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]
console.log(`Node ${process.version}, median of ${ROUNDS} rounds\n`)
console.log(''.padEnd(34) + 'by hand'.padStart(12) + 'protobuf-es'.padStart(14) + 'ratio'.padStart(8))
contests.forEach((contest, i) => {
  const ours = median(times[i].ours)
  const theirs = median(times[i].theirs)
  console.log(contest.name.padEnd(34) + `${ours.toFixed(0)} ns`.padStart(12) +
    `${theirs.toFixed(0)} ns`.padStart(14) + `${(theirs / ours).toFixed(1)}x`.padStart(8))
})
if (sink === undefined) throw new Error('nothing was measured')
