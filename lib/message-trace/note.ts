import type { Message } from '../protocol/message.js'
import { MAX_RECIPIENT_STEPS, MAX_STEPS, type TraceRecord } from './trace-record.js'
import type { TraceStage } from './trace-step.js'

/** Notes a verdict on the message itself. Nothing happens where the message is not traced, or no more. */
export function note (message: Message, stage: TraceStage, result: string, detail = '', count = 0): void {
  const record = recordOf(message)
  record?.add(MAX_STEPS, false, stage, result, detail, '', '', '', count)
}

/** The same for what took no time: it came at once after what was noted before it, and no clock is read. */
export function noteAtOnce (message: Message, stage: TraceStage, result: string): void {
  const record = recordOf(message)
  record?.add(MAX_STEPS, true, stage, result, '', '', '', '', 0)
}

/** Notes what became of the message for a recipient, or for those on another node. */
export function noteRecipient (
  message: Message, stage: TraceStage, result: string, userId: string, member = '', detail = '', count = 0
): void {
  const record = recordOf(message)
  record?.add(MAX_RECIPIENT_STEPS, false, stage, result, detail, userId, '', member, count)
}

/** The same for one device. Of a group only those are noted that went another way than all others. */
export function noteDevice (
  message: Message, stage: TraceStage, result: string, userId: string, deviceId: string, detail = ''
): void {
  const record = recordOf(message)
  record?.add(MAX_RECIPIENT_STEPS, false, stage, result, detail, userId, deviceId, '', 0)
}

/** The message has been handed to a device here. Of a group only their number is kept. */
export function noteHanded (message: Message, userId: string, deviceId: string): void {
  const record = recordOf(message)
  if (record === undefined) return
  if (record.isGroup) record.devices++
  else record.add(MAX_RECIPIENT_STEPS, true, 'device', 'handed over', '', userId, deviceId, '', 0)
}

/** The socket of a device has taken the message. Of a group only their number is kept. */
export function noteWritten (message: Message, userId: string, deviceId: string): void {
  const record = recordOf(message)
  if (record === undefined) return
  if (record.isGroup) record.written++
  else record.add(MAX_RECIPIENT_STEPS, false, 'written', 'socket took it', '', userId, deviceId, '', 0)
}

/** Undefined: it is not traced, or its record has become another message's. */
export function recordOf ({ trace, traceTicket }: Message): TraceRecord | undefined {
  return trace !== undefined && trace.ticket === traceTicket ? trace : undefined
}
