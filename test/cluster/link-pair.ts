import { create } from '@bufbuild/protobuf'
import type { Test } from 'tap'
import { PeerLinks } from '../../lib/cluster/peer-links.js'
import type { PeerLinkOptions } from '../../lib/cluster/peer-link.js'
import { PeerServer } from '../../lib/cluster/peer-server.js'
import type { Arrival, PeerService } from '../../lib/cluster/peers.js'
import { TraceMessageResponseSchema } from '../../lib/gen/mics/node/v1/node_pb.js'
import { ThrottledLog } from '../../lib/log/throttled-log.js'
import type { Member } from '../../lib/node-directory/node-directory.js'
import type { OfflineEntry } from '../../lib/offline/offline-entry.js'
import type { Message } from '../../lib/protocol/message.js'
import { Delivery } from '../../lib/routing/delivery.js'
import { aMessage } from '../helpers/message.js'
import { aMember, TestDirectory } from './test-directory.js'

export const TOKEN = 'cluster-token'
export const NOBODY: ReadonlySet<string> = new Set()

/** Milliseconds for tests in which peers answer, however busy the machine. */
const PATIENT_MS = 20_000

let seq = 0

export function aDelivery (fields: Partial<Message> = {}): Delivery {
  return new Delivery(aMessage(fields), ++seq)
}

/** What a peer does with what it is asked, and what it was asked. */
export class TestService implements PeerService {
  readonly delivered: Array<{ delivery: Delivery, userIds: readonly string[], shared: ReadonlySet<string> }> = []
  readonly held: OfflineEntry[] = []
  readonly arrivals: Array<{ memberKey: string, arrival: Arrival }> = []
  onDeliver: PeerService['deliver'] = (_delivery, userIds) => ({ missing: [], moved: [], devices: userIds.length })
  onHold: PeerService['hold'] = async entries => entries.length
  onArrive: PeerService['arrive'] = async () => {}

  get msgIds (): string[] {
    return this.delivered.map(({ delivery }) => delivery.message.msgId)
  }

  deliver (delivery: Delivery, userIds: readonly string[], shared: ReadonlySet<string>): ReturnType<PeerService['deliver']> {
    this.delivered.push({ delivery, userIds, shared })
    return this.onDeliver(delivery, userIds, shared)
  }

  async hold (entries: OfflineEntry[], isHandover: boolean): Promise<number | undefined> {
    this.held.push(...entries)
    return await this.onHold(entries, isHandover)
  }

  async arrive (memberKey: string, arrival: Arrival): Promise<void> {
    this.arrivals.push({ memberKey, arrival })
    await this.onArrive(memberKey, arrival)
  }
}

export interface TestPeer {
  member: Member
  /** What the peer knows of the cluster. */
  directory: TestDirectory
  service: TestService
  server: PeerServer
  port: number
}

/** A node RPC server on a free port, closed when the test ends. */
export async function startPeer (
  t: Test,
  { nodeId = 'b', tokens = [TOKEN], maxMessageBytes = 1024 * 1024, port = 0, incarnation = 1, silenceMs = 10_000, timeoutMs = PATIENT_MS } = {}
): Promise<TestPeer> {
  const service = new TestService()
  const directory = new TestDirectory(aMember(nodeId, '', incarnation))
  const server = new PeerServer({
    tokens,
    directory,
    service,
    tracer: { answer: async () => create(TraceMessageResponseSchema) },
    timeoutMs,
    maxMessageBytes,
    silenceMs,
    log: { warn () {} },
    throttledLog: new ThrottledLog(1000),
  })
  const bound = await server.listen('127.0.0.1', port)
  t.teardown(async () => await server.close())
  const member = aMember(nodeId, `http://127.0.0.1:${bound}`, incarnation)
  directory.self = member
  return { member, directory, service, server, port: bound }
}

export interface TestLinks {
  links: PeerLinks
  directory: TestDirectory
  logged: Array<{ fields: object, message: string }>
}

/** The links of node `a`, closed when the test ends. */
export function startLinks (t: Test, members: Member[], options: Partial<PeerLinkOptions> = {}): TestLinks {
  const directory = new TestDirectory(aMember('a', 'http://127.0.0.1:1'))
  for (const member of members) directory.add(member)
  const logged: TestLinks['logged'] = []
  const line = (fields: object, message: string): void => { logged.push({ fields, message }) }
  const links = new PeerLinks(directory, {
    token: TOKEN,
    timeoutMs: PATIENT_MS,
    queueMaxBytes: 16 * 1024 * 1024,
    breakerFailureThreshold: 5,
    breakerOpenMs: 60_000,
    maxMessageBytes: 1024 * 1024,
    log: { error: line, warn: line },
    throttledLog: new ThrottledLog(0),
    random: () => 0,
    ...options,
  })
  t.teardown(async () => await links.close(AbortSignal.abort()))
  return { links, directory, logged }
}
