import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import { WebSocket } from 'ws'
import {
  ClientFrameSchema, MessageRequestSchema, MessageType, ServerFrameSchema,
} from '../lib/gen/mics/message/v1/message_pb.js'

/** A client that costs little itself: it looks at acks only as far as it must. */
export class Client {
  onAck = (): void => {}
  onDelivery = (): void => {}

  private constructor (readonly ws: WebSocket) {}

  /** Resolves when it is connected as `user`; on a busy machine the hook may be late, and it tries again. */
  static async connect (url: string, tenantId: string, user: string): Promise<Client> {
    for (;;) {
      try {
        return await Client.connectOnce(url, tenantId, user)
      } catch (error) {
        if (!(error as Error).message.startsWith('closed: 4503')) throw error
      }
    }
  }

  private static async connectOnce (url: string, tenantId: string, user: string): Promise<Client> {
    const client = new Client(new WebSocket(`${url.replace('http', 'ws')}/ws?tenantId=${tenantId}&token=valid:${user}&deviceId=d`))
    await new Promise<void>((resolve, reject) => {
      client.ws.on('error', reject)
      client.ws.on('close', (code, reason) => reject(new Error(`closed: ${code} ${reason.toString()}`)))
      client.ws.on('message', (data: Buffer) => {
        // The second byte of a small frame's payload tells nothing; the first is the oneof's tag.
        switch (data[0] >> 3) {
          case 1: return resolve()
          case 2: return client.onDelivery()
          case 3:
            if (fromBinary(ServerFrameSchema, data).payload.value?.$typeName !== 'mics.message.v1.MessageAck') throw new Error('no ack')
            client.onAck()
        }
      })
    })
    return client
  }

  send (toUserId: string, msgId: string, msgBody: Uint8Array): void {
    this.sendMessage({ toUserId, msgId, msgBody })
  }

  sendToGroup (groupId: string, msgId: string, msgBody: Uint8Array): void {
    this.sendMessage({ msgType: MessageType.GROUP_CHAT, groupId, msgId, msgBody })
  }

  private sendMessage (value: MessageInitShape<typeof MessageRequestSchema>): void {
    this.ws.send(toBinary(ClientFrameSchema, create(ClientFrameSchema, { payload: { case: 'message', value } })))
  }
}
