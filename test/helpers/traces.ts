import type { FastifyInstance } from 'fastify'
import { traceRows, type TraceRow } from '../../cli/trace-rows.js'
import { askForTrace } from '../../lib/message-trace/trace-client.js'
import { until } from './until.js'

export const TRACE_TOKEN = 'a-secret-of-this-test'

/** For a gateway that can be asked what became of a message. */
export const TRACED = { CLUSTER_GRPC_TOKEN: TRACE_TOKEN, NODE_PORT: '0' }

/** What became of a message of tenant t1, by the node's own port. */
export async function traceOf (app: FastifyInstance, msgId: string, tenantId = 't1'): Promise<TraceRow[]> {
  const question = { tenantId, msgId, askMembers: true }
  return traceRows((await askForTrace(app.nodeEndpoint(), TRACE_TOKEN, question, 20_000)).nodes)
}

/** The same, once it has this stage: some things happen after the ack. */
export async function traceWith (app: FastifyInstance, msgId: string, stage: string): Promise<TraceRow[]> {
  let rows: TraceRow[] = []
  await until(`the trace of ${msgId} has ${stage}`, async () => {
    rows = await traceOf(app, msgId)
    return rows.some(row => row.stage === stage)
  })
  return rows
}

/** Stage, result and detail of each row. */
export function verdicts (rows: readonly TraceRow[]): string[] {
  return rows.map(({ stage, result, detail }) => [stage, result, detail].filter(Boolean).join(': '))
}
