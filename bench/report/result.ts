/** One thing that was measured, once a round. */
export interface Series {
  /** What was measured: `MICS`, `Socket.IO`, `MICS with hooks`. */
  name: string
  /** One a round. */
  values: number[]
  /** Where a server was under load: microseconds of its processor time a message, or a delivery. */
  cpuUs?: number[]
  /** Shares of the server's core, 0 to 1: what the server used, and what others used. */
  serverBusy?: number[]
  othersBusy?: number[]
  /** Share of the generator's core that was used, by the generator and whatever else runs there. */
  loadBusy?: number[]
  /** Messages that were answered with FAILED, or not at all. */
  failed?: number[]
}

/** What is to be reached: of the ratio, or of the value itself. */
export interface Target {
  of: 'ratio' | 'value'
  atLeast?: number
  atMost?: number
}

/** A line of the table. */
export interface Result {
  /** The shape of load it comes from. */
  shape: string
  name: string
  unit: string
  subject: Series
  /** What it is compared with. */
  base?: Series
  target?: Target
  /** What a reader must know to judge it. */
  note?: string
}

export interface Skipped {
  shape: string
  /** Why, and what to do about it. */
  reason: string
}

/** Latency at one load, for the plot of it. */
export interface LatencyPoint {
  name: string
  messagesPerSecond: number
  p50Ms: number
  p99Ms: number
}

export interface Machine {
  cpu: string
  cores: number
  memoryGiB: number
  system: string
}

/** What one run of the bench writes. */
export interface Report {
  startedAt: string
  tookSeconds: number
  commit: string
  /** Sources differ from the commit. */
  isChanged: boolean
  node: string
  /** What Node.js was started with, beside the script. */
  nodeFlags: string
  socketIo: string
  machine: Machine
  isPinned: boolean
  rounds: number
  secondsEach: number
  isShort: boolean
  results: Result[]
  latencies: LatencyPoint[]
  skipped: Skipped[]
}
