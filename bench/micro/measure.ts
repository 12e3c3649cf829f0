/** Something whose cost is asked for. */
export interface Subject {
  name: string
  /** Operations that one run stands for: enough that reading the clocks costs nothing beside them. */
  ops: number
  /** Before each run. Not measured. */
  prepare?: () => unknown
  run: () => unknown
}

/** Subjects to be compared with each other: ratios are to the first. */
export interface Block {
  title: string
  /** What one operation is, such as `a frame`. */
  op: string
  subjects: Subject[]
}

/** How long to measure. */
export interface Effort {
  /** How often each subject is measured, after a round that only warms up. */
  rounds: number
  /** Of each subject in each round, at least. */
  roundMs: number
}

/** Nanoseconds an operation. */
export interface Cost {
  name: string
  median: number
  lowest: number
  highest: number
  /** Median of this process's processor time, all its threads together, which a busy machine changes little. */
  cpu: number
  /** Of processor time, to that of the block's first subject. */
  ratio: number
}

interface Sample {
  wall: number
  cpu: number
}

/**
 * Measures the subjects of a block in turns, so that a neighbour's load falls on all alike.
 * @throws what a subject throws
 */
export async function measure ({ subjects }: Block, { rounds, roundMs }: Effort): Promise<Cost[]> {
  const samples = subjects.map((): Sample[] => [])
  for (let round = 0; round <= rounds; round++) {
    for (const [i, subject] of subjects.entries()) {
      const sample = await sampleOf(subject, roundMs)
      if (round > 0) samples[i].push(sample)
    }
  }
  const base = median(samples[0].map(({ cpu }) => cpu))
  return subjects.map(({ name }, i) => {
    const walls = samples[i].map(({ wall }) => wall)
    const cpu = median(samples[i].map(sample => sample.cpu))
    return {
      name, median: median(walls), lowest: Math.min(...walls), highest: Math.max(...walls), cpu, ratio: cpu / base,
    }
  })
}

/** A subject of a call that is over at once. What it returns is kept, so that it cannot be optimised away. */
export function calls (name: string, call: () => unknown): Subject {
  const ops = 2000
  return {
    name,
    ops,
    run: () => {
      for (let i = 0; i < ops; i++) kept = call()
    },
  }
}

let kept: unknown

/** @throws {Error} where the calls returned nothing, so that nothing may have been measured */
export function expectKept (): void {
  if (kept === undefined) throw new Error('the calls that were measured returned nothing')
}

async function sampleOf ({ ops, prepare, run }: Subject, roundMs: number): Promise<Sample> {
  let done = 0
  let wallMs = 0
  let cpuUs = 0
  while (wallMs < roundMs) {
    await prepare?.()
    const cpuBefore = process.cpuUsage()
    const startedAt = performance.now()
    const running = run()
    if (running instanceof Promise) await running
    wallMs += performance.now() - startedAt
    const { user, system } = process.cpuUsage(cpuBefore)
    cpuUs += user + system
    done += ops
  }
  return { wall: wallMs * 1e6 / done, cpu: cpuUs * 1e3 / done }
}

function median (values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]
}
