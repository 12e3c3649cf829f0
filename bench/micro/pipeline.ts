import type { Message } from '../../lib/protocol/message.js'
import type { Session } from '../../lib/session/session.js'
import type { Block, Subject } from './measure.js'
import { SocketlessNode } from './socketless-node.js'

/** Messages in one turn of the event loop, each of a conversation of its own. */
const PER_TURN = 100

/** Members of the group. */
const MEMBERS = 10

/** What the pipeline makes of a message, from accepting it to the frames of its recipients and its ack. */
export async function pipeline (run: (blocks: Block[]) => Promise<void>): Promise<void> {
  const unchecked = await SocketlessNode.start({ checkMessageDisabled: true })
  const checked = await SocketlessNode.start()
  try {
    await run([{
      title: 'accept',
      op: `a message, ${PER_TURN} in a turn of the event loop`,
      subjects: [
        await toUsers(unchecked, 'hooks off'),
        await toUsers(checked, 'check hook answers at once'),
        await toGroup(unchecked, `group of ${MEMBERS}, members hook answers at once`),
        await toGroup(checked, `group of ${MEMBERS}, both hooks answer at once`),
        await invalid(unchecked, 'invalid, failed at once'),
      ],
    }])
  } finally {
    await unchecked.close()
    await checked.close()
  }
}

async function toUsers (node: SocketlessNode, name: string): Promise<Subject> {
  const from = await node.connect('sender')
  const recipients = Array.from({ length: PER_TURN }, (_, i) => `recipient-${i}`)
  for (const userId of recipients) await node.connect(userId)
  return subject(node, name, from, 'sent', i => node.message(from, recipients[i]))
}

async function toGroup (node: SocketlessNode, name: string): Promise<Subject> {
  const from = await node.connectGroup(MEMBERS)
  return subject(node, name, from, 'sent', () => node.message(from, '', String(MEMBERS)))
}

async function invalid (node: SocketlessNode, name: string): Promise<Subject> {
  const from = await node.connect('sender of nothing')
  return subject(node, name, from, 'failed', () => node.message(from, ''))
}

function subject (
  node: SocketlessNode, name: string, from: Session, status: 'sent' | 'failed', message: (i: number) => Message
): Subject {
  const { messagePipeline } = node.app
  const acks = (): Map<string, number> => new Map(from.metrics.acks.entries())
  const total = (): number => [...acks().values()].reduce((sum, count) => sum + count, 0)
  const expected = (): number => acks().get(status) ?? 0
  return {
    name,
    ops: PER_TURN,
    run: async () => {
      const [totalBefore, expectedBefore] = [total(), expected()]
      for (let i = 0; i < PER_TURN; i++) messagePipeline.accept(from, message(i))
      // A group's messages are one conversation, and wait for each other.
      do await node.turn()
      while (total() < totalBefore + PER_TURN)
      if (expected() < expectedBefore + PER_TURN) throw new Error(`${name}: a message was not acked as ${status}`)
    },
  }
}
