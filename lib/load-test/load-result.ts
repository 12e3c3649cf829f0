import type { LatencyName, LatencySummary } from './latencies.js'
import type { LoadMode } from './load-options.js'
import type { Tally } from './tally.js'

/** What came of a load run. docs/guides/load-testing.md says what each figure means. */
export interface LoadResult {
  /** Raised when the form of a result changes. */
  version: 1
  mode: LoadMode
  urls: string[]
  tenants: string[]
  /** When it began: ISO 8601. */
  startedAt: string
  /** Somebody ended it early. */
  interrupted: boolean
  /** Nothing was lost, repeated, out of order, refused or cut, and every message was acked SENT. */
  ok: boolean
  /** Why it is not ok, each a sentence. */
  problems: string[]
  /** What limits what the figures say, each a sentence. */
  notes: string[]
  /** Seconds: until all were connected, and of load that is measured. */
  seconds: { connect: number, measured: number }
  /** A second, during the measured load. `target` is the given rate; null with a window, or where nothing is sent. */
  rates: { target: number | null, sent: number, acked: number, delivered: number, connected: number }
  connections: Tally['connections'] & {
    /** A second, from the first attempt until all were open; null where none is opened before the load. */
    openedPerSecond: number | null
  }
  messages: Tally['messages'] & {
    bodyBytes: number
    /** Without an ack when the load ended: with an open loop, what the gateway was behind with. */
    backlog: number
  }
  deliveries: Tally['deliveries']
  heartbeats: Tally['heartbeats']
  complaints: Tally['complaints']
  /** Milliseconds; null where there was none. */
  latencies: Record<LatencyName, LatencySummary | null>
  generator: {
    threads: number
    /** Part of the measured time that each thread was busy, 0 to 1. */
    busy: number[]
    /** Processor seconds of the whole process in the measured time and in waiting for what was late. */
    cpuSeconds: number
  }
}
