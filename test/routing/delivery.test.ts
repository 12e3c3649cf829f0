import { fromBinary } from '@bufbuild/protobuf'
import t from 'tap'
import { ServerFrameSchema, type MessageDelivery } from '../../lib/gen/mics/message/v1/message_pb.js'
import { encodeMessageRequest } from '../../lib/protocol/server-frame.js'
import { Delivery } from '../../lib/routing/delivery.js'
import { aMessage } from '../helpers/message.js'

/** The body of a message that was received within a larger chunk, as bodies are. */
function received (chunk: Buffer): Uint8Array {
  return chunk.subarray(1000, 1005)
}

function delivered (frame: Buffer): string {
  // Header of a short WebSocket frame: two bytes.
  const { payload } = fromBinary(ServerFrameSchema, frame.subarray(2))
  return Buffer.from((payload.value as MessageDelivery).message?.msgBody ?? []).toString()
}

t.test('the frame is encoded once for all who receive it', t => {
  const delivery = new Delivery(aMessage(), 1)
  t.equal(delivery.frame, delivery.frame)
  t.equal(delivered(delivery.frame), 'hello')
  t.end()
})

t.test('what peers get is the message as the frame has it, in the same memory', t => {
  // Lengths at which the headers inside and outside of the frame change their size.
  for (const length of [0, 5, 40, 60, 80, 120, 200, 16_380, 65_500, 70_000, 3_000_000]) {
    const delivery = new Delivery(aMessage({ msgBody: Buffer.alloc(length, 'x') }), 1)
    const { encodedMessage } = delivery
    t.ok(encodedMessage.equals(encodeMessageRequest(delivery.message)), `${length} bytes`)
    t.equal(encodedMessage.buffer, delivery.frame.buffer)
  }
  t.end()
})

t.test('what is kept shares no memory with the chunk it was received in', t => {
  const chunk = Buffer.alloc(64 * 1024, 'hello')
  const delivery = new Delivery(aMessage({ msgBody: received(chunk) }), 1)
  delivery.keep()
  const { msgBody } = delivery.message
  t.not(msgBody.buffer, chunk.buffer)
  t.equal(msgBody.buffer.byteLength, 5, 'nor any pool: kept are these bytes and no others')
  chunk.fill('!')
  t.equal(delivered(delivery.frame), 'hello')
  t.end()
})

t.test('the frame is encoded once, and anew after it was forgotten', t => {
  const delivery = new Delivery(aMessage({ msgBody: received(Buffer.alloc(2000, 'hello')) }), 1)
  const before = delivery.frame
  delivery.keep()
  t.equal(delivery.frame, before)
  delivery.forgetFrame()
  t.not(delivery.frame, before)
  t.strictSame(delivery.frame, before)
  t.end()
})

t.test('keeping a second time copies nothing', t => {
  const delivery = new Delivery(aMessage(), 1)
  delivery.keep()
  const { msgBody } = delivery.message
  delivery.keep()
  t.equal(delivery.message.msgBody, msgBody)
  t.end()
})

t.test('an empty body is kept as well', t => {
  const delivery = new Delivery(aMessage({ msgBody: new Uint8Array(0) }), 1)
  delivery.keep()
  t.equal(delivered(delivery.frame), '')
  t.end()
})
