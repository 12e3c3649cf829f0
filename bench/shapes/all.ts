import { group } from './group.js'
import { idle } from './idle.js'
import { pair } from './pair.js'
import type { Shape } from './shape.js'

/** In the order in which they run. */
export const shapes: readonly Shape[] = [pair, group, idle]
