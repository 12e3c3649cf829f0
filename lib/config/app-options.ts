import type { MemoryStore } from '../cluster/memory-store.js'
import type { EventTransport } from '../mq/event-transport.js'
import type { WorkersMetrics } from '../workers/workers-metrics.js'
import type { GatewayConfig } from './gateway-config.js'

/** What app.ts and every plugin are registered with. */
export interface AppOptions {
  config: GatewayConfig
  /** `mics dev`: the demo page and the demo tenant's hooks are served by this process. Default: false. */
  embedded?: boolean
  /** `mics dev --nodes`: the nodes that the demo page connects to in turn. Default: only this one. */
  demoNodes?: () => readonly DemoNode[]
  /** Apps that share one are a cluster without Redis, for tests. Default: the app is alone. */
  memoryStore?: MemoryStore
  /** Where events go, for tests. Default: to Kafka where it is configured, else in embedded mode into memory. */
  eventTransport?: EventTransport
  /** Milliseconds between two looks at the tenants file. Default: 1000. */
  tenantsFileIntervalMs?: number
  /** `mics start --workers`: which of the processes this is. Default: it is the only one. */
  worker?: Worker
}

/** A node of `mics dev --nodes`, as its clients reach it. */
export interface DemoNode {
  nodeId: string
  port: number
}

/** One of several processes of `mics start --workers`. */
export interface Worker {
  /** Counted from 1. */
  id: number
  /** The metrics of all of them. */
  metrics: WorkersMetrics
}
