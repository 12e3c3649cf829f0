import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { ConnectError } from '@connectrpc/connect'
import {
  NodeTraceSchema, TraceMessageResponseSchema, type NodeTrace, type TracedMessageSchema, type TraceMessageResponse,
} from '../gen/mics/node/v1/node_pb.js'
import { parseMemberKey } from '../node-directory/lease.js'
import type { Member, NodeDirectory } from '../node-directory/node-directory.js'
import type { MessageTrace } from './message-trace.js'
import { askForTrace, type TraceQuestion } from './trace-client.js'
import type { TraceRecord } from './trace-record.js'

/** The latest of a message that are told: a client may send one id any number of times. */
const MAX_MESSAGES = 100

/** Answers what became of a message: by what this node knows, and by what the others know. */
export class MessageTracer {
  constructor (private readonly deps: {
    trace: MessageTrace
    directory: Pick<NodeDirectory, 'self' | 'members'>
    token: string
    /** Milliseconds for another node to answer. */
    timeoutMs: number
    /** Unix milliseconds. */
    now: () => number
    ask?: typeof askForTrace
  }) {}

  /** Never rejects: a node that does not answer is in the answer as one that does not. */
  async answer (question: TraceQuestion): Promise<TraceMessageResponse> {
    const { directory } = this.deps
    const others = question.askMembers ? directory.members().filter(({ key }) => key !== directory.self.key) : []
    const answers = await Promise.all(others.map(async member => await this.ask(member, question)))
    return create(TraceMessageResponseSchema, { nodes: [this.own(question), ...answers.flat()] })
  }

  private async ask ({ nodeId, endpoint }: Member, question: TraceQuestion): Promise<NodeTrace[]> {
    const { token, timeoutMs, ask = askForTrace } = this.deps
    try {
      return (await ask(endpoint, token, { ...question, askMembers: false }, timeoutMs)).nodes
    } catch (error) {
      return [create(NodeTraceSchema, { nodeId, problem: `it does not answer: ${ConnectError.from(error).message}` })]
    }
  }

  private own ({ tenantId, msgId }: TraceQuestion): NodeTrace {
    const { trace, directory: { self: { nodeId } }, now } = this.deps
    if (trace.capacity === 0) {
      return create(NodeTraceSchema, { nodeId, problem: 'it traces no messages: MESSAGE_TRACE_ENTRIES is 0' })
    }
    // The clock of the steps has no epoch.
    const epoch = now() - trace.clock()
    const oldest = trace.oldestOf(tenantId)
    return create(NodeTraceSchema, {
      nodeId,
      oldestMs: BigInt(oldest === undefined ? 0 : Math.round(epoch + oldest)),
      messages: trace.find(tenantId, msgId).slice(-MAX_MESSAGES).map(record => tracedMessage(record, epoch)),
    })
  }
}

function tracedMessage (record: TraceRecord, epoch: number): MessageInitShape<typeof TracedMessageSchema> {
  const {
    origin, userId, deviceId, toUserId, groupId, traceId, delivered, notified, buffered, skipped, devices, written,
  } = record
  return {
    origin,
    userId,
    deviceId,
    toUserId,
    groupId,
    traceId,
    delivered,
    notified,
    buffered,
    skipped,
    devices,
    written,
    bodyBytes: BigInt(record.bodyBytes),
    receivedMs: epoch + record.startedAt,
    stepsLeftOut: record.leftOut,
    steps: record.steps.map(({ at, member, ...step }) => ({
      stage: step.stage,
      result: step.result,
      detail: step.detail,
      userId: step.userId,
      deviceId: step.deviceId,
      count: step.count,
      afterMs: at - record.startedAt,
      nodeId: member === '' ? '' : parseMemberKey(member)?.nodeId ?? member,
    })),
  }
}
