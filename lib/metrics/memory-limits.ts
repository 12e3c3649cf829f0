import { totalmem } from 'node:os'
import { getHeapStatistics } from 'node:v8'

/** Bytes of heap at which the process ends with `heap out of memory`. */
export function heapLimit (): number {
  return getHeapStatistics().heap_size_limit
}

/**
 * Bytes at which the kernel kills the process: the memory limit of its container.
 * @param constrained what Node.js says of it: 0 or a number beyond all memory where there is none
 * @returns undefined where nothing but the machine is a limit
 */
export function memoryLimit (constrained = process.constrainedMemory(), machine = totalmem()): number | undefined {
  return constrained > 0 && constrained < machine ? constrained : undefined
}
