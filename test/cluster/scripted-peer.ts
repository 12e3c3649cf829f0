import { once } from 'node:events'
import { createServer, type ServerHttp2Session } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { fromBinary } from '@bufbuild/protobuf'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import type { Test } from 'tap'
import { MessageRequestSchema } from '../../lib/gen/mics/message/v1/message_pb.js'
import { encodeResult, newResult } from '../../lib/cluster/item-result.js'
import { ItemSchema, NodeService } from '../../lib/gen/mics/node/v1/node_pb.js'
import type { Member } from '../../lib/node-directory/node-directory.js'
import { aMember } from './test-directory.js'

/** A LinkRequest as it came. */
export interface SeenRequest {
  /** Of its messages, in order. */
  msgIds: string[]
  /** Of its items. */
  bytes: number
}

/**
 * A peer that knows nobody and remembers nothing: it answers each message, and where it is told to it severs the
 * connection instead, each time the message comes. Closed when the test ends.
 */
export async function startScripted (
  t: Test, seversOn: (msgId: string) => boolean = () => false
): Promise<{ member: Member, requests: SeenRequest[] }> {
  const requests: SeenRequest[] = []
  const sessions = new Set<ServerHttp2Session>()
  const server = createServer(connectNodeAdapter({
    routes: router => router.service(NodeService, {
      link: async function * (incoming) {
        yield {}
        for await (const { items: encoded } of incoming) {
          const items = encoded.map(bytes => fromBinary(ItemSchema, bytes))
          const msgIds = items.map(({ kind }) =>
            kind.case === 'deliver' ? fromBinary(MessageRequestSchema, kind.value.message).msgId : '')
          requests.push({ msgIds, bytes: encoded.reduce((sum, { length }) => sum + length, 0) })
          if (msgIds.some(seversOn)) for (const session of sessions) session.destroy()
          else yield { results: items.map(({ id }) => encodeResult({ ...newResult(Number(id)), count: 1 })) }
        }
      },
    }),
  }))
  server.on('session', session => {
    sessions.add(session)
    session.on('error', () => {})
    session.once('close', () => sessions.delete(session))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const session of sessions) session.destroy()
    server.close()
  })
  return { member: aMember('scripted', `http://127.0.0.1:${(server.address() as AddressInfo).port}`), requests }
}
