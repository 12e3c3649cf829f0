import { connects } from './connects.js'
import { group } from './group.js'
import { hooks } from './hooks.js'
import { idle } from './idle.js'
import { idle100k } from './idle-100k.js'
import { isolation } from './isolation.js'
import { kafka } from './kafka.js'
import { latency } from './latency.js'
import { nodes } from './nodes.js'
import { pair } from './pair.js'
import type { Shape } from './shape.js'
import { tenants } from './tenants.js'

/** In the order in which they run. */
export const shapes: readonly Shape[] = [
  pair, latency, group, hooks, tenants, isolation, connects, nodes, kafka, idle, idle100k,
]
