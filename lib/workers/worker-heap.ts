const MEBIBYTE = 1024 * 1024

/** What of the memory of a container the heaps of its workers may have together; the rest is for all else. */
const HEAP_SHARE = 0.75

/**
 * The argument that bounds the heap of each worker, where all of them share the memory of a container: Node.js would
 * let each grow as if it were there alone. None where there is no such limit, where the operator has set a bound, and
 * where Node.js's own is lower.
 */
export function workerHeapArguments (
  { workers, memoryLimit, heapLimit, given }: {
    workers: number
    /** Bytes of the container; undefined: no limit. */
    memoryLimit: number | undefined
    /** Bytes of heap that Node.js takes by itself. */
    heapLimit: number
    /** NODE_OPTIONS and the arguments of this process. */
    given: readonly string[]
  }
): string[] {
  if (memoryLimit === undefined || given.some(text => /--max[-_]old[-_]space[-_]size/.test(text))) return []
  const share = memoryLimit * HEAP_SHARE / workers
  return share < heapLimit ? [`--max-old-space-size=${Math.floor(share / MEBIBYTE)}`] : []
}
