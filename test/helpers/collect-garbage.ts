import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

/** Frees what nothing refers to any more; not what a WeakRef was made for, or asked for, in this turn. */
export function collectGarbage (): void {
  gc()
}
