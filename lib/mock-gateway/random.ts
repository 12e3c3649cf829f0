/** Numbers from 0 to 1 that a seed decides (mulberry32): the same on every machine. */
export function seededRandom (seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ mixed >>> 15, mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61)
    return ((mixed ^ mixed >>> 14) >>> 0) / 0x100000000
  }
}

/** The same items in another order, where there is one. */
export function shuffled<Item> (items: readonly Item[], random: () => number): Item[] {
  const result = [...items]
  for (let last = result.length - 1; last > 0; last--) {
    // Never its own place: two items are always swapped, so that a scenario which asks for disorder gets it.
    const other = Math.floor(random() * last)
    ;[result[last], result[other]] = [result[other], result[last]]
  }
  return result
}
