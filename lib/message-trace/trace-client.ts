import { createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { PeerConnection } from '../cluster/peer-connection.js'
import { NodeService, type TraceMessageResponse } from '../gen/mics/node/v1/node_pb.js'

export interface TraceQuestion {
  tenantId: string
  msgId: string
  /** Whether the node asks all others too, and answers for them. */
  askMembers: boolean
}

/**
 * Asks the node behind `endpoint`, its NODE_PORT, what it knows of a message. On a connection of its own: it is seldom
 * asked, and what peers have to say to each other must not wait behind it.
 * @throws {ConnectError} where it does not answer within `timeoutMs`, or refuses the token.
 */
export async function askForTrace (
  endpoint: string, token: string, question: TraceQuestion, timeoutMs: number
): Promise<TraceMessageResponse> {
  const connection = new PeerConnection(endpoint, timeoutMs, timeoutMs)
  const transport = createConnectTransport({
    httpVersion: '2',
    baseUrl: endpoint,
    sessionManager: connection,
    acceptCompression: [],
  })
  try {
    return await createClient(NodeService, transport)
      .traceMessage(question, { headers: { authorization: `Bearer ${token}` }, timeoutMs })
  } finally {
    connection.close()
  }
}
