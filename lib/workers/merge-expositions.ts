const HEAD = '# HELP '

/**
 * Metrics of several processes, each in Prometheus' text format with labels of its own, as one such text: the samples
 * of a metric stand together, and its help and type once. Between two texts everything else has its turn.
 */
export async function mergeExpositions (texts: Iterable<string>): Promise<string> {
  const families = new Map<string, string>()
  for (const text of texts) {
    for (const { name, head, samples } of familiesOf(text)) families.set(name, (families.get(name) ?? head) + samples)
    await new Promise<void>(resolve => setImmediate(resolve))
  }
  return [...families.values()].join('')
}

interface Family {
  name: string
  /** The lines of its help and type. */
  head: string
  /** The lines of its samples. */
  samples: string
}

/** A line begins with HEAD only where a family does: line ends within a value are escaped. */
function * familiesOf (text: string): Generator<Family> {
  for (let start = text.startsWith(HEAD) ? 0 : nextHead(text, 0); start !== -1;) {
    const end = nextHead(text, start)
    const block = text.slice(start, end === -1 ? undefined : end).trimEnd() + '\n'
    // Help, then type, then the samples.
    const typeEnd = block.indexOf('\n', block.indexOf('\n') + 1) + 1
    const name = block.slice(HEAD.length, block.indexOf(' ', HEAD.length))
    yield { name, head: block.slice(0, typeEnd), samples: block.slice(typeEnd) }
    start = end
  }
}

function nextHead (text: string, from: number): number {
  const before = text.indexOf(`\n${HEAD}`, from)
  return before === -1 ? -1 : before + 1
}
