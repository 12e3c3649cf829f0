import type { Counts } from './client.js'

/** Which server, and how one speaks with it. */
export interface Place {
  protocol: 'mics' | 'socket.io'
  port: number
  /** Only of the gateway. */
  tenantId?: string
  deviceId?: string
}

/** What one crowd sends. */
export interface Chat {
  /** The crowd that sends. */
  from: string
  /** Each to the user of this name and its own index; or all to one group. */
  toUsers?: string
  toGroup?: string
  bodyBytes: number
  /** Only so many of the crowd send. Default: all. */
  senders?: number
}

export interface Measured {
  seconds: number
  /** What was counted in that time, in all crowds that were named. */
  counts: Counts
  /** Processor time of each process that was named. */
  cpuSeconds: number[]
  /** Of each core, whoever used it. */
  coreSeconds: number[]
}

export interface Latency {
  messages: number
  unanswered: number
  /** Milliseconds from when a message was due to its ack. */
  p50: number
  p99: number
}

/** What the process of the generator can be asked for, and what it answers. */
export interface Orders {
  /** Connects users `<users>0`, `<users>1` ..., or more of them. Resolves to the seconds it took. */
  open: (order: { crowd: string, place: Place, users: string, count: number }) => Promise<number>
  close: (order: { crowd: string }) => Promise<void>
  /** Begins a closed loop. */
  talk: (order: { talk: string, chat: Chat, window: number }) => Promise<void>
  /** Ends it; resolves to the number of messages that were never acked. */
  hush: (order: { talk: string }) => Promise<number>
  measure: (order: { crowds: string[], pids: number[], seconds: number }) => Promise<Measured>
  steadyRate: (order: { chat: Chat, perSecond: number, seconds: number }) => Promise<Latency>
  counts: (order: { crowd: string }) => Promise<Counts>
}
