import type { Message } from '../../lib/protocol/message.js'
import { isSent, type DeliveryOutcome } from '../../lib/routing/dispatch.js'
import type { Session } from '../../lib/session/session.js'
import type { Block, Subject } from './measure.js'
import { groupList, parsed, SocketlessNode, TENANT } from './socketless-node.js'

/** Messages in one turn of the event loop, each to a user of its own. */
const PER_TURN = 100

/** Deliveries in one run, at least. */
const DELIVERIES = 1000

/** What it costs to take a message to those who receive it, frames written. */
export async function router (run: (blocks: Block[]) => Promise<void>): Promise<void> {
  const node = await SocketlessNode.start({ checkMessageDisabled: true, syncSenderDevices: true })
  try {
    const from = await node.connect('sender')
    const synced = await node.connect('sender with two devices', 'phone')
    await node.connect('sender with two devices', 'laptop')
    await run([{
      title: 'to a user',
      op: `a message, ${PER_TURN} in a turn of the event loop`,
      subjects: [
        await toUsers(node, from, 'one device', 1),
        await toUsers(node, from, 'three devices', 3),
        await toUsers(node, synced, 'one device, and another of the sender', 1),
        await toUsers(node, from, 'offline, kept in the buffer', 0),
      ],
    }, {
      title: 'to N recipients',
      op: 'a delivery, one message in a turn of the event loop',
      subjects: [
        await toOne(node, from, 'one user'),
        await toGroup(node, 10),
        await toGroup(node, 100),
        await toGroup(node, 1000),
      ],
    }])
  } finally {
    await node.close()
  }
}

async function toUsers (node: SocketlessNode, from: Session, name: string, devices: number): Promise<Subject> {
  const recipients = Array.from({ length: PER_TURN }, (_, i) => `${name} ${i}`)
  for (const userId of recipients) {
    for (let i = 0; i < devices; i++) await node.connect(userId, `device-${i}`)
  }
  const { messageRouter, offlineBuffer } = node.app
  return {
    name,
    ops: PER_TURN,
    prepare: async () => {
      offlineBuffer.removeTenant(TENANT)
      await node.turn()
    },
    run: async () => {
      for (const userId of recipients) await sent(messageRouter.toUser(from, node.message(from, userId)))
      await node.turn()
    },
  }
}

async function toOne (node: SocketlessNode, from: Session, name: string): Promise<Subject> {
  const { userId } = await node.connect(`${name} alone`)
  return oneATurn(node, name, 1, () => node.message(from, userId),
    message => node.app.messageRouter.toUser(from, message))
}

async function toGroup (node: SocketlessNode, recipients: number): Promise<Subject> {
  // The sender is a member too.
  const groupId = String(recipients + 1)
  const list = groupList(groupId)
  const from = await node.connectGroup(recipients + 1)
  return oneATurn(node, `group of ${recipients}`, recipients, () => node.message(from, '', groupId),
    message => node.app.messageRouter.toGroup(from, message, parsed(list)))
}

function oneATurn (
  node: SocketlessNode, name: string, recipients: number, next: () => Message,
  send: (message: Message) => DeliveryOutcome | Promise<DeliveryOutcome>
): Subject {
  const messages = Math.ceil(DELIVERIES / recipients)
  return {
    name,
    ops: messages * recipients,
    run: async () => {
      for (let i = 0; i < messages; i++) {
        await sent(send(next()))
        await node.turn()
      }
    },
  }
}

/** @throws {Error} where the message reached nobody */
async function sent (outcome: DeliveryOutcome | Promise<DeliveryOutcome>): Promise<void> {
  if (!isSent(outcome instanceof Promise ? await outcome : outcome)) throw new Error('a message reached nobody')
}
