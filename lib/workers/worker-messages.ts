/** What the primary tells a worker. */
export type ToWorker =
  /** All are ready: take clients. */
  | { kind: 'listen' }
  /** Drain and end. */
  | { kind: 'stop' }
  /** End at once. */
  | { kind: 'end' }
  /** Say that you live. */
  | { kind: 'ping' }
  /** Another worker wants your metrics. */
  | { kind: 'metrics-wanted', by: number, question: number }
  /** What was asked for; no text: there is no such worker now. */
  | { kind: 'metrics', question: number, worker: number, text: string | undefined }
  | { kind: 'primary-metrics', question: number, metrics: PrimaryMetrics }

/** What a worker tells the primary. */
export type FromWorker =
  | { kind: 'ready' }
  | { kind: 'listening', url: string }
  | ({ kind: 'failed' } & StartFailure)
  | { kind: 'pong' }
  | { kind: 'gather-metrics', question: number }
  | { kind: 'metrics-for', worker: number, question: number, text: string }

/** Why a worker does not come to listen. */
export interface StartFailure {
  /** For the operator: what is wrong, and what to do. */
  text: string
  exitCode: number
}

/** What the primary knows of itself and its workers. */
export interface PrimaryMetrics {
  cpuSeconds: number
  residentBytes: number
  /** How often each worker was started again, the first worker's first. */
  restarts: number[]
}
